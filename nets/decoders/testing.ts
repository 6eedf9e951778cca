// What the tests of decoders share: a cache in plain arrays, and runs of the graphs on it.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { DecoderConfig } from './config.ts';
import { attentionBias, cacheNames } from './inference.ts';

/** Keys and values of one text, layer by layer. */
export class Cache {
  length = 0;
  readonly #config: DecoderConfig;
  readonly #rows: { key: Float32Array; value: Float32Array }[];

  constructor(config: DecoderConfig, capacity: number) {
    this.#config = config;
    const size = capacity * this.#rowSize;
    this.#rows = Array.from({ length: config.layers }, () => ({
      key: new Float32Array(size),
      value: new Float32Array(size),
    }));
  }

  get #rowSize(): number {
    return this.#config.keyValueHeads * this.#config.headSize;
  }

  /** Inputs of all rows from `first` on together with `tokens` new ones, and the places of these as outputs. */
  tensors(text: number, { first, tokens }: { first: number; tokens: number }) {
    const feeds: Record<string, Tensor> = {};
    const fetches: Record<string, Tensor> = {};
    const { keyValueHeads, headSize } = this.#config;
    const end = this.length + tokens;
    const rows = (all: Float32Array, from: number) =>
      new Tensor('float32', all.subarray(from * this.#rowSize, end * this.#rowSize), [
        end - from,
        keyValueHeads,
        headSize,
      ]);
    for (const [layer, { key, value }] of this.#rows.entries()) {
      const names = cacheNames(layer, text);
      feeds[names.key.input] = rows(key, first);
      feeds[names.value.input] = rows(value, first);
      fetches[names.key.output] = rows(key, this.length);
      fetches[names.value.output] = rows(value, this.length);
    }
    return { feeds, fetches };
  }
}

/** Runs `ids` behind what the cache has; the logits of each of them. */
export async function runPrompt(
  session: InferenceSession,
  cache: Cache,
  { config, ids }: { config: DecoderConfig; ids: readonly number[] },
): Promise<Float32Array[]> {
  const tokens = ids.length;
  const positions = ids.map((_, i) => cache.length + i);
  const { feeds, fetches } = cache.tensors(0, { first: 0, tokens });
  const total = cache.length + tokens;
  const bias = attentionBias(positions, { first: 0, total, window: config.window });
  const { logits } = await session.run(
    {
      ids: whole(ids),
      positions: whole(positions),
      bias: new Tensor('float32', bias, [tokens, total]),
      wanted: whole(ids.map((_, i) => i)),
      ...feeds,
    },
    { logits: null, ...fetches },
  );
  cache.length += tokens;
  return rowsOf(logits, config.vocabulary);
}

/** Runs one token of each text; the logits of each. */
export async function runTogether(
  session: InferenceSession,
  caches: readonly Cache[],
  { config, ids }: { config: DecoderConfig; ids: readonly number[] },
): Promise<Float32Array[]> {
  const all = caches.map((cache, text) => {
    return cache.tensors(text, { first: firstSeen(cache, config), tokens: 1 });
  });
  const { logits } = await session.run(
    {
      ids: whole(ids),
      positions: whole(caches.map(({ length }) => length)),
      ...Object.assign({}, ...all.map(({ feeds }) => feeds)),
    },
    { logits: null, ...Object.assign({}, ...all.map(({ fetches }) => fetches)) },
  );
  for (const cache of caches) cache.length++;
  return rowsOf(logits, config.vocabulary);
}

/** Runs one token each of some of `places` texts, and `prompt` behind what its cache has; the logits of each text and of the
 *  prompt's last token. */
export async function runBatch(
  session: InferenceSession,
  {
    caches,
    ids,
    prompt,
  }: { caches: readonly (Cache | null)[]; ids: readonly number[]; prompt: { cache: Cache; ids: readonly number[] } },
  { config, inputs = {} }: { config: DecoderConfig; inputs?: Record<string, Tensor> },
): Promise<Float32Array[]> {
  const free = new Cache(config, 1);
  const asked = prompt.ids.length;
  const tokens = Math.max(1, asked);
  const promptCache = asked > 0 ? prompt.cache : free;
  const total = promptCache.length + tokens;
  const here = caches.flatMap(cache => cache ?? []);
  const all = [...caches, promptCache].map((cache, text) =>
    text === caches.length
      ? promptCache.tensors(text, { first: 0, tokens })
      : (cache ?? free).tensors(text, { first: cache ? firstSeen(cache, config) : 0, tokens: 1 }),
  );
  const behind = prompt.ids.map((_, i) => promptCache.length + i);
  const bias = attentionBias(asked > 0 ? behind : [0], { first: 0, total, window: config.window });
  const used = all.filter((_, text) => (text === caches.length ? asked > 0 : caches[text]));
  let row = 0;
  const places = [
    ...caches.map(cache => (cache ? row++ : 0)),
    ...Array.from({ length: tokens }, (_, i) => (asked > 0 ? here.length + i : 0)),
  ];
  const rows = [
    ...caches.flatMap((cache, place) => (cache ? place : [])),
    ...prompt.ids.map((_, i) => caches.length + i),
  ];
  const { logits } = await session.run(
    {
      ids: whole([...ids, ...prompt.ids]),
      positions: whole([...here.map(({ length }) => length), ...behind]),
      places: whole(places),
      rows: whole(rows),
      bias: new Tensor('float32', bias, [tokens, total]),
      wanted: whole([...here.map((_, i) => i), ...(asked > 0 ? [here.length + asked - 1] : [])]),
      ...Object.assign({}, ...all.map(({ feeds }) => feeds)),
      ...inputs,
    },
    { logits: null, ...Object.assign({}, ...used.map(({ fetches }) => fetches)) },
  );
  for (const cache of here) cache.length++;
  prompt.cache.length += asked;
  return rowsOf(logits, config.vocabulary);
}

export const greatest = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);

/** The first row that the next token of a text sees. */
const firstSeen = ({ length }: Cache, { window }: DecoderConfig): number =>
  window === null ? 0 : Math.max(0, length + 1 - window);

const whole = (values: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);

function rowsOf(tensor: Tensor | undefined, columns: number): Float32Array[] {
  const data = tensor?.data;
  if (!(data instanceof Float32Array)) throw new Error('the graph gives no f32');
  return Array.from({ length: data.length / columns }, (_, i) => data.slice(i * columns, (i + 1) * columns));
}
