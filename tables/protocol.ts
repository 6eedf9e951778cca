// Everything that crosses the boundary of a tables process: one union of messages each way.
//
// A process does one job at a time. While it does, it may call the parent's services; vectors travel as Float32Array
// (serialization 'advanced').
import type { PlainTableError } from './errors.ts';
import type { ColumnProfile, IngestJob, Ingested, ProcessJob, Processed, Row, Services } from './types.ts';

/** What goes in and out of each kind of job. */
export interface Jobs {
  ingest: { input: IngestJob; result: Ingested };
  profile: { input: { source: string }; result: ColumnProfile[] };
  rows: { input: { source: string; offset: number; limit: number; columns?: string[] }; result: Row[] };
  export: { input: { source: string; format: 'csv' | 'json' | 'ndjson' | 'parquet'; target: string }; result: null };
  check: { input: Omit<ProcessJob, 'folder' | 'preview'>; result: null };
  process: { input: ProcessJob; result: Processed };
}

export type Kind = keyof Jobs;

export interface JobSettings {
  /** A folder of this job alone; the parent removes it when the job is over, however it ends. */
  scratch: string;
  memoryBytes: number;
  threads: number;
  maxSpillBytes: number;
  /** The operator's own formats. */
  formatsFolder: string | null;
}

export type ToProcess =
  | { [K in Kind]: { type: 'run'; kind: K; input: Jobs[K]['input']; settings: JobSettings } }[Kind]
  | { type: 'cancel' }
  | { type: 'answer'; call: number; value: unknown }
  | { type: 'refuse'; call: number; error: PlainTableError };

export type ServiceCall = {
  [S in keyof Services]: { type: 'call'; call: number; service: S; arguments: Parameters<Services[S]> };
}[keyof Services];

export type FromProcess =
  | ServiceCall
  | { type: 'progress'; fraction: number }
  | { type: 'done'; result: Jobs[Kind]['result'] }
  | { type: 'failed'; error: PlainTableError };
