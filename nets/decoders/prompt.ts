// The graph that begins a text: any number of new tokens behind those of its cache, which lies outside as inference.ts says. Here
// what goes in are the rows of the past alone.
import { after, gather, groupQueryAttention, input, reshape, type Tensor, toOnnx, transpose } from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { withAdapters } from './adapted.ts';
import { cacheNames, inLayers, logitsOf, rotation } from './inference.ts';
import { frozenLinear } from './linear.ts';
import { decoder, type DecoderParts, embed } from './llama.ts';
import type { DecoderWeights } from './weights.ts';

/**
 * One text, any number of new tokens.
 *
 * Inputs: `ids` i64 [tokens], `positions` i64 [tokens], `wanted` i64 [wanted], the new tokens whose logits are asked for, and
 * the cache without the rows of the new tokens, [past, keyValueHeads, 1, headSize] each. Outputs: `logits` f32 [wanted,
 * vocabulary], and the new rows of the cache, [tokens, keyValueHeads, headSize]. With `adapters` also the inputs of the text's
 * adapter (adapted.ts).
 */
export function promptGraph(config: DecoderConfig, weights: DecoderWeights, { adapters = false } = {}): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden, layers, window } = config;
  const rowSize = keyValueHeads * headSize;
  const ids = input('ids', ['tokens'], 'i64');
  const wanted = input('wanted', ['wanted'], 'i64');
  const rotate = rotation(config, 'tokens');
  const caches: Record<string, Tensor> = {};
  let before: { keys: Tensor; values: Tensor } | null = null;
  const attention = (packed: Tensor, layer: number): Tensor => {
    const { query, key, value } = rotate(packed);
    const names = cacheNames(layer);
    caches[names.key.output] = key;
    caches[names.value.output] = value;
    // What the layer before saw is taken here, or ONNX Runtime holds that of all layers until the end; nor does it turn the
    // caches of all layers first then.
    const past = (name: string, known?: Tensor) => {
      const cache = input(name, ['past', keyValueHeads, 1, headSize]);
      return transpose(known ? after(cache, known) : cache, [2, 1, 0, 3]);
    };
    const { attended, ...saw } = groupQueryAttention(
      {
        query: reshape(query, [1, 'tokens', heads * headSize]),
        key: reshape(key, [1, 'tokens', rowSize]),
        value: reshape(value, [1, 'tokens', rowSize]),
        pastKey: past(names.key.input, before?.keys),
        pastValue: past(names.value.input, before?.values),
      },
      { heads, keyValueHeads, scale: 1, window },
    );
    before = saw;
    return attended;
  };
  const plain: DecoderParts['linear'] = (from, layer) => frozenLinear(from, layer, weights, 4);
  const x = decoder(config, weights, {
    embedded: reshape(embed(ids, config, weights), [1, 'tokens', hidden]),
    parts: { linear: adapters ? withAdapters(plain) : plain, attention, wanted: rows => gather(rows, wanted, 1) },
  });
  const logits = logitsOf(reshape(x, ['wanted', hidden]), config, weights);
  return toOnnx({ logits, ...inLayers(caches, layers) });
}
