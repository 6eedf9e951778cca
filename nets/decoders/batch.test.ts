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
  '%s: texts that go on together say what each says alone, whatever places are free',
  async name => {
    const { alone, together, config } = await opened(name);
    const texts = [
      [5, 17, 3],
      [9, 9, 41, 2, 8],
      [1, 2, 3, 4, 5, 6, 7],
    ];
    const [first, second, third] = texts.map(() => new Cache(config, 64));
    if (!first || !second || !third) throw new Error('three texts have three caches');
    const said = (more: number[]) =>
      Promise.all(
        texts.map(async ids =>
          (await runPrompt(alone, new Cache(config, 64), { config, ids: [...ids, ...more] })).at(-1),
        ),
      );
    const whole = await said([]);
    for (const [i, cache] of [first, second, third].entries())
      await runPrompt(alone, cache, { config, ids: texts[i]?.slice(0, -1) ?? [] });

    expectRows(await runBatch(together, [first, null, second], { config, ids: [3, 8] }), [whole[0], whole[1]]);
    expectRows(await runBatch(together, [null, third, null], { config, ids: [7] }), [whole[2]]);
    const more = await said([12]);
    const going = await runBatch(together, [third, first, second], { config, ids: [12, 12, 12] });
    expectRows(going, [more[2], more[0], more[1]]);
  },
);

function expectRows(rows: Float32Array[], expected: (Float32Array | undefined)[]): void {
  expect(rows).toHaveLength(expected.length);
  for (const [i, row] of rows.entries()) expect(farthest(row, expected[i] ?? [])).toBeLessThan(1e-4);
}
