// Files that a killed process left in the storage: found by listing, and removed when nothing names them.
//
// Their keys are `ROOT/ACCOUNT/THING/RESERVATION/…`. A file is made under a reservation of the quota, which ends in the transaction that
// makes a version or a model of it; so what neither a row nor a living reservation names is left over.
import type { Storage } from '../storage/index.ts';

/** A key of the storage and what its parts say. */
export interface FileOfAccount {
  key: string;
  accountId: string;
  reservationId: string;
}

export interface Leftovers {
  storage: Pick<Storage, 'list' | 'remove'>;
  /** Ends with a slash. */
  root: string;
  /** Those that are named, and those of accounts that the database doesn't know: it may be the wrong one. */
  known(files: FileOfAccount[]): Promise<Set<string>>;
}

const keysAtOnce = 500;

/** Gives the number of files that were removed. */
export async function removeUnknown({ storage, root, known }: Leftovers, signal: AbortSignal): Promise<number> {
  let removed = 0;
  let listed: FileOfAccount[] = [];
  // Asked after the listing: what was listed may have been named since.
  async function look(): Promise<void> {
    const named = await known(listed);
    for (const { key } of listed) {
      if (named.has(key)) continue;
      await storage.remove(key);
      removed++;
    }
    listed = [];
  }
  for await (const { key } of storage.list(root)) {
    if (signal.aborted) return removed;
    const [, accountId = '', , reservationId = ''] = key.split('/');
    listed.push({ key, accountId, reservationId });
    if (listed.length >= keysAtOnce) await look();
  }
  await look();
  return removed;
}
