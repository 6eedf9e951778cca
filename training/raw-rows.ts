// Raw rows as `model.onnx` takes them: streamed from the table, with the vectors of their texts beside them.
import type { ColumnBatch, Reader } from '@vectorium/tables';
import type { RunPlan } from './plan.ts';
import { doubles, floats, texts } from './session.ts';
import type { Feeds } from './session.ts';
import { parts, rowsSql } from './split.ts';
import type { Part } from './split.ts';
import { VectorFiles } from './text-vectors.ts';

export interface RawRows {
  rows: number;
  /** By row: 0 training, 1 validation, 2 test. */
  parts: ColumnBatch;
  /** Class or number. */
  ys: Float64Array;
  /** In the order of the features. */
  columns: RawColumn[];
}

/** Numbers and texts a row, or the vectors of texts. */
export type RawColumn = { data: ColumnBatch } | { vectors: Float32Array; dimension: number };

export interface RawOptions {
  folder: string;
  dimension: number;
  /** All parts unless given. */
  part?: Part;
}

/** In the order of the table, a few thousand rows at a time. */
export async function* rawRows(
  reader: Reader,
  plan: RunPlan,
  { folder, dimension, part }: RawOptions,
): AsyncGenerator<RawRows> {
  const rows = rowsSql({ ...plan, table: reader.table, bounds: plan.split.bounds });
  const columns = plan.features.flatMap(({ kind }, i) => (kind === 'text' ? [] : [i]));
  const sql = `SELECT n, part, y${columns.map(i => `, c${i}`).join('')} FROM
    (SELECT *, (row_number() OVER () - 1)::DOUBLE AS n FROM (${rows}))${part ? ` WHERE part = ${parts[part]}` : ''}`;
  const vectors = await VectorFiles.open(plan, { folder, dimension });
  try {
    for await (const batch of reader.stream(sql)) {
      const [numbers, ofParts, ys, ...values] = batch.columns;
      if (!(numbers instanceof Float64Array && ys instanceof Float64Array && ofParts))
        throw new Error('a row has no number');
      const data = new Map(columns.map((feature, i) => [feature, values[i] ?? []]));
      const first = numbers[0] ?? 0;
      const found = await vectors.read(first, (numbers.at(-1) ?? first) - first + 1);
      yield {
        rows: batch.rows,
        parts: ofParts,
        ys,
        columns: plan.features.map((_, feature) => {
          const own = found.get(feature);
          if (!own) return { data: data.get(feature) ?? [] };
          return {
            vectors: rowsOf(
              own,
              Array.from(numbers, n => n - first),
              dimension,
            ),
            dimension,
          };
        }),
      };
    }
  } finally {
    await vectors.close();
  }
}

/** Inputs of `model.onnx`, or of the graph that encodes. */
export function rawFeeds(plan: RunPlan, columns: RawColumn[]): Feeds {
  return Object.fromEntries(
    plan.features.flatMap(({ name }, i) => {
      const column = columns[i];
      if (!column) return [];
      if ('vectors' in column)
        return [[name, floats(column.vectors, [column.vectors.length / column.dimension, column.dimension])]];
      const { data } = column;
      return [[name, data instanceof Float64Array ? doubles(data, [data.length, 1]) : texts(data, [data.length, 1])]];
    }),
  );
}

/** Some rows of a column, in the order given. */
export function pickRows(column: RawColumn, rows: readonly number[]): RawColumn {
  if ('vectors' in column) return { ...column, vectors: rowsOf(column.vectors, rows, column.dimension) };
  const { data } = column;
  return {
    data:
      data instanceof Float64Array
        ? Float64Array.from(rows, row => data[row] ?? NaN)
        : rows.map(row => data[row] ?? ''),
  };
}

function rowsOf(vectors: Float32Array, rows: readonly number[], dimension: number): Float32Array {
  const picked = new Float32Array(rows.length * dimension);
  for (const [i, row] of rows.entries())
    picked.set(vectors.subarray(row * dimension, (row + 1) * dimension), i * dimension);
  return picked;
}
