// The graph that goes on with texts, a token of each at once. What it shares with the one that begins them is here, too.
//
// The cache of keys and values stays outside of the graphs, in memory of the caller. Whatever ONNX Runtime gives back is
// copied, and GroupQueryAttention copies its past besides: with both, a token costs as much as the whole cache. So the
// graph reads the cache where it lies, as inputs, and writes only the new rows, as outputs. The same run also attends to
// them: the caller gives as input the cache *with* the rows that are still to be written, and as the place of the outputs
// just these rows. One operator (Split) makes the new queries, keys and values together, so that whoever has the queries
// finds the rows written. docs/experiments/decoding.md has the figures, and the test beside this file fails should ONNX
// Runtime ever copy its inputs.
import {
  add,
  expand,
  input,
  integers,
  matmulByToken,
  mul,
  product,
  reshape,
  rotaryEmbedding,
  softmax,
  split,
  type Tensor,
  toOnnx,
} from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { withAdapters } from './adapted.ts';
import { frozenLinear, multiply } from './linear.ts';
import { decoder, type DecoderParts, embed, output } from './llama.ts';
import { rotaryTables, scoreScale } from './rotary.ts';
import type { DecoderWeights } from './weights.ts';

/** Names of the cache of one layer: as input all rows, of which the last are those of the new tokens, and only these as output,
 *  to be fetched into the same memory. */
export const cacheNames = (layer: number): { key: CacheName; value: CacheName } => {
  const named = (of: string): CacheName => ({ input: `${of}.${layer}`, output: `${of}.${layer}.new` });
  return { key: named('key'), value: named('value') };
};
interface CacheName {
  input: string;
  output: string;
}

/** What a bias has where a text sees nothing. Softmax makes a true 0 of it; with the smallest f32 or a bias like -87 it may make
 *  numbers too small for full precision, which take products ten times as long. */
export const HIDDEN = -1e30;

/** So many queries of the same keys read these one after the other, where they lie; for more of them they are packed once. */
const FEW_QUERIES = 4;

/**
 * The next token of each of any number of texts, so that the weights are read once for all of them.
 *
 * Their rows lie side by side, [rows, texts · keyValueHeads, 1, headSize] for each layer's keys and for its values, aligned at
 * their end: the new row of all texts is one piece of memory. Where a text is shorter than the longest, what lies before it is
 * hidden by the bias, and so is what is out of its window.
 *
 * Inputs: `ids` and `positions` i64 [texts], `bias` f32 [texts, rows], 0 or `HIDDEN`, and the caches. Outputs: `logits` f32
 * [texts, vocabulary], and the new rows of the caches, [texts, keyValueHeads, headSize]. With `adapters` also those of all texts
 * and their masks (adapted.ts).
 */
export function nextGraph(config: DecoderConfig, weights: DecoderWeights, { adapters = false } = {}): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden, layers } = config;
  const groups = heads / keyValueHeads;
  const columns = product(['texts', keyValueHeads]);
  const ids = input('ids', ['texts'], 'i64');
  const rotate = rotation(config, 'texts');
  const ofTexts = reshape(input('bias', ['texts', 'rows']), ['texts', 1, 'rows']);
  const bias = reshape(expand(ofTexts, ['texts', keyValueHeads, 'rows']), [columns, 1, 1, 'rows']);
  const caches: Record<string, Tensor> = {};
  const attention = (packed: Tensor, layer: number): Tensor => {
    const { query, key, value } = rotate(packed);
    const names = cacheNames(layer);
    caches[names.key.output] = key;
    caches[names.value.output] = value;
    const cache = (name: string) => input(name, ['rows', columns, 1, headSize]);
    const byHead = reshape(
      query,
      groups <= FEW_QUERIES ? [columns, groups, 1, headSize] : [columns, 1, groups, headSize],
    );
    const scores = add(matmulByToken(byHead, cache(names.key.input), { transB: true }), bias);
    return reshape(matmulByToken(softmax(scores), cache(names.value.input)), [1, 'texts', heads * headSize]);
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, 'texts', hidden]),
    parts: { linear: adapters ? withAdapters(plain, 'texts') : plain, attention },
  });
  return toOnnx({ logits: logitsOf(reshape(x, ['texts', hidden]), config, weights), ...inLayers(caches, layers) });
}

/** Of a token: `query` [tokens, heads, headSize], the others [tokens, keyValueHeads, headSize]. */
interface Rotated {
  query: Tensor;
  key: Tensor;
  value: Tensor;
}

/** Rotates the queries and the keys of packed [1, tokens, …]. One operator turns all heads and one divides them, so that whoever has the
 *  queries finds the rows of keys and values written. Values turn by the angle of position 0: not at all. Queries have the scale of the
 *  scores from tables of their own, for a product with a factor isn't read where it lies.
 *
 *  To the first of these operators a token is a text, whose tokens are its heads: no text may be longer than the tables. */
export function rotation(config: DecoderConfig, tokens: 'tokens' | 'texts'): (packed: Tensor) => Rotated {
  const { heads, keyValueHeads, headSize, maxTokens, rotary } = config;
  const sizes = [heads, keyValueHeads, keyValueHeads];
  const all = heads + 2 * keyValueHeads;
  const rows = Math.max(maxTokens, all);
  const tables = rotaryTables(rotary, { positions: rows, scales: [scoreScale(config), 1] });
  const ofHeads = (values: readonly number[]) =>
    integers(
      values.flatMap((value, i) => Array.from({ length: sizes[i] ?? 0 }, () => value)),
      [1, all],
    );
  const given = reshape(input('positions', [tokens], 'i64'), [tokens, 1]);
  const positions = add(mul(given, ofHeads([1, 1, 0])), ofHeads([0, rows, rows]));
  return packed => {
    const turned = rotaryEmbedding(reshape(packed, [tokens, all, headSize]), { positions, ...tables }, { heads: 1 });
    const [query, key, value] = split(turned, 1, sizes);
    if (!query || !key || !value) throw new Error('a split in three has three parts');
    return { query, key, value };
  };
}

/** Logits of hidden states, their products rounded to 8 bits. */
export const logitsOf = (x: Tensor, config: DecoderConfig, weights: DecoderWeights): Tensor =>
  output(x, config, { weights, multiply: (from, matrix) => multiply(from, matrix, 4) });

/** Every output of the caches in the order of layers. */
export const inLayers = (caches: Readonly<Record<string, Tensor>>, layers: number): Record<string, Tensor> =>
  Object.fromEntries(
    Array.from({ length: layers }, (_, layer) => Object.values(cacheNames(layer))).flatMap(names =>
      names.map(({ output: name }) => [name, caches[name] ?? missing(name)] as const),
    ),
  );

function missing(name: string): never {
  throw new Error(`no layer made ${name}`);
}
