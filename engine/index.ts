/** Runs encoders and language models in worker threads: tokenising, batching, residency of models. */
export { availableCores } from './cores.ts';
export { createEngine } from './engine.ts';
export { EngineError, type EngineErrorCode } from './errors.ts';
export type {
  AdapterHandle,
  ChunkOptions,
  DecoderHandle,
  EmbedOptions,
  Engine,
  EngineOptions,
  EngineStatus,
  FeatureColumn,
  FeatureTable,
  GeneratedPiece,
  GeneratedToken,
  GenerateOptions,
  InputType,
  ModelHandle,
  ModelStatus,
  Predictions,
  PredictorHandle,
  PredictorStatus,
  Prepared,
  PreparedChunk,
  Prompt,
} from './types.ts';
