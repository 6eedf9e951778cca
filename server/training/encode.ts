// Rows of a request as the inputs of a model: each value checked against the column that it was trained on.
import { type CellColumn, type CellTable, cellKinds } from '@vectorium/contract';
import type { FeatureColumn } from '@vectorium/engine';
import type { Card } from '@vectorium/training';
import { ApiError } from '../http/index.ts';
import { type Feature, type ValueKind, isoDate, mayBeText, numberText, valueKindOf } from './rules.ts';

/** The inputs of a model beside its texts, which have to become vectors first. */
export interface Encoded {
  columns: FeatureColumn[];
  texts: { name: string; values: (string | null)[] }[];
}

/** Throws INVALID_PARAMETER with the row and the column of the first value that doesn't fit; `place` is where the rows are. */
export function encode(table: CellTable, { features }: Pick<Card, 'features'>, place = 'input.data'): Encoded {
  if (table.form === 'arrays' && table.width !== features.length) {
    const names = features.map(({ name }) => name);
    const message = `${place}[0] has ${table.width} values; the model takes ${features.length}: ${listed(names)}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: `${place}[0]` });
  }
  const encoded: Encoded = { columns: [], texts: [] };
  for (const [index, feature] of features.entries()) {
    const column = table.columns.get(table.form === 'arrays' ? String(index) : feature.name);
    const known = column ?? emptyColumn(table.rows);
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
  readonly #mayBeText: boolean;

  constructor(feature: Feature, column: CellColumn, place: string) {
    this.#feature = feature;
    this.#column = column;
    this.#place = place;
    this.#kind = valueKindOf(feature);
    this.#mayBeText = this.#kind === 'number' && mayBeText(feature.sql_type);
    this.#check();
  }

  /** NaN where missing. */
  numbers(): Float64Array {
    const { kinds, values } = this.#column;
    return Float64Array.from(values, (value, row) => {
      if (kinds[row] === cellKinds.missing) return NaN;
      return kinds[row] === cellKinds.text ? Number(this.#textAt(row)) : value;
    });
  }

  /** '' where missing. */
  codes(): { codes: Uint32Array; values: string[] } {
    const codeOf = new Map([['', 0]]);
    const code = (text: string): number => {
      let found = codeOf.get(text);
      if (found === undefined) codeOf.set(text, (found = codeOf.size));
      return found;
    };
    const { kinds, values, texts } = this.#column;
    const ofTexts = texts.map(code);
    const codes = Uint32Array.from(values, (value, row) => {
      switch (kinds[row]) {
        case cellKinds.text:
          return ofTexts[value] ?? 0;
        case cellKinds.number:
          return code(numberText(value, this.#feature.sql_type));
        case cellKinds.boolean:
          return code(value === 1 ? 'true' : 'false');
        default:
          return 0;
      }
    });
    return { codes, values: [...codeOf.keys()] };
  }

  texts(): (string | null)[] {
    return Array.from(this.#column.kinds, (kind, row) => (kind === cellKinds.text ? this.#textAt(row) : null));
  }

  #textAt(row: number): string {
    return this.#column.texts[this.#column.values[row] ?? 0] ?? '';
  }

  #check(): void {
    const right = cellOf[this.#kind];
    const { kinds, texts } = this.#column;
    const bad = new Set(texts.flatMap((text, code) => (this.#takes(text) ? [] : [code])));
    for (const [row, kind] of kinds.entries()) {
      if (kind === cellKinds.missing) continue;
      if (kind === cellKinds.text && (right === cellKinds.text || this.#mayBeText)) {
        if (bad.size > 0 && bad.has(this.#column.values[row] ?? 0)) this.#refuse(row);
      } else if (kind !== right) this.#refuse(row);
    }
  }

  /** Of a text where texts are taken. */
  #takes(text: string): boolean {
    if (this.#kind === 'date') return isoDate.test(text);
    // Of integers those that JSON can't hold; all decimals.
    if (this.#kind === 'number') {
      const number = Number(text);
      const isInteger = !/^(DECIMAL|NUMERIC)/.test(this.#feature.sql_type);
      return /^-?\d/.test(text) && !Number.isNaN(number) && !(isInteger && Number.isSafeInteger(number));
    }
    return text.isWellFormed();
  }

  #refuse(row: number): never {
    const { name } = this.#feature;
    const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
    const param = `${this.#place}[${row}].${shown}`;
    throw new ApiError('INVALID_PARAMETER', {
      message: `${this.#place}[${row}]: column ${JSON.stringify(shown)} must be ${wanted[this.#kind]}`,
      param,
    });
  }
}

function listed(names: string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return names.length > 20 ? `${shown} … (${names.length})` : shown;
}
