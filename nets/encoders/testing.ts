// What the tests of encoders share: finds models, and runs a compiled graph on token ids.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { onTestFinished } from 'vitest';

/** A copy of a folder that is removed after the test. */
export async function copyOf(folder: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'vectorium-encoder-'));
  onTestFinished(() => rm(copy, { recursive: true, force: true }));
  await cp(folder, copy, { recursive: true });
  return copy;
}

/** The folder of a real model, pulled first if it is not there. */
export async function modelFolder(alias: string): Promise<string> {
  const models = process.env['VECTORIUM_MODELS'] ?? join(REPOSITORY, 'data/models');
  const there = await newest(join(models, alias));
  if (there) return there;
  const command = join(REPOSITORY, 'server/vectorium.js');
  await promisify(execFile)(process.execPath, [command, 'models', 'pull', alias], {
    env: { ...process.env, VECTORIUM_MODELS: models },
  });
  const pulled = await newest(join(models, alias));
  if (!pulled) throw new Error(`${alias} is not in ${models} though it was pulled`);
  return pulled;
}

const REPOSITORY = join(import.meta.dirname, '../..');

async function newest(folder: string): Promise<string | undefined> {
  const revisions = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    revisions.map(async revision => {
      const path = join(folder, revision);
      const made = await stat(join(path, 'vectorium.json')).catch(() => null);
      return { path, at: made?.mtimeMs ?? -1 };
    }),
  );
  return found.filter(({ at }) => at >= 0).toSorted((a, b) => b.at - a.at)[0]?.path;
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
