// This side of a form thread: a form that is being compiled or is there, and the answers that keep to it.
import { Worker } from 'node:worker_threads';
import type { FormThreadData, FromForm, ToForm } from '../protocol.ts';

/** Which tokens may come next, a bit each: that of token `id` is bit `id % 32` of word `id / 32`. */
export type Allowed = Int32Array;

/** One answer. */
export interface FormedText {
  /** Whether it is known what the first token may be, or that it never will be. Compiling a form may take long. */
  readonly isReady: boolean;
  /** For the next token, found out while the model computes. Rejects when the thread was lost. */
  allowed(): Promise<Allowed>;
  accept(id: number): void;
  close(): void;
}

interface Waiting {
  resolve(tokens: Allowed): void;
  reject(error: Error): void;
}

export class Form {
  readonly ready: Promise<void>;
  /** Answers and callers that wait for it. */
  users = 0;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lost: Error | null = null;
  #nextText = 0;

  constructor(data: FormThreadData, compileMs: number) {
    const worker = new Worker(new URL('../form-thread.ts', import.meta.url), {
      workerData: data,
      name: 'form',
      // What the library has to say of a grammar goes to the console before it gives up.
      stdout: true,
      stderr: true,
    });
    this.#worker = worker;
    this.ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        lose(new Error(`it takes more than ${compileMs / 1000} s to prepare`));
        void worker.terminate();
      }, compileMs);
      const lose = (error: Error): void => {
        clearTimeout(timer);
        this.#lost ??= error;
        reject(this.#lost);
        for (const { reject: fail } of this.#waiting.values()) fail(this.#lost);
        this.#waiting.clear();
      };
      worker.on('message', (message: FromForm) => {
        if (message.type === 'allowed') {
          this.#waiting.get(message.text)?.resolve(message.tokens);
          this.#waiting.delete(message.text);
          return;
        }
        clearTimeout(timer);
        resolve();
      });
      worker.on('error', error => lose(error instanceof Error ? error : new Error(String(error))));
      worker.on('exit', () => lose(new Error('its thread ended')));
    });
    this.ready.catch(() => {});
    worker.unref();
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  open(): FormedText {
    const text = this.#nextText++;
    this.users++;
    let next = this.#ask(text, { type: 'open', text });
    let isReady = false;
    const ready = () => (isReady = true);
    next.then(ready, ready);
    return {
      get isReady() {
        return isReady;
      },
      allowed: () => next,
      accept: id => {
        next = this.#ask(text, { type: 'accept', text, id });
      },
      close: () => {
        this.users--;
        // Who waits while a caller leaves goes on with the other texts.
        this.#waiting.get(text)?.reject(new Error('the text was closed'));
        this.#waiting.delete(text);
        this.#send({ type: 'close', text });
      },
    };
  }

  close(): void {
    void this.#worker.terminate();
  }

  #ask(text: number, message: ToForm): Promise<Allowed> {
    if (this.#lost) return Promise.reject(this.#lost);
    const answer = new Promise<Allowed>((resolve, reject) => this.#waiting.set(text, { resolve, reject }));
    // Nobody waits any more when a caller has left.
    answer.catch(() => {});
    this.#send(message);
    return answer;
  }

  #send(message: ToForm): void {
    this.#worker.postMessage(message, []);
  }
}
