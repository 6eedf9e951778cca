// The graph that goes on with texts: a token each of several at once. What it shares with the others that answer is here, too.
//
// The cache of keys and values stays outside of the graphs, in memory of the caller. Whatever ONNX Runtime gives back is
// copied, and GroupQueryAttention copies its past besides: with both, a token costs as much as the whole cache. So the
// graph reads the cache where it lies, as inputs, and writes only the new rows, as outputs. The same run also attends to
// them: the caller gives as input the cache *with* the rows that are still to be written, and as the place of the outputs
// just these rows. One operator (Split) makes the new queries, keys and values together, so that whoever has the queries
// finds the rows written. docs/experiments/decoding.md has the figures, and the test beside this file fails should ONNX
// Runtime ever copy its inputs.
import {
  concat,
  input,
  integers,
  matmulByToken,
  mul,
  reshape,
  rotaryEmbedding,
  softmax,
  split,
  type Tensor,
  toOnnx,
} from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { withAdapter } from './adapted.ts';
import { frozenLinear, multiply } from './linear.ts';
import { decoder, type DecoderParts, embed, output } from './llama.ts';
import { rotaryTables, scoreScale } from './rotary.ts';
import type { DecoderWeights } from './weights.ts';

/** Names of the cache of one layer of one text: [total, keyValueHeads, headSize] as input, whose last rows are those of
 *  the new tokens, and only these as output, to be fetched into the same memory. */
export const cacheNames = (layer: number, text: number): { key: CacheName; value: CacheName } => {
  const named = (of: string): CacheName => ({ input: `${of}.${layer}.${text}`, output: `${of}.${layer}.${text}.new` });
  return { key: named('key'), value: named('value') };
};
interface CacheName {
  input: string;
  output: string;
}

/**
 * One new token of each of `texts` texts.
 *
 * Inputs: `ids` i64 [texts], `positions` i64 [texts], and the caches, each of its own length. Outputs: `logits` f32
 * [texts, vocabulary], and the new rows of the caches. A text that has nothing to say gets any id and a cache of one row.
 * With `adapter` also the inputs of one adapter for all of them (adapted.ts).
 */
export function togetherGraph(
  config: DecoderConfig,
  weights: DecoderWeights,
  texts: number,
  { adapter = false } = {},
): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden, layers } = config;
  const groups = heads / keyValueHeads;
  const ids = input('ids', [texts], 'i64');
  const rotate = rotation(config, texts);
  const caches: Record<string, Tensor> = {};
  const attention = (packed: Tensor, layer: number): Tensor => {
    const rows = reshape(rotate(packed), [texts * (groups + 2), keyValueHeads, headSize]);
    const pieces = split(rows, 0, Array.from({ length: texts }, () => [groups, 1, 1]).flat());
    const contexts = Array.from({ length: texts }, (_, text) => {
      const [query, key, value] = pieces.slice(3 * text, 3 * text + 3);
      if (!query || !key || !value) throw new Error('each text has three parts');
      const names = cacheNames(layer, text);
      caches[names.key.output] = key;
      caches[names.value.output] = value;
      const cache = (name: string) => input(name, [`total${text}`, keyValueHeads, headSize]);
      const scores = matmulByToken(query, cache(names.key.input), {
        transHeads: true,
        transB: true,
        alpha: scoreScale(config),
      });
      return matmulByToken(softmax(scores), cache(names.value.input));
    });
    const [only, ...others] = contexts;
    return reshape(others.length === 0 && only ? only : concat(contexts, 0), [1, texts, heads * headSize]);
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, texts, hidden]),
    parts: { linear: adapter ? withAdapter(plain) : plain, attention },
  });
  return toOnnx({
    logits: logitsOf(reshape(x, [texts, hidden]), config, weights),
    ...inLayers(caches, layers, texts),
  });
}

/** Rotates queries and keys of packed [1, tokens, groups · …], whose values turn by the angle of position 0: not at all.
 *  Tokens stand where the operator has texts, since it takes no text longer than its tables. */
export function rotation(config: DecoderConfig, tokens: number | 'tokens'): (packed: Tensor) => Tensor {
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

/** Every output of the caches in the order of layers and texts. */
export const inLayers = (
  caches: Readonly<Record<string, Tensor>>,
  layers: number,
  texts: number,
): Record<string, Tensor> =>
  Object.fromEntries(
    Array.from({ length: layers * texts }, (_, i) => cacheNames(Math.floor(i / texts), i % texts)).flatMap(
      ({ key, value }) => [key, value].map(({ output: name }) => [name, caches[name] ?? missing(name)] as const),
    ),
  );

function missing(name: string): never {
  throw new Error(`no layer made ${name}`);
}
