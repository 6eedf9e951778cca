// For tests and nothing else: a model of two numbers in the signature of trained models, traced in a millisecond.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { add, cast, concat, constant, input, mul, reshape, sigmoid, sub, sum, toOnnx } from '@vectorium/tensor';
import { onTestFinished } from 'vitest';
import type { FeatureTable, PredictorHandle } from './types.ts';

/** Gives `a + 2 b + shift`, and as probabilities `1 - p, p` of `p = sigmoid(a)`. `padding` numbers make its file large. */
export async function tinyPredictor({ shift = 0, padding = 0 } = {}): Promise<PredictorHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tiny-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'model.onnx');
  const a = input('a', ['rows', 1], 'f64');
  const b = input('b', ['rows', 1], 'f64');
  // Read at run time, so that it is not folded away.
  const ballast = mul(sum(constant(new Float64Array(padding + 1)), [0]), sum(a, [0, 1]));
  const prediction = add(add(add(reshape(a, ['rows']), mul(reshape(b, ['rows']), 2)), shift), ballast);
  const p = sigmoid(cast(a, 'f32'));
  const bytes = toOnnx({ prediction, probabilities: concat([sub(1, p), p], 1) });
  await writeFile(path, bytes);
  return { id: folder, bytes: bytes.length, open: async () => ({ path, release: () => {} }) };
}

/** Rows `a = 0, 1, 2 …` and `b = 0.5`. */
export function tinyTable(rows: number, from = 0): FeatureTable {
  return {
    rows,
    columns: [
      { name: 'a', kind: 'number', values: Float64Array.from({ length: rows }, (_, row) => from + row) },
      { name: 'b', kind: 'number', values: new Float64Array(rows).fill(0.5) },
    ],
  };
}
