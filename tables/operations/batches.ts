// Runs what is not SQL: rows of a file go through a function in batches, and each batch's answers become a small Parquet file at once,
// so that a job that was killed goes on after the last one that is whole.
import { BIGINT, DuckDBDataChunk, FLOAT, INTEGER, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { TableError } from '../errors.ts';
import type { Row, Services } from '../types.ts';
import type { AllRows, AnswerValue, BatchPlan, StoredType } from './plan.ts';
import type { Source } from './render.ts';
import { row, rowName } from './render.ts';
import { identifier, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';

export interface BatchRun {
  connection: DuckDBConnection;
  folder: string;
  index: number;
  services: Services;
  query: (sql: string) => Promise<Row[]>;
  describe: (sql: string) => Promise<TypedColumn[]>;
  signal: AbortSignal | undefined;
  onProgress: (fraction: number) => void;
}

/** So many batches are read at once: each reading looks through the whole file. */
const batchesARead = 8;
const chunkRows = 2048;

/** The rows of `input`, which is one Parquet file, with the answers beside them. */
export async function runBatches(
  plan: BatchPlan,
  input: { path: string; rows: number; columns: readonly TypedColumn[] },
  run: BatchRun,
): Promise<Source> {
  const { index, folder, query } = run;
  const parts = Math.ceil(input.rows / plan.batchRows);
  const pathOf = (part: number): string => join(folder, `operation-${index}-part-${part}.parquet`);
  const selected = list([
    ...plan.inputs.map(({ name, sql }) => `${sql} AS ${identifier(name)}`),
    `file_row_number AS ${row}`,
  ]);
  if (plan.begin && !existsSync(pathOf(0))) await plan.begin(allRows(plan, input, query), run.services);
  for (let first = 0; first < parts; first += batchesARead) {
    const wanted = Array.from({ length: Math.min(batchesARead, parts - first) }, (_, offset) => first + offset).filter(
      part => !existsSync(pathOf(part)),
    );
    if (wanted.length === 0) continue;
    const [from, to] = [Math.min(...wanted) * plan.batchRows, (Math.max(...wanted) + 1) * plan.batchRows];
    const rows = await query(
      `SELECT ${selected} FROM read_parquet(${literal(input.path)}, file_row_number = true) WHERE file_row_number >= ${from} AND file_row_number < ${to} ORDER BY ${row}`,
    );
    for (const part of wanted) {
      run.signal?.throwIfAborted();
      const start = part * plan.batchRows - from;
      const batch = rows
        .slice(start, start + plan.batchRows)
        .map(values => Object.fromEntries(Object.entries(values).filter(([name]) => name !== rowName)));
      const answers = await plan.run(batch, { operation: index, part }, run.services);
      await writePart(plan, answers, { run, path: pathOf(part), firstRow: part * plan.batchRows });
      run.onProgress((part + 1) / parts);
    }
  }
  return joined(plan, input, { run, parts: Array.from({ length: parts }, (_, part) => pathOf(part)) });
}

function allRows(plan: BatchPlan, { path, rows }: { path: string; rows: number }, query: BatchRun['query']): AllRows {
  const file = `read_parquet(${literal(path)}, file_row_number = true)`;
  return {
    rows,
    ask: async expression => (await query(`SELECT ${expression} FROM ${file}`))[0] ?? {},
    async *batches() {
      const selected = list(plan.inputs.map(({ name, sql }) => `${sql} AS ${identifier(name)}`));
      const many = plan.batchRows * batchesARead;
      for (let from = 0; from < rows; from += many)
        yield query(
          `SELECT ${selected} FROM ${file} WHERE file_row_number >= ${from} AND file_row_number < ${from + many}`,
        );
    },
  };
}

interface PartWriting {
  run: BatchRun;
  path: string;
  firstRow: number;
}

async function writePart(
  plan: BatchPlan,
  answers: AnswerValue[][][],
  { run, path, firstRow }: PartWriting,
): Promise<void> {
  const rows = answers.flatMap((several, offset) =>
    several.map(values => [BigInt(firstRow + offset), ...values.map(toDuckDB)]),
  );
  const types = [BIGINT, ...plan.outputs.map(({ type }) => stored[type].type)];
  const columns = ['"row" BIGINT', ...plan.outputs.map(({ name, type }) => `${identifier(name)} ${stored[type].sql}`)];
  const { connection } = run;
  await connection.run(`CREATE OR REPLACE TEMP TABLE vectorium_part (${list(columns)})`);
  try {
    const appender = await connection.createAppender('vectorium_part', 'main', 'temp');
    for (let start = 0; start < rows.length; start += chunkRows) {
      const chunk = DuckDBDataChunk.create(types);
      chunk.setRows(rows.slice(start, start + chunkRows));
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
    await connection.run(`COPY vectorium_part TO ${literal(`${path}.tmp`)} (FORMAT parquet, COMPRESSION zstd)`);
    await rename(`${path}.tmp`, path);
  } finally {
    await connection.run('DROP TABLE vectorium_part');
  }
}

/** Parquet knows no lists of a fixed length: FLOAT[n] would come back as FLOAT[]. */
const stored: Record<StoredType, { type: DuckDBType; sql: string }> = {
  VARCHAR: { type: VARCHAR, sql: 'VARCHAR' },
  INTEGER: { type: INTEGER, sql: 'INTEGER' },
  VECTOR: { type: LIST(FLOAT), sql: 'FLOAT[]' },
};

function toDuckDB(value: AnswerValue): DuckDBValue {
  return value instanceof Float32Array ? listValue([...value]) : value;
}

async function joined(
  plan: BatchPlan,
  input: { path: string; rows: number; columns: readonly TypedColumn[] },
  { run, parts }: { run: BatchRun; parts: string[] },
): Promise<Source> {
  const none = plan.outputs.map(({ name, type }) => `NULL::${stored[type].sql} AS ${identifier(name)}`);
  const relation =
    parts.length === 0
      ? `(SELECT 0::BIGINT AS "row", ${list(none)} WHERE false)`
      : `read_parquet([${list(parts.map(part => literal(part)))}])`;
  for (const { name, type } of plan.outputs) {
    if (type !== 'VECTOR') continue;
    const length = `len(${identifier(name)})`;
    const [found] = await run.query(
      `SELECT min(${length})::DOUBLE AS low, max(${length})::DOUBLE AS high FROM ${relation}`,
    );
    if (found?.['low'] === found?.['high']) continue;
    const place = `operations[${run.index}]`;
    throw new TableError('OPERATION_FAILED', `${place} gave vectors of different lengths`, place);
  }
  const added = await plan.columns(run.query, relation);
  const base = `read_parquet(${literal(input.path)}, file_row_number = true)`;
  const extra = added.map(({ name, sql }) => `${sql} AS ${identifier(name)}`);
  const kept = input.columns.map(({ name }) => `p.${identifier(name)}`);
  if (!plan.explode) {
    const from = `FROM ${base} p LEFT JOIN ${relation} a ON a."row" = p.file_row_number`;
    const sql = (withRow: boolean): string =>
      `SELECT ${list([...kept, ...extra, ...(withRow ? [`p.file_row_number AS ${row}`] : [])])} ${from}`;
    return { sql, columns: await run.describe(sql(false)), rows: input.rows, scrambled: true };
  }
  const from = `FROM ${base} p JOIN (SELECT *, row_number() OVER () AS n FROM ${relation}) a ON a."row" = p.file_row_number`;
  const sql = (withRow: boolean): string =>
    `SELECT ${list([...kept, ...extra, ...(withRow ? [`a.n AS ${row}`] : [])])} ${from}`;
  const [counted] = await run.query(`SELECT count(*)::DOUBLE AS n FROM ${relation}`);
  return { sql, columns: await run.describe(sql(false)), rows: Number(counted?.['n'] ?? 0), scrambled: true };
}
