// From an uploaded file to a dataset's first version.
import { join } from 'node:path';
import type { Format, Tables } from '@vectorium/tables';
import type { Account } from '../accounts/index.ts';
import { ApiError } from '../http/index.ts';
import type { Storage } from '../storage/index.ts';
import { fileRefused } from './errors.ts';
import { keepFiles } from './files.ts';
import type { Reservation } from '../quota/index.ts';
import { countedBytes } from './rules.ts';
import { type Dataset, type Store, newDatasetId } from './store.ts';

export interface Uploaded {
  /** The file, whole. */
  path: string;
  bytes: number;
  /** In hexadecimal. */
  sha256: string;
  format: Format;
  options: Record<string, unknown>;
  name: string | null;
  description: string | null;
}

export interface UploadParts {
  store: Store;
  storage: Storage;
  tables: Pick<Tables, 'ingest'>;
}

/** Throws ApiError for a file that can't be read or has no room; then nothing is left but the reservation. */
export async function makeDataset(
  { store, storage, tables }: UploadParts,
  uploaded: Uploaded,
  { account, reservation, signal }: { account: Account; reservation: Reservation; signal?: AbortSignal | undefined },
): Promise<Dataset> {
  const { path: source, format, options, name, description, sha256, bytes: sizeBytes } = uploaded;
  const scratch = await storage.scratch();
  try {
    await reservation.grow(sizeBytes);
    const target = join(scratch.path, 'data.parquet');
    const ingested = await tables
      .ingest({ source, format, options, target }, { account: account.id, ...(signal && { signal }) })
      .catch((error: unknown) => Promise.reject(fileRefused(error)));
    signal?.throwIfAborted();
    const datasetId = newDatasetId();
    const counted = (stored: number) => countedBytes(sizeBytes, stored);
    const made = await keepFiles(
      { storage, reservation },
      { accountId: account.id, files: [{ datasetId, path: target }], counted },
      async ([file]) => {
        if (!file) throw new Error('a file without a place');
        const created = await store.create(
          [
            {
              datasetId,
              accountId: account.id,
              name,
              description,
              format,
              file: file.key,
              ...ingested,
              sizeBytes,
              countedBytes: counted(file.storedBytes),
              sha256,
              parents: [],
              inherited: [],
              operations: [],
              report: [],
              jobId: null,
              output: null,
            },
          ],
          reservation.id,
        );
        return created ? store.get(account.id, { id: datasetId, version: 1 }) : null;
      },
    );
    if (!made) throw new ApiError('SERVICE_UNAVAILABLE', { message: 'The server was away too long; upload again' });
    return made;
  } finally {
    await scratch.remove();
  }
}
