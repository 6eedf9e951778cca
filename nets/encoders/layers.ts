// The pieces that encoders share: lookups, linear layers and norms on weights that may be quantised.
import {
  add,
  addAll,
  biasGelu,
  fastGelu,
  gather,
  gatherBlockQuantized,
  gelu,
  layerNorm,
  matmul,
  matmulNBits,
  relu,
  silu,
  slice,
  type Tensor,
} from '@vectorium/tensor';
import type { Parameters, Rows } from '../weights/parameters.ts';
import { type Config, positionsOf } from './config.ts';

/** What an architecture gets: `ids` i64 [batch, tokens] and `mask` i32 [batch, tokens], 1 for a token, 0 for padding. */
export interface EncoderInputs {
  ids: Tensor;
  mask: Tensor;
}

/** An architecture: its last hidden states [batch, tokens, hidden]. */
export type Encoder = (config: Config, weights: Parameters, inputs: EncoderInputs) => Tensor;

export interface Sizes {
  hidden: number;
  heads: number;
  layers: number;
  intermediate: number;
  epsilon: number;
  activation: string;
}

/** By the names that BERT's descendants share. */
export const sizesOf = (config: Config): Sizes => ({
  hidden: config.integer('hidden_size'),
  heads: config.integer('num_attention_heads'),
  layers: config.integer('num_hidden_layers'),
  intermediate: config.integer('intermediate_size'),
  epsilon: config.number('layer_norm_eps', 1e-12),
  activation: config.text('hidden_act', 'gelu'),
});

/** Rows of the table `<name>.weight` [rows, columns] by id. */
export function lookup(
  ids: Tensor,
  weights: Parameters,
  { name, shape }: { name: string; shape: readonly [number, number] },
): Tensor {
  const table = `${name}.weight`;
  if (weights.isQuantized(table)) return gatherBlockQuantized(weights.quantized(table, shape, true), ids);
  return gather(weights.tensor(table, shape), ids);
}

/** The embedding that every token gets for being of type 0; none if the model has no types. */
export function typeEmbedding(config: Config, weights: Parameters, hidden: number): Tensor[] {
  const types = config.integer('type_vocab_size');
  return types === 0 ? [] : [weights.row('embeddings.token_type_embeddings.weight', [types, hidden], 0)];
}

/** The position embeddings of all tokens, [tokens, hidden]. Padding stands on the right, so positions just count. */
export function positionRows(config: Config, weights: Parameters, hidden: number): Tensor {
  const { count, first } = positionsOf(config);
  const table = weights.tensor('embeddings.position_embeddings.weight', [count, hidden]);
  return slice(table, 0, { start: first, length: 'tokens' });
}

export interface Linear {
  name: string;
  inner: number;
  outer: number;
}

/** x Wᵀ with `<name>.weight` [outer, inner], without its bias. */
export function project(x: Tensor, weights: Parameters, { name, inner, outer }: Linear): Tensor {
  const matrix = `${name}.weight`;
  if (weights.isQuantized(matrix))
    return matmulNBits(x, weights.quantized(matrix, [outer, inner]), { accuracyLevel: 4 });
  return matmul(x, weights.tensor(matrix, [outer, inner]), { transB: true });
}

/** x Wᵀ + b, without b if the weights have none. */
export function linear(x: Tensor, weights: Parameters, shape: Linear): Tensor {
  const bias = biasOf(weights, shape);
  const product = project(x, weights, shape);
  return bias ? add(product, bias) : product;
}

/** As `linear`, with only some rows of a packed weight and of its bias. */
export function linearRows(x: Tensor, weights: Parameters, { name, inner, outer }: Linear, rows: Rows): Tensor {
  const product = matmul(x, weights.rows(`${name}.weight`, [outer, inner], rows), { transB: true });
  return weights.has(`${name}.bias`) ? add(product, weights.rows(`${name}.bias`, [outer], rows)) : product;
}

/** The bias of a linear layer if it has one. */
export const biasOf = (weights: Parameters, { name, outer }: Linear): Tensor | undefined =>
  weights.has(`${name}.bias`) ? weights.tensor(`${name}.bias`, [outer]) : undefined;

/** The activation named as in config.json, after adding the bias. */
export function activate(x: Tensor, name: string, bias?: Tensor): Tensor {
  const plus = bias ? add(x, bias) : x;
  switch (name) {
    case 'gelu':
      return bias ? biasGelu(x, bias) : gelu(x);
    case 'gelu_new':
    case 'gelu_fast':
    case 'gelu_pytorch_tanh':
      return fastGelu(x, bias);
    case 'silu':
    case 'swish':
      return silu(plus);
    case 'relu':
      return relu(plus);
    default:
      throw new Error(`config.json: the activation ${name} is not supported`);
  }
}

export interface FeedForward {
  weights: Parameters;
  sizes: Sizes;
  up: string;
  down: string;
  norm: string;
}

/** norm(x + down(activation(up(x)))), the block that ends a layer. */
export function feedForward(x: Tensor, { weights, sizes, ...names }: FeedForward): Tensor {
  const { hidden, intermediate, activation, epsilon } = sizes;
  const up = { name: names.up, inner: hidden, outer: intermediate };
  const down = { name: names.down, inner: intermediate, outer: hidden };
  const inside = activate(project(x, weights, up), activation, biasOf(weights, up));
  return residualNorm(x, weights, { from: inside, linear: down, norm: { name: names.norm, size: hidden, epsilon } });
}

export interface Norm {
  name: string;
  size: number;
  epsilon: number;
}

/** norm(x + linear(from)). */
export function residualNorm(
  x: Tensor,
  weights: Parameters,
  { from, linear: shape, norm: after }: { from: Tensor; linear: Linear; norm: Norm },
): Tensor {
  const bias = biasOf(weights, shape);
  return norm(addAll(x, project(from, weights, shape), ...(bias ? [bias] : [])), weights, after);
}

export const norm = (x: Tensor, weights: Parameters, { name, size, epsilon }: Norm): Tensor =>
  layerNorm(
    x,
    { scale: weights.tensor(`${name}.weight`, [size]), shift: weights.tensor(`${name}.bias`, [size]) },
    epsilon,
  );
