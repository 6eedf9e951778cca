// An advisory lock on a file that the operating system gives back when its holder dies, also by `kill -9`.
//
// Node has no flock(2). SQLite, which Node carries, takes a POSIX record lock for an exclusive transaction: that is
// released with the process, so there is no stale lock to guess about, unlike pid files and heartbeats.
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FileLock {
  /** Gives the lock back. Safe to call twice. */
  release(): void;
}

/** Takes the lock at `path` (the file is made when it is missing), or returns null when another holder has it. */
export function tryLock(path: string): FileLock | null {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && /database is locked/.test(error.message)) return null;
    throw error;
  }
  return {
    release() {
      if (database.isOpen) database.close();
    },
  };
}

/** Waits until the lock at `path` is free and takes it. Polls every `pollMs` milliseconds; rejects when aborted. */
export async function waitForLock(
  path: string,
  { pollMs = 200, signal }: { pollMs?: number; signal?: AbortSignal } = {},
): Promise<FileLock> {
  for (;;) {
    signal?.throwIfAborted();
    const lock = tryLock(path);
    if (lock) return lock;
    await sleep(pollMs, undefined, signal ? { signal } : {});
  }
}
