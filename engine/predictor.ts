// Predictions of trained models: a queue of rows over threads of their own, beside the queues of texts.
//
// A row takes microseconds and its model megabytes; a text takes milliseconds and its model hundreds of megabytes. In one queue, a
// row would wait for a batch of texts (up to 250 ms) to save the processor some microseconds. So rows have as many threads as there
// may be batches, the operating system shares the cores between both, and only memory is shared here.
//
// 1. Pieces. A request goes in pieces of about 20 ms, 1,024 rows at most (memory of what is computed grows with them), and all
//    threads that are free take from it.
// 2. Turns. A new request gets its first piece before those that have had one, but new and old take turns: a row waits for no more
//    than a piece or two of others, and no stream of single rows starves a large request.
// 3. Bound. Whoever comes to an empty queue is served; else what doesn't fit is refused with QUEUE_FULL.
// 4. Memory. Sessions take at most a quarter of the budget, the least recently used make room, and encoders may have it all back: a
//    trained model loads in milliseconds.
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.ts';
import { EngineError } from './errors.ts';
import { PredictThread } from './predict.ts';
import { Prediction } from './prediction.ts';
import { cancelled } from './text.ts';
import type { FeatureTable, PredictorHandle, PredictorStatus, Predictions } from './types.ts';

const pieceMs = 20;
const firstPieceRows = 256;
const maxPieceRows = 1024;
const shareOfBudget = 0.25;

export interface PredictorOptions {
  /** Threads at most. */
  threads: number;
  memoryBudgetBytes: number;
  maxQueuedRows: number;
  idleUnloadMs: number;
  log: (event: string, fields: object) => void;
}

interface Known {
  /** Rows a millisecond, measured. */
  rate: number | null;
  backoff: Backoff;
  failure: EngineError | null;
}

export class Predictor {
  /** Threads that died unasked. */
  lost = 0;
  readonly #options: PredictorOptions;
  readonly #threads: PredictThread[] = [];
  readonly #known = new Map<string, Known>();
  /** Requests that have had no piece, and those that have. */
  readonly #fresh: Prediction[] = [];
  readonly #begun: Prediction[] = [];
  readonly #idleTimer: NodeJS.Timeout;
  #begunIsNext = false;
  #rows = 0;

  constructor(options: PredictorOptions) {
    this.#options = options;
    this.#idleTimer = setInterval(() => this.#unloadIdle(), Math.max(10, options.idleUnloadMs / 4));
    this.#idleTimer.unref();
  }

  get residentBytes(): number {
    return this.#threads.reduce((sum, thread) => sum + thread.residentBytes, 0);
  }

