// One embed call: the passes that it needs, the vectors that come back, and its end by success, failure or departure.
import type { EngineError } from './errors.ts';
import { type Frame, framed, lateWindows, normalize } from './late.ts';
import type { Queued } from './queue.ts';
import type { ModelHandle, Prepared } from './types.ts';

/** A text on its way through the model; callers that want the very same share it. */
export interface Work extends Queued {
  /** Equal for equal ids and spans. */
  readonly key: string;
  /** With special tokens and prefix. */
  readonly ids: Int32Array;
  /** For late chunking: sums of token vectors over these are wanted instead of the pooled vector. */
  readonly spans: Int32Array | null;
  /** Who waits; empty when all have left. */
  readonly parts: Set<Part>;
}

/** A request's share in a work. */
export interface Part {
  readonly request: EmbedRequest;
  /** Takes `[dimension]`, or `[spans, dimension]`. The array is shared: copy what is kept. */
  deliver(vectors: Float32Array): void;
}

export interface Pass {
  key: string;
  ids: Int32Array;
  spans: Int32Array | null;
  part: Part;
}

export class EmbedRequest {
  readonly vectors: Float32Array[][];
  readonly result: Promise<Float32Array[][]>;
  /** Where this request waits. */
  readonly works = new Map<Part, Work>();
  readonly passes: Pass[] = [];
  readonly #normalize: boolean;
  #resolve: (vectors: Float32Array[][]) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #missing = 0;

  constructor(model: ModelHandle, prepared: Prepared[], frame: Frame) {
    this.#normalize = model.normalize;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.vectors = prepared.map(text => text.chunks.map(() => new Float32Array()));
    for (const [index, text] of prepared.entries()) {
      const vectors = this.vectors[index];
      if (!vectors) continue;
      if (text.late) this.#late(text, vectors, { frame, model });
      else
        for (const [chunk, { ids }] of text.chunks.entries())
          this.#pass(framed(ids, frame), null, vector => {
            vectors[chunk] = vector.slice();
          });
    }
    this.#missing = this.passes.length;
    if (this.#missing === 0) this.#resolve(this.vectors);
  }

  fail(error: EngineError): void {
    this.#reject(error);
  }

  #pass(ids: Int32Array, spans: Int32Array | null, store: (vectors: Float32Array) => void): void {
    const deliver = (vectors: Float32Array) => {
      store(vectors);
      if (--this.#missing === 0) this.#resolve(this.vectors);
    };
    this.passes.push({ key: keyOf(ids, spans), ids, spans, part: { request: this, deliver } });
  }

  #late(text: Prepared, vectors: Float32Array[], { frame, model }: { frame: Frame; model: ModelHandle }): void {
    const ids = new Int32Array(text.tokens);
    for (const chunk of text.chunks) ids.set(chunk.ids, chunk.from);
    const ranges = text.chunks.map(chunk => ({ from: chunk.from, to: chunk.from + chunk.tokens }));
    const { dimension } = model;
    const sums = new Float64Array(text.chunks.length * dimension);
    const counts = new Int32Array(text.chunks.length);
    const windows = lateWindows(ids, ranges, { frame, maxTokens: model.maxTokens });
    let missing = windows.length;
    for (const { ids: windowIds, first, spans } of windows)
      this.#pass(windowIds, spans, part => {
        const at = first * dimension;
        for (let i = 0; i < part.length; i++) sums[at + i] = (sums[at + i] ?? 0) + (part[i] ?? 0);
        for (let span = 0; span < spans.length / 2; span++)
          counts[first + span] = (counts[first + span] ?? 0) + (spans[span * 2 + 1] ?? 0) - (spans[span * 2] ?? 0);
        if (--missing > 0) return;
        for (let chunk = 0; chunk < vectors.length; chunk++) {
          const count = Math.max(1, counts[chunk] ?? 0);
          const vector = Float32Array.from(
            sums.subarray(chunk * dimension, (chunk + 1) * dimension),
            value => value / count,
          );
          if (this.#normalize) normalize(vector);
          vectors[chunk] = vector;
        }
      });
  }
}

function keyOf(ids: Int32Array, spans: Int32Array | null): string {
  return spans ? `${bytesOf(ids)} ${bytesOf(spans)}` : bytesOf(ids);
}

function bytesOf(array: Int32Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('latin1');
}
