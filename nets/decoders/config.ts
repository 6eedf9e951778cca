// What a decoder of the Llama family is, read from config.json or from the metadata of a GGUF file.
import { Config } from '../encoders/config.ts';
import type { GgufValue } from '../weights/gguf.ts';
import { type Rotary, rotaryOf } from './rotary.ts';

export interface DecoderConfig {
  vocabulary: number;
  hidden: number;
  layers: number;
  heads: number;
  /** Heads of keys and values, each shared by heads / keyValueHeads heads of queries. */
  keyValueHeads: number;
  /** Elements of one head. */
  headSize: number;
  intermediate: number;
  epsilon: number;
  /** Whether the table of embeddings is the output matrix too. */
  tied: boolean;
  /** The last tokens that a token sees, itself included; null for all. */
  window: number | null;
  /** Tokens that the model was made for. */
  maxTokens: number;
  rotary: Rotary;
}

const MODELS = ['llama', 'mistral', 'qwen2'];

/** Throws an error that names the field when it is missing or asks for what is not supported. */
export function configOfJson(json: string): DecoderConfig {
  const config = new Config(json);
  const model = config.text('model_type', '');
  if (!MODELS.includes(model)) throw new Error(`config.json: model_type ${model} is none of ${MODELS.join(', ')}`);
  config.expect('hidden_act', 'silu', 'swish');
  const hidden = config.integer('hidden_size');
  const heads = config.integer('num_attention_heads');
  const headSize = config.has('head_dim') ? config.integer('head_dim') : hidden / heads;
  const maxTokens = config.integer('max_position_embeddings');
  // Qwen2 names a window that it does not use unless it says so; where it does, only its upper layers have it.
  if (model === 'qwen2') config.expect('use_sliding_window', false);
  const window = model === 'mistral' && config.has('sliding_window') ? config.integer('sliding_window') : null;
  const base = config.number('rope_theta', 10_000);
  const scaling = config.object(config.has('rope_parameters') ? 'rope_parameters' : 'rope_scaling');
  return checked('config.json', {
    vocabulary: config.integer('vocab_size'),
    hidden,
    layers: config.integer('num_hidden_layers'),
    heads,
    keyValueHeads: config.has('num_key_value_heads') ? config.integer('num_key_value_heads') : heads,
    headSize,
    intermediate: config.integer('intermediate_size'),
    epsilon: config.number('rms_norm_eps', 1e-6),
    tied: config.flag('tie_word_embeddings', false),
    window,
    maxTokens,
    rotary: rotaryOf({ base, ...scaling }, { headSize, maxTokens }),
  });
}

/** `factors` is the file's tensor rope_freqs.weight, by which Llama 3.1 and its successors divide the frequencies; `tied`
 *  when it has no output matrix. */
export function configOfGguf(
  metadata: ReadonlyMap<string, GgufValue>,
  { path, tied, factors }: { path: string; tied: boolean; factors: Float32Array | null },
): DecoderConfig {
  const model = metadata.get('general.architecture');
  if (typeof model !== 'string' || !MODELS.includes(model))
    throw new Error(`${path}: general.architecture ${String(model)} is none of ${MODELS.join(', ')}`);
  const number = (key: string, otherwise?: number): number => {
    const value = metadata.get(`${model}.${key}`) ?? otherwise;
    if (typeof value === 'number') return value;
    if (typeof value === 'bigint') return Number(value);
    throw new Error(`${path}: ${model}.${key} must be a number`);
  };
  const hidden = number('embedding_length');
  const heads = number('attention.head_count');
  const headSize = number('attention.key_length', hidden / heads);
  const maxTokens = number('context_length');
  const kind = metadata.get(`${model}.rope.scaling.type`) ?? 'default';
  const scaling = {
    rope_type: kind === 'none' ? 'default' : kind,
    base: number('rope.freq_base', 10_000),
    factor: number('rope.scaling.factor', 1),
    original_max_position_embeddings: number('rope.scaling.original_context_length', maxTokens),
  };
  const rotary = rotaryOf(scaling, { headSize, maxTokens });
  if (factors && factors.length !== rotary.inverse.length)
    throw new Error(`${path}: rope_freqs.weight has ${factors.length} values, not ${rotary.inverse.length}`);
  const inverse = factors ? rotary.inverse.map((value, i) => value / (factors[i] ?? 1)) : rotary.inverse;
  const tokens = metadata.get('tokenizer.ggml.tokens');
  return checked(path, {
    vocabulary: number('vocab_size', Array.isArray(tokens) ? tokens.length : undefined),
    hidden,
    layers: number('block_count'),
    heads,
    keyValueHeads: number('attention.head_count_kv', heads),
    headSize,
    intermediate: number('feed_forward_length'),
    epsilon: number('attention.layer_norm_rms_epsilon'),
    tied,
    window: metadata.has(`${model}.attention.sliding_window`) ? number('attention.sliding_window') : null,
    maxTokens,
    rotary: { ...rotary, inverse },
  });
}

function checked(place: string, config: DecoderConfig): DecoderConfig {
  const { heads, keyValueHeads, headSize } = config;
  if (heads % keyValueHeads !== 0)
    throw new Error(`${place}: ${heads} heads of queries don't share ${keyValueHeads} heads of keys evenly`);
  if (!Number.isInteger(headSize) || headSize % 2 !== 0)
    throw new Error(`${place}: heads of ${headSize} elements can't be rotated in pairs`);
  return config;
}
