import { expect, test } from 'vitest';
import { cosineMatrix, decodeVector, principalPlane } from './vectors.ts';

test('base64 of little-endian float32 becomes the numbers again', () => {
  const numbers = [0.5, -1.25, 3e-8];
  const bytes = Buffer.alloc(12);
  for (const [index, value] of numbers.entries()) bytes.writeFloatLE(value, index * 4);
  expect([...decodeVector(bytes.toString('base64'))]).toEqual(numbers.map(Math.fround));
});

test('cosines are 1 on the diagonal, symmetric, and 0 for a vector without length', () => {
  const matrix = cosineMatrix(
    [
      [3, 4],
      [4, 3],
      [0, 0],
    ].map(values => Float32Array.from(values)),
  );
  expect(matrix[0]?.[0]).toBeCloseTo(1, 6);
  expect(matrix[0]?.[1]).toBeCloseTo(24 / 25, 6);
  expect(matrix[1]?.[0]).toBe(matrix[0]?.[1]);
  expect(matrix[2]).toEqual([0, 0, 0]);
});

test('the plane shows the axes in which the vectors differ most', async () => {
  // Along (1, 1, 0, …) with deviation 5 and along (0, 0, 1, …) with 2; hardly at all in what is left.
  const corners = [-1, -0.5, 0, 0.5, 1];
  const vectors = corners.flatMap(a => corners.map(b => Float32Array.from([a * 5 + 7, a * 5, b * 4, a * b * 0.01, 3])));
  const { points, explained } = await principalPlane(vectors, async () => {});
  expect(explained[0] + explained[1]).toBeGreaterThan(0.9999);
  expect(explained[0]).toBeGreaterThan(explained[1]);
  for (const [index, { x, y }] of points.entries()) {
    const [a = 0, b = 0] = [corners[Math.floor(index / 5)], corners[index % 5]];
    expect(Math.abs(x)).toBeCloseTo(Math.abs(a) * 5 * Math.SQRT2, 2);
    expect(Math.abs(y)).toBeCloseTo(Math.abs(b) * 4, 2);
  }
});

test('one vector, none and equal ones are points without a spread', async () => {
  const one = Float32Array.from([1, 2]);
  expect(await principalPlane([])).toEqual({ points: [], explained: [0, 0] });
  const { points, explained } = await principalPlane([one, one], async () => {});
  expect(explained).toEqual([0, 0]);
  expect(points.map(({ x, y }) => [Math.abs(x), Math.abs(y)])).toEqual([
    [0, 0],
    [0, 0],
  ]);
});
