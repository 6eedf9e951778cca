// What the tests of this room share: tables in a folder of their own, and DuckDB's own answers to compare with.
import { DuckDBInstance } from '@duckdb/node-api';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openTables } from './open.ts';
import type { OpenTables, TablesOptions } from './open.ts';
import type { Format, Ingested, Row } from './types.ts';

export interface Workshop {
  folder: string;
  tables: OpenTables;
  /** Writes a file and takes it in. */
  take(content: string | Uint8Array, format: Format, options?: Record<string, unknown>): Promise<Taken>;
  file(name: string, content: string | Uint8Array): Promise<string>;
}

export interface Taken extends Ingested {
  target: string;
  first: Row[];
}

export async function workshop(options: Partial<TablesOptions> = {}): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'tables-'));
  const tables = openTables({ scratchFolder: join(folder, 'scratch'), ...options });
  let files = 0;
  const file = async (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  afterAll(async () => {
    await tables.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    folder,
    tables,
    file,
    async take(content, format, chosen = {}) {
      const number = ++files;
      const source = await file(`upload-${number}`, content);
      const target = join(folder, `dataset-${number}.parquet`);
      const ingested = await tables.ingest({ source, format, options: chosen, target });
      return { ...ingested, target, first: await tables.rows(target, { offset: 0, limit: 100 }) };
    },
  };
}

/** Files that jobs left: none, when all is well. */
export async function leftovers({ folder }: Workshop): Promise<string[]> {
  const scratch = await readdir(join(folder, 'scratch')).catch(() => []);
  const partial = (await readdir(folder)).filter(name => name.endsWith('.part'));
  return [...scratch, ...partial];
}

/** The rows of a statement in a DuckDB of the test's own. */
export async function duckdb(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRowsJS();
  connection.closeSync();
  instance.closeSync();
  return rows;
}
