// Writing the Parquet file of a dataset, and reading back what is in it.
import type { JobContext } from '../job.ts';
import { identifier, literal } from '../sql.ts';
import type { Column } from '../types.ts';

/** DuckDB's own; pages of rows are read from one group. */
const maxGroupRows = 122_880;
/** Threads hold groups until it is their turn to write. */
const maxGroupBytes = 64 * 2 ** 20;
const minGroupRows = 2_048;
const maxGroupCells = 16 * 2 ** 20;

/** Writes a query's rows in their order; answers how many. `rowBytes` is about what a row takes. */
export async function writeParquet(
  { query }: Pick<JobContext, 'query'>,
  select: string,
  target: string,
  shape: { columns: number; rowBytes: number },
): Promise<number> {
  const rows = Math.min(maxGroupRows, maxGroupBytes / Math.max(1, shape.rowBytes), maxGroupCells / shape.columns);
  // DuckDB stores vectors of rows: groups are multiples of them.
  const groupRows = Math.max(minGroupRows, Math.floor(rows / minGroupRows) * minGroupRows);
  const answer = await query(
    `COPY (${select}) TO ${literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groupRows}, USE_TMP_FILE false)`,
  );
  return Number(answer.getRows()[0]?.[0] ?? 0);
}

/** Names and types of a Parquet file, and how many nulls each column has. */
export async function describeParquet({ query }: Pick<JobContext, 'query'>, path: string): Promise<Column[]> {
  const file = `read_parquet(${literal(path)})`;
  const described = (await query(`DESCRIBE FROM ${file}`)).getRows().map(row => ({
    name: String(row[0]),
    type: String(row[1]),
  }));
  const nulls: number[] = [];
  for (let start = 0; start < described.length; start += columnsAtOnce) {
    const counts = described
      .slice(start, start + columnsAtOnce)
      .map(({ name }) => `count(*) - count(${identifier(name)})`);
    nulls.push(...((await query(`SELECT ${counts.join(', ')} FROM ${file}`)).getRows()[0] ?? []).map(Number));
  }
  return described.map((column, index) => ({ ...column, nulls: nulls[index] ?? 0 }));
}

const columnsAtOnce = 500;
