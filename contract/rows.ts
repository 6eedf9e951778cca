// Rows in a request body as columns: what a hundred thousand objects cost to pass between threads and to look through, typed arrays don't.
import { z } from 'zod';

/** What a cell may be. A value of any other type (an object, a list) is `other` and refused where it is used. */
export const cellKinds = { missing: 0, number: 1, boolean: 2, text: 3, other: 4 } as const;

/** One column: `kinds[row]` is of `cellKinds`; `values[row]` the number, 1 or 0 of a boolean, or the place in `texts`. */
export interface CellColumn {
  kinds: Uint8Array;
  values: Float64Array;
  texts: string[];
}

/** Rows as objects have columns by name, rows as arrays by position; a name that a row doesn't have is missing in it. */
export interface CellTable {
  rows: number;
  form: 'objects' | 'arrays';
  columns: Map<string, CellColumn>;
  /** Values in each row, where rows are arrays: all are of one length. */
  width: number;
}

/** Columns that a body may have: beyond them, a row of its own names each would take memory by the square. */
const maxColumns = 10_000;
const maxCells = 10_000_000;

interface Fault {
  row: number;
  message: string;
}

/** All rows must have the form of the first. Names outside `wanted`, when it is given, are left out. */
export function cellTable(
  data: readonly unknown[],
  wanted?: ReadonlySet<string>,
): { ok: true; table: CellTable } | { ok: false; fault: Fault } {
  const form = Array.isArray(data[0]) ? 'arrays' : 'objects';
  const columns = new Map<string, Growing>();
  const width = Array.isArray(data[0]) ? data[0].length : 0;
  const put = (name: string, row: number, cell: unknown): boolean => {
    let column = columns.get(name);
    if (!column) {
      if (columns.size >= maxColumns || (columns.size + 1) * data.length > maxCells) return false;
      columns.set(name, (column = new Growing(data.length)));
    }
    column.put(row, cell);
    return true;
  };
  for (const [row, cells] of data.entries()) {
    if (form === 'arrays') {
      if (!Array.isArray(cells)) return fault(row, 'must be a list, as the rows before it');
      if (cells.length !== width) return fault(row, `has ${cells.length} values, and the rows before it ${width}`);
      for (const [index, cell] of cells.entries()) if (!put(String(index), row, cell)) return tooWide(row);
      continue;
    }
    if (typeof cells !== 'object' || cells === null || Array.isArray(cells))
      return fault(row, row === 0 ? 'must be an object or a list' : 'must be an object, as the rows before it');
    for (const name in cells) {
      if (wanted && !wanted.has(name)) continue;
      if (Object.hasOwn(cells, name) && !put(name, row, (cells as Record<string, unknown>)[name])) return tooWide(row);
    }
  }
  const finished = new Map([...columns].map(([name, column]): [string, CellColumn] => [name, column.finished()]));
  return { ok: true, table: { rows: data.length, form, columns: finished, width } };
}

function fault(row: number, message: string): { ok: false; fault: Fault } {
  return { ok: false, fault: { row, message } };
}

function tooWide(row: number): { ok: false; fault: Fault } {
  return fault(row, 'brings more columns than a request may have');
}

class Growing {
  readonly #kinds: Uint8Array;
  readonly #values: Float64Array;
  readonly #codes = new Map<string, number>();

  constructor(rows: number) {
    this.#kinds = new Uint8Array(rows);
    this.#values = new Float64Array(rows);
  }

  put(row: number, cell: unknown): void {
    if (cell === null || cell === undefined) return;
    switch (typeof cell) {
      case 'number':
        return this.#set(row, cellKinds.number, cell);
      case 'boolean':
        return this.#set(row, cellKinds.boolean, cell ? 1 : 0);
      case 'string': {
        let code = this.#codes.get(cell);
        if (code === undefined) this.#codes.set(cell, (code = this.#codes.size));
        return this.#set(row, cellKinds.text, code);
      }
      default:
        return this.#set(row, cellKinds.other, 0);
    }
  }

  finished(): CellColumn {
    return { kinds: this.#kinds, values: this.#values, texts: [...this.#codes.keys()] };
  }

  #set(row: number, kind: number, value: number): void {
    this.#kinds[row] = kind;
    this.#values[row] = value;
  }
}

/** Inputs of a prediction: rows of a table, or texts and message lists for a language model. */
export type PredictData = { kind: 'table'; table: CellTable } | { kind: 'prompts'; prompts: unknown[] };

export const maxPredictRows = 100_000;

export const predictData = z
  .array(z.unknown())
  .min(1, 'needs at least one row')
  .max(maxPredictRows)
  .transform((data, context): PredictData => {
    if (isPrompt(data[0])) return { kind: 'prompts', prompts: data };
    const read = cellTable(data);
    if (read.ok) return { kind: 'table', table: read.table };
    const { row, message } = read.fault;
    context.addIssue({ code: 'custom', message, path: [row] });
    return z.NEVER;
  });

/** A text, or a list of messages. */
function isPrompt(item: unknown): boolean {
  const first: unknown = Array.isArray(item) ? item[0] : item;
  return Array.isArray(item) ? typeof first === 'object' && first !== null : typeof item === 'string';
}
