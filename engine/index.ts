/** Runs encoders in worker threads: tokenising, batching, residency of models. */
export { availableCores } from './cores.ts';
export { createEngine } from './engine.ts';
export { EngineError, type EngineErrorCode } from './errors.ts';
export type {
  ChunkOptions,
  DecoderHandle,
  EmbedOptions,
  Engine,
  EngineOptions,
  EngineStatus,
  FeatureColumn,
  FeatureTable,
  InputType,
  ModelHandle,
  ModelStatus,
  Predictions,
  PredictorHandle,
  PredictorStatus,
  Prepared,
  PreparedChunk,
} from './types.ts';
