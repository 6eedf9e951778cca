// The graph of continuous batching: the next token of some texts in one run, so that the weights are read once for all of them.
// The cache lies as inference.ts says.
import { concat, gather, input, matmulByToken, reshape, softmax, split, type Tensor, toOnnx } from '@vectorium/tensor';
import { withAdapter } from './adapted.ts';
import type { DecoderConfig } from './config.ts';
import { cacheNames, logitsOf, rotation } from './inference.ts';
import { frozenLinear } from './linear.ts';
import { decoder, type DecoderParts, embed } from './llama.ts';
import { scoreScale } from './rotary.ts';
import type { DecoderWeights } from './weights.ts';

/**
 * A new token of each of at most `texts` texts, each in a place of its own. What is in no place is not computed, but attention
 * wants each place filled: a free one has the row 0, a cache of one row, and outputs that nobody fetches.
 *
 * Inputs: `ids` and `positions` i64 [tokens]; `places` i64 [texts], the token of each place, and `rows` i64 [tokens], the place
 * of each token; the caches of all places; with `adapters` those of all tokens and their masks (adapted.ts). Outputs: `logits`
 * f32 [tokens, vocabulary], and the new rows of the caches.
 */
export function batchGraph(
  config: DecoderConfig,
  weights: DecoderWeights,
  { texts, adapters }: { texts: number; adapters: boolean },
): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden } = config;
  const groups = heads / keyValueHeads;
  const ids = input('ids', ['tokens'], 'i64');
  const places = input('places', [texts], 'i64');
  const rowsOfTokens = input('rows', ['tokens'], 'i64');
  const rotate = rotation(config, 'tokens');
  const caches: Record<string, Tensor> = {};

  const attention = (packed: Tensor, layer: number): Tensor => {
    const rows = reshape(gather(rotate(packed), places), [(groups + 2) * texts, keyValueHeads, headSize]);
    const pieces = split(rows, 0, Array.from({ length: texts }, () => [groups, 1, 1]).flat());
    const contexts = Array.from({ length: texts }, (_, text) => {
      const [query, key, value] = pieces.slice(3 * text, 3 * text + 3);
      if (!query || !key || !value) throw new Error('each text has three parts');
      const names = cacheNames(layer, text);
      caches[names.key.output] = key;
      caches[names.value.output] = value;
      const cache = (name: string) => input(name, [`total${text}`, keyValueHeads, headSize]);
      const how = { transHeads: true, transB: true, alpha: scoreScale(config) };
      return matmulByToken(softmax(matmulByToken(query, cache(names.key.input), how)), cache(names.value.input));
    });
    const filled = reshape(concat(contexts, 0), [texts, heads * headSize]);
    return reshape(gather(filled, rowsOfTokens), [1, 'tokens', heads * headSize]);
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, 'tokens', hidden]),
    parts: { linear: adapters ? withAdapter(plain, 'tokens') : plain, attention },
  });
  return toOnnx({ logits: logitsOf(reshape(x, ['tokens', hidden]), config, weights), ...caches });
}
