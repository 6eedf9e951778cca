// What the tests of decoders share: a cache in plain arrays, and runs of the graphs on it.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { DecoderConfig } from './config.ts';
import { cacheNames } from './inference.ts';

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

  /** Inputs of all rows from `first` on, together with `tokens` new ones unless only those that are there are asked for, and the
   *  places of the new ones as outputs. */
  tensors(
    text: number,
    { first, tokens, alreadyThere = false }: { first: number; tokens: number; alreadyThere?: boolean },
  ) {
    const feeds: Record<string, Tensor> = {};
    const fetches: Record<string, Tensor> = {};
    const { keyValueHeads, headSize } = this.#config;
    const end = this.length + tokens;
    const rows = (all: Float32Array, from: number, to = end) =>
      new Tensor('float32', all.subarray(from * this.#rowSize, to * this.#rowSize), [
        to - from,
        keyValueHeads,
        headSize,
      ]);
    const seenEnd = alreadyThere ? this.length : end;
    for (const [layer, { key, value }] of this.#rows.entries()) {
      const names = cacheNames(layer, text);
      feeds[names.key.input] = rows(key, first, seenEnd);
      feeds[names.value.input] = rows(value, first, seenEnd);
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
  { config, ids, inputs = {} }: { config: DecoderConfig; ids: readonly number[]; inputs?: Record<string, Tensor> },
): Promise<Float32Array[]> {
  const tokens = ids.length;
  const positions = ids.map((_, i) => cache.length + i);
  const { feeds, fetches } = cache.tensors(0, { first: 0, tokens, alreadyThere: true });
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

/** Runs one token each of the texts that are in places; the logits of each. */
export async function runBatch(
  session: InferenceSession,
  caches: readonly (Cache | null)[],
  { config, ids, inputs = {} }: { config: DecoderConfig; ids: readonly number[]; inputs?: Record<string, Tensor> },
): Promise<Float32Array[]> {
  const free = new Cache(config, 1);
  const here = caches.flatMap(cache => cache ?? []);
  const all = caches.map((cache, text) =>
    (cache ?? free).tensors(text, { first: cache ? firstSeen(cache, config) : 0, tokens: 1 }),
  );
  let row = 0;
  const { logits } = await session.run(
    {
      ids: whole(ids),
      positions: whole(here.map(({ length }) => length)),
      places: whole(caches.map(cache => (cache ? row++ : 0))),
      rows: whole(caches.flatMap((cache, place) => (cache ? place : []))),
      ...Object.assign({}, ...all.map(({ feeds }) => feeds)),
      ...inputs,
    },
    { logits: null, ...Object.assign({}, ...all.map(({ fetches }, text) => (caches[text] ? fetches : {}))) },
  );
  for (const cache of here) cache.length++;
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
