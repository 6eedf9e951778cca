// What is held out: whole rows where that is possible, and always the same.
import { expect, test } from 'vitest';
import { divided } from './division.ts';

const rowsOf = (...sizes: number[]): Uint32Array =>
  Uint32Array.from(sizes.flatMap((size, row) => Array.from({ length: size }, () => row)));
const sorted = (...lists: Uint32Array[]) => lists.flatMap(list => [...list]).toSorted((a, b) => a - b);

test.each([0, 1, 2, 3])('no row has samples on both sides (seed %i)', seed => {
  const rows = rowsOf(...Array.from({ length: 60 }, (_, i) => 1 + (i % 5)));
  const { training, validation } = divided(rows, { seed, validation: 25 });
  expect(validation.length).toBeGreaterThan(20);
  expect(validation.length).toBeLessThanOrEqual(25);
  const trained = new Set(Array.from(training, sample => rows[sample]));
  expect(Array.from(validation, sample => rows[sample]).filter(row => trained.has(row))).toEqual([]);
  expect(sorted(training, validation)).toEqual(Array.from(rows.keys()));
  // A run that goes on knows how many were held out.
  expect(divided(rows, { seed, validation: validation.length })).toEqual({ training, validation });
});

test('where rows are too long, single samples are held out', () => {
  const { training, validation } = divided(rowsOf(30, 30, 1), { seed: 1, validation: 9 });
  expect(validation).toHaveLength(9);
  expect(sorted(training, validation)).toEqual(Array.from({ length: 61 }, (_, i) => i));
  expect(divided(rowsOf(3, 4), { seed: 1, validation: 0 }).training).toHaveLength(7);
});
