// The Llama family: Llama, SmolLM2, Mistral, Qwen2. Blocks of attention and of a gated feed-forward part, each behind a
// norm and added to what went in (Touvron et al. 2023). One function; what differs between answering and training, how
// attention finds its keys and how a matrix is multiplied, is given to it.
import { add, cast, gather, gatherBlockQuantized, mul, reshape, rmsNorm, silu, type Tensor } from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import type { Weights, Matrix, Part } from './weights.ts';

/** A linear layer by its name, 'layers.0.self_attn.o_proj', or several that read the same and lie one behind the other. */
export interface Linear {
  readonly parts: readonly Part[];
  readonly inner: number;
}

export interface DecoderParts {
  /** x Wᵀ + b. */
  linear(x: Tensor, layer: Linear): Tensor;
  /** What attention gives for queries, keys and values that are not rotated yet, packed as `queryKeyValue` says; alike in
   *  shape, with heads · headSize elements a token. */
  attention(packed: Tensor, layer: number): Tensor;
  /** Of the rows of x those that are wanted behind the last layer, which needs only keys and values of the others. */
  wanted?(x: Tensor): Tensor;
  /** The whole of a layer, for whoever wants to compute it again in the backward pass. */
  layer?(compute: (x: Tensor) => Tensor, x: Tensor): Tensor;
}

/** The hidden states [..., hidden] of tokens that were looked up, or of those that are wanted, not normalised yet (see
 *  `output`). */
export function decoder(
  config: DecoderConfig,
  weights: Weights,
  { embedded, parts }: { embedded: Tensor; parts: DecoderParts },
): Tensor {
  const { layers } = config;
  const whole = parts.layer?.bind(parts) ?? ((compute, x) => compute(x));
  let x = embedded;
  for (let layer = 0; layer < layers; layer++) {
    const name = `layers.${layer}`;
    const linears = linearsOf(config, name);
    const seen = (rows: Tensor) => (layer === layers - 1 && parts.wanted ? parts.wanted(rows) : rows);
    x = whole(before => {
      const packed = parts.linear(normed(before, config, { weights, name: `${name}.input_layernorm` }), linears.qkv);
      const context = seen(parts.attention(packed, layer));
      const between = add(seen(before), parts.linear(context, linears.o));
      const h = normed(between, config, { weights, name: `${name}.post_attention_layernorm` });
      const [gate, up] = [parts.linear(h, linears.gate), parts.linear(h, linears.up)];
      return add(between, parts.linear(mul(silu(gate), up), linears.down));
    }, x);
  }
  return x;
}

/** Logits [..., vocabulary] of hidden states. */
export function output(x: Tensor, config: DecoderConfig, { weights, multiply }: Output): Tensor {
  const { h, matrix } = headOf(x, config, weights);
  return multiply(h, matrix);
}

/** What logits are the product of: hidden states, normalised, and the output matrix. */
export function headOf(x: Tensor, config: DecoderConfig, weights: Weights): { h: Tensor; matrix: Matrix } {
  const name = config.tied ? 'embed_tokens.weight' : 'lm_head.weight';
  const matrix = weights.table(name, [config.vocabulary, config.hidden], 'norm');
  return { h: normed(x, config, { weights, name: 'norm' }), matrix };
}

export interface Output {
  weights: Weights;
  multiply(x: Tensor, matrix: Matrix): Tensor;
}

/** Embeddings of ids. */
export const embed = (ids: Tensor, config: DecoderConfig, weights: Weights): Tensor =>
  rowsOf(weights.table('embed_tokens.weight', [config.vocabulary, config.hidden], null), ids);

/** The rows of a matrix that `ids` number, as f32. */
export function rowsOf(matrix: Matrix, ids: Tensor): Tensor {
  if ('op' in matrix) return gather(matrix, ids);
  if ('unit' in matrix) throw new Error('no row is looked up in a matrix that lies in columns');
  if ('transposed' in matrix) {
    const rows = cast(gather(matrix.transposed, ids), 'f32');
    return matrix.scales ? mul(rows, reshape(gather(matrix.scales, ids), [...ids.shape, 1])) : rows;
  }
  const { values, scales, bits, blockSize } = matrix;
  const [rows = 0, blocks, bytes] = values.shape;
  // The same bytes in the shape that lookups want; a reshape of a weight is done once, when the session starts.
  return gatherBlockQuantized(
    { values: reshape(values, [rows, Number(blocks) * Number(bytes)]), scales, bits, blockSize },
    ids,
  );
}

/** The linear layers of the layer 'layers.0'. */
export function linearsOf(config: DecoderConfig, layer: string) {
  const { hidden, heads, headSize, intermediate } = config;
  const linear = (of: string, rows: number, inner: number, place: Pick<Part, 'reads' | 'adds'>): Linear => ({
    parts: [{ name: `${layer}.${of}`, rows, ...place }],
    inner,
  });
  const behindNorm = { reads: `${layer}.post_attention_layernorm` };
  return {
    qkv: { parts: queryKeyValue(config, layer), inner: hidden },
    o: linear('self_attn.o_proj', hidden, heads * headSize, { adds: true }),
    gate: linear('mlp.gate_proj', intermediate, hidden, behindNorm),
    up: linear('mlp.up_proj', intermediate, hidden, behindNorm),
    down: linear('mlp.down_proj', hidden, intermediate, { adds: true }),
  };
}

/** Queries, keys and values of a token, head by head as they are published: query heads of the same keys lie together. */
export function queryKeyValue({ heads, keyValueHeads, headSize }: DecoderConfig, layer: string): Part[] {
  const reads = `${layer}.input_layernorm`;
  return [
    { name: `${layer}.self_attn.q_proj`, rows: heads * headSize, reads },
    { name: `${layer}.self_attn.k_proj`, rows: keyValueHeads * headSize, reads },
    { name: `${layer}.self_attn.v_proj`, rows: keyValueHeads * headSize, reads },
  ];
}

const normed = (
  x: Tensor,
  { hidden, epsilon }: DecoderConfig,
  { weights, name }: { weights: Weights; name: string },
): Tensor => rmsNorm(x, weights.vector({ name: `${name}.weight`, rows: hidden, scales: true }), epsilon);
