// This side of a predict thread: one question at a time, and which models it holds.
import { AskedThread } from './asked-thread.ts';
import type { FromPredict, PieceColumn, ToPredict } from './protocol.ts';

interface Held {
  bytes: number;
  lastUsedAt: number;
}

export class PredictThread {
  /** The model that it works for, null while it is free. */
  serves: string | null = null;
  /** Sessions by the model's id, counted from before they are loaded. */
  readonly held = new Map<string, Held>();
  readonly #thread: AskedThread<ToPredict, FromPredict>;

  constructor(name: string, onLost: (reason: string) => void) {
    this.#thread = new AskedThread('./predict-thread.ts', { name, data: null, onLost });
  }

  get residentBytes(): number {
    return [...this.held.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async load(model: string, { path, bytes }: { path: string; bytes: number }): Promise<void> {
    this.held.set(model, { bytes, lastUsedAt: Date.now() });
    try {
      await this.#thread.ask('loaded', { type: 'load', model, path });
    } catch (error) {
      this.held.delete(model);
      throw error;
    }
  }

  async predict(model: string, rows: number, columns: PieceColumn[]): Promise<FromPredict & { type: 'predicted' }> {
    const buffers = columns.flatMap(column =>
      column.kind === 'text' || !(column.values.buffer instanceof ArrayBuffer) ? [] : [column.values.buffer],
    );
    const answer = await this.#thread.ask('predicted', { type: 'predict', model, rows, columns }, buffers);
    const held = this.held.get(model);
    if (held) held.lastUsedAt = Date.now();
    return answer;
  }

  /** After what runs. */
  drop(model: string): void {
    if (this.held.delete(model)) this.#thread.tell({ type: 'drop', model });
  }

  close(): Promise<void> {
    this.held.clear();
    return this.#thread.close({ type: 'close' });
  }
}
