// Rows of a version as pages of JSON, and versions as files to download.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Tables } from '@vectorium/tables';
import { ApiError } from '../http/index.ts';
import type { Storage } from '../storage/index.ts';
import { goneOr, localFile } from './files.ts';
import { askedColumns } from './rules.ts';
import type { Dataset, Store } from './store.ts';

export interface PageParts {
  store: Pick<Store, 'get'>;
  storage: Storage;
  tables: Pick<Tables, 'rows' | 'export'>;
}

/** A page ends with the row that reaches this. */
const maxPageBytes = 8 * 1024 * 1024;
const firstSlice = 16;
const maxSlice = 250;
/** JSON that one slice of a page should have. */
const sliceBytes = 512 * 1024;

/**
 * The rows from `offset` on as JSON texts, as many as fit into a page. They are read and printed in slices, since nobody knows how
 * large a row is before it was seen.
 */
export async function pageOfRows(
  parts: PageParts,
  dataset: Dataset,
  {
    offset,
    limit,
    columns: given,
    signal,
  }: { offset: number; limit: number; columns?: string | string[] | undefined; signal: AbortSignal },
): Promise<string[]> {
  const { version } = dataset;
  const known = version.columns.map(({ name }) => name);
  const columns = askedColumns(given, known);
  const unknown = columns?.find(name => !known.includes(name));
  if (unknown !== undefined) {
    const message = `There is no column ${JSON.stringify(unknown)}. Columns: ${known.slice(0, 50).join(', ')}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: 'columns' });
  }
  const end = Math.min(offset + limit, version.rows);
  const rows: string[] = [];
  if (offset >= end) return rows;
  const { path, release } = await localFile(parts, dataset, signal);
  try {
    let bytes = 0;
    let slice = firstSlice;
    while (offset + rows.length < end && bytes < maxPageBytes) {
      const from = offset + rows.length;
      const page = { offset: from, limit: Math.min(slice, end - from), ...(columns && { columns }) };
      const read = await parts.tables.rows(path, page, { account: dataset.accountId, signal });
      if (read.length === 0) throw new Error('a file with fewer rows than its version');
      for (const row of read) {
        const text = JSON.stringify(row);
        rows.push(text);
        bytes += text.length;
        if (bytes >= maxPageBytes) break;
      }
      slice = Math.max(1, Math.min(maxSlice, Math.floor((sliceBytes * rows.length) / bytes)));
      await turn();
    }
  } finally {
    release();
  }
  return rows;
}

export type DownloadFormat = 'csv' | 'json' | 'ndjson' | 'parquet';

export const contentTypes: Record<DownloadFormat, string> = {
  csv: 'text/csv; charset=utf-8',
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
};

export interface Download {
  bytes: number;
  stream: Readable;
}

/** What was written for the download is removed when the stream closes. */
export async function download(
  parts: PageParts,
  dataset: Dataset,
  { format, signal }: { format: DownloadFormat; signal: AbortSignal },
): Promise<Download> {
  const { storage, tables, store } = parts;
  if (format === 'parquet') {
    const { file } = dataset.version;
    const stream = await storage.read(file).catch(async error => Promise.reject(await goneOr(error, store, dataset)));
    return { bytes: (await storage.size(file)) ?? 0, stream };
  }
  const scratch = await storage.scratch();
  try {
    const { path: source, release } = await localFile(parts, dataset, signal);
    const target = join(scratch.path, `download.${format}`);
    try {
      await tables.export({ source, format, target }, { account: dataset.accountId, signal });
    } finally {
      release();
    }
    signal.throwIfAborted();
    const { size } = await stat(target);
    const stream = createReadStream(target);
    stream.once('close', () => void scratch.remove());
    return { bytes: size, stream };
  } catch (error) {
    await scratch.remove();
    throw error;
  }
}
