// Folders for work under way on the local disk; those of a process that died are removed by the next one that starts.
//
// Each process has a folder of its own below `root` and holds a lock beside it, which the operating system gives back
// when the process dies. A folder whose lock can be taken is a leftover. Making and clearing are done under one more lock,
// so that no process takes another's folder for a leftover while it is being made.
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock, waitForLock } from '../files/lock.ts';

export interface Scratch {
  /** A new empty folder. */
  folder(): Promise<string>;
  /** A path for a new file that nobody else uses; its end is kept, since programs go by it. */
  path(ending?: string): string;
  close(): Promise<void>;
}

export async function openScratch(root: string): Promise<Scratch> {
  await mkdir(root, { recursive: true });
  const opening = await waitForLock(join(root, 'opening.lock'), { pollMs: 20 });
  const id = randomUUID();
  const own = join(root, id);
  const lockPath = `${own}.lock`;
  let lock;
  try {
    await removeLeftovers(root);
    lock = tryLock(lockPath);
    if (!lock) throw new Error(`${lockPath} is held by another process`);
    await mkdir(own);
  } finally {
    opening.release();
  }
  const held = lock;
  return {
    path: (ending = '') => join(own, `${randomUUID()}${ending}`),
    async folder() {
      const path = join(own, randomUUID());
      await mkdir(path);
      return path;
    },
    async close() {
      await rm(own, { recursive: true, force: true });
      await removeLock(lockPath);
      held.release();
    },
  };
}

async function removeLeftovers(root: string): Promise<void> {
  const names = await readdir(root);
  const owners = new Set(names.flatMap(name => /^[\da-f-]{36}(?=$|\.lock)/.exec(name) ?? []));
  for (const owner of owners) {
    const lockPath = join(root, `${owner}.lock`);
    const lock = tryLock(lockPath);
    if (!lock) continue;
    await rm(join(root, owner), { recursive: true, force: true });
    await removeLock(lockPath);
    lock.release();
  }
}

/** With what SQLite keeps beside it. */
async function removeLock(path: string): Promise<void> {
  for (const name of [path, `${path}-journal`]) await rm(name, { force: true });
}
