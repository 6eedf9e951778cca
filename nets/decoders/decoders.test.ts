// Every architecture against what `transformers` computes with the same small random weights (fixtures/make_decoders.py).
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { farthest } from '../encoders/testing.ts';
import { compileDecoder } from './compile.ts';
import { configOfJson, type DecoderConfig } from './config.ts';
import { promptGraph } from './prompt.ts';
import { openDecoder } from './source.ts';
import { Cache, greatest, runPrompt, runNext } from './testing.ts';
import { DecoderWeights, type Precision } from './weights.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');

interface Text {
  ids: number[];
  last: number[];
  mean: number[];
  continued: number[];
}
const textsOf = async (name: string): Promise<Text[]> =>
  (JSON.parse(await readFile(join(FIXTURES, name, 'expected.json'), 'utf8')) as { texts: Text[] }).texts;

async function opened(path: string, precision: Precision = 'f32') {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-decoder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const graphs = await compileDecoder(join(FIXTURES, path), { precision, folder });
  const [prompt, next] = await Promise.all(
    [graphs.prompt, graphs.next].map(file => InferenceSession.create(file, { intraOpNumThreads: 1 })),
  );
  if (!prompt || !next) throw new Error('two graphs have two sessions');
  return { prompt, next, config: graphs.config };
}

const meanOf = (rows: readonly Float32Array[]): number[] =>
  Array.from(rows[0] ?? [], (_, i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / rows.length);

/** Length of what two differ by, to the length of the second. */
function distance(a: ArrayLike<number>, b: readonly number[]): number {
  return Math.hypot(...b.map((value, i) => value - (a[i] ?? 0))) / Math.hypot(...b);
}

describe.each([
  ['llama', 'llama'],
  ['smollm', 'smollm'],
  ['qwen2', 'qwen2'],
  ['mistral', 'mistral'],
  ['smollm.gguf', 'smollm'],
])('%s', (path, name) => {
  test('computes the logits of the reference, whole and in pieces', async () => {
    const { prompt, config } = await opened(path);
    for (const { ids, last, mean } of await textsOf(name)) {
      const logits = await runPrompt(prompt, new Cache(config, 128), { config, ids });
      expect(farthest(logits.at(-1) ?? [], last)).toBeLessThan(2e-4);
      expect(farthest(meanOf(logits), mean)).toBeLessThan(2e-4);

      const cache = new Cache(config, 128);
      const pieces: Float32Array[] = [];
      for (let from = 0; from < ids.length; from += 7)
        pieces.push(...(await runPrompt(prompt, cache, { config, ids: ids.slice(from, from + 7) })));
      expect(farthest(meanOf(pieces), mean)).toBeLessThan(2e-4);
    }
  });

  test('computes the same in the rotated basis', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vectorium-decoder-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const source = await openDecoder(join(FIXTURES, path));
    const weights = new DecoderWeights(source, { precision: 'f32', version: '', rotated: true });
    await writeFile(join(folder, 'model.onnx'), promptGraph(source.config, weights));
    await weights.write(join(folder, weights.file));
    const session = await InferenceSession.create(join(folder, 'model.onnx'), { intraOpNumThreads: 1 });
    for (const { ids, last, mean } of await textsOf(name)) {
      const logits = await runPrompt(session, new Cache(source.config, 128), { config: source.config, ids });
      expect(farthest(logits.at(-1) ?? [], last)).toBeLessThan(5e-4);
      expect(farthest(meanOf(logits), mean)).toBeLessThan(5e-4);
    }
  });

  test('in 8 bits it is near to the reference, however the tokens come', async () => {
    const { prompt, next, config } = await opened(path, 'q8');
    const distances: number[] = [];
    for (const { ids, last } of await textsOf(name)) {
      const logits = await runPrompt(prompt, new Cache(config, 128), { config, ids });
      const cache = new Cache(config, 128);
      let one: Float32Array | undefined;
      for (const id of ids) [one] = await runNext(next, [cache], { config, ids: [id] });
      distances.push(distance(logits.at(-1) ?? [], last), distance(one ?? [], last));
    }
    expect(distances.reduce((sum, each) => sum + each) / distances.length).toBeLessThan(0.15);
  });

  test('goes on as the reference goes on, several texts of different lengths at once', async () => {
    const { prompt, next: session, config } = await opened(path);
    const texts = (await textsOf(name)).slice(1);
    const caches = texts.map(() => new Cache(config, 128));
    let next: number[] = [];
    for (const [i, { ids }] of texts.entries()) {
      const cache = caches[i];
      if (cache) next.push(greatest((await runPrompt(prompt, cache, { config, ids })).at(-1) ?? new Float32Array()));
    }
    const said = texts.map((): number[] => []);
    for (let step = 0; step < 8; step++) {
      next.forEach((id, i) => said[i]?.push(id));
      next = (await runNext(session, caches, { config, ids: next })).map(greatest);
    }
    expect(said).toEqual(texts.map(({ continued }) => continued));
  });
});

