// Everything that crosses a thread boundary: one union of messages each way for each kind of thread.
//
// A thread serves one encoder: a text thread its tokenizer, a session thread one ONNX session. Loading a model therefore
// holds up nobody else, and unloading it is the end of its threads, which gives back all that they held. Trained models are
// small and may be many, so a predict thread holds the sessions of several. A language model has one thread for all that it does.
import type { EncoderGraph, TokenizerTables } from '@vectorium/nets';
import type { EngineError } from './errors.ts';
import type { DecoderHandle, GeneratedPiece, GenerateOptions, Prompt } from './types.ts';

export interface TextThreadData {
  folder: string;
}

export interface Chunking {
  /** As the caller wants it; the thread lowers it to what fits beside special tokens and prefix. */
  chunkSize: number;
  overlap: number;
  method: 'sentence_aware' | 'fixed';
  prefix: string;
  maxTokens: number;
}

export type ToText =
  | { type: 'prepare'; job: number; texts: string[]; chunking: Chunking }
  | { type: 'count'; job: number; texts: string[] }
  | { type: 'tokenize'; job: number; text: string }
  | { type: 'frame'; job: number; prefix: string }
  | { type: 'cancel'; job: number }
  | { type: 'close' };

/** Tokens and chunks in a few arrays, which change threads without being copied. */
export interface PackedTexts {
  /** Of all texts in a row. */
  ids: Int32Array;
  /** Of each text. */
  tokens: Int32Array;
  chunks: Int32Array;
  /** Four a chunk: start, end, from, to. */
  spans: Int32Array;
}

export type TextAnswer =
  | ({ type: 'prepared'; job: number } & PackedTexts)
  | { type: 'counted'; job: number; tokens: Int32Array }
  | { type: 'tokenized'; job: number; ids: Int32Array; starts: Int32Array; ends: Int32Array }
  | { type: 'frame'; job: number; before: Int32Array; after: Int32Array };

export type FromText =
  | TextAnswer
  /** Once, before any answer. */
  | { type: 'loaded'; tables: TokenizerTables }
  | { type: 'failed'; job: number; message: string }
  /** The tokenizer did not load; the thread ends. */
  | { type: 'unusable'; message: string };

export interface SessionThreadData {
  folder: string;
  pooling: 'mean' | 'first';
  normalize: boolean;
  /** That one run of the session is spread over. */
  threads: number;
}

/** Each is answered before the next is sent. */
export type ToSession =
  | { type: 'compile' }
  | { type: 'create'; path: string }
  /** `ids` of all texts in a row, frame included. With `spans` (one text): sums of token vectors instead of the pooled vector. */
  | { type: 'run'; ids: Int32Array; lengths: Int32Array; spans: Int32Array | null }
  | { type: 'close' };

export type FromSession =
  | { type: 'compiled'; graph: EncoderGraph }
  | { type: 'created' }
  /** `[rows, dimension]`, a row a text or a span. */
  | { type: 'vectors'; vectors: Float32Array; milliseconds: number }
  | { type: 'failed'; message: string };

export type GenerateThreadData = Pick<DecoderHandle, 'path' | 'precision'>;

/** `compile` and `create` come first and are answered before anything else is sent. */
export type ToGenerate =
  | { type: 'compile' }
  /** `cacheBytes`: for the memory of all texts. */
  | { type: 'create'; cacheBytes: number }
  | { type: 'encode'; job: number; prompt: Prompt }
  | { type: 'adapter'; job: number; adapter: string; files: { weights: string; config: string } }
  /** Whether answers can keep to a JSON schema. */
  | { type: 'form'; job: number; schema: string }
  | { type: 'start'; job: number; ids: Int32Array; adapter: string | null; options: GenerateOptions }
  | { type: 'cancel'; job: number }
  /** An adapter with what is kept of its texts, or what is kept of all texts that have ended. */
  | { type: 'forget'; adapter: string | null }
  | { type: 'close' };

/** Of a form that is not supported, or that has no room now. */
export type FormRefusal = Pick<EngineError, 'code' | 'message' | 'retryAfterSeconds'>;

export type FromGenerate =
  | { type: 'compiled'; weightBytes: number; maxTokens: number }
  /** `tokenBytes`: memory of one token of a text. */
  | { type: 'created'; tokenBytes: number }
  | { type: 'encoded'; job: number; ids: Int32Array }
  | { type: 'encoded'; job: number; ids: null; refusal: string }
  | { type: 'formed'; job: number; refusal: FormRefusal | null }
  | { type: 'adapterLoaded'; job: number; bytes: number }
  | { type: 'piece'; job: number; piece: GeneratedPiece }
  | { type: 'failed'; job: number | null; message: string }
  | { type: 'resident'; bytes: number };

export interface FormThreadData {
  /** In xgrammar's EBNF. */
  grammar: string;
  pieces: readonly string[];
  ends: readonly number[];
}

/** `open` and `accept` are answered with what is allowed next. */
export type ToForm =
  | { type: 'open'; text: number }
  | { type: 'accept'; text: number; id: number }
  | { type: 'close'; text: number };

export type FromForm = { type: 'ready' } | { type: 'allowed'; text: number; tokens: Int32Array };

/** The values of one feature in the rows of a piece. */
export type PieceColumn =
  | { kind: 'number'; name: string; values: Float64Array }
  | { kind: 'text'; name: string; values: string[] }
  | { kind: 'vector'; name: string; values: Float32Array };

/** `load` and `predict` are answered before the next of them is sent. */
export type ToPredict =
  | { type: 'load'; model: string; path: string }
  | { type: 'predict'; model: string; rows: number; columns: PieceColumn[] }
  | { type: 'drop'; model: string }
  | { type: 'close' };

export type FromPredict =
  | { type: 'loaded' }
  | {
      type: 'predicted';
      predictions: Float64Array<ArrayBuffer>;
      probabilities: Float32Array<ArrayBuffer> | null;
      milliseconds: number;
    }
  | { type: 'failed'; message: string };
