// Tables whose cells are text: types are found, rows are written, and what is no row is counted.
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { identifier } from '../sql.ts';
import { writeParquet } from './parquet.ts';
import { declaredCast, inferTypes, retype, sampleRows, strictCast } from './typing.ts';
import type { NumberStyle } from './typing.ts';

export interface TextTable {
  /** SQL of the columns' texts, in order. */
  columns: { name: string; text: string; declared: string | null }[];
  /** SQL after FROM. With `rejects`, DuckDB's reader keeps the lines that are no rows in tables of that prefix. */
  relation(rejects: string | null): string;
  style: NumberStyle;
}

/** Writes the Parquet file; answers the number of rows and the prefix of the last attempt's tables of rejected lines. */
export async function writeTextTable(
  table: TextTable,
  context: JobContext,
  target: string,
): Promise<{ rows: number; rejects: string }> {
  const undeclared = table.columns.filter(({ declared }) => declared === null).map(({ text }) => text);
  const infer = (relation: string) => inferTypes(context, relation, undeclared, table.style);
  const sampled = await infer(`(SELECT * FROM ${table.relation(null)} LIMIT ${sampleRows})`);
  const shape = { columns: table.columns.length, rowBytes: sampled.bytes / Math.max(1, sampled.rows) };
  const write = async (types: string[], rejects: string) => {
    let next = 0;
    const selected = table.columns.map(({ name, text, declared }) => {
      const value =
        declared === null
          ? strictCast(text, types[next++] ?? 'VARCHAR', table.style)
          : declaredCast(text, declared, table.style);
      return `${value} AS ${identifier(name)}`;
    });
    const rows = await writeParquet(
      context,
      `SELECT ${selected.join(', ')} FROM ${table.relation(rejects)}`,
      target,
      shape,
    );
    return { rows, rejects };
  };
  try {
    return await write(sampled.types, 'first');
  } catch (error) {
    if (!(error instanceof Error && error.message.includes(retype))) throw error;
    return await write((await infer(table.relation(null))).types, 'second');
  }
}

/** A table without rows is nobody's intention. */
export function refuseEmpty(rows: number, rejected: number): void {
  if (rows > 0) return;
  throw rejected > 0
    ? new TableError('BAD_ROWS', `None of the ${rejected} lines is a row of the table`, { place: 'line 1' })
    : new TableError('EMPTY_FILE', 'The file has no rows', { place: 'line 1' });
}
