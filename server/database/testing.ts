// What tests need to run one suite against both databases: data folders of their own, and a real PostgreSQL server.
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitForLock } from '../files/lock.ts';
import { openDatabase } from './open.ts';
import { makePglite } from './pglite.ts';
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
 * A data folder with an empty embedded database in it. Making one takes seconds, so it is made once and copied. Remove the folder
 * after the test.
 */
export async function testFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const cache = new URL('../../node_modules/.cache/vectorium/', import.meta.url).pathname;
  await mkdir(cache, { recursive: true });
  const lock = await waitForLock(join(cache, 'lock'));
  try {
    const template = join(cache, `database-${pgliteVersion()}`);
    if (!existsSync(template)) await makePglite(template);
    const folder = temporaryFolder();
    await cp(template, join(folder.path, 'database'), { recursive: true });
    return folder;
  } finally {
    lock.release();
  }
}

function pgliteVersion(): string {
  const main = fileURLToPath(import.meta.resolve('@electric-sql/pglite'));
  return (JSON.parse(readFileSync(join(main, '../../package.json'), 'utf8')) as { version: string }).version;
}

export interface TestDatabases {
  /** An empty database with its tables, closed and removed with the others. */
  open(): Promise<Database>;
  /** Where one is, for tests that open it several times. */
  place(): Promise<{ url?: string; folder: string }>;
  stop(): Promise<void>;
}

/** Databases of one kind for a suite. `null` when this machine has no such server. */
export async function startDatabases(kind: Database['kind']): Promise<TestDatabases | null> {
  const programs = kind === 'postgresql' ? postgresqlPrograms() : null;
  if (kind === 'postgresql' && !programs) return null;
  const server = programs ? await startPostgresql(programs) : undefined;
  const cleanups: (() => Promise<void>)[] = [];
  const place = async (): Promise<{ url?: string; folder: string }> => {
    const folder = server ? temporaryFolder() : await testFolder();
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
