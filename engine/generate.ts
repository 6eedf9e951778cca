// This side of a generate thread: what each caller asked and is owed, and which adapters the thread holds.
import { EngineError } from './errors.ts';
import type { FromGenerate, ToGenerate } from './protocol.ts';
import { Thread } from './thread.ts';
import type { AdapterHandle, DecoderHandle, GeneratedPiece, GenerateRequest, Prompt } from './types.ts';

interface Job {
  told(message: FromGenerate): void;
  fail(error: EngineError): void;
}

/** An adapter that the thread has or is about to have. */
interface Held {
  loaded: Promise<void>;
  bytes: number;
  /** Texts that are answered with it or wait to be. */
  users: number;
  /** Goes with its last user. */
  isForgotten: boolean;
}

export class GenerateThread {
  /** Weights of its sessions and memory of its texts, as it told last. */
  residentBytes = 0;
  /** Memory of one token of a text. */
  tokenBytes = 0;
  maxTokens = 0;
  cacheBytes = 0;
  readonly #thread: Thread<ToGenerate, FromGenerate>;
  readonly #jobs = new Map<number, Job>();
  /** Those that were used last come last. */
  readonly #adapters = new Map<string, Held>();
  #setup: Job | null = null;
  #nextJob = 0;
  #lost: EngineError | null = null;

  constructor({ id, path, precision }: DecoderHandle, onLost: (reason: string) => void) {
    this.#thread = new Thread('./generate-thread.ts', {
      name: `${id} generate`,
      data: { path, precision },
      onMessage: message => this.#take(message),
      onLost: reason => {
        this.#lost = new EngineError('WORKER_LOST', `the worker of ${id} was lost: ${reason}`);
        onLost(reason);
        for (const job of [this.#setup, ...this.#jobs.values()]) job?.fail(this.#lost);
      },
    });
  }

  /** Bytes of the weights in all of its sessions. */
  async compile(): Promise<number> {
    const answer = await this.#setUp({ type: 'compile' });
    if (answer.type !== 'compiled') throw unexpected(answer);
    this.maxTokens = answer.maxTokens;
    return answer.weightBytes;
  }

  async create(cacheBytes: number): Promise<void> {
    const answer = await this.#setUp({ type: 'create', cacheBytes });
    if (answer.type !== 'created') throw unexpected(answer);
    this.tokenBytes = answer.tokenBytes;
    this.cacheBytes = cacheBytes;
  }

  async encode(prompt: Prompt): Promise<Int32Array> {
    const answer = await this.#ask(job => ({ type: 'encode', job, prompt }));
    if (answer.type !== 'encoded') throw unexpected(answer);
    if (answer.ids === null) throw new EngineError('PROMPT_REFUSED', answer.refusal);
    return answer.ids;
  }

  async checkForm(schema: string): Promise<void> {
    const answer = await this.#ask(job => ({ type: 'form', job, schema }));
    if (answer.type !== 'formed') throw unexpected(answer);
    const { refusal } = answer;
    if (refusal) throw new EngineError(refusal.code, refusal.message, refusal.retryAfterSeconds);
  }

