// What compiling leaves on disk, and what it refuses.
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { graftOnnx } from '@vectorium/tensor';
import { expect, test } from 'vitest';
import { compileEncoder } from './compile.ts';
import { copyOf } from './testing.ts';

const fixture = (name: string): Promise<string> => copyOf(join(import.meta.dirname, '../fixtures/encoders', name));

test('f32 weights stay in their file: only a small graph is added, once, however many compile at a time', async () => {
  const folder = await fixture('bert');
  const before = await readdir(folder);
  const graphs = await Promise.all([1, 2, 3, 4].map(() => compileEncoder(folder, { pooling: 'mean' })));
  const [graph] = graphs;
  expect(new Set(graphs.map(({ path }) => path)).size).toBe(1);
  expect(graph).toMatchObject({ precision: 'f32', dimension: 32, maxTokens: 64 });
  expect((await readdir(folder)).length).toBe(before.length + 1);
  expect((await stat(graph?.path ?? '')).size).toBeLessThan(20_000);

  const { mtimeMs } = await stat(graph?.path ?? '');
  await compileEncoder(folder, { pooling: 'mean' });
  expect((await stat(graph?.path ?? '')).mtimeMs).toBe(mtimeMs);
});

test('16-bit weights are widened once into a side file', async () => {
  const folder = await fixture('gte');
  const { weightBytes } = await compileEncoder(folder, { pooling: 'first' });
  const [side, ...others] = (await readdir(folder)).filter(name => name.startsWith('weights-f32-'));
  expect(others).toEqual([]);
  const { size, mtimeMs } = await stat(join(folder, side ?? ''));
  expect(size).toBeGreaterThanOrEqual(weightBytes);
  await compileEncoder(folder, { pooling: 'mean' });
  expect((await stat(join(folder, side ?? ''))).mtimeMs).toBe(mtimeMs);
});

test.each([
  [{ model_type: 'llama' }, 'model_type llama is none of bert'],
  [
    { intermediate_size: 49 },
    'tensor encoder.layer.0.intermediate.dense.weight is [48, 32], the configuration wants [49, 32]',
  ],
  [{ num_hidden_layers: 4 }, 'the weights have no tensor encoder.layer.3.attention.self.query.weight'],
  [{ hidden_act: 'mish' }, 'the activation mish is not supported'],
  [{ position_embedding_type: 'relative_key' }, 'position_embedding_type "relative_key" is not supported'],
  [{ vocab_size: 'many' }, 'vocab_size must be a whole number'],
])('a configuration with %j is refused by name', async (change, message) => {
  const folder = await fixture('bert');
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...config, ...change }));
  await expect(compileEncoder(folder, { pooling: 'mean' })).rejects.toThrow(message);
  expect((await readdir(folder)).some(name => name.endsWith('.onnx') || name.endsWith('.part'))).toBe(false);
});

test('the part that a killed process left is removed, one that is being written is not', async () => {
  const folder = await fixture('gte');
  await compileEncoder(folder, { pooling: 'first' });
  const side = join(folder, (await readdir(folder)).find(name => name.startsWith('weights-f32-')) ?? '');
  await rm(side);
  for (const name of ['old', 'new']) await writeFile(`${side}.${name}.part`, 'half');
  await utimes(`${side}.old.part`, 0, 0);
  await compileEncoder(folder, { pooling: 'first' });
  const names = await readdir(folder);
  expect(names.filter(name => name.endsWith('.part'))).toEqual([expect.stringMatching(/new\.part$/)]);
});

test('a ready ONNX file with one scale for a whole batch is refused', async () => {
  const folder = await fixture('bert');
  const { path } = await compileEncoder(folder, { pooling: 'mean' });
  const quantize = { operator: 'DynamicQuantizeLinear', domain: '', inputs: ['hidden'], outputs: ['q', 's', 'z'] };
  const bytes = await readFile(path);
  const quantized = graftOnnx(
    { length: bytes.length, read: (start, length) => bytes.subarray(start, start + length) },
    {
      file: 'model.safetensors',
      before: { nodes: [], initializers: [], inputs: [], outputs: [] },
      rename: {},
      after: [{ ...quantize, attributes: {} }],
    },
  );
  await rm(join(folder, 'model.safetensors'));
  await writeFile(join(folder, 'model.onnx'), quantized);
  await expect(compileEncoder(folder, { pooling: 'mean' })).rejects.toThrow('DynamicQuantizeLinear');
});

test('weights that are cut off are refused', async () => {
  const folder = await fixture('bert');
  const path = join(folder, 'model.safetensors');
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, whole.length - 100));
  await expect(compileEncoder(folder, { pooling: 'mean' })).rejects.toThrow('model.safetensors is cut off');
  await writeFile(path, whole.subarray(0, 50));
  await expect(compileEncoder(folder, { pooling: 'mean' })).rejects.toThrow('no safetensors file');
});
