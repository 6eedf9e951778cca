// One thread's share of a training: the graphs that go through some rows, forward and back, with memory of their own. Weights lie
// in memory that all threads share, and so does the gradient of what a learner went through last.
//
// A layer at a time goes through the graphs, so memory has the base as it lies in its file, the input of each layer and what is
// kept of it, and the inner values of one.
import type { DecoderConfig, Frozen, Trained, TrainingGraphs } from '@vectorium/nets';
import { Tensor } from 'onnxruntime-node';
import { type Feeds, floats, floatsOf, type Graph, openGraph } from '../session.ts';

/** Where each trained tensor lies in the array of all. */
export type Views = ReadonlyMap<string, { offset: number; length: number; shape: readonly number[] }>;

export function viewsOf(trained: readonly Trained[]): Views {
  let offset = 0;
  return new Map(
    trained.map(({ name, shape }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const place = { offset, length, shape };
      offset += length;
      return [name, place];
    }),
  );
}

/** The part of `all`, an array of as many numbers as are trained, that the tensor is. */
export function view(views: Views, name: string, all: Float32Array): Float32Array {
  const found = views.get(name);
  if (!found) throw new Error(`no ${name} is trained`);
  return all.subarray(found.offset, found.offset + found.length);
}

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

/** What is learnt at once goes through the output matrix in pieces of so many, since each has a number for every token there is. */
const answersAtOnce = 512;

const graphNames = ['mask', 'embed', 'embedBack', 'layer', 'layerBack', 'head', 'headBack', 'logits'] as const;
type GraphName = (typeof graphNames)[number];

export interface LearnerOptions {
  config: DecoderConfig;
  graphs: Pick<TrainingGraphs, GraphName | 'frozen' | 'kept'>;
  trained: readonly Trained[];
  /** Of the frozen weights' file. */
  bytes: Uint8Array<SharedArrayBuffer>;
  values: Float32Array;
  /** For the gradient of the part that was learnt last. */
  gradients: Float32Array;
  threads: number;
}

export class Learner {
  readonly #config: DecoderConfig;
  readonly #values: Float32Array;
  readonly #gradients: Float32Array;
  readonly #views: Views;
  /** What belongs to no layer. */
  readonly #outside: readonly Trained[];
  readonly #graphs: Record<GraphName, Graph>;
  readonly #frozen: { embed: Feeds; head: Feeds; layers: Feeds[] };
  readonly #kept: Record<string, number>;
  /** Of each layer what it gives and what it keeps, in the same memory from part to part. */
  readonly #memory: Record<string, Float32Array>[];

  static async open({ graphs, threads, ...options }: LearnerOptions): Promise<Learner> {
    const opened: Partial<Record<GraphName, Graph>> = {};
    for (const name of graphNames) {
      const bytes = graphs[name];
      if (bytes) opened[name] = await openGraph(bytes, threads, { patterns: false });
    }
    return new Learner({ ...options, ...graphs, opened: opened as Record<GraphName, Graph> });
  }

  private constructor({
    config,
    trained,
    bytes,
    values,
    gradients,
    frozen: { embed, head, layers },
    kept,
    opened,
  }: Omit<LearnerOptions, 'graphs' | 'threads'> &
    Pick<TrainingGraphs, 'frozen' | 'kept'> & { opened: Record<GraphName, Graph> }) {
    this.#config = config;
    this.#values = values;
    this.#gradients = gradients;
    this.#views = viewsOf(trained);
    this.#outside = trained.filter(({ name }) => !name.startsWith('layers.'));
    this.#graphs = opened;
    const fed = (frozen: Record<string, Frozen>) => frozenFeeds(frozen, bytes);
    this.#frozen = { embed: fed(embed), head: fed(head), layers: layers.map(fed) };
    this.#kept = kept;
    this.#memory = Array.from({ length: config.layers }, () => ({}));
  }

  /** The loss of a part, a weighted sum of −log p; its gradient goes into `gradients`. */
  async learn(part: Part): Promise<number> {
    for (const { name } of this.#outside) view(this.#views, name, this.#gradients).fill(0);
    const { inputs, last, around } = await this.#forward(part);
    const { loss, g } = await this.#learnHead(part, last);
    let back = g;
    for (let layer = this.#config.layers - 1; layer >= 0; layer--) {
      const x = inputs[layer];
      if (!x) throw new Error('a layer has an input');
      const kept = this.#keptOf(layer, part);
      // What a layer gave is not asked for again, so that the gradient of its input takes the place.
      const results = {
        dx: this.#place(layer, 'y', { part, width: this.#config.hidden }),
        ...this.#gradientsOf(layer),
      };
      const found = await this.#graphs.layerBack.run(
        { x, g: back, ...around, ...kept, ...this.#weightsOf(layer) },
        results,
      );
      back = tensorOf(found, 'dx');
    }
    if (this.#hasGraph('embedBack')) {
      const ids = wholes(part.ids, [part.batch, part.tokens]);
      this.#addOuter(await this.#graphs.embedBack.run({ ids, g: back, ...this.#outer() }));
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
    const { vocabulary } = this.#config;
    return Array.from(part.places, (_, i) => all.subarray(i * vocabulary, (i + 1) * vocabulary));
  }

  async release(): Promise<void> {
    for (const name of graphNames) if (this.#hasGraph(name)) await this.#graphs[name].release();
  }

  /** What goes into each layer, what comes out of the last, and what all layers take besides. Their kept values stay in memory. */
  async #forward(part: Part): Promise<{ inputs: Tensor[]; last: Tensor; around: Feeds }> {
    const inputs: Tensor[] = [];
    const { last, around } = await this.#pass(part, (layer, x) => {
      inputs.push(x);
      return { y: this.#place(layer, 'y', { part, width: this.#config.hidden }), ...this.#keptOf(layer, part) };
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
    for (let layer = 0; layer < this.#config.layers; layer++) {
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
      this.#addOuter(found);
    }
    return { loss, g: floats(g, [...x.dims]) };
  }

  #hasGraph(name: GraphName): boolean {
    return (this.#graphs[name] as Graph | undefined) !== undefined;
  }

  #weightsOf(layer: number): Feeds {
    return { ...this.#frozen.layers[layer], ...this.#named('trained', `layers.${layer}.`, this.#values) };
  }

  #gradientsOf(layer: number): Feeds {
    return this.#named('gradient', `layers.${layer}.`, this.#gradients);
  }

  /** Trained tensors that belong to no layer. */
  #outer(): Feeds {
    return Object.fromEntries(
      this.#outside.map(({ name, shape }) => [
        `trained.${name}`,
        floats(view(this.#views, name, this.#values), [...shape]),
      ]),
    );
  }

  #named(of: 'trained' | 'gradient', prefix: string, all: Float32Array): Feeds {
    const feeds: Feeds = {};
    for (const [name, { shape }] of this.#views)
      if (name.startsWith(prefix))
        feeds[`${of}.${name.slice(prefix.length)}`] = floats(view(this.#views, name, all), [...shape]);
    return feeds;
  }

  #addOuter(found: Record<string, Tensor>): void {
    for (const { name } of this.#outside)
      if (found[`gradient.${name}`])
        addTo(view(this.#views, name, this.#gradients), floatsOf(found, `gradient.${name}`));
  }
}

const wholes = (values: BigInt64Array, shape: number[]): Tensor => new Tensor('int64', values, shape);

export function addTo(sums: Float32Array, values: Float32Array): void {
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
