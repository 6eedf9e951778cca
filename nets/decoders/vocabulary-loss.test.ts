// The loss of a vocabulary in several blocks against that of all its logits at once, and the gradient of that.
import { gradients, input, matmul, softmaxCrossEntropy, sum, type Tensor, toOnnx } from '@vectorium/tensor';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { roundTo8, transposed } from '../weights/rows.ts';
import { vocabularyLoss } from './vocabulary-loss.ts';
import { type Matrix, type RowBlocks, VOCABULARY_BLOCK } from './weights.ts';

const [words, hidden, answers] = [9000, 32, 3];
const noise = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => (Math.sin(12.9898 * i + seed) * 43758.5453) % 1);
const rows = noise(words * hidden, 1);
const whole = new Int8Array(rows.length);
const scales = new Float32Array(words);
const rounded = new Float32Array(rows.length);
for (let row = 0; row < words; row++) {
  const range = [row * hidden, (row + 1) * hidden] as const;
  const scale = roundTo8(rows.subarray(...range), whole.subarray(...range));
  scales[row] = scale;
  for (let i = range[0]; i < range[1]; i++) rounded[i] = scale * (whole[i] ?? 0);
}

const h = input('h', ['answers', hidden]);
const targets = input('targets', ['answers'], 'i64');
const table = input('table', [words, hidden]);
const sizes = [VOCABULARY_BLOCK, VOCABULARY_BLOCK, words - 2 * VOCABULARY_BLOCK];
const quantised: RowBlocks = {
  transposed: input('transposed', [words, hidden], 'i8'),
  scales: input('scales', [words]),
  blocks: sizes.map((length, i) => ({
    values: input(`values.${i}`, [hidden, length], 'i8'),
    transposed: input(`transposed.${i}`, [length, hidden], 'i8'),
    scales: input(`scales.${i}`, [length]),
  })),
};

async function computed(outputs: { loss: Tensor; dh: Tensor }) {
  const session = await InferenceSession.create(toOnnx(outputs));
  const feeds: Record<string, OrtTensor> = {
    h: new OrtTensor(
      'float32',
      noise(answers * hidden, 2).map(value => 3 * value),
      [answers, hidden],
    ),
    targets: new OrtTensor('int64', BigInt64Array.from([0n, 4500n, 8999n]), [answers]),
    table: new OrtTensor('float32', rounded, [words, hidden]),
    transposed: new OrtTensor('int8', whole, [words, hidden]),
    scales: new OrtTensor('float32', scales, [words]),
  };
  for (const [i, length] of sizes.entries()) {
    const start = i * VOCABULARY_BLOCK;
    const block = whole.subarray(start * hidden, (start + length) * hidden);
    feeds[`values.${i}`] = new OrtTensor('int8', transposed(block, hidden), [hidden, length]);
    feeds[`transposed.${i}`] = new OrtTensor('int8', block, [length, hidden]);
    feeds[`scales.${i}`] = new OrtTensor('float32', scales.subarray(start, start + length), [length]);
  }
  const found = await session.run(
    Object.fromEntries(session.inputNames.map(name => [name, feeds[name]])) as typeof feeds,
  );
  await session.release();
  return [found['loss'], found['dh']].map(tensor => Array.from(tensor?.data as Float32Array));
}

const plain = softmaxCrossEntropy(matmul(h, table, { transB: true }), targets);
const exact = { loss: plain, dh: gradients(sum(plain, [0]), h) };

test.each<[string, Matrix, number]>([
  ['f32', table, 1e-5],
  ['whole numbers', quantised, 1e-3],
])('of %s', async (_, matrix, tolerance) => {
  const [loss = [], dh = []] = await computed(vocabularyLoss(h, matrix, targets));
  const [expectedLoss = [], expectedDh = []] = await computed(exact);
  expect(loss).toHaveLength(answers);
  for (const [i, value] of loss.entries()) expect(Math.abs(value - (expectedLoss[i] ?? NaN))).toBeLessThan(tolerance);
  for (const [i, value] of dh.entries()) expect(Math.abs(value - (expectedDh[i] ?? NaN))).toBeLessThan(tolerance);
});
