// The files of models in the storage. They are written first and the row second, and rows go first and files second; what a killed
// process leaves is found by listing and removed.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeUnknown } from '../files/leftovers.ts';
import type { Reservation } from '../quota/index.ts';
import type { Storage } from '../storage/index.ts';
import type { Store } from './store.ts';

const root = 'models/';

/** The reservation under which a model's files are made names them until the model does. */
function folderKey(accountId: string, modelId: string, reservationId: string): string {
  return `${root}${accountId}/${modelId}/${reservationId}/`;
}

export interface KeptFolder {
  /** Of the storage; ends with a slash. */
  folder: string;
  bytes: number;
}

/**
 * Moves the files of a local folder into the storage under a reservation that has room for them, then lets `commit` make the model ready
 * with them. When any of it fails, or `commit` gives false, neither files nor reservation are left.
 */
export async function keepFolder(
  { storage, reservation }: { storage: Storage; reservation: Reservation },
  { accountId, modelId, path }: { accountId: string; modelId: string; path: string },
  commit: (kept: KeptFolder) => Promise<boolean>,
): Promise<boolean> {
  const folder = folderKey(accountId, modelId, reservation.id);
  let kept = false;
  try {
    const names = await readdir(path);
    const sizes = await Promise.all(names.map(async name => (await stat(join(path, name))).size));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    await reservation.grow(bytes);
    for (const name of names) await storage.adopt(`${folder}${name}`, join(path, name));
    kept = await commit({ folder, bytes });
    return kept;
  } finally {
    if (!kept) {
      await storage.remove(folder);
      await reservation.release();
    }
  }
}

/** Gives the number of files that were removed. */
export function removeLeftovers(
  { storage, store }: { storage: Storage; store: Pick<Store, 'known'> },
  signal: AbortSignal,
): Promise<number> {
  return removeUnknown({ storage, root, known: files => store.known(files) }, signal);
}
