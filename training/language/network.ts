// A decoder that is trained: its graphs in ONNX Runtime, and all trained numbers in one array, in which each tensor is a view.
//
// A layer at a time goes through the graphs, so memory has the base as it lies in its file, the input of each layer and what is
// kept of it, and the inner values of one.
import type { DecoderConfig, DecoderWeights, Frozen, Lora, Trained, TrainingSettings } from '@vectorium/nets';
import { trainingGraphs } from '@vectorium/nets';
import { Tensor } from 'onnxruntime-node';
import { type Feeds, floats, floatsOf, type Graph, openGraph } from '../session.ts';

/** Rows of tokens that go through together: see `TrainingGraphs`. */
export interface Part {
  batch: number;
  tokens: number;
  ids: BigInt64Array;
  positions: BigInt64Array;
  texts: BigInt64Array;
  places: BigInt64Array;
  targets: BigInt64Array;
  weights: Float32Array;
}

export interface NetworkOptions {
  config: DecoderConfig;
  settings: TrainingSettings;
  threads: number;
  /** Frozen weights with the bytes of their file, or null to train all weights. */
  base: { weights: DecoderWeights; bytes: () => Promise<Uint8Array> } | null;
  lora: Lora | null;
}

/** What is learnt at once goes through the output matrix in pieces of so many, since each has a number for every token there is. */
const answersAtOnce = 512;

/** An update goes through so many parameters at once, whose values in between the processor's caches hold. */
const parametersAtOnce = 2 ** 18;

const graphNames = [
  'mask',
  'embed',
  'embedBack',
  'layer',
  'layerBack',
  'head',
  'headBack',
  'logits',
  'norm',
  'update',
] as const;
type GraphName = (typeof graphNames)[number];

export class Network {
  readonly config: DecoderConfig;
  /** In the order in which they lie in `values`. */
  readonly trained: readonly Trained[];
  readonly values: Float32Array;
  /** Sums of what was learnt since the last update. */
  readonly gradients: Float32Array;
  /** The optimiser's, of the gradients and of their squares. */
  readonly sum: Float32Array;
  readonly squares: Float32Array;
  /** Updates that were done. */
  step = 0;
  readonly #graphs: Record<GraphName, Graph>;
  readonly #frozen: { embed: Feeds; head: Feeds; layers: Feeds[] };
  readonly #kept: Record<string, number>;
  /** Of each layer what it gives and what it keeps, in the same memory from part to part. */
  readonly #memory: Record<string, Float32Array>[];
  readonly #views: ReadonlyMap<string, { offset: number; length: number; shape: readonly number[] }>;

  static async open({ config, settings, threads, base, lora }: NetworkOptions): Promise<Network> {
    const graphs = trainingGraphs(
      config,
      base && lora ? { base: base.weights, lora } : { base: null, lora: null },
      settings,
    );
    const opened: Partial<Record<GraphName, Graph>> = {};
    for (const name of graphNames) {
      const bytes = graphs[name];
      if (bytes) opened[name] = await openGraph(bytes, threads);
    }
    const bytes = base ? await base.bytes() : new Uint8Array();
    const fed = (frozen: Record<string, Frozen>) => frozenFeeds(frozen, bytes);
    const { embed, head, layers } = graphs.frozen;
    const frozen = { embed: fed(embed), head: fed(head), layers: layers.map(fed) };
    return new Network({
      config,
      trained: graphs.trained,
      kept: graphs.kept,
      graphs: opened as Record<GraphName, Graph>,
      frozen,
    });
  }

