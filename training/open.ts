// Training as the server sees it: each call becomes a process.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { cancelled } from './errors.ts';
import { runInProcess } from './process.ts';
import type { Jobs, Limits } from './protocol.ts';
import type { RunOptions, Training } from './types.ts';

export interface TrainingOptions {
  /** For the temporary files of checks; made when missing. */
  scratchFolder: string;
  /** Of one run; a run that would need more is refused (default: half of the machine's). */
  memoryBytes?: number;
  /** Of one run (default: the machine's). They have the lowest priority, so that others come first. */
  threads?: number;
  /** Training rows beyond this are read from their file in blocks (default 256 MiB). */
  rowsInMemoryBytes?: number;
  /** Between two checkpoints at least (default 30). */
  checkpointSeconds?: number;
  /** What a run that was told to stop is given before its process is killed (default 3 s). */
  graceMs?: number;
}

/** Training, and the ids of its processes for those who look after memory. */
export interface OpenTraining extends Training {
  readonly processIds: number[];
}

export function openTraining({
  scratchFolder,
  memoryBytes = Math.floor(Math.min(totalmem(), process.constrainedMemory() || Infinity) / 2),
  threads = availableParallelism(),
  rowsInMemoryBytes = 256 * 2 ** 20,
  checkpointSeconds = 30,
  graceMs = 3_000,
}: TrainingOptions): OpenTraining {
  const limits: Limits = { memoryBytes, threads, rowsInMemoryBytes, checkpointSeconds };
  const closing = new AbortController();
  const running = new Set<{ id: number | null; done: Promise<unknown> }>();

  async function follow<T>(
    options: RunOptions | undefined,
    work: (options: RunOptions, onStart: (id: number) => void) => Promise<T>,
  ): Promise<T> {
    if (closing.signal.aborted) throw cancelled();
    const signal = options?.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
    const run: { id: number | null; done: Promise<unknown> } = { id: null, done: Promise.resolve() };
    const result = work({ ...options, signal }, id => (run.id = id));
    run.done = result;
    running.add(run);
    try {
      return await result;
    } finally {
      running.delete(run);
    }
  }

  const check = <K extends 'check' | 'checkLanguage'>(
    kind: K,
    job: Jobs[K]['input'],
    options: RunOptions | undefined,
  ): Promise<Jobs[K]['result']> =>
    follow(options, async (own, onStart) => {
      await mkdir(scratchFolder, { recursive: true });
      const scratch = await mkdtemp(join(resolve(scratchFolder), 'check-'));
      try {
        const input = { ...job, source: resolve(job.source) };
        return await runInProcess(kind, input, { limits, scratch, services: null, graceMs, onStart }, own);
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    });

  return {
    get processIds() {
      return [...running].flatMap(({ id }) => id ?? []);
    },
    check: (job, options) => check('check', job, options),
    checkLanguage: (job, options) => check('checkLanguage', job, options),
    train: (job, services, options) =>
      follow(options, (own, onStart) => {
        const [source, folder, target] = [resolve(job.source), resolve(job.folder), resolve(job.target)];
        const input = { ...job, source, folder, target };
        return runInProcess('train', input, { limits, scratch: folder, services, graceMs, onStart }, own);
      }),
    trainLanguage: (job, options) =>
      follow(options, (own, onStart) => {
        const [source, folder, target] = [resolve(job.source), resolve(job.folder), resolve(job.target)];
        const input = { ...job, source, folder, target };
        return runInProcess('trainLanguage', input, { limits, scratch: folder, services: null, graceMs, onStart }, own);
      }),
    exportLanguage: (job, options) =>
      follow(options, async (own, onStart) => {
        const [target, path] = [resolve(job.target), resolve(job.base.path)];
        const input = { ...job, target, base: { ...job.base, path } };
        await runInProcess('exportLanguage', input, { limits, scratch: target, services: null, graceMs, onStart }, own);
      }),
    async close() {
      closing.abort();
      await Promise.allSettled([...running].map(({ done }) => done));
    },
  };
}
