// One run of the model: a new token of some texts and a piece of one prompt, into their caches; the logits that are wanted.
import { attentionBias, cacheNames, type DecoderConfig } from '@vectorium/nets';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { TextCache } from './caches.ts';
import type { AdapterStacks } from './stacks.ts';

/** Graphs for one text that goes on alone, and for all else. */
export interface Sessions {
  one: InferenceSession;
  batch: InferenceSession;
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
  sessions(adapters: boolean): Promise<Sessions>;
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

  /** The logits of each text that goes on, then those of the prompt's last token. The rows are in the caches afterwards. */
  async run(going: readonly Row[], prompt: Row | null): Promise<Float32Array[]> {
    const rows = prompt ? [...going, prompt] : going;
    const adapted = rows.some(({ cache }) => cache.adapter !== null);
    const { one, batch } = await this.#options.sessions(adapted);
    const alone = going.length === 1 && !prompt;
    const { feeds, fetches } = alone ? this.#aloneInputs(going) : this.#batchInputs(going, prompt);
    const ofTokens = rows.flatMap(({ cache, ids }) => ids.map(() => cache.adapter));
    const adapters = adapted ? this.#options.stacks.feeds(ofTokens, !alone) : {};
    const { logits } = await (alone ? one : batch).run(
      {
        ids: whole(rows.flatMap(({ ids }) => ids)),
        positions: whole(rows.flatMap(({ cache, ids }) => ids.map((_, i) => cache.length + i))),
        ...feeds,
        ...adapters,
      },
      { logits: null, ...fetches },
    );
    for (const { cache, ids } of rows) cache.ids.push(...ids);
    const data = logits?.data;
    if (!(data instanceof Float32Array)) throw new Error('the graph gives no f32 logits');
    const { vocabulary } = this.#options.config;
    return rows.map((_, row) => data.subarray(row * vocabulary, (row + 1) * vocabulary));
  }

  #aloneInputs(going: readonly Row[]): Inputs {
    const inputs = new Inputs(this.#options.config);
    for (const [place, { cache }] of going.entries()) inputs.add(cache, { place, tokens: 1, fetch: true });
    return inputs;
  }

  #batchInputs(going: readonly Row[], prompt: Row | null): Inputs {
    const { config, texts } = this.#options;
    const inputs = new Inputs(config);
    for (let place = 0; place < texts; place++) {
      const row = going[place];
      inputs.add(row?.cache ?? this.#free, { place, tokens: 1, fetch: row !== undefined });
    }
    const promptTokens = prompt?.ids.length ?? 1;
    const cache = prompt?.cache ?? this.#free;
    inputs.add(cache, { place: texts, tokens: promptTokens, fetch: prompt !== null, all: true });
    const total = cache.length + promptTokens;
    const behind = Array.from({ length: promptTokens }, (_, i) => cache.length + i);
    const bias = attentionBias(behind, { first: 0, total, window: config.window });
    const last = prompt ? [going.length + promptTokens - 1] : [];
    const placeOf = (place: number) => (place < going.length ? place : 0);
    Object.assign(inputs.feeds, {
      places: whole([
        ...Array.from({ length: texts }, (_, place) => placeOf(place)),
        ...behind.map((_, i) => (prompt ? going.length + i : 0)),
      ]),
      rows: whole([...going.map((_, place) => place), ...(prompt ? behind.map((_, i) => texts + i) : [])]),
      bias: new Tensor('float32', bias, [promptTokens, total]),
      wanted: whole([...going.map((_, row) => row), ...last]),
    });
    return inputs;
  }
}

interface Place {
  place: number;
  tokens: number;
  fetch: boolean;
  all?: boolean;
}

/** Caches as inputs, and their new rows as the places of outputs. */
class Inputs {
  readonly feeds: Record<string, Tensor> = {};
  readonly fetches: Record<string, Tensor> = {};
  readonly #config: DecoderConfig;

  constructor(config: DecoderConfig) {
    this.#config = config;
  }

  /** With `all` also rows before the window, where a bias tells which are seen. */
  add(cache: TextCache, { place, tokens, fetch, all = false }: Place): void {
    const { keyValueHeads, headSize, window } = this.#config;
    const size = keyValueHeads * headSize;
    const end = cache.length + tokens;
    const first = window === null || all ? 0 : Math.max(0, end - window);
    const rows = (values: Float32Array, from: number) =>
      new Tensor('float32', values.subarray(from * size, end * size), [end - from, keyValueHeads, headSize]);
    for (const [layer, { key, value }] of cache.layers.entries()) {
      const names = cacheNames(layer, place);
      this.feeds[names.key.input] = rows(key, first);
      this.feeds[names.value.input] = rows(value, first);
      if (!fetch) continue;
      this.fetches[names.key.output] = rows(key, cache.length);
      this.fetches[names.value.output] = rows(value, cache.length);
    }
  }
}

function whole(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}
