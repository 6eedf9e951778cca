// The dispatcher: takes requests, decides which model's batch runs next on a free worker, and which models are in memory.
//
// It runs on the caller's thread and only passes messages; tokenising, loading and computing happen in threads of their own.
// At most `workers` batches run at one time. A model gets a further session when it has work waiting while all of its
// sessions run and a worker is free.
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Alarm } from './alarm.ts';
import { availableCores } from './cores.ts';
import { EngineError } from './errors.ts';
import { nextTurn, startOf } from './fairness.ts';
import { Model } from './model.ts';
import { EmbedRequest } from './request.ts';
import { chooseVictims } from './residency.ts';
import { Session } from './session.ts';
import { cancelled, TextThread } from './text.ts';
import type {
  ChunkOptions,
  EmbedOptions,
  Engine,
  EngineOptions,
  EngineStatus,
  InputType,
  ModelHandle,
  Prepared,
  PreparedChunk,
} from './types.ts';

/** Beyond 512 tokens a batch does not run faster on one core, it only keeps others waiting. */
const defaultMaxBatchTokens = 512;
const defaultMaxQueuedTokens = 262_144;
/** The limit for texts that are not tokenised yet: four queues of ordinary prose, for tokenising is by far the faster half. */
const waitingCharactersPerQueuedToken = 16;
const defaultIdleUnloadMs = 15 * 60_000;
/** A batch gains nothing by more tokens than these (all-MiniLM-L6 on one core), so it never waits for them. */
const gatherTokens = 64;
const gatherMs = 1;
/** How often a load that waits for room looks again. */
const roomPollMs = 100;
const extraSessionPauseMs = 10_000;

export function createEngine(options: EngineOptions = {}): Engine {
  return new ThreadedEngine(options);
}

class ThreadedEngine implements Engine {
  readonly #workers: number;
  readonly #memoryBudgetBytes: number;
  readonly #maxBatchTokens: number;
  readonly #maxQueuedTokens: number;
  readonly #idleUnloadMs: number;
  readonly #log: (event: string, fields: object) => void;
  readonly #models = new Map<string, Model>();
  readonly #idleTimer: NodeJS.Timeout;
  readonly #retry = new Alarm(() => this.#pump());
  #gatherTimer: NodeJS.Timeout | null = null;
  #pumping: NodeJS.Immediate | null = null;
  #running = 0;
  /** The service at which the latest batch started. */
  #servedUpTo = 0;
  #lost = 0;
  #closing = false;

  constructor(options: EngineOptions) {
    this.#workers = options.workers ?? availableCores();
    this.#memoryBudgetBytes = options.memoryBudgetBytes ?? usableMemory() / 2;
    this.#maxBatchTokens = options.maxBatchTokens ?? defaultMaxBatchTokens;
    this.#maxQueuedTokens = options.maxQueuedTokens ?? defaultMaxQueuedTokens;
    this.#idleUnloadMs = options.idleUnloadMs ?? defaultIdleUnloadMs;
    this.#log = options.log ?? (() => {});
    this.#idleTimer = setInterval(() => this.#unloadIdle(), Math.max(10, this.#idleUnloadMs / 4));
    this.#idleTimer.unref();
  }

  async prepare(handle: ModelHandle, texts: string[], options: ChunkOptions): Promise<Prepared[]> {
    const { chunkSize, overlap, method, inputType, signal } = options;
    if (method === 'late') assertMeanPooled(handle);
    const model = this.#model(handle);
    const chunking = {
      chunkSize,
      overlap,
      method: method === 'late' ? 'sentence_aware' : method,
      prefix: prefixOf(handle, inputType),
      maxTokens: handle.maxTokens,
    } as const;
    // Asked for now, the frame is there when the texts come to be embedded.
    model.text.frame(chunking.prefix).catch(() => {});
    const answer = await model.text.ask({ type: 'prepare', texts, chunking }, signal);
    if (answer.type !== 'prepared') throw new Error(`the text thread answered ${answer.type}`);
    let textAt = 0;
    let spanAt = 0;
    return Array.from(answer.tokens, (tokens, index) => {
      const ids = answer.ids.subarray(textAt, (textAt += tokens));
      const chunks: PreparedChunk[] = [];
      for (let chunk = 0; chunk < (answer.chunks[index] ?? 0); chunk++) {
        const [start = 0, end = 0, from = 0, to = 0] = answer.spans.subarray(spanAt, (spanAt += 4));
        chunks.push({ start, end, tokens: to - from, from, ids: ids.subarray(from, to) });
      }
      return { tokens, chunks, late: method === 'late' };
    });
  }

