// A table that lies in blocks of its rows gives the products and the rows of the whole.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { input, matmulInt8, toOnnx } from '@vectorium/tensor';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { safetensorsOf } from '../weights/write-safetensors.ts';
import { multiply } from './linear.ts';
import { rowsOf } from './llama.ts';
import { openDecoder } from './source.ts';
import { DecoderWeights, VOCABULARY_BLOCK } from './weights.ts';

const [words, hidden] = [2 * VOCABULARY_BLOCK + 808, 32];
const config = {
  model_type: 'llama',
  hidden_act: 'silu',
  vocab_size: words,
  hidden_size: hidden,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
};

test('a table in blocks of rows', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-weights-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const table = Float32Array.from({ length: words * hidden }, (_, i) => Math.sin(12.9898 * i) * (1 + (i % 7)));
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const tensors = [{ name: 'model.embed_tokens.weight', shape: [words, hidden], data: table }];
  await writeFile(join(folder, 'model.safetensors'), safetensorsOf(tensors, {}));
  const source = await openDecoder(folder);
  const weights = new DecoderWeights(source, { precision: 'q8', version: '', form: 'rows', file: 'rows.bin' });
  const matrix = weights.table('embed_tokens.weight', [words, hidden], null);
  if (!('blocks' in matrix)) throw new Error('the table is not in blocks');
  expect(matrix.blocks).toHaveLength(3);
  expect(weights.table('embed_tokens.weight', [words, hidden], 'norm')).toBe(matrix);

  const x = input('x', [2, hidden]);
  const shares = input('shares', [2, words - 2 * VOCABULARY_BLOCK]);
  const last = matrix.blocks[2];
  if (!last) throw new Error('no last block');
  const graph = toOnnx({
    products: multiply(x, matrix, 0),
    rows: rowsOf(matrix, input('ids', [3], 'i64')),
    // The way back: rows of the last block added up, whose scales are in the shares here.
    back: matmulInt8(shares, { values: last.transposed, transposed: last.values }, { parts: 3 }),
    scales: last.scales ?? x,
  });
  await writeFile(join(folder, 'graph.onnx'), graph);
  await weights.write(join(folder, 'rows.bin'));
  // Values and scales once, and the values in their other order.
  expect((await readFile(join(folder, 'rows.bin'))).length).toBe(64 * Math.ceil((2 * words * hidden + 4 * words) / 64));
  const session = await InferenceSession.create(join(folder, 'graph.onnx'));
  onTestFinished(() => session.release());
  const given = Float32Array.from({ length: 2 * hidden }, (_, i) => Math.cos(3.7 * i));
  const ids = [0, VOCABULARY_BLOCK, words - 1];
  const weighed = new Float32Array(2 * 808).fill(1, 100, 900);
  const found = await session.run({
    x: new Tensor('float32', given, [2, hidden]),
    ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), [3]),
    shares: new Tensor('float32', weighed, [2, 808]),
  });
  const data = (name: string) => found[name]?.data as Float32Array;
  const at = (row: number, column: number) => table[row * hidden + column] ?? NaN;

  for (const [i, id] of ids.entries())
    for (let j = 0; j < hidden; j++)
      expect(Math.abs((data('rows')[i * hidden + j] ?? NaN) - at(id, j))).toBeLessThan(0.1);
  for (const word of [0, 1, VOCABULARY_BLOCK - 1, VOCABULARY_BLOCK, 2 * VOCABULARY_BLOCK + 5, words - 1])
    for (const text of [0, 1]) {
      let expected = 0;
      for (let j = 0; j < hidden; j++) expected += at(word, j) * (given[text * hidden + j] ?? 0);
      expect(Math.abs((data('products')[text * words + word] ?? NaN) - expected)).toBeLessThan(0.5);
    }
  for (const text of [0, 1])
    for (let j = 0; j < hidden; j++) {
      let expected = 0;
      for (let row = 0; row < 808; row++) {
        const scale = data('scales')[row] ?? NaN;
        expected += ((weighed[text * 808 + row] ?? 0) * at(2 * VOCABULARY_BLOCK + row, j)) / scale;
      }
      const got = data('back')[text * hidden + j] ?? NaN;
      // Each of 800 whole numbers is rounded by half at most.
      expect(Math.abs(got - expected)).toBeLessThan(40);
    }
});
