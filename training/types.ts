// What goes in and out of training: a Parquet file and settings in; events, and a folder with a whole model, out.
import type { LanguageCard, LanguageEstimate, LanguageExport, LanguageJob, SampleAnswer } from './language/types.ts';

export type ModelKind = 'classification' | 'regression';
export type Algorithm = 'tabm' | 'realmlp' | 'mlp' | 'linear';

/** How a language model is trained: adapters for a base, or all weights of a small one. */
export type LanguageAlgorithm = 'lora' | 'scratch';

/** What the caller chose; whatever is missing is decided from the data, and stands in the card. */
export interface TrainConfig {
  /** Default: a column named target, label, class or y (any case), else the last. */
  target?: string;
  /** Default: every other column of a usable type. */
  features?: string[];
  algorithm?: Algorithm;
  /** The most; with early stopping the best epoch is kept. */
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  /** Share of the rows, 0 to 0.5. Default 0.15, none under 50 rows. */
  validationSplit?: number;
  /** Default true. */
  earlyStopping?: boolean;
  seed?: number;
  /** Of training, wall clock; the best state so far is then exported. */
  maxSeconds?: number;
}

export interface TrainJob {
  kind: ModelKind;
  /** The dataset's Parquet file. */
  source: string;
  config: TrainConfig;
  /** A folder of the job's own: encoded rows, checkpoints, and what a job that was killed finds again. The caller removes it. */
  folder: string;
  /** Where the model's folder shall be: appears whole or not at all. */
  target: string;
  /** Goes into the card as it is: the dataset's id, version and hash. */
  dataset: Record<string, unknown>;
  /** The encoder of text columns; null when the caller has none, then text columns of many values are refused. */
  encoder: Encoder | null;
}

export interface Encoder {
  /** Alias and revision, as cards name it. */
  name: string;
  revision: string;
  dimension: number;
}

/** What training can't do itself: the server lends it. */
export interface TrainServices {
  /** One vector a text, in order; null for a text that is null or blank. `part` numbers the calls of one job. */
  embed(texts: (string | null)[], part: number): Promise<(Float32Array | null)[]>;
}

/** What `check` finds out before a job starts. */
export interface TrainEstimate {
  rows: number;
  features: { name: string; kind: FeatureKind }[];
  target: string;
  memoryBytes: number;
}

export type FeatureKind = 'number' | 'category' | 'date' | 'boolean' | 'text';

export interface TrainEvents {
  /** Once, when the plan is made (again after a restart). */
  started: {
    rows: { training: number; validation: number; test: number };
    features: number;
    algorithm: Algorithm | LanguageAlgorithm;
    parameters: number;
  };
  /** Of a language model: what it says to a sample, before the first step, at the end, and after epochs that take much longer. */
  answer: SampleAnswer;
  /** After each epoch: mean loss of its steps, loss and main metrics on the validation rows (null without). */
  epoch: {
    epoch: number;
    step: number;
    training_loss: number;
    validation_loss: number | null;
    metrics: Record<string, number>;
    seconds: number;
  };
}

export interface RunOptions {
  signal?: AbortSignal;
  /** 0 to 1. */
  onProgress?: (fraction: number) => void;
  onEvent?: <Type extends keyof TrainEvents>(type: Type, data: TrainEvents[Type]) => void;
}

export interface Training {
  /** Throws TrainingError with the reason when this can't be trained; reads only what it must. */
  check(job: Pick<TrainJob, 'kind' | 'source' | 'config' | 'encoder'>, run?: RunOptions): Promise<TrainEstimate>;
  train(job: TrainJob, services: TrainServices, run?: RunOptions): Promise<Card>;
  /** As `check` and `train`, of language models. */
  checkLanguage(job: Pick<LanguageJob, 'source' | 'config' | 'base'>, run?: RunOptions): Promise<LanguageEstimate>;
  trainLanguage(job: LanguageJob, run?: RunOptions): Promise<Card>;
  /** Makes the folder that Transformers.js loads. */
  exportLanguage(job: LanguageExport, run?: RunOptions): Promise<void>;
  close(): Promise<void>;
}

/**
 * `card.json` of a model's folder: all that is known of `model.onnx` beside it.
 *
 * `model.onnx` takes one input a feature, named as the column, each `[rows, 1]`: numbers and booleans (1, 0) as f64 with NaN where
 * missing, categories and dates (ISO 8601) as strings with '' where missing; text columns as f32 `[rows, encoder.dimension]`, zeros
 * where missing. It gives `prediction` `[rows]` (f64; of classes the index into `labels`) and of classes
 * `probabilities` f32 `[rows, labels]`.
 */
export interface Card {
  card: 1;
  kind: ModelKind | 'llm';
  algorithm: Algorithm | LanguageAlgorithm;
  created_at: string;
  dataset: Record<string, unknown>;
  /** In the order of rows given as arrays. */
  features: { name: string; kind: FeatureKind; sql_type: string }[];
  target: { name: string; sql_type: string; labels: (string | number | boolean)[] | null };
  encoder: Encoder | null;
  /** Everything, also what was not chosen. */
  config: Required<Omit<TrainConfig, 'maxSeconds' | 'algorithm'>> & {
    maxSeconds: number | null;
    algorithm: Algorithm | LanguageAlgorithm;
  } & Record<string, unknown>;
  rows: { total: number; training: number; validation: number; test: number; without_target: number };
  /** On the test rows, or on the validation rows where those are too few to divide; null where none were held out. */
  metrics: Record<string, unknown> | null;
  metrics_on: 'test' | 'validation' | null;
  curves: TrainEvents['epoch'][];
  best_epoch: number;
  /** Diverged: the loss grew beyond all numbers; the best epoch before is kept. */
  stopped: 'epochs' | 'early_stopping' | 'max_seconds' | 'diverged';
  importance: { feature: string; importance: number; deviation: number }[];
  /** Columns that are no features, and why. */
  left_out: { name: string; reason: string }[];
  parameters: number;
  seconds: number;
  files: { name: string; bytes: number; sha256: string }[];
  /** Of a language model; its folder has an adapter or a whole model instead of `model.onnx`. */
  language?: LanguageCard;
}
