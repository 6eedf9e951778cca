// The door of training: runs in processes of their own, from a Parquet file to a whole model.
export type * from './types.ts';
export { metricsOfClasses, metricsOfNumbers } from './measures.ts';
