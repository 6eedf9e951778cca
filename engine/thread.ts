// One worker thread: typed messages each way, a loud death, and an end that never interrupts native code.
//
// `Worker.terminate()` is not used: onnxruntime-node aborts the whole process when a thread is ended while it computes or
// loads (its binding throws into a dying environment). A thread is asked to close and ends by itself.
import type { Transferable } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';

/** For `new Worker`: a file beside this one. */
export type ThreadEntry = './text-thread.ts' | './session-thread.ts' | './predict-thread.ts' | './generate-thread.ts';

export class Thread<In extends { type: string }, Out> {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #closing = false;
  #running = true;

  constructor(
    entry: ThreadEntry,
    options: {
      name: string;
      data: unknown;
      onMessage: (message: Out) => void;
      /** Called once when the thread ends unasked. */
      onLost: (reason: string) => void;
    },
  ) {
    this.#worker = new Worker(new URL(entry, import.meta.url), { workerData: options.data, name: options.name });
    let reason: string | null = null;
    this.#worker.on('message', options.onMessage);
    this.#worker.on('error', error => (reason = error instanceof Error ? error.message : String(error)));
    this.#ended = new Promise(resolve => {
      this.#worker.on('exit', code => {
        this.#running = false;
        if (!this.#closing) options.onLost(reason ?? `the thread ended with code ${code}`);
        resolve();
      });
    });
  }

  send(message: In, transfer: Transferable[] = []): void {
    if (this.#running) this.#worker.postMessage(message, transfer);
  }

  /** Resolves when the thread has ended, after what it was doing. `message` is the one that asks it to. */
  close(message: In): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.send(message);
    }
    return this.#ended;
  }
}