  private constructor(made: {
    config: DecoderConfig;
    trained: Trained[];
    kept: Record<string, number>;
    graphs: Record<GraphName, Graph>;
    frozen: { embed: Feeds; head: Feeds; layers: Feeds[] };
  }) {
    this.config = made.config;
    this.trained = made.trained;
    this.#graphs = made.graphs;
    this.#frozen = made.frozen;
    this.#kept = made.kept;
    this.#memory = Array.from({ length: made.config.layers }, () => ({}));
    let offset = 0;
    this.#views = new Map(
      made.trained.map(({ name, shape }) => {
        const length = shape.reduce((product, size) => product * size, 1);
        const view = { offset, length, shape };
        offset += length;
        return [name, view] as const;
      }),
    );
    this.values = new Float32Array(offset);
    this.gradients = new Float32Array(offset);
    this.sum = new Float32Array(offset);
    this.squares = new Float32Array(offset);
  }

  /** The part of `all`, which is alike in length to `values`, that the tensor is. */
  view(name: string, all = this.values): Float32Array {
    const view = this.#views.get(name);
    if (!view) throw new Error(`no ${name} is trained`);
    return all.subarray(view.offset, view.offset + view.length);
  }

  /** Adds the gradient of a part's loss to `gradients`; gives the loss, a weighted sum of −log p. */
  async learn(part: Part): Promise<number> {
    const { inputs, last, around } = await this.#forward(part);
    const { loss, g } = await this.#learnHead(part, last);
    let back = g;
    for (let layer = this.config.layers - 1; layer >= 0; layer--) {
      const x = inputs[layer];
      if (!x) throw new Error('a layer has an input');
      const kept = this.#keptOf(layer, part);
      const found = await this.#graphs.layerBack.run({ x, g: back, ...around, ...kept, ...this.#weightsOf(layer) });
      this.#add(found, `layers.${layer}.`);
      back = tensorOf(found, 'dx');
    }
    if (this.#hasGraph('embedBack')) {
      const ids = wholes(part.ids, [part.batch, part.tokens]);
      this.#add(await this.#graphs.embedBack.run({ ids, g: back, ...this.#outer() }), '');
    }
    return loss;
  }

  async loss(part: Part): Promise<number> {
    const { last } = await this.#pass(part);
    let loss = 0;
    for (const answers of pieces(part)) {
      const found = await this.#graphs.head.run({ x: last, ...answers, ...this.#frozen.head, ...this.#outer() });
      loss += floatsOf(found, 'loss')[0] ?? NaN;
    }
    return loss;
  }

  /** The logits [vocabulary] of what follows each of a part's places. */
  async logits(part: Part): Promise<Float32Array[]> {
    const { last } = await this.#pass(part);
    const places = wholes(part.places, [part.places.length]);
    const found = await this.#graphs.logits.run({ x: last, places, ...this.#frozen.head, ...this.#outer() });
    const all = floatsOf(found, 'logits');
    const { vocabulary } = this.config;
    return Array.from(part.places, (_, i) => all.subarray(i * vocabulary, (i + 1) * vocabulary));
  }

  /** One step of the optimiser, `total` being what the sums are divided by; the gradient's length before it was clipped. */
  async update(rate: number, total: number): Promise<number> {
    const whole = single(Math.max(total, 1));
    const { norm } = await this.#graphs.norm.run({ gradients: flat(this.gradients), total: whole });
    if (!norm) throw new Error('gradients have a length');
    const settings = { step: single(this.step), rate: single(rate), total: whole, norm };
    for (let start = 0; start < this.values.length; start += parametersAtOnce) {
      const piece = (all: Float32Array) => all.subarray(start, start + parametersAtOnce);
      const found = await this.#graphs.update.run({
        values: flat(piece(this.values)),
        gradients: flat(piece(this.gradients)),
        sum: flat(piece(this.sum)),
        squares: flat(piece(this.squares)),
        ...settings,
      });
      piece(this.values).set(floatsOf(found, 'next.values'));
      piece(this.sum).set(floatsOf(found, 'next.sum'));
      piece(this.squares).set(floatsOf(found, 'next.squares'));
    }
    this.gradients.fill(0);
    this.step++;
    return floatsOf({ norm }, 'norm')[0] ?? NaN;
  }

  async release(): Promise<void> {
    for (const name of graphNames) if (this.#hasGraph(name)) await this.#graphs[name].release();
  }

  /** What goes into each layer, what comes out of the last, and what all layers take besides. Their kept values stay in memory. */
  async #forward(part: Part): Promise<{ inputs: Tensor[]; last: Tensor; around: Feeds }> {
    const inputs: Tensor[] = [];
    const { last, around } = await this.#pass(part, (layer, x) => {
      inputs.push(x);
      return { y: this.#place(layer, 'y', { part, width: this.config.hidden }), ...this.#keptOf(layer, part) };
    });
    return { inputs, last, around };
  }

  async #pass(
    part: Part,
    resultsOf: (layer: number, x: Tensor) => Record<string, Tensor | null> = () => ({ y: null }),
  ): Promise<{ last: Tensor; around: Feeds }> {
    const shape = [part.batch, part.tokens];
    const [ids, positions, texts] = [wholes(part.ids, shape), wholes(part.positions, shape), wholes(part.texts, shape)];
    const bias = tensorOf(await this.#graphs.mask.run({ texts, positions }), 'bias');
    const around = { positions, bias };
    let x = tensorOf(await this.#graphs.embed.run({ ids, ...this.#frozen.embed, ...this.#outer() }), 'x');
    for (let layer = 0; layer < this.config.layers; layer++) {
      const results = resultsOf(layer, x);
      x = tensorOf(await this.#graphs.layer.run({ x, ...around, ...this.#weightsOf(layer) }, results), 'y');
    }
    return { last: x, around };
  }

  #keptOf(layer: number, part: Part): Feeds {
    return Object.fromEntries(
      Object.entries(this.#kept).map(([name, width]) => {
        const whole = `kept.${name}`;
        return [whole, this.#place(layer, whole, { part, width })];
      }),
    );
  }

  /** The layer's memory for a result [batch, tokens, width]. */
  #place(layer: number, name: string, { part: { batch, tokens }, width }: { part: Part; width: number }): Tensor {
    const memory = this.#memory[layer] ?? {};
    const length = batch * tokens * width;
    let whole = memory[name];
    if (!whole || whole.length < length) memory[name] = whole = new Float32Array(length);
    return floats(whole.subarray(0, length), [batch, tokens, width]);
  }

  async #learnHead(part: Part, x: Tensor): Promise<{ loss: number; g: Tensor }> {
    const g = new Float32Array(x.size);
    let loss = 0;
    for (const answers of pieces(part)) {
      const found = await this.#graphs.headBack.run({ x, ...answers, ...this.#frozen.head, ...this.#outer() });
      loss += floatsOf(found, 'loss')[0] ?? NaN;
      addTo(g, floatsOf(found, 'dx'));
      this.#add(found, '');
    }
    return { loss, g: floats(g, [...x.dims]) };
  }

  #hasGraph(name: GraphName): boolean {
    return (this.#graphs[name] as Graph | undefined) !== undefined;
  }

  #weightsOf(layer: number): Feeds {
    return { ...this.#frozen.layers[layer], ...this.#trainedFeeds(`layers.${layer}.`) };
  }

  /** Trained tensors that belong to no layer. */
  #outer(): Feeds {
    return this.#trainedFeeds('');
  }

  #trainedFeeds(prefix: string): Feeds {
    const feeds: Feeds = {};
    for (const [name, { shape }] of this.#views)
      if (prefix === '' ? !name.startsWith('layers.') : name.startsWith(prefix))
        feeds[`trained.${name.slice(prefix.length)}`] = floats(this.view(name), [...shape]);
    return feeds;
  }

  #add(found: Record<string, Tensor>, prefix: string): void {
    for (const name of Object.keys(found))
      if (name.startsWith('gradient.'))
        addTo(this.view(`${prefix}${name.slice('gradient.'.length)}`, this.gradients), floatsOf(found, name));
  }
}

