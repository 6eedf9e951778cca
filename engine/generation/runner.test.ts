// Texts that come, go on together and leave, against each of them alone; and what their copies cost.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileDecoder } from '@vectorium/nets';
import { InferenceSession } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { CachePool, type TextCache } from './caches.ts';
import { Groups } from './groups.ts';
import { Runner } from './runner.ts';
import { AdapterStacks } from './stacks.ts';

const FIXTURES = join(import.meta.dirname, '../../nets/fixtures/decoders');

async function opened(name: string, { texts = 8 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-runner-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { config, ...graphs } = await compileDecoder(join(FIXTURES, name), { precision: 'f32', folder });
  const [prompt, next] = await Promise.all(
    [graphs.prompt, graphs.next].map(path => InferenceSession.create(path, { intraOpNumThreads: 1 })),
  );
  if (!prompt || !next) throw new Error('two graphs have two sessions');
  const bytes = new CachePool(config, 0).bytesOf(texts * 128);
  const pool = new CachePool(config, bytes);
  const groups = new Groups(config, pool);
  const sessions = () => ({ prompt: async () => prompt, next: async () => next });
  const runner = new Runner({ config, sessions, stacks: new AdapterStacks(), groups });
  /** The logits behind a text that is begun anew. */
  const alone = async (ids: readonly number[]) => {
    const own = new Runner({ config, sessions, stacks: new AdapterStacks(), groups: new Groups(config, pool) });
    const cache = new CachePool(config, bytes).open(ids, { capacity: ids.length, adapter: null });
    if (!cache) throw new Error('there is room');
    return (await own.run([], { cache, ids }))[0] ?? new Float32Array();
  };
  const begin = async (ids: readonly number[]) => {
    const cache = pool.open(ids, { capacity: 128, adapter: null });
    if (!cache) throw new Error('there is room');
    await runner.run([], { cache, ids: ids.slice(cache.length) });
    return cache;
  };
  return { config, bytes, pool, groups, runner, alone, begin };
}

const words = (seed: number, length: number) => Array.from({ length }, (_, i) => (seed * 31 + i * i * 7 + i) % 90);

function farthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? NaN))), 0);
}

// The window of mistral is 7.
test.each(['smollm', 'mistral'])('%s: texts say what each says alone, whoever comes and leaves', async name => {
  const { pool, runner, alone, begin } = await opened(name);
  let going: TextCache[] = [];
  const steps = async (count: number) => {
    for (let step = 0; step < count; step++) {
      const rows = going.map((cache, i) => ({ cache, ids: [(cache.length * 5 + i) % 90] }));
      const said = await runner.run(rows, null);
      for (const [i, { ids }] of going.entries())
        expect(farthest(said[i] ?? new Float32Array(), await alone(ids))).toBeLessThan(1e-4);
    }
  };
  const leave = (index: number) => going.splice(index, 1).forEach(cache => pool.close(cache));
  going = [await begin(words(1, 5))];
  await steps(2);
  going.push(await begin(words(2, 20)), await begin(words(3, 2)));
  await steps(3);
  // Another takes the place, then a longer one than all.
  leave(0);
  going.push(await begin(words(4, 9)));
  await steps(2);
  leave(1);
  going.push(await begin(words(5, 110)));
  await steps(2);
  leave(0);
  leave(0);
  await steps(2);
});

test('copies take no room that texts need, and without them texts go on one by one', async () => {
  const { bytes, pool, groups, runner, alone, begin } = await opened('smollm', { texts: 5 });
  const going = [await begin(words(1, 30)), await begin(words(2, 31))];
  const step = async () => {
    const said = await runner.run(
      going.map(cache => ({ cache, ids: [3] })),
      null,
    );
    for (const [i, { ids }] of going.entries())
      expect(farthest(said[i] ?? new Float32Array(), await alone(ids))).toBeLessThan(1e-4);
    expect(pool.bytes).toBeLessThanOrEqual(bytes);
  };
  await step();
  expect(groups.bytes).toBeGreaterThan(0);
  going.push(await begin(words(3, 40)));
  expect(groups.bytes).toBe(0);
  await step();
  expect(groups.bytes).toBe(0);
});
