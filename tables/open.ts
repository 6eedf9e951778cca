// Tables as the server sees them: each call becomes a job of the pool, with files that appear whole or not at all.
import { mkdir, mkdtemp, open, rename, rm, statfs } from 'node:fs/promises';
import { totalmem, availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fromAny } from './errors.ts';
import { lookAtHead } from './ingest/look.ts';
import { Pool } from './pool.ts';
import type { Lane, PoolOptions } from './pool.ts';
import type { Jobs, Kind } from './protocol.ts';
import type { RunOptions, Services, Tables } from './types.ts';

export interface TablesOptions {
  /** For the temporary files of jobs; made when missing. */
  scratchFolder: string;
  /** Of one long job (default: a quarter of the machine's, at most 1 GiB). A short one has at most 256 MiB. */
  memoryBytes?: number;
  /** Of one long job (default: the machine's). A short one has one. */
  threads?: number;
  /** What one job may spill (default 64 GiB), but never more than half of what is free on the disk when it begins. */
  maxSpillBytes?: number;
  /** The operator's own formats: a module each; see docs/formats.md. */
  formatsFolder?: string;
  /** Default: 3 long jobs and 3 short ones at once, of one account all but one of each. */
  places?: PoolOptions['places'];
  /** Default: a day for long jobs, 30 s for short ones. */
  timeLimitMs?: PoolOptions['timeLimitMs'];
  /** After which a process without work is ended (default 60 s). */
  idleMs?: number;
  /** What a job that was told to stop is given before its process is killed (default 2 s). */
  graceMs?: number;
}

/** Tables, and the ids of their processes for those who look after memory. */
export interface OpenTables extends Tables {
  readonly processIds: number[];
}

export function openTables({
  scratchFolder,
  memoryBytes = Math.min(2 ** 30, totalmem() / 4),
  threads = availableParallelism(),
  maxSpillBytes = 64 * 2 ** 30,
  formatsFolder,
  places = { short: 3, long: 3 },
  timeLimitMs = { short: 30_000, long: 86_400_000 },
  idleMs = 60_000,
  graceMs = 2_000,
}: TablesOptions): OpenTables {
  const pool = new Pool({ places, timeLimitMs, idleMs, graceMs });

  async function run<K extends Kind>(
    lane: Lane,
    kind: K,
    input: Jobs[K]['input'],
    options?: RunOptions,
    services?: Services,
    mostBytes = memoryBytes,
  ): Promise<Jobs[K]['result']> {
    await mkdir(scratchFolder, { recursive: true });
    const scratch = await mkdtemp(join(resolve(scratchFolder), 'job-'));
    const short = lane === 'short';
    const settings = {
      scratch,
      memoryBytes: Math.floor(Math.min(memoryBytes, short ? 2 ** 28 : mostBytes)),
      threads: short ? 1 : threads,
      maxSpillBytes: Math.min(maxSpillBytes, Math.floor((await freeBytes(scratch)) / 2)),
      formatsFolder: formatsFolder === undefined ? null : resolve(formatsFolder),
    };
    try {
      return await pool.run({ lane, kind, input, settings, ...(services && { services }) }, options);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  return {
    get processIds() {
      return pool.processIds;
    },
    ingest: (job, options) =>
      whole(job.target, async target => {
        const input = { ...job, source: resolve(job.source), target };
        const most = (await hasLongFirstLine(job.source)) ? memoryBytes : streamingBytes;
        try {
          return await run('long', 'ingest', input, options, undefined, most);
        } catch (error) {
          if (most >= memoryBytes || fromAny(error).code !== 'OUT_OF_MEMORY') throw error;
          return run('long', 'ingest', input, options);
        }
      }),
    profile: (parquet, options) => run('long', 'profile', { source: resolve(parquet) }, options),
    rows: (parquet, page, options) => run('short', 'rows', { source: resolve(parquet), ...page }, options),
    async export(job, options) {
      await whole(job.target, target =>
        run('long', 'export', { ...job, source: resolve(job.source), target }, options),
      );
    },
    async check(job, options) {
      await run('short', 'check', resolved(job), options);
    },
    process: (job, services, options) =>
      run(
        job.preview === undefined ? 'long' : 'short',
        'process',
        resolved({ ...job, folder: resolve(job.folder) }),
        options,
        services,
      ),
    close: () => pool.close(),
  };
}

/** With whole paths: the process has a working folder of its own. */
function resolved<Job extends { source: string; datasets: Record<string, string> }>(job: Job): Job {
  const datasets = Object.fromEntries(Object.entries(job.datasets).map(([name, path]) => [name, resolve(path)]));
  return { ...job, source: resolve(job.source), datasets };
}

/**
 * What an ingest gets at first. DuckDB's CSV reader keeps what it has read for as long as it may, however long the file;
 * only tables of thousands of columns need more.
 */
const streamingBytes = 192 * 2 ** 20;

/** As the header of a table of many hundred columns is. */
async function hasLongFirstLine(path: string): Promise<boolean> {
  const { head } = await lookAtHead(path);
  return !head.subarray(0, 4096).includes(10) && head.length > 4096;
}

/** Lets a job write beside the target, and gives the file its name when it is complete and on the disk. */
async function whole<T>(target: string, write: (partial: string) => Promise<T>): Promise<T> {
  const partial = `${resolve(target)}.part`;
  try {
    const result = await write(partial);
    await sync(partial);
    await rename(partial, target);
    await sync(dirname(resolve(target)));
    return result;
  } catch (error) {
    await rm(partial, { force: true });
    throw fromAny(error);
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
