// The door of storage.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BucketOptions, bucketStorage } from './bucket.ts';
import { folderStorage } from './folder.ts';
import { openScratch } from './scratch.ts';
import type { Storage } from './types.ts';

export { pack, unpack } from './archive.ts';
export { ObjectNotFound } from './keys.ts';
export type { Storage } from './types.ts';

export interface StorageOptions {
  /** On the local disk: the objects, or what is staged of them, and the work under way. */
  folder: string;
  /** Where the objects are instead. */
  s3?: BucketOptions | undefined;
}

/** Removes what processes that died have left. Several processes may use one folder. */
export async function openStorage({ folder, s3 }: StorageOptions): Promise<Storage> {
  await mkdir(folder, { recursive: true });
  const scratch = await openScratch(join(folder, 'scratch'));
  if (s3) return bucketStorage(s3, scratch);
  return folderStorage(join(folder, 'objects'), scratch);
}
