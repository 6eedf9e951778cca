// What a job sees while it runs in a tables process, and what a kind of job is.
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBResultReader } from '@duckdb/node-api';
import { TableError } from './errors.ts';
import type { JobSettings, Jobs, Kind } from './protocol.ts';
import { list } from './sql.ts';
import type { Services } from './types.ts';

export interface JobContext {
  /** An in-memory database of this job alone, locked to the job's files. */
  connection: DuckDBConnection;
  /** Runs a statement and reads its whole answer; throws when the job was cancelled. */
  query(sql: string): Promise<DuckDBResultReader>;
  /** A folder for the job's temporary files, removed when the job is over. DuckDB may read and write in it. */
  scratch: string;
  settings: JobSettings;
  services: Services;
  signal: AbortSignal;
  /** 0 to 1. */
  progress(fraction: number): void;
}

/** One line of the table of kinds: the files that DuckDB may touch for a job, and the function that does it. */
export interface JobKind<K extends Kind> {
  files(input: Jobs[K]['input']): { paths: string[]; folders?: string[] };
  /** Its calls of `progress` are all there is to tell; else DuckDB's own progress is told too. */
  tellsProgress?: true;
  run(input: Jobs[K]['input'], context: JobContext): Promise<Jobs[K]['result']>;
}

export async function openDatabase(
  settings: Omit<JobSettings, 'formatsFolder'>,
  files: { paths: string[]; folders?: string[] },
): Promise<{ connection: DuckDBConnection; close(): void }> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${settings.memoryBytes}B`,
    threads: String(settings.threads),
    temp_directory: settings.scratch,
    max_temp_directory_size: `${settings.maxSpillBytes}B`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: 'true',
  });
  const connection = await instance.connect();
  await connection.run(`
    SET TimeZone = 'UTC';
    SET enable_progress_bar = true;
    SET enable_progress_bar_print = false;
    SET allowed_paths = ${list(files.paths)};
    SET allowed_directories = ${list([settings.scratch, ...(files.folders ?? [])].map(folder => `${folder}/`))};
    SET enable_external_access = false;
    SET lock_configuration = true;
  `);
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

export function queryOn(connection: DuckDBConnection, signal: AbortSignal): JobContext['query'] {
  return async sql => {
    if (signal.aborted) throw new TableError('CANCELLED', 'The job was cancelled');
    return connection.runAndReadAll(sql);
  };
}
