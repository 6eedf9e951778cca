// The graph that other programs load: a text model as Hugging Face's exports have it, the cache going through as inputs and outputs.
// Transformers.js runs it as it is. Ours answer by other graphs (inference.ts, batch.ts), which don't copy the cache.
import {
  add,
  concat,
  cumsum,
  expand,
  greater,
  input,
  integers,
  matmul,
  mul,
  parameter,
  reshape,
  rotaryEmbedding,
  scalar,
  slice,
  softmax,
  type Tensor,
  toOnnx,
  transpose,
  where,
} from '@vectorium/tensor';
import type { Adapter } from './adapter.ts';
import { placeOf } from './adapted.ts';
import type { DecoderConfig } from './config.ts';
import { logitsOf } from './inference.ts';
import { frozenLinear } from './linear.ts';
import { decoder, type DecoderParts, embed, type Linear } from './llama.ts';
import { rotaryTables, scoreScale } from './rotary.ts';
import type { DecoderWeights } from './weights.ts';

/** As `concat` names what is put together. */
const TOTAL = 'past+tokens';
const HIDDEN = -1e9;

/**
 * Inputs: `input_ids` and `position_ids` i64 [batch, tokens], `attention_mask` i64 [batch, past + tokens], and for each layer N
 * `past_key_values.N.key` and `.value` f32 [batch, keyValueHeads, past, headSize]. Outputs: `logits` f32 [batch, tokens,
 * vocabulary], `present.N.key` and `.value`. Texts may be padded on either side. */
export function portableGraph(
  config: DecoderConfig,
  weights: DecoderWeights,
  adapter: AdapterValues | null,
): Uint8Array {
  const { heads, keyValueHeads, headSize, hidden, vocabulary } = config;
  const groups = heads / keyValueHeads;
  const positions = input('position_ids', ['batch', 'tokens'], 'i64');
  const hides = reshape(expand(hiddenOf(config, positions), ['batch', 1, groups, 'tokens', TOTAL]), [
    'batch',
    1,
    `${groups}*tokens`,
    TOTAL,
  ]);
  const rotate = rotation(config, positions);
  const presents: Record<string, Tensor> = {};
  const attention = (packed: Tensor, layer: number): Tensor => {
    const turned = rotate(packed);
    // [batch, tokens, keyValueHeads · length, headSize] as [batch, keyValueHeads, length · tokens, headSize].
    const part = (start: number, length: number) =>
      reshape(
        transpose(
          reshape(slice(turned, 2, { start, length: length * keyValueHeads }), [
            'batch',
            'tokens',
            keyValueHeads,
            length,
            headSize,
          ]),
          [0, 2, 3, 1, 4],
        ),
        ['batch', keyValueHeads, length === 1 ? 'tokens' : `${length}*tokens`, headSize],
      );
    const whole = (of: 'key' | 'value', added: Tensor): Tensor => {
      const past = input(`past_key_values.${layer}.${of}`, ['batch', keyValueHeads, 'past', headSize]);
      return (presents[`present.${layer}.${of}`] = concat([past, added], 2));
    };
    const key = whole('key', part(heads, 1));
    const value = whole('value', part(heads + keyValueHeads, 1));
    const scores = matmul(part(0, groups), key, { transB: true, alpha: scoreScale(config) });
    const context = reshape(matmul(softmax(add(scores, hides)), value), [
      'batch',
      keyValueHeads,
      groups,
      'tokens',
      headSize,
    ]);
    return reshape(transpose(context, [0, 3, 1, 2, 4]), ['batch', 'tokens', heads * headSize]);
  };
  const x = decoder(config, weights, {
    embedded: reshape(embed(input('input_ids', ['batch', 'tokens'], 'i64'), config, weights), [
      'batch',
      'tokens',
      hidden,
    ]),
    parts: {
      linear: adapter ? adapted(weights, adapter) : (from, linear) => frozenLinear(from, linear, weights, 4),
      attention,
    },
  });
  return toOnnx({ logits: reshape(logitsOf(x, config, weights), ['batch', 'tokens', vocabulary]), ...presents });
}

