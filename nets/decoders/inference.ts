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
  transpose,
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

/**
 * The next token of each of any number of texts, so that the weights are read once for all of them.
 *
 * Their rows lie side by side, [rows, texts · keyValueHeads, headSize] for each layer's keys and for its values, aligned at
 * their end: the new row of all texts is one piece of memory. Where a text is shorter than the longest, what lies before it is
 * hidden by the bias, and so is what is out of its window.
 *
 * Inputs: `ids` and `positions` i64 [texts], `bias` f32 [texts, rows], 0 or `HIDDEN`, and the caches. Outputs: `logits` f32
 * [texts, vocabulary], and the new rows of the caches. With `adapters` also those of all texts and their masks (adapted.ts).
 */
export function nextGraph(config: DecoderConfig, weights: DecoderWeights, { adapters = false } = {}): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden, layers } = config;
  const groups = heads / keyValueHeads;
  const columns = product(['texts', keyValueHeads]);
  const ids = input('ids', ['texts'], 'i64');
  const rotate = rotation(config, 'texts');
  const ofTexts = reshape(input('bias', ['texts', 'rows']), ['texts', 1, 'rows']);
  const bias = reshape(expand(ofTexts, ['texts', keyValueHeads, 'rows']), [columns, 1, 'rows']);
  const caches: Record<string, Tensor> = {};
  const attention = (packed: Tensor, layer: number): Tensor => {
    // Group by group, each of which then has the shape of a row of the cache.
    const rows = reshape(transpose(rotate(packed), [1, 0, 2]), [groups + 2, columns, headSize]);
    const [query, key, value] = split(rows, 0, [groups, 1, 1]);
    if (!query || !key || !value) throw new Error('a split in three has three parts');
    const names = cacheNames(layer);
    caches[names.key.output] = key;
    caches[names.value.output] = value;
    const cache = (name: string) => input(name, ['rows', columns, headSize]);
    const how = { transHeads: true, transB: true, alpha: scoreScale(config) };
    const scores = add(matmulByToken(query, cache(names.key.input), how), bias);
    return reshape(matmulByToken(softmax(scores), cache(names.value.input)), [1, 'texts', heads * headSize]);
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, 'texts', hidden]),
    parts: { linear: adapters ? withAdapters(plain, 'texts') : plain, attention },
  });
  return toOnnx({ logits: logitsOf(reshape(x, ['texts', hidden]), config, weights), ...inLayers(caches, layers) });
}

/** Rotates queries and keys of packed [1, tokens, groups · …], whose values turn by the angle of position 0: not at all.
 *  Tokens stand where the operator has texts, since it takes no text longer than its tables. */
export function rotation(config: DecoderConfig, tokens: 'tokens' | 'texts'): (packed: Tensor) => Tensor {
  const { heads, keyValueHeads, headSize, maxTokens } = config;
  const groups = heads / keyValueHeads + 2;
  const tables = rotaryTables(config.rotary, Math.max(maxTokens, groups));
  const turns = integers(
    Array.from({ length: groups }, (_, group) => Number(group < groups - 1)),
    [1, groups],
  );
  const positions = mul(reshape(input('positions', [tokens], 'i64'), [tokens, 1]), turns);
  return packed =>
    rotaryEmbedding(
      reshape(packed, [tokens, groups, keyValueHeads * headSize]),
      { positions, ...tables },
      { heads: keyValueHeads },
    );
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
