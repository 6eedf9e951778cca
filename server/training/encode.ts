// Rows of a request as the inputs of a model: each value checked against the column that it was trained on.
import { setImmediate as turn } from 'node:timers/promises';
import { type CellColumn, type CellTable, cellKinds } from '@vectorium/contract';
import type { FeatureColumn } from '@vectorium/engine';
import type { Card } from '@vectorium/training';
import { ApiError } from '../http/index.ts';
import { type Feature, type ValueKind, isoDate, numberOfText, valueKindOf } from './rules.ts';

/** The inputs of a model beside its texts, which have to become vectors first. */
export interface Encoded {
  columns: FeatureColumn[];
  texts: { name: string; values: (string | null)[] }[];
}

/** Cells between two turns of the event loop: less than a millisecond's work. */
const cellsAtOnce = 200_000;

/** Throws INVALID_PARAMETER with the row and the column of the first value that doesn't fit; `place` is where the rows are. */
export async function encode(
  table: CellTable,
  { features }: Pick<Card, 'features'>,
  place = 'input.data',
): Promise<Encoded> {
  if (table.form === 'arrays' && table.width !== features.length) {
    const names = features.map(({ name }) => name);
    const message = `${place}[0] has ${table.width} values; the model takes ${features.length}: ${listed(names)}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: `${place}[0]` });
  }
  const encoded: Encoded = { columns: [], texts: [] };
  for (const [index, feature] of features.entries()) {
    const column = table.columns.get(table.form === 'arrays' ? String(index) : feature.name);
    const known = column ?? emptyColumn(table.rows);
    if (index > 0 && (index * table.rows) % cellsAtOnce < table.rows) await turn();
    const values = new Values(feature, known, place);
    const { name, kind } = feature;
    if (kind === 'text') encoded.texts.push({ name, values: values.texts() });
    else if (kind === 'number' || kind === 'boolean')
      encoded.columns.push({ name, kind: 'number', values: values.numbers() });
    else encoded.columns.push({ name, kind: 'text', ...values.codes() });
  }
  return encoded;
}

function emptyColumn(rows: number): CellColumn {
  return { kinds: new Uint8Array(rows), values: new Float64Array(rows), texts: [] };
}

const cellOf: Record<ValueKind, number> = {
  number: cellKinds.number,
  boolean: cellKinds.boolean,
  date: cellKinds.text,
  text: cellKinds.text,
};

const wanted: Record<ValueKind, string> = {
  number: 'a number',
  boolean: 'true or false',
  date: 'a date in ISO 8601',
  text: 'a string',
};

class Values {
  readonly #feature: Feature;
  readonly #column: CellColumn;
  readonly #place: string;
  readonly #kind: ValueKind;
  /** Of a column of numbers, what its strings stand for. */
  readonly #numbers: (number | null)[];

  constructor(feature: Feature, column: CellColumn, place: string) {
    this.#feature = feature;
    this.#column = column;
    this.#place = place;
    this.#kind = valueKindOf(feature);
    this.#numbers = this.#kind === 'number' ? column.texts.map(text => numberOfText(text, feature.sql_type)) : [];
    this.#check();
  }

  /** NaN where missing. */
  numbers(): Float64Array {
    const { kinds, values } = this.#column;
    const numbers = new Float64Array(values);
    for (let row = 0; row < numbers.length; row++) {
      if (kinds[row] === cellKinds.missing) numbers[row] = NaN;
      else if (kinds[row] === cellKinds.text) numbers[row] = this.#numbers[values[row] ?? 0] ?? NaN;
    }
    return numbers;
  }

  /** '' where missing. */
  codes(): { codes: Uint32Array; values: string[] } {
    const { kinds, values, texts } = this.#column;
    const codes = new Uint32Array(values.length);
    for (let row = 0; row < codes.length; row++) if (kinds[row] === cellKinds.text) codes[row] = (values[row] ?? 0) + 1;
    return { codes, values: ['', ...texts] };
  }

  /** As training has them: without blanks around. */
  texts(): (string | null)[] {
    const { kinds, values, texts } = this.#column;
    const trimmed = texts.map(text => text.trim());
    return Array.from(kinds, (kind, row) => (kind === cellKinds.text ? (trimmed[values[row] ?? 0] ?? '') : null));
  }

  #check(): void {
    const right = cellOf[this.#kind];
    const takesTexts = right === cellKinds.text || this.#kind === 'number';
    const { kinds, values, texts } = this.#column;
    const bad = new Set(texts.flatMap((text, code) => (this.#takes(text, code) ? [] : [code])));
    for (let row = 0; row < kinds.length; row++) {
      const kind = kinds[row];
      if (kind === cellKinds.missing || (kind === right && kind !== cellKinds.text)) continue;
      const fits = kind === cellKinds.text && takesTexts && (bad.size === 0 || !bad.has(values[row] ?? 0));
      if (!fits) this.#refuse(row);
    }
  }

  /** Of a text where texts are taken. */
  #takes(text: string, code: number): boolean {
    if (this.#kind === 'number') return this.#numbers[code] !== null;
    return this.#kind === 'date' ? isoDate.test(text) : text.isWellFormed();
  }

  #refuse(row: number): never {
    const { name } = this.#feature;
    const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
    throw new ApiError('INVALID_PARAMETER', {
      message: `${this.#place}[${row}]: column ${JSON.stringify(shown)} must be ${wanted[this.#kind]}`,
      param: `${this.#place}[${row}].${shown}`,
    });
  }
}

function listed(names: string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return names.length > 20 ? `${shown} … (${names.length})` : shown;
}
