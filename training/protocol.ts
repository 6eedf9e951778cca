// Everything that crosses the boundary of a training process: one union of messages each way.
//
// A process does one job and ends. Vectors travel as Float32Array (serialization 'advanced').
import type { PlainTrainingError } from './errors.ts';
import type { LanguageEstimate, LanguageExport, LanguageJob } from './language/types.ts';
import type { Card, TrainEstimate, TrainEvents, TrainJob } from './types.ts';

/** What a process may take of the machine. */
export interface Limits {
  memoryBytes: number;
  /** Threads of ONNX Runtime. */
  threads: number;
  /** From which number of bytes on the training rows stay in their file and are read in blocks. */
  rowsInMemoryBytes: number;
  checkpointSeconds: number;
}

export interface Jobs {
  check: { input: Pick<TrainJob, 'kind' | 'source' | 'config' | 'encoder'>; result: TrainEstimate };
  train: { input: TrainJob; result: Card };
  checkLanguage: { input: Pick<LanguageJob, 'source' | 'config' | 'base'>; result: LanguageEstimate };
  trainLanguage: { input: LanguageJob; result: Card };
  exportLanguage: { input: LanguageExport; result: null };
}

export type Kind = keyof Jobs;

export type ToProcess =
  | { [K in Kind]: { type: 'run'; kind: K; input: Jobs[K]['input']; limits: Limits; scratch: string } }[Kind]
  | { type: 'cancel' }
  | { type: 'vectors'; part: number; vectors: (Float32Array | null)[] }
  | { type: 'refused'; part: number; error: PlainTrainingError };

export type FromProcess =
  | { type: 'embed'; texts: (string | null)[]; part: number }
  | { type: 'progress'; fraction: number }
  | { [T in keyof TrainEvents]: { type: 'event'; event: T; data: TrainEvents[T] } }[keyof TrainEvents]
  | { type: 'done'; result: Jobs[Kind]['result'] }
  | { type: 'failed'; error: PlainTrainingError };
