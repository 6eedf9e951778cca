// A decoder that is trained: all trained numbers in one array, in which each tensor is a view, what the optimiser knows of them, and
// learners, a thread each, that go through rows.
//
// A thread for some rows is faster than all threads for each operator: many of them are too small to be shared, and half of what a
// processor's caches hold is the other one's then. One row goes with one learner, so a step needs as many rows.
import type { DecoderConfig, DecoderWeights, Lora, Trained, TrainingSettings } from '@vectorium/nets';
import { trainingGraphs } from '@vectorium/nets';
import { Tensor } from 'onnxruntime-node';
import { Worker } from 'node:worker_threads';
import { floats, floatsOf, type Graph, openGraph } from '../session.ts';
import { addTo, type LearnerOptions, type Part, view, type Views, viewsOf } from './learner.ts';

export type { Part } from './learner.ts';

export interface NetworkOptions {
  config: DecoderConfig;
  settings: TrainingSettings;
  threads: number;
  /** Share the threads, and the rows of each part. */
  learners: number;
  /** Frozen weights with the bytes of their file, in memory that threads share, or null to train all weights. */
  base: { weights: DecoderWeights; bytes: () => Promise<Uint8Array<SharedArrayBuffer>> } | null;
  lora: Lora | null;
}

export type Question = { kind: 'learn' | 'loss' | 'logits'; part: Part } | { kind: 'release' };
export type Answer = { answer: number | Float32Array[] | null } | { error: string };

