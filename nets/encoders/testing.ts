// What the tests of encoders share: runs a compiled graph on token ids.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { onTestFinished } from 'vitest';

/** A copy of a folder that is removed after the test. */
export async function copyOf(folder: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'vectorium-encoder-'));
  onTestFinished(() => rm(copy, { recursive: true, force: true }));
  await cp(folder, copy, { recursive: true });
  return copy;
}

export interface Embedded {
  /** One a text. */
  vectors: Float32Array[];
  /** [tokens, dimension] a text, without padding. */
  hidden: Float32Array[];
}

/** Runs all texts as one batch, padded on the right with `padding` to the longest or to `tokens`. */
export async function embed(
  session: InferenceSession,
  texts: readonly (readonly number[])[],
  { padding = 1, tokens = Math.max(...texts.map(text => text.length)) } = {},
): Promise<Embedded> {
  const ids = new BigInt64Array(texts.length * tokens).fill(BigInt(padding));
  const mask = new Int32Array(ids.length);
  for (const [i, text] of texts.entries()) {
    ids.set(BigInt64Array.from(text, BigInt), i * tokens);
    mask.fill(1, i * tokens, i * tokens + text.length);
  }
  const shape = [texts.length, tokens];
  const feeds = { input_ids: new Tensor('int64', ids, shape), attention_mask: new Tensor('int32', mask, shape) };
  const { vectors, hidden } = await session.run(feeds);
  const dimension = vectors?.dims[1] ?? 0;
  return {
    vectors: texts.map((_, i) => rows(vectors?.data, i * dimension, dimension)),
    hidden: texts.map((text, i) => rows(hidden?.data, i * tokens * dimension, text.length * dimension)),
  };
}

export const open = (path: string): Promise<InferenceSession> =>
  InferenceSession.create(path, { intraOpNumThreads: 1 });

export const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

export const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length ? Math.max(...Array.from(a, (v, i) => Math.abs(v - (b[i] ?? NaN)))) : NaN;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

function rows(data: unknown, at: number, length: number): Float32Array {
  if (data instanceof Float32Array) return data.slice(at, at + length);
  throw new Error('the graph gives no f32');
}
