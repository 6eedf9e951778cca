// Which models are in memory: loads a session where work waits for one, makes room for it, and lets go of what nobody uses.
//
// A model's first session computes with two threads, for the text that comes alone. When more waits it gets others of one thread, up to as
// many as there are workers: sessions of several threads that run at one time take the cores from each other (on two cores 64 callers
// lose a fifth). Weights are counted against the memory budget from before they are read.
import { setTimeout as sleep } from 'node:timers/promises';
import { Alarm } from './alarm.ts';
import { availableCores } from './cores.ts';
import { EngineError, engineError } from './errors.ts';
import type { Model } from './model.ts';
import { chooseVictims } from './residency.ts';
import { Session } from './session.ts';

/** How often a load that waits for room looks again. */
const roomPollMs = 100;
const extraSessionPauseMs = 10_000;
const threadsAlone = Math.min(2, availableCores());
/** How long a guest waits for room: longer than a busy encoder keeps its place. */
const guestWaitMs = 15_000;

export interface LoaderOptions {
  models: ReadonlyMap<string, Model>;
  /** Batches at one time. */
  workers: number;
  memoryBudgetBytes: number;
  idleUnloadMs: number;
  /** Who else has memory of the budget, and gives it back when it is needed here; the first is asked first. */
  guests: readonly { readonly residentBytes: number; release(bytes: number): void }[];
  log: (event: string, fields: object) => void;
  /** Called when a session became ready, ended, or may be tried again. */
  onChange: () => void;
}

export class Loader {
  readonly memoryBudgetBytes: number;
  /** Session threads that died. */
  lost = 0;
  readonly #models: ReadonlyMap<string, Model>;
  readonly #workers: number;
  readonly #idleUnloadMs: number;
  readonly #guests: LoaderOptions['guests'];
  readonly #log: LoaderOptions['log'];
  readonly #onChange: () => void;
  readonly #idleTimer: NodeJS.Timeout;
  readonly #retry: Alarm;
  #closing = false;

  constructor(options: LoaderOptions) {
    this.#models = options.models;
    this.#workers = options.workers;
    this.memoryBudgetBytes = options.memoryBudgetBytes;
    this.#idleUnloadMs = options.idleUnloadMs;
    this.#guests = options.guests;
    this.#log = options.log;
    this.#onChange = options.onChange;
    this.#retry = new Alarm(options.onChange);
    this.#idleTimer = setInterval(() => this.#unloadIdle(), Math.max(10, this.#idleUnloadMs / 4));
    this.#idleTimer.unref();
  }

  get residentBytes(): number {
    return [...this.#models.values(), ...this.#guests].reduce((sum, each) => sum + each.residentBytes, 0);
  }

  /** Starts to load what the models need now, with `free` workers idle. */
  load(free: number): void {
    const now = Date.now();
    for (const model of this.#models.values()) if (this.#wantsSession(model, { now, free })) void this.#open(model);
  }

  /** Whether a further session of the model may be tried. */
  mayGrow(model: Model): boolean {
    return !model.loadingSession && lanes(model).length < this.#workers && Date.now() >= model.nextExtraAt;
  }

  /** Starts nothing by itself from now on. */
  close(): void {
    this.#closing = true;
    clearInterval(this.#idleTimer);
  }

  /** After the last model was unloaded. */
  clear(): void {
    this.#retry.clear();
  }

  /** Ends a session: at once when it is idle, after its batch when it runs. */
  async end(model: Model, session: Session): Promise<void> {
    session.leaving = true;
    if (session.state === 'running') return;
    await session.close();
    this.#forget(model, session);
    this.#onChange();
  }

  /** Ends the model's threads. Nobody may wait for it. */
  async unload(model: Model): Promise<void> {
    if (model.sessions.length === 0 && !model.text.running) return;
    this.#log('engine.model_unloaded', { model: model.handle.id });
    await Promise.all([model.text.close(), ...model.sessions.map(session => this.end(model, session))]);
  }

  #wantsSession(model: Model, { now, free }: { now: number; free: number }): boolean {
    if (model.loadingSession || model.sessions.some(session => session.leaving)) return false;
    const waiting = model.queue.size > 0;
    const waitMs = model.backoff.waitMs(now);
    if (waitMs > 0) {
      if (waiting || model.restart) this.#retry.within(waitMs);
      return false;
    }
    if (model.sessions.length === 0) return waiting || (model.restart && !this.#closing);
    if (!waiting || !this.mayGrow(model) || lanes(model).some(({ state }) => state !== 'running')) return false;
    return model.sessions.some(({ state, threads }) => state === 'running' && threads > 1) || free > 0;
  }

  /** Loads a session. The first one of a model that fails to load fails all who wait for it. */
  async #open(model: Model): Promise<void> {
    const { handle } = model;
    const extra = model.sessions.length > 0;
    const pauseExtra = () => {
      if (extra) model.nextExtraAt = Date.now() + extraSessionPauseMs;
    };
    const started = performance.now();
    const { folder, pooling, normalize } = handle;
    const threads = extra || this.#workers === 1 ? 1 : threadsAlone;
    const session: Session = new Session(`${handle.id} session`, { folder, pooling, normalize, threads }, reason => {
      this.lost++;
      this.#log('engine.worker_lost', { model: handle.id, thread: 'session', step: session.state, reason });
      model.backoff.failed(Date.now());
      if (session.state === 'idle' || session.state === 'running') model.restart = true;
      else pauseExtra();
      model.failure = new EngineError('WORKER_LOST', `the worker of ${handle.id} was lost`);
      this.#forget(model, session);
      this.#onChange();
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
        await this.end(model, session);
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
      void this.end(model, session);
      if (!extra) model.failWaiting(failure);
    }
    this.#onChange();
  }

  /** Waits until a session's weights fit the budget; false when they are not worth anybody else's place. */
  async #makeRoom(model: Model, session: Session, extra: boolean): Promise<boolean> {
    const bytes = model.graph?.weightBytes ?? 0;
    if (bytes > this.memoryBudgetBytes)
      throw new EngineError(
        'MODEL_TOO_LARGE',
        `${model.handle.id} needs ${bytes} bytes, the budget is ${this.memoryBudgetBytes}`,
      );
    for (;;) {
      const missing = this.#missing(bytes);
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

  /** Waits until a guest's bytes fit the budget; false when they don't for a while. */
  async roomFor(bytes: number): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < guestWaitMs; waitedMs += roomPollMs) {
      const missing = this.#missing(bytes);
      if (missing <= 0) return true;
      this.#evict(null, missing);
      await sleep(roomPollMs);
    }
    return false;
  }

  /** Bytes that are still over when the guests have given back what they can. */
  #missing(bytes: number): number {
    const over = () => this.residentBytes + bytes - this.memoryBudgetBytes;
    for (const guest of this.#guests) if (over() > 0) guest.release(over());
    return over();
  }

  #evict(beneficiary: Model | null, bytes: number): void {
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
      this.#log('engine.session_evicted', {
        model: model.handle.id,
        for: beneficiary?.handle.id ?? 'a language model',
      });
      void this.end(model, session);
    }
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
      if (model.lastUsedAt <= before && !model.busy && !model.loadingSession) void this.unload(model);
  }
}

/** The sessions that run beside each other. */
function lanes(model: Model): Session[] {
  return model.sessions.filter(({ threads }) => threads === 1);
}
