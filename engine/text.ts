// This side of a model's text thread: started on the first question, again after it died, ended when the model is unloaded.
// Short texts don't go there: once the thread has loaded the tokenizer, its tables are shared and they are done here.
import { openTokenizer, type Tokenizer } from '@vectorium/nets';
import { Backoff } from './backoff.ts';
import { EngineError } from './errors.ts';
import type { Frame } from './late.ts';
import { frameOf, prepareSteps, type TokenizedText, unpacked } from './prepare.ts';
import type { Chunking, FromText, TextAnswer, TextThreadData, ToText } from './protocol.ts';
import { Thread } from './thread.ts';

/** Measured 0.5 to 4 million characters a second, by language and tokenizer. */
const charactersPerSecond = 500_000;

/** Of a request whose texts are done on the caller's thread: half a millisecond's work at most, about what the way to another thread costs. */
const charactersHere = 256;

type Question = Exclude<ToText, { type: 'close' | 'cancel' }>;
type WithoutJob<T> = T extends unknown ? Omit<T, 'job'> : never;

export class TextThread {
  readonly #name: string;
  readonly #data: TextThreadData;
  readonly #onLost: (reason: string) => void;
  readonly #backoff = new Backoff();
  readonly #jobs = new Map<number, { resolve: (answer: TextAnswer) => void; reject: (error: EngineError) => void }>();
  readonly #frames = new Map<string, Promise<Frame>>();
  #thread: Thread<ToText, FromText> | null = null;
  #tokenizer: Tokenizer | null = null;
  #failure: EngineError | null = null;
  readonly #maxWaitingCharacters: number;
  #waitingCharacters = 0;
  #nextJob = 0;

  constructor(
    name: string,
    options: { data: TextThreadData; maxWaitingCharacters: number; onLost: (reason: string) => void },
  ) {
    this.#name = name;
    this.#data = options.data;
    this.#maxWaitingCharacters = options.maxWaitingCharacters;
    this.#onLost = options.onLost;
  }

  /** Questions that wait for their answer. */
  get jobs(): number {
    return this.#jobs.size;
  }

  get running(): boolean {
    return this.#thread !== null;
  }

  /** Tokens and chunks of each text. Throws as `ask` does. */
  async prepare(texts: string[], chunking: Chunking, signal?: AbortSignal): Promise<TokenizedText[]> {
    if (this.#tokenizer && lengthOf(texts) <= charactersHere && !signal?.aborted) {
      const steps = prepareSteps(this.#tokenizer, texts, chunking);
      for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
    }
    const answer = await this.ask({ type: 'prepare', texts, chunking }, signal);
    if (answer.type !== 'prepared') throw new Error(`the text thread answered ${answer.type}`);
    return unpacked(answer);
  }

  /** Throws QUEUE_FULL by the rule of the vectors' queue: whoever comes to an empty one is served. */
  ask(question: WithoutJob<Question>, signal?: AbortSignal): Promise<TextAnswer> {
    if (signal?.aborted) return Promise.reject(cancelled());
    const waitMs = this.#backoff.waitMs(Date.now());
    if (this.#failure && waitMs > 0)
      return Promise.reject(new EngineError(this.#failure.code, this.#failure.message, Math.ceil(waitMs / 1000)));
    const characters = charactersOf(question);
    const over = this.#waitingCharacters + characters - this.#maxWaitingCharacters;
    if (over > 0 && characters > 0 && this.#waitingCharacters > 0) {
      const seconds = Math.max(1, Math.ceil(Math.min(over, this.#waitingCharacters) / charactersPerSecond));
      const message = `${this.#name} has ${this.#waitingCharacters} characters waiting; ${characters} more do not fit`;
      return Promise.reject(new EngineError('QUEUE_FULL', message, seconds));
    }
    this.#waitingCharacters += characters;
    const job = this.#nextJob++;
    const thread = (this.#thread ??= this.#start());
    return new Promise((resolve, reject) => {
      const abort = () => {
        thread.send({ type: 'cancel', job });
        settle();
        reject(cancelled());
      };
      const settle = () => {
        this.#waitingCharacters -= characters;
        this.#jobs.delete(job);
        signal?.removeEventListener('abort', abort);
      };
      this.#jobs.set(job, {
        resolve: answer => {
          settle();
          resolve(answer);
        },
        reject: error => {
          settle();
          reject(error);
        },
      });
      signal?.addEventListener('abort', abort, { once: true });
      thread.send({ ...question, job });
    });
  }

  /** The special tokens and the prefix that stand around each text. */
  frame(prefix: string): Promise<Frame> {
    const known = this.#frames.get(prefix);
    if (known) return known;
    const frame = this.#tokenizer
      ? Promise.resolve(frameOf(this.#tokenizer, prefix))
      : this.ask({ type: 'frame', prefix }).then(answer => {
          if (answer.type !== 'frame') throw new Error(`the text thread answered ${answer.type}`);
          return { before: answer.before, after: answer.after };
        });
    this.#frames.set(prefix, frame);
    frame.catch(() => this.#frames.delete(prefix));
    return frame;
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    this.#tokenizer = null;
    this.#frames.clear();
    await thread?.close({ type: 'close' });
  }

  #start(): Thread<ToText, FromText> {
    const thread: Thread<ToText, FromText> = new Thread('./text-thread.ts', {
      name: this.#name,
      data: this.#data,
      onMessage: message => {
        if (message.type === 'unusable') {
          void thread.close({ type: 'close' });
          this.#fail(thread, new EngineError('MODEL_FAILED', message.message));
          return;
        }
        this.#backoff.succeeded();
        if (message.type === 'loaded') {
          if (this.#thread === thread) this.#tokenizer = openTokenizer(message.tables);
          return;
        }
        const job = this.#jobs.get(message.job);
        if (message.type === 'failed') job?.reject(new EngineError('MODEL_FAILED', message.message));
        else job?.resolve(message);
      },
      onLost: reason => {
        this.#onLost(reason);
        this.#fail(thread, new EngineError('WORKER_LOST', `the text worker of ${this.#name} was lost: ${reason}`));
      },
    });
    return thread;
  }

  #fail(thread: Thread<ToText, FromText>, error: EngineError): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#failure = error;
    this.#backoff.failed(Date.now());
    for (const job of this.#jobs.values()) job.reject(error);
  }
}

function charactersOf(question: WithoutJob<Question>): number {
  if ('texts' in question) return lengthOf(question.texts);
  return 'text' in question ? question.text.length : 0;
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

export function cancelled(): EngineError {
  return new EngineError('CANCELLED', 'the caller has left');
}
