// Language models that answer: which are in memory, and how many callers may wait for each.
//
// 1. A model has one thread, which answers up to eight callers at once and keeps the others waiting. Its own thread and those of
//    its sessions have a lower priority than the encoders': the operating system shares the cores, and a vector goes first.
// 2. Memory. Two sessions and the memory for texts are counted against the budget of all models. Texts of one model have at most an
//    eighth of the budget. What is kept of texts that have ended is given back when others need it, and then models nobody asks.
// 3. Bound. Beyond 64 texts that are answered or wait for one model, QUEUE_FULL.
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.ts';
import { EngineError, engineError } from './errors.ts';
import { GenerateThread } from './generate.ts';
import { cancelled } from './text.ts';
import type { DecoderHandle, GeneratedPiece, GenerateRequest, GeneratorStatus, Prompt } from './types.ts';

const mostTexts = 64;
const shareOfTexts = 0.125;

export interface GeneratorOptions {
  memoryBudgetBytes: number;
  idleUnloadMs: number;
  /** Waits until so many bytes are free; false when there is no room. */
  makeRoom: (bytes: number) => Promise<boolean>;
  log: (event: string, fields: object) => void;
}

interface Model {
  thread: GenerateThread;
  ready: Promise<void>;
  isReady: boolean;
  /** Set aside from before the weights are read. */
  bytes: number;
  /** Of the sessions without adapters; those with adapters take as much again. */
  sessionBytes: number;
  /** Set once room for sessions with adapters is found, or looked for. */
  adapted: Promise<void> | null;
  users: number;
  lastUsedAt: number;
}

export class Generator {
  /** Threads that died unasked. */
  lost = 0;
  readonly #options: GeneratorOptions;
  readonly #models = new Map<string, Model>();
  readonly #failures = new Map<string, { backoff: Backoff; error: EngineError }>();
  readonly #idleTimer: NodeJS.Timeout;

  constructor(options: GeneratorOptions) {
    this.#options = options;
    this.#idleTimer = setInterval(() => this.#unloadIdle(), Math.max(10, options.idleUnloadMs / 4));
    this.#idleTimer.unref();
  }

