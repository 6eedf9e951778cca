// What the engine knows of one model: its queue, its threads, who waits for it, and what was measured.
import type { EncoderGraph } from '@vectorium/nets';
import { Backoff } from './backoff.ts';
import { EngineError } from './errors.ts';
import { BatchQueue } from './queue.ts';
import type { EmbedRequest, Pass, Work } from './request.ts';
import type { Session } from './session.ts';
import { cancelled, type TextThread } from './text.ts';
import type { ModelHandle, ModelStatus } from './types.ts';

/** A batch shall not take longer, so that whoever comes meanwhile waits no longer (one text may). */
const maxBatchMs = 250;

export class Model {
  readonly handle: ModelHandle;
  readonly text: TextThread;
  readonly sessions: Session[] = [];
  readonly queue = new BatchQueue<Work>();
  readonly backoff = new Backoff();
  graph: EncoderGraph | null = null;
  /** A session died that was ready: it comes again though nobody may wait. */
  restart = false;
  /** Why the last load failed, for those who come while the next try waits. */
  failure: EngineError | null = null;
  lastUsedAt = Date.now();
  lastLoadMs: number | null = null;
  /** Estimated milliseconds of compute given to this model, counted as fairness.ts says. */
  service = 0;
  /** When a batch began to wait for company. */
  gathersSince: number | null = null;
  /** No second session is tried before this time, because there was no room or it could not load. */
  nextExtraAt = 0;
  readonly #works = new Map<string, Work>();
  readonly #requests = new Set<EmbedRequest>();
  #rate: number | null = null;
  #batches = 0;
  #texts = 0;
  #tokens = 0;
  #paddingTokens = 0;

  constructor(handle: ModelHandle, text: TextThread) {
    this.handle = handle;
    this.text = text;
  }

  get busy(): boolean {
    return this.#requests.size > 0 || this.text.jobs > 0;
  }

  get residentBytes(): number {
    return this.sessions.reduce((sum, session) => sum + session.bytes, 0);
  }

  /** For a batch that runs `alone` the one of several threads, where there is a choice, and otherwise one of a single thread. */
  idleSession(alone: boolean): Session | undefined {
    const idle = this.sessions.filter(session => session.state === 'idle' && !session.leaving);
    return idle.find(({ threads }) => threads > 1 === alone) ?? idle[0];
  }

  get loadingSession(): Session | undefined {
    return this.sessions.find(({ state }) => state === 'compile' || state === 'room' || state === 'create');
  }

