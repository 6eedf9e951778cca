// The GTE encoder ("new"): rotary positions, packed projections, gated feed-forward, norms after each block.
import { addAll, mul, type Tensor } from '@vectorium/tensor';
import type { Parameters } from '../weights/parameters.ts';
import { maskedAttention } from './attention.ts';
import { type Config, positionsOf } from './config.ts';
import {
  activate,
  type EncoderInputs,
  linearRows,
  lookup,
  norm,
  residualNorm,
  type Sizes,
  sizesOf,
  typeEmbedding,
} from './layers.ts';
import { frequencies, rotation } from './rotary.ts';

/** NewModel of Alibaba-NLP/new-impl. Zhang et al. 2024 (mGTE). */
export function gte(config: Config, weights: Parameters, { ids, mask }: EncoderInputs): Tensor {
  config.expect('position_embedding_type', 'rope');
  config.expect('layer_norm_type', 'layer_norm');
  config.expect('pack_qkv', true);
  config.expect('logn_attention_scale', false);
  const sizes = sizesOf(config);
  const { hidden, heads, epsilon } = sizes;
  const rotate = rotation(ropeFrequencies(config, hidden / heads), { positions: positionsOf(config).count, heads });
  const attention = maskedAttention(mask, { heads, size: hidden / heads });

  const word = lookup(ids, weights, {
    name: 'embeddings.word_embeddings',
    shape: [config.integer('vocab_size'), hidden],
  });
  const embedded = addAll(word, ...typeEmbedding(config, weights, hidden));
  let x = norm(embedded, weights, { name: 'embeddings.LayerNorm', size: hidden, epsilon });
  for (let layer = 0; layer < sizes.layers; layer++) {
    const name = `encoder.layer.${layer}`;
    const packed = { name: `${name}.attention.qkv_proj`, inner: hidden, outer: 3 * hidden };
    const part = (index: number): Tensor => linearRows(x, weights, packed, { start: index * hidden, count: hidden });
    x = residualNorm(x, weights, {
      from: attention(rotate(part(0)), rotate(part(1)), part(2)),
      linear: { name: `${name}.attention.o_proj`, inner: hidden, outer: hidden },
      norm: { name: `${name}.attn_ln`, size: hidden, epsilon },
    });
    x = gatedFeedForward(x, { weights, sizes, name });
  }
  return x;
}

/** norm(x + down(up · activation(gate))), up and gate packed in this order. */
function gatedFeedForward(
  x: Tensor,
  { weights, sizes, name }: { weights: Parameters; sizes: Sizes; name: string },
): Tensor {
  const { hidden, intermediate, activation, epsilon } = sizes;
  const packed = { name: `${name}.mlp.up_gate_proj`, inner: hidden, outer: 2 * intermediate };
  const up = linearRows(x, weights, packed, { start: 0, count: intermediate });
  const gate = linearRows(x, weights, packed, { start: intermediate, count: intermediate });
  return residualNorm(x, weights, {
    from: mul(activate(gate, activation), up),
    linear: { name: `${name}.mlp.down_proj`, inner: intermediate, outer: hidden },
    norm: { name: `${name}.mlp_ln`, size: hidden, epsilon },
  });
}

/** With NTK scaling the base grows by the factor, and all frequencies shrink by factor^(2/size)
 *  (kexue.fm/archives/9706, equation 6), whatever the length of the text. */
function ropeFrequencies(config: Config, size: number): Float32Array {
  const base = config.number('rope_theta', 10_000);
  if (!config.has('rope_scaling')) return frequencies(size, base);
  const { type, factor, mixed_b: mixed } = config.object('rope_scaling');
  if (type !== 'ntk' || typeof factor !== 'number' || (mixed ?? null) !== null)
    throw new Error('config.json: rope_scaling must be of type ntk with a factor and without mixed_b');
  return frequencies(size, base * factor).map(frequency => frequency / factor ** (2 / size));
}
