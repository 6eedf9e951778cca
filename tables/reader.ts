// Reads a Parquet file in the caller's own process, for rooms that have processes of their own: asks it in SQL, and streams columns.
import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { openDatabase } from './job.ts';
import { literal } from './sql.ts';
import type { Column, Row } from './types.ts';
import { toRows } from './values.ts';

export interface ReaderOptions {
  /** The Parquet file. */
  source: string;
  /** A folder for what doesn't fit into memory, and whose files may be read and written. */
  scratch: string;
  memoryBytes: number;
  maxSpillBytes: number;
}

/** One column of a batch: f64, or texts. */
export type ColumnBatch = Float64Array | string[];

export interface Reader {
  /** Names and types of the file's columns, as DuckDB's SQL writes them. */
  readonly columns: Pick<Column, 'name' | 'type'>[];
  /** SQL of the table: the file's columns, in the order of its rows. */
  readonly table: string;
  query(sql: string): Promise<Row[]>;
  run(sql: string): Promise<void>;
  /** The rows of a statement whose columns are all DOUBLE or VARCHAR and never null, in batches of at most 2048 rows. */
  stream(sql: string): AsyncGenerator<{ rows: number; columns: ColumnBatch[] }>;
  /** Ends the statement that runs; it throws. */
  interrupt(): void;
  close(): void;
}

/** One thread works, so that the same file gives the same answers to the last bit: sums of several depend on who was first. */
export async function openReader({ source, ...limits }: ReaderOptions): Promise<Reader> {
  const { connection, close } = await openDatabase({ ...limits, threads: 1 }, { paths: [source] });
  const table = `read_parquet(${literal(source)})`;
  try {
    const described = (await connection.runAndReadAll(`DESCRIBE FROM ${table}`)).getRows();
    return {
      columns: described.map(([name, type]) => ({ name: String(name), type: String(type) })),
      table,
      query: async sql => toRows(await connection.runAndReadAll(sql)),
      run: async sql => {
        await connection.run(sql);
      },
      stream: sql => stream(connection, sql),
      interrupt: () => connection.interrupt(),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function* stream(
  connection: DuckDBConnection,
  sql: string,
): AsyncGenerator<{ rows: number; columns: ColumnBatch[] }> {
  const result = await connection.stream(sql);
  const types = result.columnTypes().map(String);
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    yield { rows: chunk.rowCount, columns: types.map((type, index) => values(chunk, index, type)) };
  }
}

function values(chunk: DuckDBDataChunk, index: number, type: string): ColumnBatch {
  const vector = chunk.getColumnVector(index);
  const rows = { length: chunk.rowCount };
  // Never null, as the caller promises.
  if (type === 'DOUBLE') return Float64Array.from(rows, (_, row) => Number(vector.getItem(row)));
  if (type === 'VARCHAR') return Array.from(rows, (_, row) => String(vector.getItem(row)));
  throw new Error(`column ${index} of the statement is ${type}, not DOUBLE or VARCHAR`);
}
