// Tables whose cells are text: types are found, rows are written, and what is no row is counted.
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { writeParquet } from './parquet.ts';
import { declaredCast, inferTypes, isRetype, sampleRows, strictSelect } from './typing.ts';
import type { Inferred, NumberStyle } from './typing.ts';

export interface TextTable {
  /** SQL of the columns' texts, in order. */
  columns: { name: string; text: string; declared: string | null }[];
  /**
   * SQL after FROM, with columns of the given types. With `rejects`, DuckDB's reader keeps the lines that are no rows in
   * tables of that prefix.
   */
  relation(types: string[], rejects: string | null): string;
  /** Whether the relation gives other types than VARCHAR, and rejects lines whose cells are of another. */
  casts: boolean;
  style: NumberStyle;
}

/**
 * Casts as expressions take a vector each for every step, a gigabyte for thousands of columns. Wide tables are typed
 * by looks at all rows first, and then cast by the reader.
 */
const maxCastColumns = 500;

/** Writes the Parquet file; answers the number of rows and the prefix of the last attempt's tables of rejected lines. */
export async function writeTextTable(
  table: TextTable,
  context: JobContext,
  target: string,
): Promise<{ rows: number; rejects: string }> {
  const { columns, style } = table;
  const undeclared = columns.filter(({ declared }) => declared === null);
  const asRead = columns.map(({ declared }) => (table.casts && declared !== null ? declared : 'VARCHAR'));
  const infer = (relation: string) =>
    inferTypes(
      context,
      relation,
      undeclared.map(({ text }) => text),
      style,
    );
  const wide = columns.length > maxCastColumns;
  const write = async ({ types, bytes, rows: seen }: Inferred, rejects: string) => {
    const typeOf = new Map(
      undeclared.map((column, index) => [column, types[index] ?? { type: 'VARCHAR', padded: false }]),
    );
    const inReader = wide && table.casts;
    const selected = columns.map(column => {
      const { name, text, declared } = column;
      const found = inReader ? null : (typeOf.get(column) ?? null);
      const value = declared === null || table.casts ? text : declaredCast(text, declared, style);
      return { name, value, found };
    });
    const read = inReader ? columns.map(each => each.declared ?? typeOf.get(each)?.type ?? 'VARCHAR') : asRead;
    const select = strictSelect(selected, table.relation(read, rejects), style);
    const shape = { columns: columns.length, rowBytes: bytes / Math.max(1, seen) };
    return { rows: await writeParquet(context, select, target, shape), rejects };
  };
  if (wide) {
    // Many looks at a few columns each; a file of thousands of columns takes longer to open than to read.
    await context.query(`CREATE TEMP TABLE staged AS SELECT * FROM ${table.relation(asRead, null)}`);
    const inferred = await infer('staged');
    await context.query('DROP TABLE staged');
    return write(inferred, 'first');
  }
  try {
    return await write(await infer(`(SELECT * FROM ${table.relation(asRead, null)} LIMIT ${sampleRows})`), 'first');
  } catch (error) {
    if (!isRetype(error)) throw error;
    return write(await infer(table.relation(asRead, null)), 'second');
  }
}

/** A table without rows is nobody's intention. */
export function refuseEmpty(rows: number, rejected: number): void {
  if (rows > 0) return;
  throw rejected > 0
    ? new TableError('BAD_ROWS', `None of the ${rejected} lines is a row of the table`, { place: 'line 1' })
    : new TableError('EMPTY_FILE', 'The file has no rows', { place: 'line 1' });
}