  estimateMs(tokens: number): number {
    return tokens / (this.#rate ?? 1);
  }

  /** Queues a request's passes, or throws QUEUE_FULL. Passes that are under way for another caller are joined. */
  accept(request: EmbedRequest, { maxQueuedTokens, workers }: { maxQueuedTokens: number; workers: number }): void {
    const fresh = new Map<string, Pass>();
    for (const pass of request.passes) if (!this.#works.has(pass.key)) fresh.set(pass.key, pass);
    let tokens = 0;
    for (const pass of fresh.values()) tokens += pass.ids.length;
    const over = this.queue.tokens + tokens - maxQueuedTokens;
    if (over > 0 && this.queue.tokens > 0) {
      const seconds = this.estimateMs(Math.min(over, this.queue.tokens)) / workers / 1000;
      throw new EngineError(
        'QUEUE_FULL',
        `${this.handle.id} has ${this.queue.tokens} tokens waiting; ${tokens} more do not fit`,
        Math.max(1, Math.ceil(seconds)),
      );
    }
    const added: Work[] = [];
    for (const { key, ids, spans, part } of request.passes) {
      let work = this.#works.get(key);
      if (!work) {
        // A pass with spans gives back its hidden states, which nobody else can use.
        work = { key, ids, spans, length: ids.length, alone: spans !== null, parts: new Set() };
        this.#works.set(key, work);
        added.push(work);
      }
      work.parts.add(part);
      request.works.set(part, work);
    }
    this.queue.add(added);
    this.#requests.add(request);
    const settled = () => {
      this.#requests.delete(request);
      this.lastUsedAt = Date.now();
    };
    request.result.then(settled, settled);
  }

  /** The next batch. A batch is kept short in time as well as in tokens. */
  take(maxBatchTokens: number): Work[] {
    const byTime = this.#rate === null ? maxBatchTokens : Math.max(64, this.#rate * maxBatchMs);
    return this.queue.take(Math.min(maxBatchTokens, byTime));
  }

  delivered(batch: Work[], vectors: Float32Array, milliseconds: number): void {
    const rows = batch[0]?.spans ? 1 : batch.length;
    const width = vectors.length / rows;
    let tokens = 0;
    let longest = 0;
    for (const [row, work] of batch.entries()) {
      tokens += work.length;
      longest = Math.max(longest, work.length);
      this.#works.delete(work.key);
      const vector = vectors.subarray(row * width, (row + 1) * width);
      for (const part of work.parts) {
        part.request.works.delete(part);
        part.deliver(vector);
      }
    }
    this.#batches++;
    this.#texts += batch.length;
    this.#tokens += tokens;
    this.#paddingTokens += longest * batch.length - tokens;
    const rate = tokens / Math.max(milliseconds, 0.01);
    this.#rate = this.#rate === null ? rate : 0.8 * this.#rate + 0.2 * rate;
  }

  /** Puts works back that failed together, each to be tried alone: one bad text shall not fail its neighbours. */
  requeueAlone(batch: Work[]): void {
    const wanted = batch.filter(work => work.parts.size > 0);
    for (const work of batch) if (work.parts.size === 0) this.#works.delete(work.key);
    for (const work of wanted) work.alone = true;
    this.queue.add(wanted);
  }

  /** Fails everybody who waits for one of `works`. */
  fail(works: Iterable<Work>, error: EngineError): void {
    for (const work of works) {
      this.#works.delete(work.key);
      for (const part of work.parts) this.#leave(part.request, error);
    }
  }

  /** Fails everybody who waits in the queue. */
  failWaiting(error: EngineError): void {
    this.fail(this.queue.clear(), error);
  }

  cancel(request: EmbedRequest): void {
    this.#leave(request, cancelled());
  }

  /** Takes a request out of all its works; a waiting work that nobody wants any more is dropped. */
  #leave(request: EmbedRequest, error: EngineError): void {
    for (const [part, work] of request.works) {
      work.parts.delete(part);
      // While the work runs it stays known, so that a newcomer may still join it.
      if (work.parts.size === 0 && this.queue.remove(work)) this.#works.delete(work.key);
    }
    request.works.clear();
    request.fail(error);
  }

  status(now: number): ModelStatus {
    const loading = this.loadingSession;
    const ready = this.sessions.filter(({ state }) => state === 'idle' || state === 'running');
    return {
      id: this.handle.id,
      state: ready.length > 0 ? 'ready' : loading ? 'loading' : this.backoff.failures > 0 ? 'failing' : 'unloaded',
      loading:
        loading && (loading.state === 'compile' || loading.state === 'room' || loading.state === 'create')
          ? { step: loading.state, forMs: now - loading.startedAt }
          : null,
      residentBytes: this.residentBytes,
      sessions: ready.length,
      precision: this.graph?.precision ?? null,
      lastUsedAt: this.lastUsedAt,
      lastLoadMs: this.lastLoadMs,
      queuedTokens: this.queue.tokens,
      queuedTexts: this.queue.size,
      requests: this.#requests.size,
      batches: this.#batches,
      texts: this.#texts,
      tokens: this.#tokens,
      paddingTokens: this.#paddingTokens,
      tokensPerSecond: this.#rate === null ? null : Math.round(this.#rate * 1000),
    };
  }
}
