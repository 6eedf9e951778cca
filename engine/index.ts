/** Runs encoders in worker threads: tokenising, batching, residency of models. */
export { availableCores } from './cores.ts';
export { createEngine } from './engine.ts';
export { EngineError, type EngineErrorCode } from './errors.ts';
export type {
  ChunkOptions,
  EmbedOptions,
  Engine,
  EngineOptions,
  EngineStatus,
  InputType,
  ModelHandle,
  ModelStatus,
  Prepared,
  PreparedChunk,
} from './types.ts';
