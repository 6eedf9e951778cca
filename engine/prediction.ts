// One predict call: the pieces that its rows go in, what came back, and its end by success, failure or departure.
import type { PieceColumn } from './protocol.ts';
import type { FeatureColumn, FeatureTable, PredictorHandle, Predictions } from './types.ts';

export interface Piece {
  from: number;
  to: number;
  columns: PieceColumn[];
}

export class Prediction {
  readonly handle: PredictorHandle;
  readonly result: Promise<Predictions>;
  /** Rows that have not been taken yet. */
  waitingRows: number;
  over = false;
  readonly #table: FeatureTable;
  readonly #values: Float64Array;
  #probabilities: Float32Array | null = null;
  #missingRows: number;
  #resolve: (predictions: Predictions) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(handle: PredictorHandle, table: FeatureTable) {
    this.handle = handle;
    this.#table = table;
    this.waitingRows = table.rows;
    this.#missingRows = table.rows;
    this.#values = new Float64Array(table.rows);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The next rows, at most so many. */
  take(rows: number): Piece {
    const from = this.#table.rows - this.waitingRows;
    const to = Math.min(this.#table.rows, from + rows);
    this.waitingRows -= to - from;
    return { from, to, columns: this.#table.columns.map(column => pieceOf(column, from, to)) };
  }

  deliver({ from, to }: Piece, { values, probabilities }: Predictions): void {
    this.#values.set(values, from);
    if (probabilities) {
      const classes = probabilities.length / (to - from);
      this.#probabilities ??= new Float32Array(classes * this.#table.rows);
      this.#probabilities.set(probabilities, from * classes);
    }
    this.#missingRows -= to - from;
    if (this.#missingRows > 0) return;
    this.over = true;
    this.#resolve({ values: this.#values, probabilities: this.#probabilities });
  }

  fail(error: unknown): void {
    this.over = true;
    this.waitingRows = 0;
    this.#reject(error);
  }
}

/** Copies: a piece is given away to its thread. */
function pieceOf(column: FeatureColumn, from: number, to: number): PieceColumn {
  const { name } = column;
  switch (column.kind) {
    case 'number':
      return { kind: 'number', name, values: column.values.slice(from, to) };
    case 'text':
      return {
        kind: 'text',
        name,
        values: Array.from(column.codes.subarray(from, to), code => column.values[code] ?? ''),
      };
    case 'vector':
      return { kind: 'vector', name, values: column.values.slice(from * column.dimension, to * column.dimension) };
  }
}
