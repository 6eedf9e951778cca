// The next token of several texts in one run against the same texts one by one.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { farthest } from '../encoders/testing.ts';
import { safetensorsOf } from '../weights/write-safetensors.ts';
import { compileDecoder } from './compile.ts';
import { configOfJson } from './config.ts';
import { Cache, runNext, runPrompt } from './testing.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');

/** A small random model with five query heads for each head of keys. */
async function manyQueries(folder: string): Promise<string> {
  const path = join(folder, 'model');
  await mkdir(path);
  const fixture = JSON.parse(await readFile(join(FIXTURES, 'llama/config.json'), 'utf8')) as object;
  const config = { ...fixture, num_attention_heads: 10, num_key_value_heads: 2, head_dim: 16, num_hidden_layers: 2 };
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  const { hidden, intermediate, vocabulary, tied } = configOfJson(JSON.stringify(config));
  const layer = (index: number): [string, number[]][] => [
    [`layers.${index}.input_layernorm`, [hidden]],
    [`layers.${index}.post_attention_layernorm`, [hidden]],
    [`layers.${index}.self_attn.q_proj`, [160, hidden]],
    [`layers.${index}.self_attn.k_proj`, [32, hidden]],
    [`layers.${index}.self_attn.v_proj`, [32, hidden]],
    [`layers.${index}.self_attn.o_proj`, [hidden, 160]],
    [`layers.${index}.mlp.gate_proj`, [intermediate, hidden]],
    [`layers.${index}.mlp.up_proj`, [intermediate, hidden]],
    [`layers.${index}.mlp.down_proj`, [hidden, intermediate]],
  ];
  const table = [vocabulary, hidden];
  const all: [string, number[]][] = [...layer(0), ...layer(1), ['norm', [hidden]], ['embed_tokens', table]];
  if (!tied) all.push(['lm_head', table]);
  const tensors = all.map(([name, shape], at) => ({
    name: `${name}.weight`,
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.3 * Math.sin(12.9898 * i + at)),
  }));
  await writeFile(join(path, 'model.safetensors'), safetensorsOf(tensors, {}));
  return path;
}

async function opened(name: string) {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-decoder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = name === 'many queries' ? await manyQueries(folder) : join(FIXTURES, name);
  const graphs = await compileDecoder(path, { precision: 'f32', folder });
  const [alone, next] = await Promise.all(
    [graphs.prompt, graphs.next].map(file => InferenceSession.create(file, { intraOpNumThreads: 1 })),
  );
  if (!alone || !next) throw new Error('two graphs have two sessions');
  return { alone, next, config: graphs.config };
}

test.each(['llama', 'smollm', 'qwen2', 'mistral', 'many queries'])(
  '%s: texts that go on together say what each says alone, whoever comes and goes',
  async name => {
    const { alone, next, config } = await opened(name);
    // The window of mistral is shorter than the last.
    const texts = [[5, 17, 3], [9, 9, 41, 2, 8], Array.from({ length: 40 }, (_, i) => (i * 29 + 7) % 90)];
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
    const last = texts.map(ids => ids.at(-1) ?? 0);

    expectRows(await runNext(next, [first, second], { config, ids: last.slice(0, 2) }), [whole[0], whole[1]]);
    expectRows(await runNext(next, [third], { config, ids: last.slice(2) }), [whole[2]]);
    const more = await said([12]);
    const going = await runNext(next, [third, first, second], { config, ids: [12, 12, 12] });
    expectRows(going, [more[2], more[0], more[1]]);
  },
);

function expectRows(rows: Float32Array[], expected: (Float32Array | undefined)[]): void {
  expect(rows).toHaveLength(expected.length);
  for (const [i, row] of rows.entries()) expect(farthest(row, expected[i] ?? [])).toBeLessThan(1e-4);
}
