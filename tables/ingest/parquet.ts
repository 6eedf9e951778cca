// Writing the Parquet file of a dataset, and reading back what is in it.
import type { JobContext } from '../job.ts';
import { identifier, literal } from '../sql.ts';
import type { Column } from '../types.ts';

/** DuckDB's own; pages of rows are read from one group. */
const maxGroupRows = 122_880;
/** Threads hold groups until it is their turn to write. */
const maxGroupBytes = 8 * 2 ** 20;
const minGroupRows = 2_048;
const maxGroupCells = 16 * 2 ** 20;
/** DuckDB's own, for each column of text, taken at once by each thread: thousands of columns share less. */
const maxDictionaryBytes = 2 ** 20;
const maxDictionariesBytes = 16 * 2 ** 20;

/** What is known about the rows that go into a file. `rowBytes` is about what one takes. */
export interface RowShape {
  columns: number;
  rowBytes: number;
}

/** How many rows a group shall have, so that writing one takes little memory. */
export function groupRows({ columns, rowBytes }: RowShape): number {
  const rows = Math.min(maxGroupRows, maxGroupBytes / Math.max(1, rowBytes), maxGroupCells / Math.max(1, columns));
  // DuckDB stores vectors of rows: groups are multiples of them.
  return Math.max(minGroupRows, Math.floor(rows / minGroupRows) * minGroupRows);
}

/** What the rows of a Parquet file take before compression. */
export async function rowBytesOf({ query }: Pick<JobContext, 'query'>, path: string): Promise<number> {
  const answer = await query(`SELECT sum(total_uncompressed_size)::DOUBLE, max(num_rows)::DOUBLE
    FROM parquet_metadata(${literal(path)}), parquet_file_metadata(${literal(path)})`);
  const [bytes, rows] = answer.getRows()[0] ?? [];
  return Number(bytes ?? 0) / Math.max(1, Number(rows ?? 0));
}

/** Writes a query's rows in their order; answers how many. */
export async function writeParquet(
  { query }: Pick<JobContext, 'query'>,
  select: string,
  target: string,
  shape: RowShape,
): Promise<number> {
  const dictionaryBytes = Math.floor(Math.min(maxDictionaryBytes, maxDictionariesBytes / shape.columns));
  const answer = await query(
    `COPY (${select}) TO ${literal(target)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE ${groupRows(shape)},
      STRING_DICTIONARY_PAGE_SIZE_LIMIT ${dictionaryBytes}, USE_TMP_FILE false)`,
  );
  return Number(answer.getRows()[0]?.[0] ?? 0);
}

/** Names and types of a Parquet file, and how many nulls each column has. */
export async function describeParquet({ query }: Pick<JobContext, 'query'>, path: string): Promise<Column[]> {
  const file = `read_parquet(${literal(path)})`;
  const described = (await query(`DESCRIBE FROM ${file}`)).getRows();
  const counted = await query(`SELECT path_in_schema, sum(stats_null_count), count(stats_null_count) = count(*)
    FROM parquet_metadata(${literal(path)}) GROUP BY ALL`);
  // The footer counts nulls of plain columns; for a list or a struct it has only those of what is within.
  const nulls = new Map(
    counted.getRows().flatMap(([name, count, complete]) => (complete === true ? [[String(name), Number(count)]] : [])),
  );
  const columns: Column[] = [];
  for (const [name, type] of described.map(row => [String(row[0]), String(row[1])] as const)) {
    const known = /[\])]$/.test(type) && !type.startsWith('DECIMAL') ? undefined : nulls.get(name);
    columns.push({ name, type, nulls: known ?? (await countNulls(name)) });
  }
  return columns;

  async function countNulls(name: string): Promise<number> {
    const column = identifier(name);
    return Number((await query(`SELECT count(*) - count(${column}) FROM ${file}`)).getRows()[0]?.[0] ?? 0);
  }
}
