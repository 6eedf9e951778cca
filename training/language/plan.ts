// The plan of a run: all that is decided from the settings and the texts before the first step, and what it will need. It is kept
// in the job's folder, so that a run that was killed goes on as it began.
import { ADAPTABLE, type Adaptable, configOfJson, type DecoderConfig, type Lora } from '@vectorium/nets';
import { TrainingError } from '../errors.ts';
import type { Limits } from '../protocol.ts';
import { sampleListBytes } from './sample-list.ts';
import type { LanguageConfig } from './types.ts';

export interface LanguagePlan {
  seed: number;
  epochs: number;
  batch: number;
  rate: number;
  maxLength: number;
  /** Epochs without a better one after which a run ends. */
  patience: number;
  earlyStopping: boolean;
  /** Null where all weights are trained. */
  lora: Lora | null;
  /** Rows are filled up to so many tokens, and as many go through at once as there are learners. */
  longestRow: number;
  learners: number;
  /** Samples: which of them are held out follows from how many and from the seed. */
  training: number;
  validation: number;
  /** Of all samples. */
  tokens: number;
  weightDecay: number;
  clip: number;
  /** Whether the products of all layers are kept for the way back; where memory is short they are computed again. */
  keep: boolean;
  /** The numbers of a run depend on how many threads sum them up. */
  threads: number;
}

/** Tokens of a sample when nothing is said. */
export const defaultMaxLength = 512;
const [leastValidated, mostValidated] = [50, 200];

/** Throws TrainingError that names the setting. */
export function checkLanguageConfig({ lora, maxLength }: LanguageConfig, hasBase: boolean): void {
  whole('max_length', maxLength, [16, 32_768]);
  if (lora && !hasBase)
    throw new TrainingError(
      'INVALID_CONFIG',
      'A model from scratch has no adapters: all its weights are trained',
      'config.lora',
    );
  whole('lora.rank', lora?.rank, [1, 256]);
  const unknown = lora?.layers?.find(name => !ADAPTABLE.some(known => known === name));
  if (unknown !== undefined || lora?.layers?.length === 0)
    throw new TrainingError('INVALID_CONFIG', `lora.layers are some of ${ADAPTABLE.join(', ')}`, 'config.lora.layers');
}

function whole(name: string, value: number | undefined, [least, most]: readonly [number, number]): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
    throw new TrainingError('INVALID_CONFIG', `${name} is a whole number from ${least} to ${most}`, `config.${name}`);
}

export interface Planned {
  samples: number;
  tokens: number;
  maxLength: number;
  decoder: DecoderConfig;
  /** Of the base; null without one. */
  precision: keyof typeof bytesOfWeight | null;
  limits: Pick<Limits, 'memoryBytes' | 'threads'>;
}

/** Of few samples, small steps: each epoch has some dozen of them. */
export function planLanguage(
  config: LanguageConfig,
  { samples, tokens, maxLength, decoder, precision, limits }: Planned,
): LanguagePlan {
  const base = precision !== null;
  const share = config.validationSplit ?? (samples < leastValidated ? 0 : 0.15);
  const validation = Math.min(Math.round(samples * share), mostValidated, samples - 1);
  const training = samples - validation;
  const { rank = 16, alpha = 2 * rank, layers } = config.lora ?? {};
  const rowTokens = Math.min(maxLength, defaultRowTokens);
  const batch = Math.min(config.batchSize ?? (training < 200 ? 4 : 8), training);
  const plan = {
    seed: config.seed ?? 0,
    epochs: config.epochs ?? (base ? 3 : 20),
    batch,
    rate: config.learningRate ?? (base ? 5e-4 : 3e-3),
    maxLength,
    patience: 2,
    earlyStopping: config.earlyStopping ?? true,
    lora: base ? { rank, alpha, layers: layers ? ADAPTABLE.filter(name => layers.includes(name)) : ADAPTABLE } : null,
    longestRow: rowTokens,
    learners: Math.min(limits.threads, batch),
    training,
    validation,
    tokens,
    weightDecay: 0.01,
    clip: 1,
    threads: limits.threads,
    keep: true,
  };
  return { ...plan, keep: memoryOf(decoder, plan, precision) <= limits.memoryBytes };
}

const defaultRowTokens = 256;

/** The rate of a step: up in a tenth of all, then down to nothing along a cosine. */
export function rateOf(plan: LanguagePlan, step: number): number {
  const total = plan.epochs * stepsOfEpoch(plan);
  const warm = Math.max(1, Math.round(total / 10));
  if (step < warm) return (plan.rate * (step + 1)) / warm;
  return (plan.rate * (1 + Math.cos((Math.PI * (step - warm)) / Math.max(1, total - warm)))) / 2;
}

