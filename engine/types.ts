// What the engine takes and gives: the interface behind which the threads are hidden.

/** A model as the engine needs to know it. `id` is its identity (`alias@revision`); the rest must not change under one id. */
export interface ModelHandle {
  id: string;
  folder: string;
  pooling: 'mean' | 'first';
  /** Tokens that one pass takes, special tokens and prefix included. */
  maxTokens: number;
  dimension: number;
  normalize: boolean;
  prefixes: { query?: string; document?: string; default?: string };
}

/** A language model as the engine needs to know it. `id` is its identity; the rest must not change under one id. */
export interface DecoderHandle {
  id: string;
  /** A `.gguf` file, or a folder with config.json, tokenizer.json and safetensors. */
  path: string;
  /** In which its matrices are multiplied. */
  precision: 'f32' | 'q8' | 'q4';
  /** Tokens of a prompt and its answer together. */
  maxTokens: number;
}

/** An adapter of low rank in PEFT's layout, over the base model that it was trained for. Its files must not change under one id. */
export interface AdapterHandle {
  id: string;
  /** Local files of the adapter, needed until `release`. */
  open(): Promise<{ weights: string; config: string; release(): void }>;
}

/** A conversation, written by the model's template, or a text that is to be continued, as it is or as its tokens. */
export type Prompt = { messages: { role: string; content: string }[] } | { text: string } | { ids: readonly number[] };

export interface SamplingOptions {
  /** 0: always the likeliest. */
  temperature: number;
  topP: number;
  topK: number | null;
  repetitionPenalty: number;
  presencePenalty: number;
  frequencyPenalty: number;
  /** The same seed gives the same draws. */
  seed: number;
}

export interface GenerateOptions extends SamplingOptions {
  maxTokens: number;
  /** Texts before which the answer ends. */
  stop: string[];
  /** A JSON schema that the answer keeps to, as `checkForm` took it; null for any text. An answer that is cut by `maxTokens` is cut. */
  form: string | null;
  /** How many of the likeliest tokens are told at each place; null for none, and no probabilities at all. */
  logprobs: number | null;
  /** Goes on to `maxTokens` also where the model would end: for measurements. */
  ignoreEnds?: boolean;
}

export interface TokenChance {
  id: number;
  /** Natural logarithm of the probability that the model gives it. */
  logprob: number;
}

/** A token with the text and the bytes that it stands for: of a part of a character the text is U+FFFD. */
export interface TokenText {
  text: string;
  bytes: number[];
  logprob: number;
}

export interface GeneratedToken extends TokenText {
  likeliest: TokenText[];
}

/** What an answer grows by. */
export interface GeneratedPiece {
  /** Whole characters; may be empty. */
  text: string;
  /** Of the answer so far. */
  tokens: number;
  /** The new tokens, where they were asked for. */
  logprobs: GeneratedToken[];
  /** In the last piece: a stop string or the model's own end, or the most tokens that were asked for or fit. */
  ended: 'stop' | 'length' | null;
}

export interface GenerateRequest {
  /** As `encodePrompt` gave it. */
  prompt: Int32Array;
  adapter: AdapterHandle | null;
  options: GenerateOptions;
}

export interface GeneratorStatus {
  id: string;
  state: 'loading' | 'ready';
  /** Weights and the memory of texts. */
  residentBytes: number;
  /** Texts that are being answered, and those that wait. */
  texts: number;
  lastUsedAt: number;
}

export type InputType = 'query' | 'document';

export interface ChunkOptions {
  /** Tokens of text a chunk holds at most; lowered to what the model takes beside special tokens and prefix. */
  chunkSize: number;
  /** Share of its tokens that a chunk has in common with its neighbour, 0 to 0.8. */
  overlap: number;
  method: 'sentence_aware' | 'fixed' | 'late';
  inputType?: InputType;
  signal?: AbortSignal;
}

export interface PreparedChunk {
  /** Characters of the text (UTF-16 units), half-open. */
  start: number;
  end: number;
  tokens: number;
  /** The chunk's first token, counted from the start of the text. */
  from: number;
  /** Without special tokens and prefix. */
  ids: Int32Array;
}

export interface Prepared {
  /** Tokens of the whole text, each counted once. */
  tokens: number;
  chunks: PreparedChunk[];
  late: boolean;
}

export interface EmbedOptions {
  inputType?: InputType;
  signal?: AbortSignal;
}

/** A trained model as the engine needs to know it. Its file must not change under one id. */
export interface PredictorHandle {
  id: string;
  /** Of its file. */
  bytes: number;
  /** A local file of the model, needed until `release`. */
  open(): Promise<{ path: string; release(): void }>;
}

