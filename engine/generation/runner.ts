// A step of the model: a new token of some texts and a piece of one prompt, into their caches; the logits that are wanted.
import { cacheNames, type DecoderConfig, HIDDEN } from '@vectorium/nets';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { TextCache } from './caches.ts';
import { type Groups, seenOf, type Side } from './groups.ts';
import type { AdapterStacks } from './stacks.ts';

/** Sessions for a piece of a prompt, and for the next token of some texts. */
export interface Sessions {
  prompt(): Promise<InferenceSession>;
  next(): Promise<InferenceSession>;
}

export interface Row {
  cache: TextCache;
  /** Tokens behind those of the cache. */
  ids: readonly number[];
}

interface RunnerOptions {
  config: DecoderConfig;
  /** Without adapters, or with. */
  sessions(adapters: boolean): Sessions;
  stacks: AdapterStacks;
  groups: Groups;
}

interface Inputs {
  ids: readonly number[];
  positions: readonly number[];
  adapters: boolean;
  feeds: Record<string, Tensor>;
  fetches: Record<string, Tensor>;
}

export class Runner {
  readonly #options: RunnerOptions;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** The logits of each text that goes on, then those of the prompt's last token. The rows are in the caches afterwards.
   *  Prompts are run apart, so that a text is computed alike whether another begins beside it or not. */
  async run(going: readonly Row[], prompt: Row | null): Promise<Float32Array[]> {
    const ids = new Map(going.map(row => [row.cache, row.ids]));
    const said = new Map<TextCache, Float32Array>();
    for (const side of this.#options.groups.arrange([...ids.keys()])) await this.#goOn(side, ids, said);
    if (prompt) said.set(prompt.cache, await this.#begin(prompt));
    return [...going, ...(prompt ? [prompt] : [])].map(({ cache }) => said.get(cache) ?? missing());
  }

  async #begin({ cache, ids }: Row): Promise<Float32Array> {
    const { length, adapter } = cache;
    const { feeds, fetches } = this.#rows(cache.layers, {
      first: 0,
      past: length,
      from: length,
      to: length + ids.length,
    });
    const [logits] = await this.#computed('prompt', {
      ids,
      positions: ids.map((_, i) => length + i),
      adapters: adapter !== null,
      feeds: { ...feeds, wanted: whole([ids.length - 1]), ...(adapter !== null && this.#options.stacks.only(adapter)) },
      fetches,
    });
    cache.ids.push(...ids);
    return logits ?? missing();
  }

  async #goOn(
    side: Side,
    ids: ReadonlyMap<TextCache, readonly number[]>,
    said: Map<TextCache, Float32Array>,
  ): Promise<void> {
    const { columns, layers, end, seen } = side;
    const { feeds, fetches } = this.#rows(layers, {
      first: end - seen,
      past: end + 1,
      from: end,
      to: end + 1,
      texts: columns.length,
    });
    const ofTexts = columns.map(cache => cache?.adapter ?? null);
    const adapters = ofTexts.some(adapter => adapter !== null);
    const idOf = (cache: TextCache) => ids.get(cache)?.[0] ?? 0;
    const logits = await this.#computed('next', {
      ids: columns.map(cache => (cache ? idOf(cache) : 0)),
      positions: columns.map(cache => cache?.length ?? 0),
      adapters,
      feeds: { ...feeds, bias: this.#bias(columns, seen), ...(adapters && this.#options.stacks.feeds(ofTexts)) },
      fetches,
    });
    side.written();
    for (const [column, cache] of columns.entries()) {
      if (!cache) continue;
      cache.ids.push(idOf(cache));
      said.set(cache, logits[column] ?? missing());
    }
  }

  /** Hides what lies before a text; the new row it always sees. */
  #bias(columns: readonly (TextCache | null)[], seen: number): Tensor {
    const bias = new Float32Array(columns.length * (seen + 1));
    for (const [column, cache] of columns.entries()) {
      const own = cache ? seenOf(cache, this.#options.config) : 0;
      bias.fill(HIDDEN, column * (seen + 1), column * (seen + 1) + seen - own);
    }
    return new Tensor('float32', bias, [columns.length, seen + 1]);
  }

  /** Caches as inputs, from row `first` until before `past`, and the places of new rows as outputs. */
  #rows(
    layers: TextCache['layers'],
    { first, past, from, to, texts = 1 }: { first: number; past: number; from: number; to: number; texts?: number },
  ): Pick<Inputs, 'feeds' | 'fetches'> {
    const { keyValueHeads, headSize } = this.#options.config;
    const columns = texts * keyValueHeads;
    const size = columns * headSize;
    const rows = (values: Float32Array, start: number, stop: number) => values.subarray(start * size, stop * size);
    const seen = (values: Float32Array) =>
      new Tensor('float32', rows(values, first, past), [past - first, columns, 1, headSize]);
    const added = (values: Float32Array) =>
      new Tensor('float32', rows(values, from, to), [(to - from) * texts, keyValueHeads, headSize]);
    const feeds: Record<string, Tensor> = {};
    const fetches: Record<string, Tensor> = {};
    for (const [layer, { key, value }] of layers.entries()) {
      const names = cacheNames(layer);
      feeds[names.key.input] = seen(key);
      feeds[names.value.input] = seen(value);
      fetches[names.key.output] = added(key);
      fetches[names.value.output] = added(value);
    }
    return { feeds, fetches };
  }

  /** Logits row by row. */
  async #computed(
    graph: keyof Sessions,
    { ids, positions, adapters, feeds, fetches }: Inputs,
  ): Promise<Float32Array[]> {
    const { config, sessions } = this.#options;
    const session = await sessions(adapters)[graph]();
    Object.assign(feeds, { ids: whole(ids), positions: whole(positions) });
    const { logits } = await session.run(feeds, { logits: null, ...fetches });
    const data = logits?.data;
    if (!(data instanceof Float32Array)) throw new Error('the graph gives no f32 logits');
    const { vocabulary } = config;
    return Array.from({ length: data.length / vocabulary }, (_, row) =>
      data.subarray(row * vocabulary, (row + 1) * vocabulary),
    );
  }
}

function missing(): never {
  throw new Error('a text has no logits');
}

function whole(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}
