// For each model of the catalog, the graph takes every tensor that is published, in its shape and type, but for those that
// no vector needs. What is published, and how we know, stands in fixtures/published (fixtures/make_published.py).
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Parameters } from '../weights/parameters.ts';
import type { StoredTensor } from '../weights/safetensors.ts';
import { prefixOf, traceEncoder } from './compile.ts';
import { Config, positionsOf } from './config.ts';

/** Left out on purpose: the order of positions is computed, BERT's pooler was trained for another task and the models
 *  here pool the hidden states, GTE's classifier weighs tokens for sparse vectors. */
const UNUSED = /^(embeddings\.position_ids|pooler\.dense\.(weight|bias)|classifier\.(weight|bias))$/;

interface Published {
  config: Record<string, unknown>;
  tensors: [name: string, type: string, shape: number[]][];
}

test.each([
  ['gte_base', 768, 8192, 'first'],
  ['nomic_base', 768, 2048, 'mean'],
  ['mpnet_base', 768, 512, 'mean'],
  ['e5_base', 768, 512, 'mean'],
  ['minilm_base', 384, 512, 'mean'],
  ['e5_small', 384, 512, 'mean'],
] as const)('%s: every published tensor is taken', async (alias, dimension, maxTokens, pooling) => {
  const path = join(import.meta.dirname, '../fixtures/published', `${alias}.json`);
  const published = JSON.parse(await readFile(path, 'utf8')) as Published;
  const stored = storedAs(published.tensors);
  const config = new Config(JSON.stringify(published.config));
  const weights = new Parameters(stored, { prefix: prefixOf(stored), version: '' });

  const graph = traceEncoder(config, weights, pooling);
  const { count, first } = positionsOf(config);
  expect(graph.dimension).toBe(dimension);
  expect(count - first).toBe(maxTokens);
  expect(weights.unused().filter(name => !UNUSED.test(name))).toEqual([]);
  expect(weights.bytes).toBeGreaterThan(100e6);

  // A tensor that is missing or of another shape is an error that names it.
  const [name] = [...stored.keys()].filter(key => !UNUSED.test(key)).slice(-1);
  const without = new Map([...stored].filter(([key]) => key !== name));
  const fewer = new Parameters(without, { prefix: prefixOf(stored), version: '' });
  expect(() => traceEncoder(config, fewer, pooling)).toThrow(name);
});

/** The tensors one behind the other in one file. */
function storedAs(tensors: Published['tensors']): Map<string, StoredTensor> {
  const sizes: Readonly<Record<string, number>> = { I64: 8, F32: 4, F16: 2 };
  let offset = 0;
  return new Map(
    tensors.map(([name, type, shape]) => {
      const bytes = shape.reduce((a, b) => a * b, sizes[type] ?? NaN);
      offset += bytes;
      return [name, { name, type, shape, file: 'model.safetensors', offset: offset - bytes, bytes }];
    }),
  );
}
