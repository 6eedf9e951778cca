// What the tests of decoders share: a cache in plain arrays, and runs of the graphs on it.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { DecoderConfig } from './config.ts';
import { cacheNames, HIDDEN } from './inference.ts';

/** Keys and values of one text, layer by layer. */
export class Cache {
  length = 0;
  readonly rows: { key: Float32Array; value: Float32Array }[];
  readonly rowSize: number;

  constructor({ layers, keyValueHeads, headSize }: DecoderConfig, capacity: number) {
    this.rowSize = keyValueHeads * headSize;
    const size = capacity * this.rowSize;
    this.rows = Array.from({ length: layers }, () => ({ key: new Float32Array(size), value: new Float32Array(size) }));
  }
}

/** Keys and values as inputs up to `seen`, and of what lies behind `length` as outputs up to `end`; `texts` lie side by side. */
function tensors(
  { keyValueHeads, headSize }: DecoderConfig,
  layers: Cache['rows'],
  { texts = 1, length, seen, end }: { texts?: number; length: number; seen: number; end: number },
) {
  const feeds: Record<string, Tensor> = {};
  const fetches: Record<string, Tensor> = {};
  const columns = texts * keyValueHeads;
  const rows = (all: Float32Array, from: number, to: number) =>
    all.subarray(from * columns * headSize, to * columns * headSize);
  const past = (all: Float32Array) => new Tensor('float32', rows(all, 0, seen), [seen, columns, 1, headSize]);
  const added = (all: Float32Array) =>
    new Tensor('float32', rows(all, length, end), [(end - length) * texts, keyValueHeads, headSize]);
  for (const [layer, { key, value }] of layers.entries()) {
    const names = cacheNames(layer);
    feeds[names.key.input] = past(key);
    feeds[names.value.input] = past(value);
    fetches[names.key.output] = added(key);
    fetches[names.value.output] = added(value);
  }
  return { feeds, fetches };
}

/** Runs `ids` behind what the cache has; the logits of each of them. */
export async function runPrompt(
  session: InferenceSession,
  cache: Cache,
  { config, ids, inputs = {} }: { config: DecoderConfig; ids: readonly number[]; inputs?: Record<string, Tensor> },
): Promise<Float32Array[]> {
  const tokens = ids.length;
  const positions = ids.map((_, i) => cache.length + i);
  const { length } = cache;
  const { feeds, fetches } = tensors(config, cache.rows, { length, seen: length, end: length + tokens });
  const { logits } = await session.run(
    {
      ids: whole(ids),
      positions: whole(positions),
      wanted: whole(ids.map((_, i) => i)),
      ...feeds,
      ...inputs,
    },
    { logits: null, ...fetches },
  );
  cache.length += tokens;
  return rowsOf(logits, config.vocabulary);
}

/** Runs one token of each text; the logits of each. One text runs on its own cache, several on copies that lie side by side. */
export async function runNext(
  session: InferenceSession,
  caches: readonly Cache[],
  { config, ids, inputs = {} }: { config: DecoderConfig; ids: readonly number[]; inputs?: Record<string, Tensor> },
): Promise<Float32Array[]> {
  const texts = caches.length;
  const length = Math.max(...caches.map(cache => cache.length));
  const [only] = caches;
  const layers = only && texts === 1 ? only.rows : sideBySide(caches, length + 1);
  const { feeds, fetches } = tensors(config, layers, { texts, length, seen: length + 1, end: length + 1 });
  const bias = caches.flatMap(cache => {
    const seen = Math.min(cache.length + 1, config.window ?? Infinity);
    return Array.from({ length: length + 1 }, (_, row) => (row < length + 1 - seen ? HIDDEN : 0));
  });
  const { logits } = await session.run(
    {
      ids: whole(ids),
      positions: whole(caches.map(cache => cache.length)),
      bias: new Tensor('float32', Float32Array.from(bias), [texts, length + 1]),
      ...feeds,
      ...inputs,
    },
    { logits: null, ...fetches },
  );
  for (const [text, cache] of caches.entries()) {
    if (texts > 1)
      for (const [layer, { key, value }] of cache.rows.entries())
        for (const [own, all] of [
          [key, layers[layer]?.key],
          [value, layers[layer]?.value],
        ] as const) {
          const from = (length * texts + text) * cache.rowSize;
          own.set(all?.subarray(from, from + cache.rowSize) ?? [], cache.length * cache.rowSize);
        }
    cache.length++;
  }
  return rowsOf(logits, config.vocabulary);
}

/** The rows of some texts, aligned at their end with room for one more, and with what nobody must see before them. */
function sideBySide(caches: readonly Cache[], total: number): Cache['rows'] {
  const joined = (of: 'key' | 'value', layer: number): Float32Array => {
    const size = caches[0]?.rowSize ?? 0;
    const all = new Float32Array(total * caches.length * size).fill(1e3);
    for (const [text, cache] of caches.entries())
      for (let row = 0; row < cache.length; row++) {
        const own = cache.rows[layer]?.[of].subarray(row * size, (row + 1) * size) ?? [];
        all.set(own, ((total - 1 - cache.length + row) * caches.length + text) * size);
      }
    return all;
  };
  return (caches[0]?.rows ?? []).map((_, layer) => ({ key: joined('key', layer), value: joined('value', layer) }));
}

export const greatest = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);

const whole = (values: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);

function rowsOf(tensor: Tensor | undefined, columns: number): Float32Array[] {
  const data = tensor?.data;
  if (!(data instanceof Float32Array)) throw new Error('the graph gives no f32');
  return Array.from({ length: data.length / columns }, (_, i) => data.slice(i * columns, (i + 1) * columns));
}