  async count(handle: ModelHandle, texts: string[], signal?: AbortSignal): Promise<number[]> {
    const answer = await this.#model(handle).text.ask({ type: 'count', texts }, signal);
    if (answer.type !== 'counted') throw new Error(`the text thread answered ${answer.type}`);
    return [...answer.tokens];
  }

  async tokenize(
    handle: ModelHandle,
    text: string,
    signal?: AbortSignal,
  ): Promise<{ ids: number[]; offsets: [number, number][] }> {
    const answer = await this.#model(handle).text.ask({ type: 'tokenize', text }, signal);
    if (answer.type !== 'tokenized') throw new Error(`the text thread answered ${answer.type}`);
    const { ids, starts, ends } = answer;
    return { ids: [...ids], offsets: Array.from(starts, (start, index) => [start, ends[index] ?? start]) };
  }

  async embed(handle: ModelHandle, prepared: Prepared[], options: EmbedOptions): Promise<Float32Array[][]> {
    const { inputType, signal } = options;
    if (prepared.some(text => text.late)) assertMeanPooled(handle);
    const model = this.#model(handle);
    const frame = await model.text.frame(prefixOf(handle, inputType));
    if (signal?.aborted) throw cancelled();
    const waitMs = model.backoff.waitMs(Date.now());
    if (model.failure && waitMs > 0 && model.sessions.length === 0)
      throw new EngineError(model.failure.code, model.failure.message, Math.ceil(waitMs / 1000));
    const request = new EmbedRequest(handle, prepared, frame);
    model.accept(request, { maxQueuedTokens: this.#maxQueuedTokens, workers: this.#workers });
    const abort = () => model.cancel(request);
    signal?.addEventListener('abort', abort, { once: true });
    this.#pumpSoon();
    try {
      return await request.result;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  status(): EngineStatus {
    const now = Date.now();
    const models = [...this.#models.values()].map(model => model.status(now));
    return {
      workers: this.#workers,
      busyWorkers: this.#running,
      lostWorkers: this.#lost,
      memoryBudgetBytes: this.#memoryBudgetBytes,
      residentBytes: this.#residentBytes,
      models,
    };
  }

  async unload(id: string): Promise<void> {
    const model = this.#models.get(id);
    if (!model) return;
    while (model.busy || model.loadingSession) await sleep(10);
    await this.#unloadNow(model);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#idleTimer);
    await Promise.all([...this.#models.keys()].map(id => this.unload(id)));
    this.#retry.clear();
  }

  get #residentBytes(): number {
    return [...this.#models.values()].reduce((sum, model) => sum + model.residentBytes, 0);
  }

  #model(handle: ModelHandle): Model {
    if (this.#closing) throw new EngineError('CANCELLED', 'the engine is closing');
    let model = this.#models.get(handle.id);
    if (!model) {
      const text = new TextThread(`${handle.id} text`, {
        data: { folder: handle.folder },
        maxWaitingCharacters: this.#maxQueuedTokens * waitingCharactersPerQueuedToken,
        onLost: reason => {
          this.#lost++;
          this.#log('engine.worker_lost', { model: handle.id, thread: 'text', reason });
        },
      });
      model = new Model(handle, text);
      this.#models.set(handle.id, model);
    }
    model.lastUsedAt = Date.now();
    return model;
  }

  /** One pump for all calls of this turn of the event loop, so that texts that come together make one batch. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = setImmediate(() => {
      this.#pumping = null;
      this.#pump();
    });
  }

  /**
   * Whether a batch so small that it gains by company waits a moment for texts that are just being tokenised. Without this,
   * of callers that got their vectors together, the first to return would run alone and keep the others waiting.
   */
  #gathers(model: Model): boolean {
    if (model.text.jobs === 0 || model.queue.tokens >= gatherTokens) {
      model.gathersSince = null;
      return false;
    }
    const now = performance.now();
    model.gathersSince ??= now;
    if (now - model.gathersSince >= gatherMs) return false;
    if (!this.#gatherTimer)
      this.#gatherTimer = setTimeout(() => {
        this.#gatherTimer = null;
        this.#pump();
      }, gatherMs);
    return true;
  }

  /** Starts whatever can run now: batches on free workers, then sessions for the work that still waits. */
  #pump(): void {
    while (this.#running < this.#workers) {
      const next = nextTurn(
        this.#models.values(),
        this.#servedUpTo,
        model => model.queue.size > 0 && model.idleSession !== undefined && !this.#gathers(model),
      );
      const session = next?.idleSession;
      if (!next || !session) break;
      void this.#run(next, session);
    }
    const now = Date.now();
    for (const model of this.#models.values()) if (this.#wantsSession(model, now)) void this.#open(model);
  }

  #wantsSession(model: Model, now: number): boolean {
    if (model.loadingSession || model.sessions.some(session => session.leaving)) return false;
    const waiting = model.queue.size > 0;
    const waitMs = model.backoff.waitMs(now);
    if (waitMs > 0) {
      if (waiting || model.restart) this.#retry.within(waitMs);
      return false;
    }
    if (model.sessions.length === 0) return waiting || (model.restart && !this.#closing);
    const allRun = model.sessions.every(session => session.state === 'running');
    return (
      waiting &&
      allRun &&
      model.sessions.length < this.#workers &&
      this.#running < this.#workers &&
      now >= model.nextExtraAt
    );
  }

  /** Workers that can share what waits for a model: two texts on two cores are done sooner than a batch of two on one. */
  #takers(model: Model): number {
    const free = this.#workers - this.#running;
    const mayGrow = !model.loadingSession && model.sessions.length < this.#workers && Date.now() >= model.nextExtraAt;
    const idle = model.sessions.filter(session => session.state === 'idle' && !session.leaving).length;
    return mayGrow ? free : Math.min(idle, free);
  }

  async #run(model: Model, session: Session): Promise<void> {
    const takers = this.#takers(model);
    const share = takers > 1 ? Math.ceil(model.queue.tokens / takers) : Infinity;
    const batch = model.take(Math.min(this.#maxBatchTokens, share));
    model.gathersSince = null;
    session.state = 'running';
    this.#running++;
    this.#servedUpTo = startOf(model, this.#servedUpTo);
    model.service = this.#servedUpTo + model.estimateMs(batch.reduce((sum, work) => sum + work.length, 0));
    try {
      const spans = batch[0]?.spans ?? null;
      const { vectors, milliseconds } = await session.run({ texts: batch.map(work => work.ids), spans });
      model.backoff.succeeded();
      model.failure = null;
      model.delivered(batch, vectors, milliseconds);
    } catch (error) {
      const failure = engineError(error);
      if (failure.code === 'MODEL_FAILED' && batch.length > 1) model.requeueAlone(batch);
      else model.fail(batch, failure);
    }
    this.#running--;
    model.lastUsedAt = Date.now();
    session.state = 'idle';
    if (session.leaving) void this.#end(model, session);
    this.#pump();
  }

  /** Loads a session. The first one of a model that fails to load fails all who wait for it. */
  async #open(model: Model): Promise<void> {
    const { handle } = model;
    const extra = model.sessions.length > 0;
    const pauseExtra = () => {
      if (extra) model.nextExtraAt = Date.now() + extraSessionPauseMs;
    };
    const started = performance.now();
    const session: Session = new Session(`${handle.id} session`, sessionData(handle), reason => {
      this.#lost++;
      this.#log('engine.worker_lost', { model: handle.id, thread: 'session', step: session.state, reason });
      model.backoff.failed(Date.now());
      if (session.state === 'idle' || session.state === 'running') model.restart = true;
      else pauseExtra();
      model.failure = new EngineError('WORKER_LOST', `the worker of ${handle.id} was lost`);
      this.#forget(model, session);
      this.#pump();
    });
    model.sessions.push(session);
    model.restart = false;
    try {
      model.graph ??= await session.compile();
      if (model.graph.dimension !== handle.dimension)
        throw new Error(`${handle.id} gives ${model.graph.dimension} dimensions, not ${handle.dimension}`);
      if (model.graph.maxTokens < handle.maxTokens)
        throw new Error(`${handle.id} takes ${model.graph.maxTokens} tokens, not ${handle.maxTokens}`);
      session.state = 'room';
      if (!(await this.#makeRoom(model, session, extra))) {
        pauseExtra();
        await this.#end(model, session);
        return;
      }
      session.state = 'create';
      await session.create(model.graph);
      session.state = 'idle';
      model.lastLoadMs = performance.now() - started;
      const { precision, weightBytes } = model.graph;
      this.#log('engine.session_loaded', { model: handle.id, milliseconds: model.lastLoadMs, precision, weightBytes });
    } catch (error) {
      const failure = engineError(error);
      pauseExtra();
      if (failure.code !== 'WORKER_LOST') {
        model.backoff.failed(Date.now());
        model.failure = failure;
      }
      this.#log('engine.load_failed', { model: handle.id, code: failure.code, message: failure.message });
      void this.#end(model, session);
      if (!extra) model.failWaiting(failure);
    }
    this.#pump();
  }

  /** Waits until a session's weights fit the budget; false when they are not worth anybody else's place. */
  async #makeRoom(model: Model, session: Session, extra: boolean): Promise<boolean> {
    const bytes = model.graph?.weightBytes ?? 0;
    if (bytes > this.#memoryBudgetBytes)
      throw new EngineError(
        'MODEL_TOO_LARGE',
        `${model.handle.id} needs ${bytes} bytes, the budget is ${this.#memoryBudgetBytes}`,
      );
    for (;;) {
      const missing = this.#residentBytes + bytes - this.#memoryBudgetBytes;
      if (missing <= 0) {
        session.bytes = bytes;
        return true;
      }
      // Whoever waited may have left meanwhile.
      if (extra || model.queue.size === 0) return false;
      this.#evict(model, missing);
      await sleep(roomPollMs);
    }
  }

  #evict(beneficiary: Model, bytes: number): void {
    const residents = [...this.#models.values()]
      .filter(model => model !== beneficiary)
      .flatMap(model =>
        model.sessions
          .filter(session => session.state === 'idle' || session.state === 'running')
          .map((session, index) => ({
            model,
            session,
            bytes: session.bytes,
            extra: index > 0,
            busy: model.busy,
            lastUsedAt: model.lastUsedAt,
            loadedAt: session.startedAt,
          })),
      );
    const leaving = residents.reduce((sum, { session }) => sum + (session.leaving ? session.bytes : 0), 0);
    if (leaving >= bytes) return;
    const staying = residents.filter(({ session }) => !session.leaving);
    for (const { model, session } of chooseVictims(staying, { bytes: bytes - leaving, now: Date.now() })) {
      this.#log('engine.session_evicted', { model: model.handle.id, for: beneficiary.handle.id });
      void this.#end(model, session);
    }
  }

  /** Ends a session: at once when it is idle, after its batch when it runs. */
  async #end(model: Model, session: Session): Promise<void> {
    session.leaving = true;
    if (session.state === 'running') return;
    await session.close();
    this.#forget(model, session);
    this.#pump();
  }

  #forget(model: Model, session: Session): void {
    const index = model.sessions.indexOf(session);
    if (index >= 0) model.sessions.splice(index, 1);
    // The files may be others when the model is loaded again.
    if (model.sessions.length === 0) model.graph = null;
  }

  #unloadIdle(): void {
    const before = Date.now() - this.#idleUnloadMs;
    for (const model of this.#models.values())
      if (model.lastUsedAt <= before && !model.busy && !model.loadingSession) void this.#unloadNow(model);
  }

  async #unloadNow(model: Model): Promise<void> {
    if (model.sessions.length === 0 && !model.text.running) return;
    this.#log('engine.model_unloaded', { model: model.handle.id });
    await Promise.all([model.text.close(), ...model.sessions.map(session => this.#end(model, session))]);
  }
}

function sessionData({
  folder,
  pooling,
  normalize,
}: ModelHandle): Pick<ModelHandle, 'folder' | 'pooling' | 'normalize'> {
  return { folder, pooling, normalize };
}

function prefixOf({ prefixes }: ModelHandle, inputType: InputType | undefined): string {
  return (inputType && prefixes[inputType]) ?? prefixes.default ?? '';
}

function assertMeanPooled(handle: ModelHandle): void {
  if (handle.pooling !== 'mean')
    throw new TypeError(`late chunking needs a mean-pooled model, and ${handle.id} is not`);
}

function engineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  return new EngineError('MODEL_FAILED', error instanceof Error ? error.message : String(error));
}

function usableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
