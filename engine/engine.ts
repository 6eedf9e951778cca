// The dispatcher: takes requests and decides which model's batch runs next on a free worker. Which models are in memory is the
// loader's business.
//
// It runs on the caller's thread and only passes messages; tokenising, loading and computing happen in threads of their own.
// At most `workers` batches run at one time.
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { availableCores } from './cores.ts';
import { EngineError, engineError } from './errors.ts';
import { Generator } from './generator.ts';
import { nextTurn, startOf } from './fairness.ts';
import { Loader } from './loader.ts';
import { Model } from './model.ts';
import { Predictor } from './predictor.ts';
import { EmbedRequest } from './request.ts';
import type { Session } from './session.ts';
import { cancelled, TextThread } from './text.ts';
import type {
  ChunkOptions,
  DecoderHandle,
  EmbedOptions,
  Engine,
  EngineOptions,
  EngineStatus,
  FeatureTable,
  GeneratedPiece,
  GenerateRequest,
  InputType,
  ModelHandle,
  Predictions,
  PredictorHandle,
  Prepared,
  Prompt,
} from './types.ts';

/** Beyond 512 tokens a batch does not run faster on one core, it only keeps others waiting. */
const defaultMaxBatchTokens = 512;
const defaultMaxQueuedTokens = 262_144;
/** Four of the largest requests that the server takes. */
const defaultMaxQueuedRows = 400_000;
const defaultIdleUnloadMs = 15 * 60_000;
/** The limit for texts that are not tokenised yet: four queues of ordinary prose, for tokenising is by far the faster half. */
const waitingCharactersPerQueuedToken = 16;
/** A batch gains nothing by more tokens than these (all-MiniLM-L6 on one core), so it never waits for them. */
const gatherTokens = 64;
const gatherMs = 1;

export function createEngine(options: EngineOptions = {}): Engine {
  return new ThreadedEngine(options);
}

class ThreadedEngine implements Engine {
  readonly #workers: number;
  readonly #maxBatchTokens: number;
  readonly #maxQueuedTokens: number;
  readonly #log: (event: string, fields: object) => void;
  readonly #models = new Map<string, Model>();
  readonly #loader: Loader;
  readonly #predictor: Predictor;
  readonly #generator: Generator;
  #gatherTimer: NodeJS.Timeout | null = null;
  #pumping: NodeJS.Immediate | null = null;
  #running = 0;
  /** The service at which the latest batch started. */
  #servedUpTo = 0;
  #lostTextWorkers = 0;
  #closing = false;

  constructor(options: EngineOptions) {
    this.#workers = options.workers ?? availableCores();
    this.#maxBatchTokens = options.maxBatchTokens ?? defaultMaxBatchTokens;
    this.#maxQueuedTokens = options.maxQueuedTokens ?? defaultMaxQueuedTokens;
    this.#log = options.log ?? (() => {});
    const shared = {
      memoryBudgetBytes: options.memoryBudgetBytes ?? usableMemory() / 2,
      idleUnloadMs: options.idleUnloadMs ?? defaultIdleUnloadMs,
      log: this.#log,
    };
    this.#predictor = new Predictor({
      ...shared,
      threads: this.#workers,
      maxQueuedRows: options.maxQueuedRows ?? defaultMaxQueuedRows,
    });
    this.#generator = new Generator({ ...shared, makeRoom: bytes => this.#loader.roomFor(bytes) });
    this.#loader = new Loader({
      ...shared,
      models: this.#models,
      workers: this.#workers,
      guests: [this.#predictor, this.#generator],
      onChange: () => this.#pump(),
    });
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
    const tokenized = await model.text.prepare(texts, chunking, signal);
    return tokenized.map(({ ids, chunks }) => ({
      tokens: ids.length,
      chunks: chunks.map(({ start, end, from, to }) => ({
        start,
        end,
        tokens: to - from,
        from,
        ids: ids.subarray(from, to),
      })),
      late: method === 'late',
    }));
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

  async predict(handle: PredictorHandle, table: FeatureTable, signal?: AbortSignal): Promise<Predictions> {
    if (this.#closing) throw new EngineError('CANCELLED', 'the engine is closing');
    return this.#predictor.predict(handle, table, signal);
  }

  encodePrompt(handle: DecoderHandle, prompt: Prompt, signal?: AbortSignal): Promise<Int32Array> {
    if (this.#closing) throw new EngineError('CANCELLED', 'the engine is closing');
    return this.#generator.encode(handle, prompt, signal);
  }

  checkForm(handle: DecoderHandle, schema: string, signal?: AbortSignal): Promise<void> {
    if (this.#closing) throw new EngineError('CANCELLED', 'the engine is closing');
    return this.#generator.checkForm(handle, schema, signal);
  }

  generate(handle: DecoderHandle, request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<GeneratedPiece> {
    if (this.#closing) throw new EngineError('CANCELLED', 'the engine is closing');
    return this.#generator.generate(handle, request, signal);
  }

  forget(id: string): void {
    this.#predictor.forget(id);
    this.#generator.forget(id);
  }

  status(): EngineStatus {
    const now = Date.now();
    const models = [...this.#models.values()].map(model => model.status(now));
    return {
      workers: this.#workers,
      busyWorkers: this.#running,
      lostWorkers: this.#lostTextWorkers + this.#loader.lost + this.#predictor.lost + this.#generator.lost,
      memoryBudgetBytes: this.#loader.memoryBudgetBytes,
      residentBytes: this.#loader.residentBytes,
      models,
      predictor: this.#predictor.status(),
      generators: this.#generator.status(),
    };
  }

  async unload(id: string): Promise<void> {
    await this.#generator.unload(id);
    const model = this.#models.get(id);
    if (!model) return;
    while (model.busy || model.loadingSession) await sleep(10);
    await this.#loader.unload(model);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#loader.close();
    await Promise.all([
      this.#predictor.close(),
      this.#generator.close(),
      ...[...this.#models.keys()].map(id => this.unload(id)),
    ]);
    this.#loader.clear();
  }

  #model(handle: ModelHandle): Model {
    if (this.#closing) throw new EngineError('CANCELLED', 'the engine is closing');
    let model = this.#models.get(handle.id);
    if (!model) {
      const text = new TextThread(`${handle.id} text`, {
        data: { folder: handle.folder },
        maxWaitingCharacters: this.#maxQueuedTokens * waitingCharactersPerQueuedToken,
        onLost: reason => {
          this.#lostTextWorkers++;
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
        model => model.queue.size > 0 && model.idleSession(false) !== undefined && !this.#gathers(model),
      );
      const session = next?.idleSession(this.#running === 0 && next.queue.size === 1);
      if (!next || !session) break;
      void this.#run(next, session);
    }
    this.#loader.load(this.#workers - this.#running);
  }

  /** Workers that can share what waits for a model: two texts on two cores are done sooner than a batch of two on one. */
  #takers(model: Model): number {
    const free = this.#workers - this.#running;
    const idle = model.sessions.filter(session => session.state === 'idle' && !session.leaving).length;
    return this.#loader.mayGrow(model) ? free : Math.min(idle, free);
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
    if (session.leaving) void this.#loader.end(model, session);
    this.#pump();
  }
}

function prefixOf({ prefixes }: ModelHandle, inputType: InputType | undefined): string {
  return (inputType && prefixes[inputType]) ?? prefixes.default ?? '';
}

function assertMeanPooled(handle: ModelHandle): void {
  if (handle.pooling !== 'mean')
    throw new TypeError(`late chunking needs a mean-pooled model, and ${handle.id} is not`);
}

function usableMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