/** An update goes through so many parameters at once, whose values in between the processor's caches hold. */
const parametersAtOnce = 2 ** 18;

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
  readonly #views: Views;
  readonly #graphs: Record<'norm' | 'update', Graph>;
  readonly #learners: LearnerThread[];

  static async open({ config, settings, threads, learners, base, lora }: NetworkOptions): Promise<Network> {
    const { norm, update, trained, ...graphs } = trainingGraphs(
      config,
      base && lora ? { base: base.weights, lora } : { base: null, lora: null },
      settings,
    );
    // Sessions of this thread come first: they set what a thread does with numbers that are too small, and threads inherit that.
    const opened = { norm: await openGraph(norm, threads), update: await openGraph(update, threads) };
    const count = [...viewsOf(trained).values()].reduce((sum, { length }) => sum + length, 0);
    const values = sharedFloats(count);
    const bytes = base ? await base.bytes() : new Uint8Array(new SharedArrayBuffer(0));
    const of = { config, graphs, trained, bytes, values, threads: Math.max(1, Math.floor(threads / learners)) };
    const made = Array.from({ length: learners }, () => new LearnerThread({ ...of, gradients: sharedFloats(count) }));
    const network = new Network({ config, trained, values, graphs: opened, learners: made });
    await Promise.all(made.map(learner => learner.opened));
    return network;
  }

  private constructor(made: {
    config: DecoderConfig;
    trained: readonly Trained[];
    values: Float32Array;
    graphs: Record<'norm' | 'update', Graph>;
    learners: LearnerThread[];
  }) {
    this.config = made.config;
    this.trained = made.trained;
    this.#graphs = made.graphs;
    this.#learners = made.learners;
    this.#views = viewsOf(made.trained);
    this.values = made.values;
    this.gradients = new Float32Array(made.values.length);
    this.sum = new Float32Array(made.values.length);
    this.squares = new Float32Array(made.values.length);
  }

  /** The part of `all`, which is alike in length to `values`, that the tensor is. */
  view(name: string, all = this.values): Float32Array {
    return view(this.#views, name, all);
  }

  /** Adds the gradient of a part's loss to `gradients`; gives the loss, a weighted sum of −log p. */
  async learn(part: Part): Promise<number> {
    const losses = await this.#each(part, (learner, own) => learner.ask<number>('learn', own));
    // In their order, so that the sum is the same each time.
    for (const [i] of losses.entries()) {
      const learner = this.#learners[i];
      if (learner) addTo(this.gradients, learner.gradients);
    }
    return sumOf(losses);
  }

  async loss(part: Part): Promise<number> {
    return sumOf(await this.#each(part, (learner, own) => learner.ask<number>('loss', own)));
  }

  /** The logits [vocabulary] of what follows each of a part's places. */
  async logits(part: Part): Promise<Float32Array[]> {
    return (await this.#each(part, (learner, own) => learner.ask<Float32Array[]>('logits', own))).flat();
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
    await Promise.all(this.#learners.map(learner => learner.release()));
    for (const graph of Object.values(this.#graphs)) await graph.release();
  }

  /** What each learner gives for its rows of a part. */
  #each<Found>(part: Part, found: (learner: LearnerThread, own: Part) => Promise<Found>): Promise<Found[]> {
    const rows = Math.ceil(part.batch / this.#learners.length);
    return Promise.all(
      this.#learners.flatMap((learner, i) => {
        const own = rowsOf(part, { start: i * rows, end: Math.min((i + 1) * rows, part.batch) });
        return own ? [found(learner, own)] : [];
      }),
    );
  }
}

/** A learner in a thread of its own, which is asked one thing at a time. */
class LearnerThread {
  readonly gradients: Float32Array;
  readonly opened: Promise<unknown>;
  readonly #worker: Worker;
  readonly #ended: Promise<unknown>;
  #waiting: { resolve: (answer: never) => void; reject: (error: Error) => void } | null = null;
  #lost: Error | null = null;

  constructor(options: LearnerOptions) {
    this.gradients = options.gradients;
    this.#worker = new Worker(new URL('learner-thread.ts', import.meta.url), { workerData: options });
    this.#ended = new Promise(resolve => this.#worker.once('exit', resolve));
    this.#worker.on('message', (answer: Answer) => {
      if ('error' in answer) this.#waiting?.reject(new Error(answer.error));
      else this.#waiting?.resolve(answer.answer as never);
    });
    const lose = (error: unknown) => {
      this.#lost ??= error instanceof Error ? error : new Error(String(error));
      this.#waiting?.reject(this.#lost);
    };
    this.#worker.on('error', lose);
    this.#worker.on('exit', code => lose(new Error(`a learner ended with code ${code}`)));
    this.opened = this.#answer();
  }

  ask<Found>(kind: 'learn' | 'loss' | 'logits', part: Part): Promise<Found> {
    if (this.#lost) return Promise.reject(this.#lost);
    this.#send({ kind, part });
    return this.#answer();
  }

  /** Resolves when the thread has ended. */
  async release(): Promise<void> {
    this.#waiting = null;
    this.#send({ kind: 'release' });
    await this.#ended;
  }

  #send(question: Question): void {
    this.#worker.postMessage(question, []);
  }

  #answer<Found>(): Promise<Found> {
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }
}

/** Some rows of a part; null where there are none. */
function rowsOf(part: Part, { start, end }: { start: number; end: number }): Part | null {
  const { tokens } = part;
  if (start >= end) return null;
  if (start === 0 && end === part.batch) return part;
  const [from, to] = [start * tokens, end * tokens];
  const chosen = Array.from(part.places.keys()).filter(i => {
    const place = Number(part.places[i]);
    return place >= from && place < to;
  });
  const numbers = (all: BigInt64Array) => BigInt64Array.from(chosen, i => all[i] ?? 0n);
  return {
    batch: end - start,
    tokens,
    ids: part.ids.slice(from, to),
    positions: part.positions.slice(from, to),
    texts: part.texts.slice(from, to),
    places: numbers(part.places).map(place => place - BigInt(from)),
    targets: numbers(part.targets),
    weights: Float32Array.from(chosen, i => part.weights[i] ?? 0),
  };
}

const flat = (values: Float32Array): Tensor => floats(values, [values.length]);
const single = (value: number): Tensor => floats(Float32Array.of(value), []);
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const sharedFloats = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));
