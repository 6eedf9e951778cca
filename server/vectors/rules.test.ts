import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cosineSimilarity, shapeVector, weightedMean } from './rules.ts';

const component = fc.float({ min: -1, max: 1, noNaN: true });
const vector = fc.array(component, { minLength: 8, maxLength: 8 }).map(numbers => Float32Array.from(numbers));

test('the mean weighs each chunk by its tokens', () => {
  expect([...weightedMean([Float32Array.of(1, 0), Float32Array.of(0, 1)], [3, 1])]).toEqual([0.75, 0.25]);
});

test('one chunk is its own mean, untouched', () => {
  fc.assert(fc.property(vector, only => weightedMean([only], [7]) === only));
});

test('chunks without tokens still have a mean', () => {
  expect([...weightedMean([Float32Array.of(2), Float32Array.of(4)], [0, 0])]).toEqual([3]);
});

test('a shaped vector has length 1, also when it was cut', () => {
  fc.assert(
    fc.property(vector, fc.integer({ min: 1, max: 8 }), (whole, dimensions) => {
      const shaped = shapeVector(whole, { dimensions, normalize: true });
      expect(shaped.length).toBe(dimensions);
      if (whole.subarray(0, dimensions).some(value => Math.abs(value) > 1e-3)) {
        expect(Math.hypot(...shaped)).toBeCloseTo(1, 5);
      }
    }),
  );
});

test('normalize: false leaves the numbers as they are', () => {
  const whole = Float32Array.of(3, 4, 12);
  expect([...shapeVector(whole, { normalize: false })]).toEqual([3, 4, 12]);
  expect([...shapeVector(whole, { dimensions: 2, normalize: false })]).toEqual([3, 4]);
});

test('similarity is 1 for the same direction, -1 for the opposite, 0 at right angles and for zero vectors', () => {
  expect(cosineSimilarity(Float32Array.of(1, 2), Float32Array.of(2, 4))).toBeCloseTo(1, 12);
  expect(cosineSimilarity(Float32Array.of(1, 2), Float32Array.of(-1, -2))).toBeCloseTo(-1, 12);
  expect(cosineSimilarity(Float32Array.of(1, 0), Float32Array.of(0, 5))).toBe(0);
  expect(cosineSimilarity(Float32Array.of(0, 0), Float32Array.of(1, 5))).toBe(0);
});

test('a vector with NaN or infinity in it is never given out', () => {
  for (const broken of [Number.NaN, Infinity]) {
    expect(() => shapeVector(Float32Array.of(1, broken), { normalize: false })).toThrow(/NaN/);
  }
});
