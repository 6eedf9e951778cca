import { expect, test } from 'vitest';
import { ResidualRotation } from './residual-rotation.ts';

test.each([64, 576, 896, 15])('the basis of %i is orthogonal, and mixes every number into every other', size => {
  const rotation = new ResidualRotation(size);
  const basis = Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
  rotation.rows(basis);
  for (let a = 0; a < size; a += 7)
    for (let b = 0; b < size; b++) {
      let product = 0;
      for (let i = 0; i < size; i++) product += (basis[a * size + i] ?? 0) * (basis[b * size + i] ?? 0);
      expect(Math.abs(product - Number(a === b))).toBeLessThan(1e-5);
    }
  // A vector with all of its length in one place has at most √2 of the mean length in each of the new ones.
  const most = basis.reduce((found, value) => Math.max(found, Math.abs(value)), 0);
  expect(most * Math.sqrt(size)).toBeLessThan(1.4143);
});

test('columns are turned as rows are', () => {
  const [size, others] = [12, 5];
  const rows = Float32Array.from({ length: others * size }, (_, i) => Math.sin(3 * i));
  const columns = new Float32Array(rows.length);
  const transpose = (from: Float32Array, to: Float32Array) =>
    from.forEach((value, i) => (to[(i % size) * others + Math.floor(i / size)] = value));
  transpose(rows, columns);
  const rotation = new ResidualRotation(size);
  rotation.rows(rows);
  rotation.columns(columns);
  const turned = new Float32Array(rows.length);
  transpose(rows, turned);
  for (const [i, value] of columns.entries()) expect(value).toBeCloseTo(turned[i] ?? NaN, 5);
});
