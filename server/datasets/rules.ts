// What datasets are called, what they count, and which others an operation names. Pure.
import type { Operation } from '@vectorium/tables';

/** A dataset's newest version, or the one with this number. */
export interface Reference {
  id: string;
  version: number | null;
}

/** Null when it is no name that a dataset can have. */
export function parseReference(text: string): Reference | null {
  const parts = /^(ds_[0-9a-f]{32})(?:@([1-9]\d{0,8}))?$/.exec(text);
  if (!parts?.[1]) return null;
  return { id: parts[1], version: parts[2] === undefined ? null : Number(parts[2]) };
}

export function nameOfVersion(id: string, version: number): string {
  return `${id}@${version}`;
}

/** Parquet has a frame of some hundred bytes a column, which no plan is charged for. */
const uncountedBytes = 64 * 1024;

/**
 * What a version takes of the plan's storage: an upload as much as its file had, so that everybody can count it, and no less than
 * what is kept of it beyond the frame, so that a small file can't fill the disk.
 */
export function countedBytes(sizeBytes: number, storedBytes: number): number {
  return Math.max(sizeBytes, storedBytes - uncountedBytes);
}

/** Where an operation names another dataset. */
export interface NamedDataset {
  name: string;
  /** `operations[2].params.dataset_id` */
  param: string;
}

/** Every dataset that the operations read beside the one that they run on. */
export function namedDatasets(operations: readonly Operation[]): NamedDataset[] {
  return operations.flatMap(({ params }, index) => {
    const name = params['dataset_id'];
    return typeof name === 'string' ? [{ name, param: `operations[${index}].params.dataset_id` }] : [];
  });
}

/** The operations with the datasets that they name tied to versions, so that doing them again gives the same. */
export function pinned(operations: readonly Operation[], versions: ReadonlyMap<string, string>): Operation[] {
  return operations.map(({ type, params }) => {
    const name = params['dataset_id'];
    const version = typeof name === 'string' ? versions.get(name) : undefined;
    return { type, params: version === undefined ? params : { ...params, dataset_id: version } };
  });
}

/**
 * The columns that a request asks for: separated by commas, unless a column is called like the whole. Undefined for all.
 * Names that are none are left in: who knows the columns says so.
 */
export function askedColumns(given: string | string[] | undefined, known: readonly string[]): string[] | undefined {
  if (given === undefined) return undefined;
  const names = [given]
    .flat()
    .flatMap(each => (known.includes(each) ? [each] : each.split(',').map(name => name.trim())));
  return [...new Set(names)];
}

/** The file name that a browser keeps a download under (RFC 6266), whatever the dataset is called. */
export function contentDisposition(name: string, extension: string): string {
  const sane =
    name
      .toWellFormed()
      .replaceAll(/[\p{Cc}/\\]+/gu, '_')
      .slice(0, 100) || 'dataset';
  const ascii = sane.replaceAll(/[^\w .()-]/g, '_');
  const encoded = encodeURIComponent(sane).replaceAll(
    /['()*]/g,
    sign => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}.${extension}"; filename*=UTF-8''${encoded}.${extension}`;
}
