// A Parquet file as the beginning of a query.
import type { DuckDBConnection } from '@duckdb/node-api';
import { row } from './render.ts';
import type { Source } from './render.ts';
import { identifier, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';

export async function rowsOfFile(connection: DuckDBConnection, path: string): Promise<number> {
  const counted = await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM read_parquet(${literal(path)})`);
  return Number(counted.getRows()[0]?.[0] ?? 0);
}

export function sourceOfFile(path: string, columns: readonly TypedColumn[], rows: number): Source {
  const names = columns.map(({ name }) => identifier(name));
  return {
    columns,
    sql: withRow =>
      `SELECT ${list([...names, ...(withRow ? [`file_row_number AS ${row}`] : [])])} FROM read_parquet(${literal(path)}${withRow ? ', file_row_number = true' : ''})`,
    scrambled: false,
    rows,
  };
}
