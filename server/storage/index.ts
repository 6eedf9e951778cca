// The door of storage.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { folderStorage } from './folder.ts';
import { openScratch } from './scratch.ts';
import type { Storage } from './types.ts';

export { ObjectNotFound } from './keys.ts';
export type { Storage } from './types.ts';

export interface StorageOptions {
  /** On the local disk: the objects, or what is staged of them, and the work under way. */
  folder: string;
}

/** Removes what processes that died have left. Several processes may use one folder. */
export async function openStorage({ folder }: StorageOptions): Promise<Storage> {
  await mkdir(folder, { recursive: true });
  const scratch = await openScratch(join(folder, 'scratch'));
  return folderStorage(join(folder, 'objects'), scratch);
}
