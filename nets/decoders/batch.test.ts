// Continuous batching against the same texts one by one.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { farthest } from '../encoders/testing.ts';
import { compileAnswering, compileDecoder } from './compile.ts';
import { Cache, runBatch, runPrompt } from './testing.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');

async function opened(name: string) {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-decoder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const options = { precision: 'f32', texts: 3, folder } as const;
  const { prompt, config } = await compileDecoder(join(FIXTURES, name), options);
  const { batch } = await compileAnswering(join(FIXTURES, name), { ...options, adapters: false });
  const [alone, together] = await Promise.all(
    [prompt, batch].map(file => InferenceSession.create(file, { intraOpNumThreads: 1 })),
  );
  if (!alone || !together) throw new Error('two graphs have two sessions');
  return { alone, together, config };
}

test.each(['llama', 'smollm', 'qwen2', 'mistral'])(
  '%s: texts that go on beside a prompt say what each says alone, whatever places are free',
  async name => {
    const { alone, together, config } = await opened(name);
    const texts = [
      [5, 17, 3],
      [9, 9, 41, 2, 8],
      [1, 2, 3, 4, 5, 6, 7],
      [30, 31],
    ];
    const [first, second, third, fourth] = texts.map(() => new Cache(config, 64));
    if (!first || !second || !third || !fourth) throw new Error('four texts have four caches');
    const whole = await Promise.all(
      texts.map(async ids => (await runPrompt(alone, new Cache(config, 64), { config, ids })).at(-1)),
    );
    const start = async (cache: Cache, ids: number[] = []) =>
      runPrompt(alone, cache, { config, ids: ids.slice(0, -1) });
    await start(first, texts[0]);
    await start(second, texts[1]);

    const mixed = { caches: [first, null, second], ids: [3, 8], prompt: { cache: third, ids: texts[2] ?? [] } };
    expectRows(await runBatch(together, mixed, { config }), [whole[0], whole[1], whole[2]]);
    const promptAlone = { caches: [null, null, null], ids: [], prompt: { cache: fourth, ids: texts[3] ?? [] } };
    expectRows(await runBatch(together, promptAlone, { config }), [whole[3]]);

    const more = await Promise.all(
      texts.map(async ids => (await runPrompt(alone, new Cache(config, 64), { config, ids: [...ids, 12] })).at(-1)),
    );
    const none = { cache: new Cache(config, 0), ids: [] };
    const going = { caches: [third, first, second], ids: [12, 12, 12], prompt: none };
    expectRows(await runBatch(together, going, { config }), [more[2], more[0], more[1]]);
    const single = { caches: [null, fourth, null], ids: [12], prompt: none };
    expectRows(await runBatch(together, single, { config }), [more[3]]);
  },
);

function expectRows(rows: Float32Array[], expected: (Float32Array | undefined)[]): void {
  expect(rows).toHaveLength(expected.length);
  for (const [i, row] of rows.entries()) expect(farthest(row, expected[i] ?? [])).toBeLessThan(1e-4);
}
