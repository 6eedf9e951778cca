// What goes in and out of training a language model.

/** What the caller chose; whatever is missing is decided from the data, and stands in the card. */
export interface LanguageConfig {
  /** Columns: conversations as JSON lists of `{role, content}`; or a prompt and what answers it; or plain texts. */
  messages?: string;
  prompt?: string;
  completion?: string;
  text?: string;
  /** The most; with early stopping the best epoch is kept. */
  epochs?: number;
  /** Samples of a step. */
  batchSize?: number;
  learningRate?: number;
  /** Tokens of a sample. */
  maxLength?: number;
  lora?: { rank?: number; alpha?: number; layers?: string[] };
  validationSplit?: number;
  earlyStopping?: boolean;
  seed?: number;
  maxSeconds?: number;
}

/** The model that is taught. */
export interface BaseModel {
  /** As this server names it. */
  name: string;
  /** As the hub names it. */
  model: string;
  revision: string;
  /** A .gguf file, or a folder in Hugging Face's layout. */
  path: string;
  precision: 'f32' | 'q8' | 'q4';
}

export interface LanguageJob {
  source: string;
  config: LanguageConfig;
  /** As in `TrainJob`. */
  folder: string;
  target: string;
  dataset: Record<string, unknown>;
  /** Null: a small model is trained from nothing. */
  base: BaseModel | null;
}

/** What Transformers.js is to load: a base with an adapter over it, or a model of its own. */
export interface LanguageExport {
  base: Pick<BaseModel, 'path' | 'precision'>;
  /** PEFT's files. */
  adapter: { weights: string; config: string } | null;
  /** The folder that will be made. */
  target: string;
}

export interface LanguageEstimate {
  samples: number;
  /** Tokens of one epoch, about. */
  tokens: number;
  /** Samples with more than `max_length` tokens. */
  longer: number;
  memoryBytes: number;
  /** Of all epochs at the rate that such models have on two cores; early stopping may end sooner. */
  seconds: number;
}

export interface SampleAnswer {
  /** 0 before the first step. */
  epoch: number;
  prompt: string;
  expected: string;
  answer: string;
}

/** What a card of a language model has besides. */
export interface LanguageCard {
  base: Omit<BaseModel, 'path'> | null;
  columns: Record<string, string>;
  lora: { rank: number; alpha: number; layers: string[] } | null;
  max_length: number;
  /** Of the training samples in one epoch, all and those that were learnt. */
  tokens: { all: number; learnt: number };
  /** Samples that were cut to `max_length`, had nothing to learn, or were empty. */
  samples: { longer: number; without_answer: number; empty: number };
  answers: SampleAnswer[];
}
