// The entry of a tables process: takes one job at a time from its parent and does it in a DuckDB of the job's own.
import { fromPlain, toPlain, TableError } from './errors.ts';
import { openDatabase, queryOn } from './job.ts';
import type { JobContext } from './job.ts';
import { kinds } from './kinds.ts';
import { lowerPriority } from './priority.ts';
import type { FromProcess, Jobs, Kind, ServiceCall, ToProcess } from './protocol.ts';
import type { Services } from './types.ts';

type Run = Extract<ToProcess, { type: 'run' }>;

const progressEveryMs = 500;
/** An interrupt between two statements is lost, so it is said until the job has ended. */
const interruptEveryMs = 50;

let running: AbortController | null = null;
let lastCall = 0;
const calls = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();

lowerPriority();
process.on('message', (message: ToProcess) => {
  if (message.type === 'run') void run(message);
  else if (message.type === 'cancel') running?.abort();
  else {
    const waiting = calls.get(message.call);
    calls.delete(message.call);
    if (message.type === 'answer') waiting?.resolve(message.value as never);
    else waiting?.reject(fromPlain(message.error));
  }
});
// Nobody would hear of a job whose parent is gone. It is killed, since an orderly exit waits for DuckDB's query, while the parent's
// successor may do the job again, in the same folder.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

async function run(message: Run): Promise<void> {
  const controller = new AbortController();
  running = controller;
  try {
    send({ type: 'done', result: await work(message, controller.signal) });
  } catch (error) {
    send({
      type: 'failed',
      error: controller.signal.aborted ? { code: 'CANCELLED', message: 'The job was cancelled' } : toPlain(error),
    });
  } finally {
    running = null;
  }
}

async function work<K extends Kind>(
  { kind, input, settings }: { kind: K; input: Jobs[K]['input']; settings: Run['settings'] },
  signal: AbortSignal,
): Promise<Jobs[K]['result']> {
  const { files, run: start, tellsProgress } = kinds[kind];
  const database = await openDatabase(settings, files(input));
  const { connection } = database;
  let scale = { from: 0, to: 1 };
  const reporting = setInterval(() => {
    const { percentage } = connection.progress;
    if (percentage > 0 && !tellsProgress)
      send({ type: 'progress', fraction: scale.from + ((scale.to - scale.from) * percentage) / 100 });
  }, progressEveryMs);
  let interrupting: NodeJS.Timeout | undefined;
  const interrupt = () => {
    connection.interrupt();
    interrupting = setInterval(() => connection.interrupt(), interruptEveryMs);
    for (const waiting of calls.values()) waiting.reject(new TableError('CANCELLED', 'The job was cancelled'));
    calls.clear();
  };
  signal.addEventListener('abort', interrupt, { once: true });
  const context: JobContext = {
    connection,
    query: queryOn(connection, signal),
    scratch: settings.scratch,
    settings,
    services,
    signal,
    progress(fraction) {
      scale = { from: fraction, to: 1 };
      send({ type: 'progress', fraction });
    },
  };
  try {
    return await start(input, context);
  } finally {
    clearInterval(reporting);
    clearInterval(interrupting);
    database.close();
  }
}

const services: Services = {
  embed: (...parameters) => ask({ type: 'call', call: ++lastCall, service: 'embed', arguments: parameters }),
  count: (...parameters) => ask({ type: 'call', call: ++lastCall, service: 'count', arguments: parameters }),
  affords: (...parameters) => ask({ type: 'call', call: ++lastCall, service: 'affords', arguments: parameters }),
  chunk: (...parameters) => ask({ type: 'call', call: ++lastCall, service: 'chunk', arguments: parameters }),
  predict: (...parameters) => ask({ type: 'call', call: ++lastCall, service: 'predict', arguments: parameters }),
};

function ask<T>(message: ServiceCall): Promise<T> {
  return new Promise((resolve, reject) => {
    calls.set(message.call, { resolve, reject });
    send(message);
  });
}

function send(message: FromProcess): void {
  if (process.connected) process.send?.(message);
}
