// The graph of continuous batching: the next token of some texts and a piece of one prompt in the same run, so that the
// weights are read once for all of them and nobody waits for a long prompt to end. The cache lies as inference.ts says.
import {
  add,
  concat,
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
import { withAdapter } from './adapted.ts';
import type { DecoderConfig } from './config.ts';
import { cacheNames, logitsOf, rotation } from './inference.ts';
import { frozenLinear } from './linear.ts';
import { decoder, type DecoderParts, embed } from './llama.ts';
import { scoreScale } from './rotary.ts';
import type { DecoderWeights } from './weights.ts';

/**
 * A new token of each of at most `texts` texts, and any number of new tokens of one more, each in a place of its own: texts
 * first, then the tokens of the prompt. What is in no place is not computed, but attention wants each place filled: a free one
 * has the row 0, a cache of one row, and outputs that nobody fetches; the prompt has at least one such.
 *
 * Inputs: `ids` and `positions` i64 [tokens]; `places` i64 [texts + prompt], the token of each place, and `rows` i64 [tokens],
 * the place of each token; the caches of all places, that of the prompt being number `texts`; `bias` f32 [prompt, total]
 * (`attentionBias`); `wanted` i64 [wanted], the tokens whose logits are asked for; with `adapters` those of all tokens and
 * their masks (adapted.ts). Outputs: `logits` f32 [wanted, vocabulary], and the new rows of the caches.
 */
export function batchGraph(
  config: DecoderConfig,
  weights: DecoderWeights,
  { texts, adapters }: { texts: number; adapters: boolean },
): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden } = config;
  const groups = heads / keyValueHeads;
  const ids = input('ids', ['tokens'], 'i64');
  // As `concat` names what is put together.
  const everyPlace = `${texts}+prompt`;
  const places = input('places', [everyPlace], 'i64');
  const rowsOfTokens = input('rows', ['tokens'], 'i64');
  const bias = input('bias', ['prompt', 'total']);
  const everyGroup = reshape(expand(reshape(bias, [1, 'prompt', 'total']), [groups, 'prompt', 'total']), [
    `${groups}*prompt`,
    'total',
  ]);
  const rotate = rotation(config, 'tokens');
  const scale = scoreScale(config);
  const caches: Record<string, Tensor> = {};

  /** The context of queries [rows, keyValueHeads, headSize], rows a multiple of the groups, as [keyValueHeads, rows, headSize]. */
  function attend(
    pieces: readonly (Tensor | undefined)[],
    { layer, text, total, hides }: { layer: number; text: number; total: string; hides?: Tensor },
  ): Tensor {
    const [query, key, value] = pieces;
    if (!query || !key || !value) throw new Error('a split in three has three parts');
    const names = cacheNames(layer, text);
    caches[names.key.output] = key;
    caches[names.value.output] = value;
    const cache = (name: string) => input(name, [total, keyValueHeads, headSize]);
    const scores = matmulByToken(query, cache(names.key.input), { transHeads: true, transB: true, alpha: scale });
    return matmulByToken(softmax(hides ? add(scores, hides) : scores), cache(names.value.input));
  }

  const attention = (packed: Tensor, layer: number): Tensor => {
    const rows = reshape(gather(rotate(packed), places), [`${groups + 2}*${everyPlace}`, keyValueHeads, headSize]);
    const one = [groups, 1, 1];
    const pieces = split(rows, 0, [...Array.from({ length: texts }, () => one).flat(), `${groups + 2}*prompt`]);
    const contexts = Array.from({ length: texts }, (_, text) =>
      attend(pieces.slice(3 * text, 3 * text + 3), { layer, text, total: `total${text}` }),
    );
    const last = pieces.at(-1);
    if (!last) throw new Error('a split has parts');
    const byGroup = transpose(reshape(last, ['prompt', groups + 2, keyValueHeads * headSize]), [1, 0, 2]);
    const prompt = reshape(byGroup, [`${groups + 2}*prompt`, keyValueHeads, headSize]);
    const three = split(prompt, 0, [`${groups}*prompt`, 'prompt', 'prompt']);
    const context = attend(three, { layer, text: texts, total: 'total', hides: everyGroup });
    const byToken = transpose(reshape(context, [keyValueHeads, groups, 'prompt', headSize]), [2, 0, 1, 3]);
    const filled = [
      reshape(concat(contexts, 0), [texts, heads * headSize]),
      reshape(byToken, ['prompt', heads * headSize]),
    ];
    return reshape(gather(concat(filled, 0), rowsOfTokens), [1, 'tokens', heads * headSize]);
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, 'tokens', hidden]),
    parts: { linear: adapters ? withAdapter(plain, 'tokens') : plain, attention },
  });
  const wanted = gather(reshape(x, ['tokens', hidden]), input('wanted', ['wanted'], 'i64'));
  return toOnnx({ logits: logitsOf(wanted, config, weights), ...caches });
}
