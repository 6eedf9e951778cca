// What tests need to run one suite against both databases: data folders of their own, and a real PostgreSQL server.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitForLock } from '../files/lock.ts';
import { readMigrations } from './migrate.ts';
import { openDatabase } from './open.ts';
import type { Database } from './port.ts';
import { openPostgresql } from './postgresql.ts';

export interface TestPostgresql {
  /** A new, empty database on the server. */
  newDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** The folder of Debian's PostgreSQL programs, or null when the package is not installed. */
export function postgresqlPrograms(): string | null {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return null;
  const versions = readdirSync(root).filter(version => existsSync(join(root, version, 'bin', 'postgres')));
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? null : join(root, newest, 'bin');
}

export function temporaryFolder(): { path: string; remove(): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), 'vectorium-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Starts a server of its own on a free port. It refuses to run as root, so root hands it to the user `postgres`. */
export async function startPostgresql(programs: string): Promise<TestPostgresql> {
  const folder = temporaryFolder();
  const owner = process.getuid?.() === 0 ? userPostgres() : undefined;
  if (owner) chownSync(folder.path, owner.uid, owner.gid);
  const data = join(folder.path, 'data');
  const made = spawnSync(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '-N'], {
    ...owner,
    cwd: folder.path,
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const settings = [
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    `unix_socket_directories=${folder.path}`,
    '-c',
    'max_connections=60',
  ];
  const server = spawn(join(programs, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
    ...owner,
    cwd: folder.path,
    stdio: 'ignore',
  });
  const address = (name: string): string => `postgres://postgres@127.0.0.1:${port}/${name}`;
  let databases = 0;
  const admin = await connected(address('postgres'));
  return {
    async newDatabase() {
      const name = `test_${++databases}`;
      await admin.query(`CREATE DATABASE ${name}`);
      return address(name);
    },
    async stop() {
      await admin.close();
      server.kill('SIGINT');
      await once(server, 'exit');
      await folder.remove();
    },
  };
}

async function connected(url: string): Promise<Database> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await openPostgresql({ url, log: () => {} });
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(100);
    }
  }
}

/**
 * A data folder with an embedded database in it that has all tables, also those of the line of jobs, and nothing in them; with
 * `upTo` only those of the first migrations. Making one takes seconds, so it is made once and copied. Remove the folder after the test.
 */
export async function testFolder({ upTo }: { upTo?: number } = {}): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = temporaryFolder();
  await copyTestDatabase(folder.path, { upTo });
  return folder;
}

/** Puts the database of `testFolder` into a data folder. */
export async function copyTestDatabase(folder: string, { upTo }: { upTo?: number | undefined } = {}): Promise<void> {
  const cache = fileURLToPath(new URL('../../node_modules/.cache/vectorium/', import.meta.url));
  await mkdir(cache, { recursive: true });
  const lock = await waitForLock(join(cache, 'lock'), { pollMs: 20 });
  try {
    const template = join(cache, `database-${await contentOf(upTo)}`);
    if (!existsSync(template)) {
      const making = join(cache, 'making');
      await rm(making, { recursive: true, force: true });
      const database = await openDatabase({ folder: making, ...(upTo !== undefined && { upTo }) });
      if (upTo === undefined) await makeLine(database);
      await database.close();
      await rename(join(making, 'database'), template);
      await rm(making, { recursive: true });
    }
    // The synchronous one is several times faster.
    cpSync(template, join(folder, 'database'), { recursive: true });
  } finally {
    lock.release();
  }
}

async function makeLine(database: Database): Promise<void> {
  // Not imported by all who need a database.
  const { openQueue } = await import('../jobs/queue.ts');
  const line = await openQueue({ database, leaseSeconds: 30, log: () => {} });
  await line.close();
}

/** What tells one template from another. */
async function contentOf(upTo: number | undefined): Promise<string> {
  const hash = createHash('sha256').update(versionOf('@electric-sql/pglite'));
  if (upTo === undefined) hash.update(versionOf('pg-boss'));
  for (const { sql } of (await readMigrations()).slice(0, upTo)) hash.update(sql);
  return hash.digest('hex').slice(0, 16);
}

function versionOf(name: string): string {
  const main = fileURLToPath(import.meta.resolve(name));
  return (JSON.parse(readFileSync(join(main, '../../package.json'), 'utf8')) as { version: string }).version;
}

export interface TestDatabases {
  /** An empty database with its tables, closed and removed with the others. */
  open(): Promise<Database>;
  /** Where one is, for tests that open it several times; with `upTo` of an older program. */
  place(options?: { upTo?: number }): Promise<{ url?: string; folder: string }>;
  stop(): Promise<void>;
}

/** Databases of one kind for a suite. `null` when this machine has no such server. */
export async function startDatabases(kind: Database['kind']): Promise<TestDatabases | null> {
  const programs = kind === 'postgresql' ? postgresqlPrograms() : null;
  if (kind === 'postgresql' && !programs) return null;
  const server = programs ? await startPostgresql(programs) : undefined;
  const cleanups: (() => Promise<void>)[] = [];
  const place: TestDatabases['place'] = async options => {
    const folder = server ? temporaryFolder() : await testFolder(options);
    cleanups.push(folder.remove);
    return { folder: folder.path, ...(server ? { url: await server.newDatabase() } : {}) };
  };
  return {
    place,
    async open() {
      const database = await openDatabase(await place());
      cleanups.push(() => database.close().catch(() => {}));
      return database;
    },
    async stop() {
      for (const cleanup of cleanups.toReversed()) await cleanup();
      await server?.stop();
    },
  };
}

function userPostgres(): { uid: number; gid: number } {
  const [uid, gid] = ['-u', '-g'].map(flag => Number(spawnSync('id', [flag, 'postgres']).stdout.toString()));
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}
