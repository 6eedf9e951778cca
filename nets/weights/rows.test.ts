// Rounding to whole numbers, and back.
import { expect, test } from 'vitest';
import { rowBytes, roundRow, unpackRow } from './blocks.ts';
import { roundTo8, transposed } from './rows.ts';

const row = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i) + (i === 40 ? 3 : 0));

test('a row is rounded to the nearest of 255 numbers', () => {
  const whole = new Int8Array(64);
  const scale = roundTo8(row, whole);
  expect(Math.max(...whole.map(Math.abs))).toBe(127);
  for (const [i, value] of row.entries())
    expect(Math.abs(value - scale * (whole[i] ?? NaN))).toBeLessThanOrEqual(0.501 * scale);
  expect(roundTo8(new Float32Array(4), new Int8Array(4))).toBe(0);
});

test.each([4, 8] as const)('a row in blocks of %i bits is what it stands for', bits => {
  const size = rowBytes(64, bits);
  const blocks = {
    values: new Uint8Array(size.values),
    zeros: new Uint8Array(size.zeros),
    scales: new Float32Array(size.scales / 4),
  };
  roundRow(row, bits, blocks);
  const back = new Float32Array(64);
  unpackRow(blocks, bits, back);
  for (const [i, value] of row.entries())
    expect(Math.abs(value - (back[i] ?? NaN))).toBeLessThan(1.1 * (blocks.scales[i >> 5] ?? NaN));
});

test('a transposed matrix is one whose rows are the columns', () => {
  const matrix = Int8Array.from({ length: 130 * 70 }, (_, i) => i % 127);
  const turned = transposed(matrix, 70);
  expect(turned[69 * 130 + 129]).toBe(matrix[129 * 70 + 69]);
  expect(transposed(turned, 130)).toEqual(matrix);
});
