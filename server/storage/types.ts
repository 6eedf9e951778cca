// Where files are kept: one port over a local folder and an S3 bucket.
import type { Readable } from 'node:stream';

/** Keys are paths with slashes, e.g. `datasets/ds_x/1/data.parquet`. */
export interface Storage {
  /** The object appears whole, once its bytes are safe, or not at all. */
  write(key: string, bytes: AsyncIterable<Uint8Array>, options?: { signal?: AbortSignal }): Promise<{ bytes: number }>;
  /** As `write`, from a file that may be moved away. */
  adopt(key: string, path: string): Promise<{ bytes: number }>;
  /** Throws ObjectNotFound. `end` is not included. */
  read(key: string, range?: { start: number; end?: number }): Promise<Readable>;
  /** Null when there is none. */
  size(key: string): Promise<number | null>;
  /** A local file with the object's bytes, kept until `release`. */
  local(key: string, options?: { signal?: AbortSignal }): Promise<{ path: string; release(): void }>;
  /** Everything below a prefix that ends with a slash, or one object. No error when there is none. */
  remove(keyOrPrefix: string): Promise<void>;
  list(prefix: string): AsyncIterable<{ key: string; bytes: number }>;
  /** Bytes that can still be written here; null when nobody knows. */
  freeBytes(): Promise<number | null>;
  /** A new empty folder on the local disk for work under way; removed by `remove`, or at the next start when the process died. */
  scratch(): Promise<{ path: string; remove(): Promise<void> }>;
  close(): Promise<void>;
}