/** One feature of all rows, by the name of the model's input. */
export type FeatureColumn =
  | { name: string; kind: 'number'; values: Float64Array }
  /** `values[codes[row]]` */
  | { name: string; kind: 'text'; codes: Uint32Array; values: string[] }
  /** `[rows, dimension]` */
  | { name: string; kind: 'vector'; values: Float32Array; dimension: number };

export interface FeatureTable {
  rows: number;
  columns: FeatureColumn[];
}

export interface Predictions {
  /** `[rows]`: numbers, or indexes of classes. */
  values: Float64Array;
  /** `[rows, classes]`; null of models that give numbers. */
  probabilities: Float32Array | null;
}

export interface PredictorStatus {
  threads: number;
  busyThreads: number;
  residentBytes: number;
  /** Models with a session in memory. */
  models: number;
  queuedRows: number;
  /** Since the engine started. */
  rows: number;
}

export interface ModelStatus {
  id: string;
  state: 'unloaded' | 'loading' | 'ready' | 'failing';
  /** What is under way while `loading`: tracing the graph, waiting for room, or creating the session. */
  loading: { step: 'compile' | 'room' | 'create'; forMs: number } | null;
  /** Weights × sessions: one for a text that comes alone, and one for each worker once they are all busy. */
  residentBytes: number;
  sessions: number;
  precision: 'f32' | 'q8' | 'q4' | null;
  lastUsedAt: number;
  /** Milliseconds of the last load: thread, graph and session together. */
  lastLoadMs: number | null;
  queuedTokens: number;
  queuedTexts: number;
  /** Requests with work waiting or running. */
  requests: number;
  /** Since the engine started: batches, their texts, their real tokens, and the padding computed beside them. */
  batches: number;
  texts: number;
  tokens: number;
  paddingTokens: number;
  /** Measured, of one session. */
  tokensPerSecond: number | null;
}

export interface EngineStatus {
  /** Batches that may run at one time, and that do. */
  workers: number;
  busyWorkers: number;
  /** Threads that died without being asked to. */
  lostWorkers: number;
  memoryBudgetBytes: number;
  residentBytes: number;
  models: ModelStatus[];
  predictor: PredictorStatus;
  generators: GeneratorStatus[];
}

export interface EngineOptions {
  /** Batches that run at one time, each in a session of its own. Default: `availableCores()`. */
  workers?: number;
  /** For the weights of all sessions. Default: half of the memory that the process may use. */
  memoryBudgetBytes?: number;
  /** Longest × count of a batch. One text is always admitted. */
  maxBatchTokens?: number;
  /** Tokens that wait for one model before QUEUE_FULL. */
  maxQueuedTokens?: number;
  /** Rows that wait for predictions before QUEUE_FULL. */
  maxQueuedRows?: number;
  idleUnloadMs?: number;
  log?: (event: string, fields: object) => void;
}

export interface Engine {
  /** Tokenises and chunks off the event loop. */
  prepare(model: ModelHandle, texts: string[], options: ChunkOptions): Promise<Prepared[]>;
  /** Tokens of each text, without special tokens and prefix. */
  count(model: ModelHandle, texts: string[], signal?: AbortSignal): Promise<number[]>;
  /** Token ids and their characters (UTF-16 units, half-open), without special tokens and prefix. */
  tokenize(
    model: ModelHandle,
    text: string,
    signal?: AbortSignal,
  ): Promise<{ ids: number[]; offsets: [number, number][] }>;
  /**
   * One vector `[dimension]` a chunk, in order, normalised if the model says so; every array is the caller's own.
   * Throws EngineError: QUEUE_FULL, WORKER_LOST, MODEL_FAILED, MODEL_TOO_LARGE, CANCELLED.
   */
  embed(model: ModelHandle, prepared: Prepared[], options: EmbedOptions): Promise<Float32Array[][]>;
  /** Predictions of a trained model, in the order of the rows. Throws EngineError as `embed` does. */
  predict(model: PredictorHandle, table: FeatureTable, signal?: AbortSignal): Promise<Predictions>;
  /** Tokens of a prompt. Throws EngineError PROMPT_REFUSED when the model's template refuses the conversation. */
  encodePrompt(model: DecoderHandle, prompt: Prompt, signal?: AbortSignal): Promise<Int32Array>;
  /** Whether answers of a model can keep to a JSON schema. Throws EngineError FORM_REFUSED with the reason. */
  checkForm(model: DecoderHandle, schema: string, signal?: AbortSignal): Promise<void>;
  /** The answer as it comes; whoever leaves the iteration, or aborts, ends it. Throws EngineError as `embed` does. */
  generate(model: DecoderHandle, request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<GeneratedPiece>;
  status(): EngineStatus;
  /** Frees the model's threads when their work is done; the next request loads it again. */
  unload(id: string): Promise<void>;
  /** Lets a trained model go, which will not be asked any more. */
  forget(id: string): void;
  /** Takes no new work, finishes what is queued, then stops all threads. */
  close(): Promise<void>;
}
