// This side of a training process: starts it, lends it what it can't do itself, and sees that it ends.
//
// Each run has a process of its own, unlike the jobs of tables, whose processes wait for the next: a run takes seconds to hours and much
// memory, which ONNX Runtime gives back only with its process.
import { fork } from 'node:child_process';
import { cancelled, fromPlain, toPlain, TrainingError } from './errors.ts';
import type { FromProcess, Jobs, Kind, Limits, ToProcess } from './protocol.ts';
import type { RunOptions, TrainServices } from './types.ts';

export interface ProcessOptions {
  limits: Limits;
  scratch: string;
  services: TrainServices | null;
  graceMs: number;
  /** Is told the id of the process. */
  onStart: (id: number) => void;
}

/** Does one job in a process of its own. Throws TrainingError. */
export async function runInProcess<K extends Kind>(
  kind: K,
  input: Jobs[K]['input'],
  options: ProcessOptions,
  { signal, onProgress, onEvent }: RunOptions = {},
): Promise<Jobs[K]['result']> {
  if (signal?.aborted) throw cancelled();
  const { limits, scratch, services, graceMs, onStart } = options;
  const child = fork(new URL('training-process.ts', import.meta.url), [String(process.pid)], {
    serialization: 'advanced',
    // Nothing that the server's environment holds is a run's business. Without these, glibc keeps memory that was freed.
    env: { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '1048576', MALLOC_MMAP_THRESHOLD_: '1048576' },
    execArgv: ['--max-old-space-size=1024', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  // The process may have died a moment ago; its exit tells the job.
  const send = (message: ToProcess) => {
    if (child.connected) child.send(message, () => undefined);
  };
  let killing: NodeJS.Timeout | undefined;
  const refused: unknown[] = [];
  const abort = () => {
    send({ type: 'cancel' });
    killing = setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  const ended = new Promise<void>(resolve => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  try {
    return await new Promise<Jobs[K]['result']>((resolve, reject) => {
      child.on('message', (message: FromProcess) => {
        if (message.type === 'progress') onProgress?.(message.fraction);
        else if (message.type === 'event') onEvent?.(message.event, message.data);
        else if (message.type === 'embed') void embed(message);
        // The kind of the job decides the type of its result, which TypeScript can't see.
        else if (message.type === 'done') resolve(message.result as Jobs[K]['result']);
        else reject(fromPlain(message.error));
      });
      child.on('error', error => reject(new TrainingError('FAILED', `The process of the run: ${error.message}`)));
      child.on('exit', (code, killed) => reject(lost(code, killed)));
      if (child.pid !== undefined) onStart(child.pid);
      signal?.addEventListener('abort', abort, { once: true });
      send({ type: 'run', kind, input, limits, scratch } as ToProcess);
    });
  } catch (error) {
    if (signal?.aborted) throw cancelled();
    // What the caller's own service threw comes back to it as it was.
    throw refused[0] ?? error;
  } finally {
    clearTimeout(killing);
    signal?.removeEventListener('abort', abort);
    child.kill('SIGKILL');
    await ended;
  }

  async function embed({ texts, part }: Extract<FromProcess, { type: 'embed' }>): Promise<void> {
    try {
      if (!services) throw new TrainingError('EMBEDDING_FAILED', 'There is no model for vectors');
      send({ type: 'vectors', part, vectors: await services.embed(texts, part) });
    } catch (error) {
      refused.push(error);
      send({ type: 'refused', part, error: toPlain(error) });
    }
  }
}

function lost(code: number | null, signal: NodeJS.Signals | null): TrainingError {
  // V8 aborts when its heap is full.
  if (signal === 'SIGABRT' || code === 134)
    return new TrainingError('NOT_ENOUGH_MEMORY', 'The run needs more memory than it may have');
  return new TrainingError('FAILED', `The process of the run ended (${signal ?? `code ${code}`})`);
}
