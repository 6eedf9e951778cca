// The pool of tables processes: starts them, gives each one job at a time, ends them when idle, and cleans up after them.
//
// DuckDB never runs in the server's own process: its threads would take libuv's, a crash or a bomb would take the
// server along, and a query that ignores its interrupt could not be ended. Long jobs and short ones (pages of rows,
// checks, previews) have places of their own, so that looking at data never waits behind making it; accounts share the
// places of each by turns (turns.ts).
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fromPlain, toPlain, TableError } from './errors.ts';
import type { FromProcess, JobSettings, Jobs, Kind, ServiceCall, ToProcess } from './protocol.ts';
import { Turns } from './turns.ts';
import type { RunOptions, Services } from './types.ts';

export type Lane = 'short' | 'long';

/**
 * Without these, the two allocators in a process keep hundreds of megabytes that DuckDB's threads have freed: glibc, and the jemalloc
 * within DuckDB, which would wait a second before it gives a page back, and then for a thread that asks it for more.
 */
const keepNothingFreed = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '1048576',
  MALLOC_MMAP_THRESHOLD_: '1048576',
  DUCKDB_JE_MALLOC_CONF: 'dirty_decay_ms:0,muzzy_decay_ms:0',
};

export interface PoolOptions {
  /** How many jobs of each lane run at once. */
  places: Record<Lane, number>;
  timeLimitMs: Record<Lane, number>;
  idleMs: number;
  /** From the interrupt to the kill. */
  graceMs: number;
  /** What a process runs. */
  entry?: URL;
}

export interface PoolJob<K extends Kind> {
  lane: Lane;
  kind: K;
  input: Jobs[K]['input'];
  settings: JobSettings;
  services?: Services;
}