/** A large negative number where a token may not look, [batch, 1, 1, tokens, total]: at padding, at what comes after it, and beyond
 *  its window. */
function hiddenOf({ window }: DecoderConfig, positions: Tensor): Tensor {
  const mask = input('attention_mask', ['batch', TOTAL], 'i64');
  const there = reshape(mask, ['batch', 1, TOTAL]);
  const own = reshape(positions, ['batch', 'tokens', 1]);
  const of = reshape(add(cumsum(mask, 1), scalar(-1, 'i64')), ['batch', 1, TOTAL]);
  const [nothing, hidden] = [scalar(0), scalar(HIDDEN)];
  const later = where(greater(of, own), hidden, nothing);
  const padding = where(greater(there, scalar(0, 'i64')), nothing, hidden);
  const seen = add(later, padding);
  const all =
    window === null ? seen : add(seen, where(greater(add(own, scalar(1 - window, 'i64')), of), hidden, nothing));
  return reshape(all, ['batch', 1, 1, 'tokens', TOTAL]);
}

/** Queries, keys and values, all rotated by the positions but the values, [batch, tokens, all heads, headSize]: as `rotation` of
 *  inference.ts does, of texts one behind the other. */
function rotation(
  { heads, keyValueHeads, headSize, maxTokens, rotary }: DecoderConfig,
  positions: Tensor,
): (packed: Tensor) => Tensor {
  const all = heads + 2 * keyValueHeads;
  const tables = rotaryTables(rotary, { positions: Math.max(maxTokens, all) });
  const turns = integers(
    Array.from({ length: all }, (_, head) => Number(head < heads + keyValueHeads)),
    [1, all],
  );
  const every = mul(reshape(positions, ['batch*tokens', 1]), turns);
  return packed =>
    reshape(
      rotaryEmbedding(reshape(packed, ['batch*tokens', all, headSize]), { positions: every, ...tables }, { heads: 1 }),
      ['batch', 'tokens', all, headSize],
    );
}

/** An adapter whose values lie one behind the other in a file of their own. */
export class AdapterValues {
  readonly #adapter: Adapter;
  readonly #file: string;
  readonly #all: Float32Array[] = [];
  #bytes = 0;

  constructor(adapter: Adapter, file: string) {
    this.#adapter = adapter;
    this.#file = file;
  }

  /** What the graph asked for. */
  get all(): readonly Float32Array[] {
    return this.#all;
  }

  /** Of a linear layer, or of several that lie one behind the other; null where nothing is added. */
  of(linear: Linear): { a: Tensor; b: Tensor } | null {
    const { layer, kind } = placeOf(linear);
    const { rank, layers } = this.#adapter.stacks[kind];
    const { a, b } = layers[layer] ?? {};
    if (!a || !b || b.every(value => value === 0)) return null;
    const name = `adapter.${layer}.${kind}`;
    return {
      a: this.#placed(`${name}.a`, a, [rank, linear.inner]),
      b: this.#placed(`${name}.b`, b, [rank, b.length / rank]),
    };
  }

  #placed(name: string, values: Float32Array, shape: readonly number[]): Tensor {
    const [offset, bytes] = [this.#bytes, values.byteLength];
    this.#all.push(values);
    this.#bytes += bytes;
    return parameter(name, shape, { data: { file: this.#file, offset, bytes } });
  }
}

function adapted(weights: DecoderWeights, adapter: AdapterValues): DecoderParts['linear'] {
  return (x, linear) => {
    const plain = frozenLinear(x, linear, weights, 4);
    const values = adapter.of(linear);
    return values ? add(plain, matmul(matmul(x, values.a, { transB: true }), values.b)) : plain;
  };
}
