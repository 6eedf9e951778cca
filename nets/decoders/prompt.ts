// The graph that begins a text: any number of new tokens. Its cache lies outside, as inference.ts says.
import {
  add,
  expand,
  gather,
  input,
  matmulByToken,
  reshape,
  softmax,
  split,
  type Tensor,
  toOnnx,
  transpose,
} from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { withAdapter } from './adapted.ts';
import { cacheNames, inLayers, logitsOf, rotation } from './inference.ts';
import { frozenLinear } from './linear.ts';
import { decoder, type DecoderParts, embed } from './llama.ts';
import { scoreScale } from './rotary.ts';
import type { DecoderWeights } from './weights.ts';

/**
 * One text, any number of new tokens.
 *
 * Inputs: `ids` i64 [tokens], `positions` i64 [tokens], `bias` f32 [tokens, total] (0 where a new token may look, a large
 * negative number elsewhere: `attentionBias`), `wanted` i64 [wanted], the new tokens whose logits are asked for, and the
 * cache. Outputs: `logits` f32 [wanted, vocabulary], and the new rows of the cache. With `adapter` also the inputs of one
 * adapter (adapted.ts).
 */
export function promptGraph(config: DecoderConfig, weights: DecoderWeights, { adapter = false } = {}): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden, layers } = config;
  const groups = heads / keyValueHeads;
  const ids = input('ids', ['tokens'], 'i64');
  const bias = input('bias', ['tokens', 'total']);
  const everyGroup = reshape(expand(reshape(bias, [1, 'tokens', 'total']), [groups, 'tokens', 'total']), [
    `${groups}*tokens`,
    'total',
  ]);
  const rotate = rotation(config, 'tokens');
  const caches: Record<string, Tensor> = {};
  const attention = (packed: Tensor, layer: number): Tensor => {
    const rows = reshape(transpose(rotate(packed), [1, 0, 2]), [`${groups + 2}*tokens`, keyValueHeads, headSize]);
    const [query, key, value] = split(rows, 0, [`${groups}*tokens`, 'tokens', 'tokens']);
    if (!query || !key || !value) throw new Error('a split in three has three parts');
    const names = cacheNames(layer, 0);
    caches[names.key.output] = key;
    caches[names.value.output] = value;
    const cache = (name: string) => input(name, ['total', keyValueHeads, headSize]);
    const scores = matmulByToken(query, cache(names.key.input), {
      transHeads: true,
      transB: true,
      alpha: scoreScale(config),
    });
    const context = matmulByToken(softmax(add(scores, everyGroup)), cache(names.value.input));
    const byToken = transpose(reshape(context, [keyValueHeads, groups, 'tokens', headSize]), [2, 0, 1, 3]);
    return reshape(byToken, [1, 'tokens', heads * headSize]);
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, 'tokens', hidden]),
    parts: { linear: adapter ? withAdapter(plain) : plain, attention },
  });
  const wanted = gather(reshape(x, ['tokens', hidden]), input('wanted', ['wanted'], 'i64'));
  return toOnnx({ logits: logitsOf(wanted, config, weights), ...inLayers(caches, layers, 1) });
}

/** What a token at each of `positions` may see of a cache whose first row has the position `first`: [positions, total]. */
export function attentionBias(
  positions: ArrayLike<number>,
  { first, total, window }: { first: number; total: number; window: number | null },
): Float32Array {
  const bias = new Float32Array(positions.length * total);
  for (let i = 0; i < positions.length; i++) {
    const own = positions[i] ?? 0;
    for (let row = 0; row < total; row++) {
      const back = own - (first + row);
      if (back < 0 || (window !== null && back >= window)) bias[i * total + row] = HIDDEN;
    }
  }
  return bias;
}

const HIDDEN = -1e9;