  async predict(handle: PredictorHandle, table: FeatureTable, signal?: AbortSignal): Promise<Predictions> {
    if (signal?.aborted) throw cancelled();
    const { backoff, failure } = this.#knownOf(handle.id);
    const waitMs = backoff.waitMs(Date.now());
    if (failure && waitMs > 0) throw new EngineError(failure.code, failure.message, Math.ceil(waitMs / 1000));
    const waiting = this.#queuedRows;
    if (waiting > 0 && waiting + table.rows > this.#options.maxQueuedRows)
      throw new EngineError('QUEUE_FULL', `${waiting} rows wait for predictions; ${table.rows} more do not fit`, 1);
    const request = new Prediction(handle, table);
    const abort = () => this.#leave(request, cancelled());
    signal?.addEventListener('abort', abort, { once: true });
    this.#fresh.push(request);
    this.#pump();
    try {
      return await request.result;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  status(): PredictorStatus {
    return {
      threads: this.#threads.length,
      busyThreads: this.#threads.filter(({ serves }) => serves !== null).length,
      residentBytes: this.residentBytes,
      models: new Set(this.#threads.flatMap(({ held }) => [...held.keys()])).size,
      queuedRows: this.#queuedRows,
      rows: this.#rows,
    };
  }

  /** Gives up sessions until so many bytes are free, or only those in use are left. */
  release(bytes: number): void {
    const wanted = this.residentBytes - bytes;
    while (this.residentBytes > wanted && this.#dropOldest());
  }

  forget(id: string): void {
    for (const thread of this.#threads) thread.drop(id);
    this.#known.delete(id);
  }

  /** After what is queued. */
  async close(): Promise<void> {
    clearInterval(this.#idleTimer);
    while (this.#queuedRows > 0 || this.status().busyThreads > 0) await sleep(10);
    await Promise.all(this.#threads.map(thread => thread.close()));
  }

  get #queuedRows(): number {
    return [...this.#fresh, ...this.#begun].reduce((sum, { waitingRows }) => sum + waitingRows, 0);
  }

  #knownOf(id: string): Known {
    let known = this.#known.get(id);
    if (!known) this.#known.set(id, (known = { rate: null, backoff: new Backoff(), failure: null }));
    return known;
  }

  #pump(): void {
    for (;;) {
      const request = this.#next();
      const thread = request && this.#threadFor(request.handle.id);
      if (!thread) return;
      const queue = this.#fresh[0] === request ? this.#fresh : this.#begun;
      this.#begunIsNext = queue === this.#fresh;
      queue.shift();
      void this.#run(thread, request);
      // To the end of those that have had a piece, so that they take turns as well.
      if (request.waitingRows > 0) this.#begun.push(request);
    }
  }

  #next(): Prediction | undefined {
    const [fresh] = this.#fresh;
    const [begun] = this.#begun;
    return this.#begunIsNext ? (begun ?? fresh) : (fresh ?? begun);
  }

  /** A free thread, rather one that holds the model. */
  #threadFor(id: string): PredictThread | undefined {
    const free = this.#threads.filter(({ serves }) => serves === null);
    const found = free.find(({ held }) => held.has(id)) ?? free[0];
    if (found || this.#threads.length >= this.#options.threads) return found;
    const thread: PredictThread = new PredictThread('predictions', reason => {
      this.lost++;
      this.#options.log('engine.worker_lost', { thread: 'predict', reason });
      this.#threads.splice(this.#threads.indexOf(thread), 1);
    });
    this.#threads.push(thread);
    return thread;
  }

  async #run(thread: PredictThread, request: Prediction): Promise<void> {
    const { handle } = request;
    const known = this.#knownOf(handle.id);
    const piece = request.take(known.rate === null ? firstPieceRows : pieceRows(known.rate));
    const rows = piece.to - piece.from;
    thread.serves = handle.id;
    try {
      if (!thread.held.has(handle.id)) await this.#load(thread, handle);
      const { predictions, probabilities, milliseconds } = await thread.predict(handle.id, rows, piece.columns);
      known.backoff.succeeded();
      known.failure = null;
      const rate = rows / Math.max(milliseconds, 0.01);
      known.rate = known.rate === null ? rate : 0.8 * known.rate + 0.2 * rate;
      this.#rows += rows;
      if (!request.over) request.deliver(piece, { values: predictions, probabilities });
    } catch (error) {
      if (error instanceof EngineError && (error.code === 'WORKER_LOST' || !thread.held.has(handle.id))) {
        known.backoff.failed(Date.now());
        known.failure = error;
      }
      this.#leave(request, error);
    }
    thread.serves = null;
    this.#pump();
  }

  async #load(thread: PredictThread, handle: PredictorHandle): Promise<void> {
    const { memoryBudgetBytes, log } = this.#options;
    const { id, bytes } = handle;
    const share = memoryBudgetBytes * shareOfBudget;
    if (bytes > share)
      throw new EngineError('MODEL_TOO_LARGE', `${id} needs ${bytes} bytes, trained models may have ${share}`);
    while (this.residentBytes + bytes > share && this.#dropOldest());
    const started = performance.now();
    const { path, release } = await handle.open();
    try {
      await thread.load(id, { path, bytes });
    } finally {
      release();
    }
    log('engine.predictor_loaded', { model: id, milliseconds: performance.now() - started, bytes });
  }

  /** Of those that are not in use; false when there is none. */
  #dropOldest(): boolean {
    const all = this.#threads.flatMap(thread =>
      [...thread.held].flatMap(([id, { lastUsedAt }]) => (id === thread.serves ? [] : [{ thread, id, lastUsedAt }])),
    );
    const [oldest] = all.toSorted((one, other) => one.lastUsedAt - other.lastUsedAt);
    oldest?.thread.drop(oldest.id);
    return oldest !== undefined;
  }

  #leave(request: Prediction, error: unknown): void {
    request.fail(error);
    for (const queue of [this.#fresh, this.#begun]) {
      const index = queue.indexOf(request);
      if (index >= 0) queue.splice(index, 1);
    }
  }

  #unloadIdle(): void {
    const before = Date.now() - this.#options.idleUnloadMs;
    for (const thread of this.#threads.filter(({ serves }) => serves === null)) {
      for (const [id, { lastUsedAt }] of thread.held) {
        if (lastUsedAt > before) continue;
        thread.drop(id);
        this.#known.delete(id);
      }
      if (thread.held.size > 0) continue;
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      void thread.close();
    }
  }
}

function pieceRows(rate: number): number {
  return Math.min(maxPieceRows, Math.max(1, Math.ceil(rate * pieceMs)));
}
