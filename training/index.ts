// The door of training: runs in processes of their own, from a Parquet file to a whole model.
export type * from './types.ts';
export type * from './language/types.ts';
export { TrainingError } from './errors.ts';
export type { TrainingErrorCode } from './errors.ts';
export { metricsOfClasses, metricsOfNumbers } from './measures.ts';
export { openTraining } from './open.ts';
export type { OpenTraining, TrainingOptions } from './open.ts';
