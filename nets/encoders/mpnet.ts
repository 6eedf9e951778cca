// MPNet: BERT whose scores also depend on the distance between two tokens.
import {
  add,
  addAll,
  cast,
  constant,
  gather,
  integers,
  mul,
  multiHeadAttention,
  range,
  reshape,
  sub,
  type Tensor,
  transpose,
} from '@vectorium/tensor';
import type { Parameters } from '../weights/parameters.ts';
import { type Config, positionsOf } from './config.ts';
import {
  type EncoderInputs,
  feedForward,
  linear,
  lookup,
  norm,
  positionRows,
  residualNorm,
  sizesOf,
} from './layers.ts';

/** MPNetModel. Song et al. 2020. */
export function mpnet(config: Config, weights: Parameters, { ids, mask }: EncoderInputs): Tensor {
  const sizes = sizesOf(config);
  const { hidden, heads, epsilon } = sizes;

  const word = lookup(ids, weights, {
    name: 'embeddings.word_embeddings',
    shape: [config.integer('vocab_size'), hidden],
  });
  const embedded = addAll(word, positionRows(config, weights, hidden));
  const attentionBias = add(distanceBias(config, weights, heads), hide(mask));

  let x = norm(embedded, weights, { name: 'embeddings.LayerNorm', size: hidden, epsilon });
  for (let layer = 0; layer < sizes.layers; layer++) {
    const name = `encoder.layer.${layer}`;
    const part = (of: string): Tensor =>
      linear(x, weights, { name: `${name}.attention.attn.${of}`, inner: hidden, outer: hidden });
    x = residualNorm(x, weights, {
      from: multiHeadAttention({ query: part('q'), key: part('k'), value: part('v'), attentionBias }, { heads }),
      linear: { name: `${name}.attention.attn.o`, inner: hidden, outer: hidden },
      norm: { name: `${name}.attention.LayerNorm`, size: hidden, epsilon },
    });
    const [up, down, after] = [`${name}.intermediate.dense`, `${name}.output.dense`, `${name}.output.LayerNorm`];
    x = feedForward(x, { weights, sizes, up, down, norm: after });
  }
  return x;
}

/** [1, heads, tokens, tokens]: what each head adds to the score of a query and a key that stand so far apart. */
function distanceBias(config: Config, weights: Parameters, heads: number): Tensor {
  const buckets = config.integer('relative_attention_num_buckets');
  const table = weights.tensor('encoder.relative_attention_bias.weight', [buckets, heads]);
  const { count, first } = positionsOf(config);
  const farthest = count - first - 1;
  const all = Array.from({ length: 2 * farthest + 1 }, (_, i) => distanceBucket(i - farthest, buckets));
  const byDistance = transpose(gather(table, integers(all)), [1, 0]);
  const counted = range('tokens');
  const distance = sub(reshape(counted, [1, 'tokens']), reshape(counted, ['tokens', 1]));
  const bias = gather(byDistance, add(distance, integers([farthest])), 1);
  return reshape(bias, [1, heads, 'tokens', 'tokens']);
}

/** The bucket of key position − query position: half of them for each direction, the nearest half of those for one
 *  distance each, the rest growing by powers up to 128 (Raffel et al. 2020), in f32 as the models compute it. */
export function distanceBucket(distance: number, buckets: number): number {
  const side = buckets / 2;
  const exact = side / 2;
  const far = Math.abs(distance);
  const direction = distance > 0 ? side : 0;
  if (far < exact) return direction + far;
  const ratio = Math.fround(Math.log(Math.fround(far / exact)));
  const growth = Math.fround(Math.fround(ratio / Math.fround(Math.log(FARTHEST / exact))) * (side - exact));
  return direction + Math.min(side - 1, exact + Math.trunc(growth));
}

const FARTHEST = 128;

/** [batch, 1, 1, tokens]: 0 for a token; for padding a penalty that makes its weight exactly 0. */
const hide = (mask: Tensor): Tensor =>
  reshape(mul(sub(cast(mask, 'f32'), 1), constant(Float32Array.of(1e4), [])), ['batch', 1, 1, 'tokens']);
