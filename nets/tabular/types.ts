// What a tabular network knows of its table, and what it gives: plain values in, ONNX graphs out.

/** A column as counted over the training rows. Quantiles are at evenly spaced probabilities, ends included, without nulls. */
export type Feature =
  | { name: string; kind: 'number' | 'date'; quantiles: number[]; mean: number; deviation: number; nulls: number }
  | { name: string; kind: 'boolean'; nulls: number }
  /** Values as text, the most frequent first; those beyond are unseen ones. */
  /** `rare` counts rows of values that are not among `values`: what is unseen later is treated as these. */
  | { name: string; kind: 'category'; values: string[]; nulls: number; rare?: number }
  | { name: string; kind: 'text'; dimension: number; nulls: number };

export type Target =
  /** Rows of each class in the training rows. */
  { kind: 'classes'; counts: number[] } | { kind: 'number'; mean: number; deviation: number; min: number; max: number };

export type Algorithm = 'tabm' | 'realmlp' | 'mlp' | 'linear';

/** All that decides a network and its training; JSON, so that a run that was killed finds it again. */
export interface TabularPlan {
  algorithm: Algorithm;
  features: Feature[];
  target: Target;
  rows: number;
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Epochs without a better validation loss until the run ends. */
  patience: number;
  seed: number;
  /** Of the network and its optimiser: widths, members, dropout, weight decay … each algorithm its own. */
  settings: Record<string, number | boolean | string>;
}

/**
 * The graphs of one plan. A row is encoded once, as `width` f32 (codes of categories as whole numbers): what training reads, and what
 * the first half of the exported model computes.
 *
 * State goes in and out by name: each output `next.NAME` of one graph is the input `state.NAME` of the next. Weights are
 * `weights.NAME` in it.
 */
export interface TabularNetwork {
  width: number;
  /** Networks in one, whose outputs are combined by `probabilities` or `numbers`. */
  members: number;
  /** Logits a row and member, or 1. */
  outputCount: number;
  parameters: number;
  /** What a row teaches: the index of its class, or its number as deviations from the mean. */
  learnt(y: number): number;
  /** Raw columns (see `Card`) → `encoded` [rows, width]. */
  encoding(): Uint8Array;
  /** Nothing → `next.*`: weights, averages of the optimiser, number of the step. */
  start(): Uint8Array;
  /** `xs` [steps, batch, width], `ys` f32 [steps, batch] as `learnt` gives them, `total` i64 [] (all steps of the run), `state.*` → `losses` [steps], `next.*`. */
  steps(): Uint8Array;
  /** `x` [rows, width], `state.weights.*` → `outputs` [rows, members, classes or 1], logits or the standardised target. */
  outputs(): Uint8Array;
  /** The whole model: raw columns → `prediction`, `probabilities`, with these weights inside, named as `outputs` takes them. */
  model(weights: Record<string, { shape: number[]; data: Float32Array }>, options: { temperature: number }): Uint8Array;
}