interface Worker {
  child: ChildProcess;
  idle: NodeJS.Timeout | undefined;
  /** Of the job that it does; null when idle. */
  onMessage: ((message: FromProcess) => void) | null;
  onGone: ((error: TableError) => void) | null;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #workers = new Set<Worker>();
  readonly #free: Worker[] = [];
  readonly #turns: Record<Lane, Turns>;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#turns = { short: new Turns(options.places.short), long: new Turns(options.places.long) };
  }

  /** Process ids, for those who look after memory. */
  get processIds(): number[] {
    return [...this.#workers].flatMap(({ child }) => (child.pid === undefined ? [] : [child.pid]));
  }

  /** Does a job in a process. Throws TableError. */
  async run<K extends Kind>(job: PoolJob<K>, options: RunOptions = {}): Promise<Jobs[K]['result']> {
    const { signal, onProgress, account = '' } = options;
    if (this.#closed) throw closed();
    const leave = await this.#turns[job.lane].enter(account, signal).catch(() => Promise.reject(cancelled()));
    try {
      if (this.#closed) throw closed();
      return await this.#runNow(job, signal, onProgress);
    } finally {
      leave();
    }
  }

  /** Ends all processes; jobs that run or wait are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const turns of Object.values(this.#turns)) turns.open();
    await Promise.all(
      [...this.#workers].map(
        ({ child }) =>
          new Promise<void>(resolve => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve();
            child.ref();
            child.once('exit', () => resolve());
            child.kill('SIGKILL');
          }),
      ),
    );
  }

  async #runNow<K extends Kind>(
    { lane, kind, input, settings, services }: PoolJob<K>,
    signal: AbortSignal | undefined,
    onProgress: RunOptions['onProgress'],
  ): Promise<Jobs[K]['result']> {
    const worker = this.#free.pop() ?? this.#start();
    clearTimeout(worker.idle);
    worker.child.ref();
    let stopped: TableError | null = null;
    let killing: NodeJS.Timeout | undefined;
    const stop = (reason: TableError) => {
      if (stopped) return;
      stopped = reason;
      send(worker, { type: 'cancel' });
      killing = setTimeout(() => worker.child.kill('SIGKILL'), this.#options.graceMs);
    };
    const abort = () => stop(cancelled());
    const seconds = this.#options.timeLimitMs[lane] / 1000;
    const watch = setInterval(() => {
      if (residentBytes(worker.child.pid) > mostResident(settings)) stop(tooMuch());
    }, watchEveryMs);
    const timer = setTimeout(
      () => stop(new TableError('TIME_LIMIT', `The job took longer than ${seconds} s`)),
      this.#options.timeLimitMs[lane],
    );
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<Jobs[K]['result']>((resolve, reject) => {
        worker.onGone = reject;
        worker.onMessage = message => {
          if (message.type === 'progress') onProgress?.(message.fraction);
          else if (message.type === 'call') void answer(worker, message, services);
          else if (message.type === 'done') resolve(message.result);
          else reject(fromPlain(message.error));
        };
        // TypeScript does not see that the kind and the input of a generic job belong together.
        send(worker, { type: 'run', kind, input, settings } as ToProcess);
        if (signal?.aborted) abort();
      });
    } catch (error) {
      throw stopped ?? error;
    } finally {
      clearInterval(watch);
      clearTimeout(timer);
      clearTimeout(killing);
      signal?.removeEventListener('abort', abort);
      worker.onMessage = null;
      worker.onGone = null;
      this.#rest(worker);
    }
  }

  #start(): Worker {
    const child = fork(this.#options.entry ?? new URL('tables-process.ts', import.meta.url), {
      serialization: 'advanced',
      // Nothing that the server's environment holds is a job's business.
      env: keepNothingFreed,
      execArgv: ['--max-old-space-size=1024', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const worker: Worker = { child, idle: undefined, onMessage: null, onGone: null };
    this.#workers.add(worker);
    child.on('message', (message: FromProcess) => worker.onMessage?.(message));
    // A process that could not be started has no 'exit'.
    child.on('error', error =>
      this.#gone(worker, new TableError('FAILED', `The process of the job: ${error.message}`)),
    );
    child.on('exit', (code, signal) => this.#gone(worker, lost(code, signal, this.#closed)));
    return worker;
  }

  #rest(worker: Worker): void {
    if (!this.#workers.has(worker) || this.#closed) return;
    worker.child.unref();
    worker.child.channel?.unref();
    this.#free.push(worker);
    worker.idle = setTimeout(() => worker.child.kill('SIGKILL'), this.#options.idleMs).unref();
  }

  #gone(worker: Worker, error: TableError): void {
    clearTimeout(worker.idle);
    this.#workers.delete(worker);
    const index = this.#free.indexOf(worker);
    if (index >= 0) this.#free.splice(index, 1);
    worker.onGone?.(error);
  }
}

async function answer(worker: Worker, message: ServiceCall, services: Services | undefined): Promise<void> {
  const { call } = message;
  try {
    if (!services) throw new TableError('FAILED', `The job has no service ${message.service}`);
    let value: unknown;
    if (message.service === 'embed') value = await services.embed(...message.arguments);
    else if (message.service === 'count') value = await services.count(...message.arguments);
    else if (message.service === 'affords') value = await services.affords(...message.arguments);
    else if (message.service === 'chunk') value = await services.chunk(...message.arguments);
    else value = await services.predict(...message.arguments);
    send(worker, { type: 'answer', call, value });
  } catch (error) {
    send(worker, { type: 'refuse', call, error: toPlain(error) });
  }
}

function send({ child }: Worker, message: ToProcess): void {
  // The process may have died a moment ago; its exit tells the job.
  if (child.connected) child.send(message, () => undefined);
}

function lost(code: number | null, signal: NodeJS.Signals | null, wasClosed: boolean): TableError {
  if (wasClosed) return closed();
  // V8 aborts when its heap is full.
  if (signal === 'SIGABRT' || code === 134) return tooMuch();
  return new TableError('FAILED', `The process of the job ended (${signal ?? `code ${code}`})`);
}

const watchEveryMs = 250;

/** DuckDB's limit leaves out single texts, which a few operations can make longer than the machine's memory. */
function mostResident({ memoryBytes }: JobSettings): number {
  return 2 * memoryBytes + 1.5 * 2 ** 30;
}

/** 0 where nobody tells. */
function residentBytes(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function tooMuch(): TableError {
  return new TableError('OUT_OF_MEMORY', 'The job needs more memory than it may have');
}

function closed(): TableError {
  return new TableError('CANCELLED', 'The tables are closed');
}

function cancelled(): TableError {
  return new TableError('CANCELLED', 'The job was cancelled');
}