test('a graph sees the rows of the cache that it writes, and writes nothing else', async () => {
  const { prompt, next, config } = await opened('smollm');
  const ids = [5, 17, 3, 80, 44];
  const one = new Cache(config, 16);
  const expected = await runPrompt(prompt, one, { config, ids });
  const other = new Cache(config, 16);
  for (const [i, id] of ids.entries()) {
    const [logits = []] = await runNext(next, [other], { config, ids: [id] });
    expect(farthest(logits, expected[i] ?? [])).toBeLessThan(1e-5);
  }
  for (const [i, row] of rows(other).entries()) {
    expect(farthest(row, rows(one)[i] ?? [])).toBeLessThan(1e-5);
    expect(row.slice(ids.length * config.keyValueHeads * config.headSize).every(value => value === 0)).toBe(true);
  }
});

test.each(['q8', 'q4'] as const)('in %s, too, it makes little difference how the tokens come', async precision => {
  const { prompt, next, config } = await opened('smollm', precision);
  const texts = (await textsOf('smollm')).filter(({ ids }) => ids.length > 5);
  expect(texts.length).toBeGreaterThan(0);
  for (const { ids } of texts) {
    const [cache, pieces, other] = [new Cache(config, 128), new Cache(config, 128), new Cache(config, 128)];
    const logits = (await runPrompt(prompt, cache, { config, ids })).at(-1) ?? [];
    await runPrompt(prompt, pieces, { config, ids: ids.slice(0, 5) });
    const inPieces = (await runPrompt(prompt, pieces, { config, ids: ids.slice(5) })).at(-1) ?? [];
    expect(farthest(inPieces, logits)).toBeLessThan(1e-3);
    // Weights and tokens are rounded otherwise; from the reference both are twice as far.
    let again: Float32Array | undefined;
    for (const id of ids) [again] = await runNext(next, [other], { config, ids: [id] });
    expect(farthest(again ?? [], logits)).toBeLessThan(0.6);
  }
});

test('what does not fit is refused by name', async () => {
  const source = await openDecoder(join(FIXTURES, 'smollm'));
  const traced = (config: Partial<DecoderConfig>, tensors = source.tensors) => {
    const changed = { ...source.config, ...config };
    const weights = new DecoderWeights({ ...source, tensors }, { precision: 'f32', version: '' });
    return () => promptGraph(changed, weights);
  };
  expect(traced({ intermediate: 65 })).toThrow(
    'tensor model.layers.0.mlp.gate_proj.weight is [64, 32], the configuration wants [65, 32]',
  );
  expect(traced({ layers: 3 })).toThrow('the weights have no tensor layers.2.input_layernorm.weight');
  expect(traced({ tied: false })).toThrow('the weights have no tensor lm_head.weight');
  expect(() => configOfJson('{"model_type": "gpt2"}')).toThrow('model_type gpt2 is none of llama, mistral, qwen2');
});

/** What the cache holds, and what it has room for behind it. */
const rows = (cache: Cache): number[][] =>
  cache.rows.flatMap(({ key, value }) => [key, value].map(each => Array.from(each)));
