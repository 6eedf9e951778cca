// What the tests of operations share: a locked connection on a folder of its own, files made by SQL, services that need no model.
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Operation, Processed, Row, Services } from '../types.ts';
import { processOperations } from './process.ts';
import { literal } from './sql.ts';
import { toRows } from '../values.ts';

export interface Bench {
  connection: DuckDBConnection;
  folder: string;
  /** Runs SQL by hand. */
  query(sql: string): Promise<Row[]>;
  /** A Parquet file of a query's rows. */
  file(sql: string): Promise<string>;
  /** Runs operations on a query's rows: what came out, and the rows of the (first) output. */
  run(
    sql: string,
    operations: Operation[],
    more?: { datasets?: Record<string, string>; services?: Partial<Services>; preview?: number },
  ): Promise<Ran>;
  close(): void;
}

export interface Ran extends Processed {
  rows: Row[];
}

export async function openBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'operations-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  for (const setting of [
    `allowed_directories = [${literal(folder)}]`,
    'enable_external_access = false',
    'lock_configuration = true',
  ]) {
    await connection.run(`SET ${setting}`);
  }
  let files = 0;
  const query = async (sql: string): Promise<Row[]> => toRows(await connection.runAndReadAll(sql));
  async function file(sql: string): Promise<string> {
    const path = join(folder, `file-${++files}.parquet`);
    await connection.run(`COPY (${sql}) TO ${literal(path)} (FORMAT parquet)`);
    return path;
  }
  return {
    connection,
    folder,
    query,
    file,
    async run(sql, operations, { datasets = {}, services = {}, preview } = {}) {
      const source = await file(sql);
      const own = join(folder, `job-${++files}`);
      mkdirSync(own);
      const job = { source, operations, datasets, folder: own, ...(preview === undefined ? {} : { preview }) };
      const result = await processOperations(connection, job, { ...noServices, ...services });
      const [output] = result.outputs;
      return {
        ...result,
        rows: output ? await query(`SELECT * FROM read_parquet(${literal(output.path)})`) : (result.preview ?? []),
      };
    },
    close() {
      connection.closeSync();
      instance.closeSync();
      rmSync(folder, { recursive: true });
    },
  };
}

const refuse = (): never => {
  throw new Error('This test lends no such service');
};
const noServices: Services = {
  embed: refuse,
  count: refuse,
  affords: () => Promise.resolve(true),
  chunk: refuse,
  predict: refuse,
};

export const clean = (op: string, params: Record<string, unknown> = {}): Operation => ({
  type: 'clean',
  params: { op, ...params },
});
export const transform = (op: string, params: Record<string, unknown> = {}): Operation => ({
  type: 'transform',
  params: { op, ...params },
});
export const enrich = (op: string, params: Record<string, unknown> = {}): Operation => ({
  type: 'enrich',
  params: { op, ...params },
});