export const stepsOfEpoch = ({ training, batch }: LanguagePlan): number => Math.ceil(training / batch);

/** A small model for texts of so many characters, as its config.json. */
export function scratchConfig(characters: number, maxLength: number): Record<string, unknown> {
  const [vocabulary, hidden, layers, heads] =
    characters < 200_000 ? [512, 128, 3, 4] : characters < 5_000_000 ? [2048, 192, 4, 6] : [4096, 256, 6, 8];
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabulary,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads / 2,
    head_dim: hidden / heads,
    intermediate_size: 3 * hidden,
    hidden_act: 'silu',
    max_position_embeddings: Math.max(1024, maxLength),
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: 0,
    eos_token_id: 2,
    torch_dtype: 'float32',
  };
}

export const decoderOf = (json: Record<string, unknown>): DecoderConfig => configOfJson(JSON.stringify(json));

/** Numbers of all weights, and of those that are trained. */
export function countParameters(config: DecoderConfig, lora: Lora | null): { all: number; trained: number } {
  const { hidden, heads, keyValueHeads, headSize, intermediate, layers, vocabulary, tied } = config;
  const keys = keyValueHeads * headSize;
  const shapes: Record<Adaptable, [number, number]> = {
    q_proj: [hidden, heads * headSize],
    k_proj: [hidden, keys],
    v_proj: [hidden, keys],
    o_proj: [heads * headSize, hidden],
    gate_proj: [hidden, intermediate],
    up_proj: [hidden, intermediate],
    down_proj: [intermediate, hidden],
  };
  const matrices = Object.values(shapes).reduce((sum, [inner, outer]) => sum + inner * outer, 0);
  const all = layers * (matrices + 2 * hidden) + hidden + vocabulary * hidden * (tied ? 1 : 2);
  if (!lora) return { all, trained: all };
  const adapters = lora.layers.reduce((sum, name) => sum + lora.rank * (shapes[name][0] + shapes[name][1]), 0);
  return { all, trained: layers * adapters };
}

/** Node with ONNX Runtime, before there is any model; and a thread of it. */
const processBytes = 350 * 2 ** 20;
const learnerBytes = 40 * 2 ** 20;
/** Of few bits, a base lies in whole numbers of 8 bits in both orders. */
const bytesOfWeight = { f32: 4, q8: 2, q4: 2 } as const;

/** Bytes, about: measured on SmolLM2-135M. */
export function memoryOf(
  config: DecoderConfig,
  plan: LanguagePlan,
  precision: keyof typeof bytesOfWeight | null,
): number {
  const { hidden, layers, heads, keyValueHeads, headSize, intermediate, vocabulary } = config;
  const { all, trained } = countParameters(config, plan.lora);
  const base = precision ? all * bytesOfWeight[precision] : 0;
  // Values, gradients, two averages, the best; a checkpoint's own; and what each learner found.
  const state = (7 + plan.learners) * 4 * trained;
  const products = (heads + 2 * keyValueHeads) * headSize + hidden + 2 * intermediate;
  const row = Math.max(plan.longestRow, plan.maxLength);
  const tokensAtOnce = plan.learners * row;
  const kept = 4 * tokensAtOnce * layers * (hidden + (plan.keep ? products : 0));
  const inner = 4 * tokensAtOnce * (30 * hidden + 16 * intermediate + 8 * heads * row);
  // Of a frozen output matrix a block at a time.
  const answers = plan.learners * Math.min(512, row);
  const head = precision
    ? 12 * 4 * answers * Math.min(vocabulary, 4096)
    : 4 * 4 * answers * vocabulary + 3 * 4 * vocabulary * hidden;
  const data = sampleListBytes({ samples: plan.training + plan.validation, tokens: plan.tokens });
  return Math.round(processBytes + plan.learners * learnerBytes + base + state + kept + inner + head + data);
}

/** What a core computes in a second, in a training; a guess that is right within a factor of two. */
const operationsOfCore = 50e9;

/** Of all epochs. A token goes forward twice and backward once, which trains adapters or twice as much. */
export function secondsOf(config: DecoderConfig, plan: LanguagePlan, tokens: number): number {
  const { all } = countParameters(config, plan.lora);
  const operations = (plan.lora ? 6 : 8) * all * tokens * plan.epochs;
  return Math.ceil(operations / (operationsOfCore * plan.threads));
}

export function checkMemory(memoryBytes: number, limits: Limits): void {
  if (memoryBytes <= limits.memoryBytes) return;
  throw new TrainingError(
    'NOT_ENOUGH_MEMORY',
    `The training needs about ${megabytes(memoryBytes)} of memory and may have ${megabytes(limits.memoryBytes)}: choose a smaller base_model or max_length, or fewer rows`,
    'config',
  );
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MB`;