  /** The answer piece by piece; leaving it ends it. */
  async *generate(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<GeneratedPiece> {
    const { adapter } = request;
    if (!adapter) return yield* this.#answer(request, signal);
    const held = this.#hold(adapter);
    try {
      await held.loaded;
      yield* this.#answer(request, signal);
    } finally {
      held.users--;
      this.#leaveAdapters(this.cacheBytes);
    }
  }

  async *#answer({ prompt, adapter, options }: GenerateRequest, signal?: AbortSignal): AsyncGenerator<GeneratedPiece> {
    if (this.#lost) throw this.#lost;
    signal?.throwIfAborted();
    const pieces: GeneratedPiece[] = [];
    let failure: EngineError | null = null;
    let wake = idle;
    const job = this.#nextJob++;
    const fail = (error: EngineError) => {
      failure = error;
      wake();
    };
    this.#jobs.set(job, {
      fail,
      told: message => {
        if (message.type !== 'piece') return fail(unexpected(message));
        pieces.push(message.piece);
        wake();
      },
    });
    const leave = () => fail(new EngineError('CANCELLED', 'the caller has left'));
    signal?.addEventListener('abort', leave, { once: true });
    this.#thread.send({ type: 'start', job, ids: prompt, adapter: adapter?.id ?? null, options });
    let ended = false;
    try {
      while (!ended) {
        const piece = pieces.shift();
        if (piece) {
          ended = piece.ended !== null;
          yield piece;
        } else if (failure) throw failure;
        else await new Promise<void>(resolve => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener('abort', leave);
      this.#jobs.delete(job);
      if (!ended) this.#thread.send({ type: 'cancel', job });
    }
  }

  /** An adapter that will not be asked for any more, or, where memory is needed, all that nobody uses now. */
  forget(adapter: string | null): void {
    if (adapter === null) {
      this.#thread.send({ type: 'forget', adapter });
      return this.#leaveAdapters(0);
    }
    const held = this.#adapters.get(adapter);
    if (!held) return;
    held.isForgotten = true;
    this.#leaveAdapters(this.cacheBytes);
  }

  close(): Promise<void> {
    return this.#thread.close({ type: 'close' });
  }

  #hold(adapter: AdapterHandle): Held {
    const { id } = adapter;
    const known = this.#adapters.get(id);
    const held = known ?? { loaded: Promise.resolve(), bytes: 0, users: 0, isForgotten: false };
    held.users++;
    this.#adapters.delete(id);
    this.#adapters.set(id, held);
    if (known) return held;
    held.loaded = this.#load(adapter, held);
    held.loaded.catch(() => this.#adapters.delete(id));
    return held;
  }

  async #load({ id, open }: AdapterHandle, held: Held): Promise<void> {
    const { weights, config, release } = await open();
    try {
      const answer = await this.#ask(job => ({ type: 'adapter', job, adapter: id, files: { weights, config } }));
      if (answer.type !== 'adapterLoaded') throw unexpected(answer);
      held.bytes = answer.bytes;
    } finally {
      release();
    }
  }

  /** Of those that nobody uses, the oldest go until all together have at most so many bytes. */
  #leaveAdapters(mostBytes: number): void {
    let bytes = [...this.#adapters.values()].reduce((sum, held) => sum + held.bytes, 0);
    for (const [id, held] of this.#adapters) {
      if (held.users > 0 || !(held.isForgotten || bytes > mostBytes)) continue;
      bytes -= held.bytes;
      this.#adapters.delete(id);
      this.#thread.send({ type: 'forget', adapter: id });
    }
  }

  #take(message: FromGenerate): void {
    if (message.type === 'resident') this.residentBytes = message.bytes;
    else if ('job' in message && message.job !== null) {
      const job = this.#jobs.get(message.job);
      if (message.type === 'failed') job?.fail(new EngineError('MODEL_FAILED', message.message));
      else job?.told(message);
    } else if (message.type === 'failed') this.#setup?.fail(new EngineError('MODEL_FAILED', message.message));
    else this.#setup?.told(message);
  }

  #setUp(message: ToGenerate): Promise<FromGenerate> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((told, fail) => {
      this.#setup = { told, fail };
      this.#thread.send(message);
    });
  }

  #ask(question: (job: number) => ToGenerate): Promise<FromGenerate> {
    if (this.#lost) return Promise.reject(this.#lost);
    const job = this.#nextJob++;
    return new Promise<FromGenerate>((told, fail) => {
      this.#jobs.set(job, { told, fail });
      this.#thread.send(question(job));
    }).finally(() => this.#jobs.delete(job));
  }
}

function idle(): void {}

function unexpected({ type }: FromGenerate): EngineError {
  return new EngineError('MODEL_FAILED', `the generate thread answered ${type}`);
}