  get residentBytes(): number {
    return [...this.#models.values()].reduce((sum, model) => sum + bytesOf(model), 0);
  }

  async encode(handle: DecoderHandle, prompt: Prompt, signal?: AbortSignal): Promise<Int32Array> {
    return this.#using(handle, async ({ thread }) => {
      if (signal?.aborted) throw cancelled();
      return thread.encode(prompt);
    });
  }

  async checkForm(handle: DecoderHandle, schema: string, signal?: AbortSignal): Promise<void> {
    return this.#using(handle, async ({ thread }) => {
      if (signal?.aborted) throw cancelled();
      return thread.checkForm(schema);
    });
  }

  async *generate(
    handle: DecoderHandle,
    request: GenerateRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<GeneratedPiece> {
    const model = await this.#enter(handle);
    try {
      const { thread } = model;
      const tokens = request.prompt.length + request.options.maxTokens;
      if (tokens * thread.tokenBytes > thread.cacheBytes)
        throw new EngineError(
          'PROMPT_REFUSED',
          `${tokens} tokens of ${handle.id} need ${tokens * thread.tokenBytes} bytes; texts may have ${thread.cacheBytes}`,
        );
      if (request.adapter) await this.#roomForAdapters(handle, model);
      if (signal?.aborted) throw cancelled();
      yield* thread.generate(request, signal);
    } finally {
      this.#leave(model);
    }
  }

  status(): GeneratorStatus[] {
    return [...this.#models].map(([id, model]) => ({
      id,
      state: model.isReady ? 'ready' : 'loading',
      residentBytes: bytesOf(model),
      texts: model.users,
      lastUsedAt: model.lastUsedAt,
    }));
  }

  /** Gives up so many bytes if it can: models that nobody uses. What is kept of ended texts goes in any case. */
  release(bytes: number): void {
    const wanted = this.residentBytes - bytes;
    for (const { thread } of this.#models.values()) thread.forget(null);
    const idle = [...this.#models].filter(([, { users }]) => users === 0);
    for (const [id] of idle.toSorted(([, a], [, b]) => a.lastUsedAt - b.lastUsedAt)) {
      if (this.residentBytes <= wanted) return;
      void this.unload(id);
    }
  }

  /** Lets an adapter, or a model that was trained from nothing, go. */
  forget(id: string): void {
    for (const { thread } of this.#models.values()) thread.forget(id);
    void this.unload(id);
  }

  async unload(id: string): Promise<void> {
    const model = this.#models.get(id);
    if (!model) return;
    while (model.users > 0) await sleep(10);
    if (this.#models.get(id) !== model) return;
    this.#models.delete(id);
    this.#options.log('engine.model_unloaded', { model: id });
    await model.thread.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#idleTimer);
    await Promise.all([...this.#models.keys()].map(id => this.unload(id)));
  }

  async #using<Result>(handle: DecoderHandle, work: (model: Model) => Promise<Result>): Promise<Result> {
    const model = await this.#enter(handle);
    try {
      return await work(model);
    } finally {
      this.#leave(model);
    }
  }

  async #enter(handle: DecoderHandle): Promise<Model> {
    const model = this.#models.get(handle.id) ?? this.#open(handle);
    if (model.users >= mostTexts)
      throw new EngineError('QUEUE_FULL', `${model.users} texts wait for ${handle.id} already`, 2);
    model.users++;
    try {
      await model.ready;
    } catch (error) {
      this.#leave(model);
      throw error;
    }
    return model;
  }

  #leave(model: Model): void {
    model.users--;
    model.lastUsedAt = Date.now();
  }

  #open(handle: DecoderHandle): Model {
    const { id } = handle;
    const failed = this.#failures.get(id);
    const waitMs = failed?.backoff.waitMs(Date.now()) ?? 0;
    if (failed && waitMs > 0) throw new EngineError(failed.error.code, failed.error.message, Math.ceil(waitMs / 1000));
    const thread: GenerateThread = new GenerateThread(handle, reason => {
      this.lost++;
      this.#options.log('engine.worker_lost', { model: id, thread: 'generate', reason });
      this.#fail(id, new EngineError('WORKER_LOST', `the worker of ${id} was lost`));
      if (this.#models.get(id)?.thread === thread) this.#models.delete(id);
    });
    const ready = Promise.resolve();
    const model: Model = {
      thread,
      ready,
      isReady: false,
      bytes: 0,
      sessionBytes: 0,
      adapted: null,
      users: 0,
      lastUsedAt: Date.now(),
    };
    this.#models.set(id, model);
    model.ready = this.#load(handle, model).catch((error: unknown) => {
      const failure = engineError(error);
      if (failure.code !== 'WORKER_LOST') this.#fail(id, failure);
      if (this.#models.get(id) === model) this.#models.delete(id);
      void thread.close();
      throw failure;
    });
    model.ready.catch(() => {});
    return model;
  }

  async #load(handle: DecoderHandle, model: Model): Promise<void> {
    const { memoryBudgetBytes, makeRoom, log } = this.#options;
    const started = performance.now();
    const bytes = await model.thread.compile();
    const cacheBytes = Math.floor(memoryBudgetBytes * shareOfTexts);
    if (bytes + cacheBytes > memoryBudgetBytes)
      throw new EngineError('MODEL_TOO_LARGE', `${handle.id} needs ${bytes} bytes, the budget is ${memoryBudgetBytes}`);
    if (!(await makeRoom(bytes))) throw new EngineError('QUEUE_FULL', `there is no memory for ${handle.id} now`, 10);
    model.bytes = bytes;
    model.sessionBytes = bytes;
    await model.thread.create(cacheBytes);
    model.isReady = true;
    this.#failures.delete(handle.id);
    log('engine.generator_loaded', { model: handle.id, milliseconds: performance.now() - started, bytes });
  }

  /** The first adapter brings sessions of their own. */
  #roomForAdapters(handle: DecoderHandle, model: Model): Promise<void> {
    if (model.adapted) return model.adapted;
    const found = this.#findRoom(handle, model);
    model.adapted = found;
    found.catch(() => (model.adapted = null));
    return found;
  }

  async #findRoom({ id }: DecoderHandle, model: Model): Promise<void> {
    const { memoryBudgetBytes, makeRoom } = this.#options;
    const { sessionBytes, thread } = model;
    const whole = 2 * sessionBytes + thread.cacheBytes;
    if (whole > memoryBudgetBytes) {
      const message = `${id} with an adapter needs ${2 * sessionBytes} bytes, the budget is ${memoryBudgetBytes}`;
      throw new EngineError('MODEL_TOO_LARGE', message);
    }
    if (!(await makeRoom(sessionBytes)))
      throw new EngineError('QUEUE_FULL', `there is no memory for ${id} with an adapter now`, 10);
    model.bytes += sessionBytes;
  }

  #fail(id: string, error: EngineError): void {
    const backoff = this.#failures.get(id)?.backoff ?? new Backoff();
    backoff.failed(Date.now());
    this.#failures.set(id, { backoff, error });
  }

  #unloadIdle(): void {
    const before = Date.now() - this.#options.idleUnloadMs;
    for (const [id, { users, lastUsedAt }] of this.#models)
      if (users === 0 && lastUsedAt <= before) void this.unload(id);
  }
}

const bytesOf = ({ bytes, thread }: Model): number => Math.max(bytes, thread.residentBytes);
