// This side of a predict thread: one question at a time, and which models it holds.
import { EngineError } from './errors.ts';
import type { FromPredict, PieceColumn, ToPredict } from './protocol.ts';
import { Thread } from './thread.ts';

interface Held {
  bytes: number;
  lastUsedAt: number;
}

export class PredictThread {
  /** The model that it works for, null while it is free. */
  serves: string | null = null;
  /** Sessions by the model's id, counted from before they are loaded. */
  readonly held = new Map<string, Held>();
  readonly #name: string;
  readonly #thread: Thread<ToPredict, FromPredict>;
  #pending: { resolve: (answer: FromPredict) => void; reject: (error: EngineError) => void } | null = null;
  #lost: EngineError | null = null;

  constructor(name: string, onLost: (reason: string) => void) {
    this.#name = name;
    this.#thread = new Thread('./predict-thread.ts', {
      name,
      data: null,
      onMessage: answer => {
        const pending = this.#pending;
        this.#pending = null;
        if (answer.type === 'failed') pending?.reject(new EngineError('MODEL_FAILED', answer.message));
        else pending?.resolve(answer);
      },
      onLost: reason => {
        this.#lost = new EngineError('WORKER_LOST', `the worker of ${this.#name} was lost: ${reason}`);
        onLost(reason);
        this.#pending?.reject(this.#lost);
      },
    });
  }

  get residentBytes(): number {
    return [...this.held.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async load(model: string, { path, bytes }: { path: string; bytes: number }): Promise<void> {
    this.held.set(model, { bytes, lastUsedAt: Date.now() });
    try {
      const answer = await this.#ask({ type: 'load', model, path });
      if (answer.type !== 'loaded') throw unexpected(answer);
    } catch (error) {
      this.held.delete(model);
      throw error;
    }
  }

  async predict(model: string, rows: number, columns: PieceColumn[]): Promise<FromPredict & { type: 'predicted' }> {
    const buffers = columns.flatMap(column =>
      column.kind === 'text' || !(column.values.buffer instanceof ArrayBuffer) ? [] : [column.values.buffer],
    );
    const answer = await this.#ask({ type: 'predict', model, rows, columns }, buffers);
    if (answer.type !== 'predicted') throw unexpected(answer);
    const held = this.held.get(model);
    if (held) held.lastUsedAt = Date.now();
    return answer;
  }

  /** After what runs. */
  drop(model: string): void {
    if (this.held.delete(model)) this.#thread.send({ type: 'drop', model });
  }

  close(): Promise<void> {
    this.held.clear();
    return this.#thread.close({ type: 'close' });
  }

  #ask(message: ToPredict, transfer: ArrayBuffer[] = []): Promise<FromPredict> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#thread.send(message, transfer);
    });
  }
}

function unexpected(answer: FromPredict): Error {
  return new Error(`the predict thread answered ${answer.type}`);
}
