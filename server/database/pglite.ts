// The database port over PGlite: a worker thread holds the database, a lock keeps its folder to one process, and a socket in the
// folder lets this program's command line use the database of a running server.
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { tryLock } from '../files/lock.ts';
import { createCalls, databaseOver } from './calls.ts';
import type { Calls } from './calls.ts';
import { openJournal } from './journal.ts';
import { DatabaseError } from './port.ts';
import type { Database } from './port.ts';
import type { Reply } from './protocol.ts';
import { connectSocket, serveSocket } from './socket.ts';

type Log = (event: string, fields: object) => void;

/** Another process has the folder's database open. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
  constructor(folder: string) {
    super(
      `Another server is running on the data folder ${folder}. Stop it first, or give this one a folder of its own.`,
    );
  }
}

/**
 * Opens the database in `<folder>/database`, and makes it when there is none. Throws FolderInUse when another process has it open;
 * with `join` it uses that process's database instead.
 */
export async function openPglite({
  folder,
  join: mayJoin,
  log,
}: {
  folder: string;
  join: boolean;
  log: Log;
}): Promise<Database> {
  await mkdir(folder, { recursive: true });
  const lock = tryLock(join(folder, 'lock'));
  const socketPath = join(folder, 'database.socket');
  if (!lock) {
    if (!mayJoin) throw new FolderInUse(folder);
    return connectSocket(socketPath);
  }
  try {
    const data = join(folder, 'database');
    if (!(await exists(data))) await makePglite(data);
    const { calls, ended } = await startWorker(data, log);
    const { call, post } = await openJournal(join(folder, 'journal'), { call: calls.call, log });
    const socket = await serveSocket(socketPath, call, log);
    return databaseOver(call, {
      post,
      async close() {
        await socket.close();
        await call({ kind: 'close' });
        await ended();
        lock.release();
      },
    });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Makes an empty database: in a thread of its own, since that leaves 300 MB behind, and under another name, since it can be
 * interrupted.
 */
export async function makePglite(data: string): Promise<void> {
  const unfinished = `${data}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const { calls, ended } = await startWorker(unfinished, () => {});
  await calls.call({ kind: 'close' });
  await ended();
  await chmod(unfinished, 0o700);
  await rename(unfinished, data);
}

async function startWorker(folder: string, log: Log): Promise<{ calls: Calls; ended: () => Promise<unknown> }> {
  const worker = new Worker(new URL('./pglite-worker.ts', import.meta.url), {
    workerData: { folder },
    name: 'database',
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is about windows of a browser
  const calls = createCalls(message => worker.postMessage(message));
  let closing = false;
  worker.on('message', (reply: Reply) => calls.receive(reply));
  worker.on('error', error => {
    log('database.failed', { message: error.message });
    calls.fail(`The database has failed: ${error.message}`);
  });
  worker.on('exit', () => {
    if (!closing) log('database.lost', {});
    calls.fail(closing ? 'The database is closed' : 'The database has stopped; start the server again');
  });
  try {
    await calls.opened;
  } catch (error) {
    closing = true;
    await worker.terminate();
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(`The database in ${folder} could not be opened: ${reason}`, { code: 'CANNOT_OPEN' });
  }
  return {
    calls,
    ended() {
      closing = true;
      return worker.terminate();
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
