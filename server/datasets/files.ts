// The files of versions in the storage: what they are called, how they come in, and what is done with those that were left over.
//
// The file is written first and the row second, and rows go first and files second. So a process that is killed leaves at most files
// that no row names; they are found by listing and removed.
import { stat } from 'node:fs/promises';
import { removeUnknown } from '../files/leftovers.ts';
import { ObjectNotFound, type Storage } from '../storage/index.ts';
import { noDataset } from './errors.ts';
import type { Reservation } from '../quota/index.ts';
import { nameOfVersion } from './rules.ts';
import type { Dataset, Store } from './store.ts';

const root = 'datasets/';

/** Where all files of a dataset are. */
export function folderOf(accountId: string, datasetId: string): string {
  return `${root}${accountId}/${datasetId}/`;
}

/** The reservation under which a file is made names it until a version does. */
export function fileKey(accountId: string, datasetId: string, reservationId: string): string {
  return `${folderOf(accountId, datasetId)}${reservationId}/data.parquet`;
}

/** A local file with a version's rows. Throws DATASET_NOT_FOUND when the version was deleted a moment ago. */
export async function localFile(
  { storage, store }: { storage: Storage; store: Pick<Store, 'get'> },
  dataset: Dataset,
  signal?: AbortSignal,
): Promise<{ path: string; release(): void }> {
  try {
    return await storage.local(dataset.version.file, signal ? { signal } : {});
  } catch (error) {
    throw await goneOr(error, store, dataset);
  }
}

/** DATASET_NOT_FOUND where the file is missing because its version was deleted; else the error as it is. */
export async function goneOr(error: unknown, store: Pick<Store, 'get'>, dataset: Dataset): Promise<unknown> {
  if (!(error instanceof ObjectNotFound)) return error;
  const { id, accountId, version } = dataset;
  const found = await store.get(accountId, { id, version: version.number });
  return found ? error : noDataset(nameOfVersion(id, version.number));
}

export interface MadeFile {
  datasetId: string;
  path: string;
  /** Of the storage, once it is there. */
  key: string;
  storedBytes: number;
}

/**
 * Moves files into the storage under one reservation that has room for what they count, then lets `commit` make versions of them.
 * When any of it fails, or `commit` gives null, neither files nor reservation are left.
 */
export async function keepFiles<Result>(
  { storage, reservation }: { storage: Storage; reservation: Reservation },
  {
    accountId,
    files,
    counted,
  }: { accountId: string; files: { datasetId: string; path: string }[]; counted: (stored: number) => number },
  commit: (made: MadeFile[]) => Promise<Result | null>,
): Promise<Result | null> {
  const made: MadeFile[] = [];
  let result: Result | null = null;
  try {
    for (const { datasetId, path } of files) {
      const { size } = await stat(path);
      made.push({ datasetId, path, key: fileKey(accountId, datasetId, reservation.id), storedBytes: size });
    }
    await reservation.grow(made.reduce((sum, { storedBytes }) => sum + counted(storedBytes), 0));
    for (const { key, path } of made) await storage.adopt(key, path);
    result = await commit(made);
    return result;
  } finally {
    if (result === null) {
      for (const { key } of made) await storage.remove(key);
      await reservation.release();
    }
  }
}

/** Removes the files that neither a version nor a living reservation names; gives their number. */
export function removeLeftovers(
  { storage, store }: { storage: Storage; store: Pick<Store, 'known'> },
  signal: AbortSignal,
): Promise<number> {
  return removeUnknown({ storage, root, known: files => store.known(files) }, signal);
}