const flat = (values: Float32Array): Tensor => floats(values, [values.length]);
const single = (value: number): Tensor => floats(Float32Array.of(value), []);
const wholes = (values: BigInt64Array, shape: number[]): Tensor => new Tensor('int64', values, shape);

function addTo(sums: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + (values[i] ?? 0);
}

function tensorOf(found: Record<string, Tensor>, name: string): Tensor {
  const tensor = found[name];
  if (!tensor) throw new Error(`the graph gives no ${name}`);
  return tensor;
}

/** The answers of a part, some at a time. */
function* pieces({ places, targets, weights }: Part): Generator<Feeds> {
  for (let from = 0; from < places.length; from += answersAtOnce) {
    const to = Math.min(from + answersAtOnce, places.length);
    yield {
      places: wholes(places.slice(from, to), [to - from]),
      targets: wholes(targets.slice(from, to), [to - from]),
      weights: floats(weights.slice(from, to), [to - from]),
    };
  }
}

function frozenFeeds(frozen: Record<string, Frozen>, bytes: Uint8Array): Feeds {
  return Object.fromEntries(
    Object.entries(frozen).map(([name, { place, shape, dtype }]) => {
      const start = bytes.byteOffset + place.offset;
      if (dtype === 'u8') return [name, new Tensor('uint8', new Uint8Array(bytes.buffer, start, place.bytes), shape)];
      if (dtype === 'i8') return [name, new Tensor('int8', new Int8Array(bytes.buffer, start, place.bytes), shape)];
      return [name, floats(new Float32Array(bytes.buffer, start, place.bytes / 4), [...shape])];
    }),
  );
}
