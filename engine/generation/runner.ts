// A step of the model: a new token of some texts and a piece of one prompt, into their caches; the logits that are wanted.
import { cacheNames, type DecoderConfig } from '@vectorium/nets';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { TextCache } from './caches.ts';
import type { AdapterStacks } from './stacks.ts';

/** Sessions for a piece of a prompt, for the next token of one text, and for those of several. */
export interface Sessions {
  prompt(): Promise<InferenceSession>;
  one(): Promise<InferenceSession>;
  batch(): Promise<InferenceSession>;
}

export interface Row {
  cache: TextCache;
  /** Tokens behind those of the cache. */
  ids: readonly number[];
}

interface RunnerOptions {
  config: DecoderConfig;
  /** Places of the batch. */
  texts: number;
  /** Without adapters, or with. */
  sessions(adapters: boolean): Sessions;
  stacks: AdapterStacks;
}

export class Runner {
  readonly #options: RunnerOptions;
  /** Fills places that are free. */
  readonly #free: TextCache;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#free = new TextCache(options.config, { capacity: 1, adapter: null });
  }

  /** The logits of each text that goes on, then those of the prompt's last token. The rows are in the caches afterwards.
   *  Prompts are run apart, so that a text is computed alike whether another begins beside it or not. */
  async run(going: readonly Row[], prompt: Row | null): Promise<Float32Array[]> {
    const said = going.length > 0 ? await this.#goOn(going) : [];
    return prompt ? [...said, ...(await this.#begin(prompt))] : said;
  }

  async #begin(prompt: Row): Promise<Float32Array[]> {
    const { config, sessions, stacks } = this.#options;
    const { cache, ids } = prompt;
    const inputs = new Inputs(config);
    inputs.behind(cache, ids.length);
    const adapted = cache.adapter !== null;
    Object.assign(inputs.feeds, {
      wanted: whole([ids.length - 1]),
      ...(adapted && stacks.feeds([cache.adapter], false)),
    });
    return this.#computed(await sessions(adapted).prompt(), [prompt], inputs);
  }

  async #goOn(going: readonly Row[]): Promise<Float32Array[]> {
    const { config, texts, sessions, stacks } = this.#options;
    const ofTexts = going.map(({ cache }) => cache.adapter);
    const adapted = ofTexts.some(adapter => adapter !== null);
    const alone = going.length === 1;
    const inputs = new Inputs(config);
    for (let place = 0; place < (alone ? 1 : texts); place++) {
      const row = going[place];
      inputs.add(row?.cache ?? this.#free, { place, tokens: 1, fetch: row !== undefined });
    }
    if (!alone) {
      const places = Array.from({ length: texts }, (_, place) => (place < going.length ? place : 0));
      Object.assign(inputs.feeds, { places: whole(places), rows: whole(going.map((_, place) => place)) });
    }
    if (adapted) Object.assign(inputs.feeds, stacks.feeds(ofTexts, !alone));
    const { one, batch } = sessions(adapted);
    return this.#computed(await (alone ? one() : batch()), going, inputs);
  }

  async #computed(session: InferenceSession, rows: readonly Row[], inputs: Inputs): Promise<Float32Array[]> {
    const { logits } = await session.run(
      { ids: whole(rows.flatMap(({ ids }) => ids)), positions: whole(rows.flatMap(positionsOf)), ...inputs.feeds },
      { logits: null, ...inputs.fetches },
    );
    for (const { cache, ids } of rows) cache.ids.push(...ids);
    const data = logits?.data;
    if (!(data instanceof Float32Array)) throw new Error('the graph gives no f32 logits');
    const { vocabulary } = this.#options.config;
    return rows.map((_, row) => data.subarray(row * vocabulary, (row + 1) * vocabulary));
  }
}

const positionsOf = ({ cache, ids }: Row): number[] => ids.map((_, i) => cache.length + i);

interface Place {
  place: number;
  tokens: number;
  fetch: boolean;
}

/** Caches as inputs, and their new rows as the places of outputs. */
class Inputs {
  readonly feeds: Record<string, Tensor> = {};
  readonly fetches: Record<string, Tensor> = {};
  readonly #config: DecoderConfig;

  constructor(config: DecoderConfig) {
    this.#config = config;
  }

  /** What a text sees from its next token on, with the rows of `tokens` new ones, which are in the same memory. */
  add(cache: TextCache, { place, tokens, fetch }: Place): void {
    const { window } = this.#config;
    const end = cache.length + tokens;
    const first = window === null ? 0 : Math.max(0, end - window);
    this.#rows(cache, { place, from: first, to: end, end: fetch ? end : null });
  }

  /** All that there is of a text, and places for the rows of `tokens` new ones behind it. */
  behind(cache: TextCache, tokens: number): void {
    this.#rows(cache, { place: 0, from: 0, to: cache.length, end: cache.length + tokens });
  }

  #rows(
    cache: TextCache,
    { place, from, to, end }: { place: number; from: number; to: number; end: number | null },
  ): void {
    const { keyValueHeads, headSize } = this.#config;
    const size = keyValueHeads * headSize;
    const rows = (values: Float32Array, first: number, last: number) =>
      new Tensor('float32', values.subarray(first * size, last * size), [last - first, keyValueHeads, headSize]);
    for (const [layer, { key, value }] of cache.layers.entries()) {
      const names = cacheNames(layer, place);
      this.feeds[names.key.input] = rows(key, from, to);
      this.feeds[names.value.input] = rows(value, from, to);
      if (end === null) continue;
      this.fetches[names.key.output] = rows(key, cache.length, end);
      this.fetches[names.value.output] = rows(value, cache.length, end);
    }
  }
}

function whole(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}
