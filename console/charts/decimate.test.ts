// A plot shows every peak, however many points there are.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decimate, firstAtLeast, ticks } from './decimate.ts';

test('keeps the lowest and the highest value of any range, and never more points than four a column', () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 3000 });
  fc.assert(
    fc.property(
      values,
      fc.integer({ min: 1, max: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (ys, columns, share) => {
        const xs = ys.map((_, index) => index);
        const from = share * ys.length * 0.9;
        const range = { from, to: from + Math.max(1, ys.length * 0.3) };
        const points = decimate(xs, ys, range, columns);
        const inside = ys.filter((_, index) => index >= range.from && index <= range.to);
        const kept = points.map(([, y]) => y);
        if (inside.length > 0) {
          expect(Math.max(...kept)).toBeGreaterThanOrEqual(Math.max(...inside));
          expect(Math.min(...kept)).toBeLessThanOrEqual(Math.min(...inside));
        }
        expect(points.length).toBeLessThanOrEqual((columns + 1) * 5);
        expect(points.map(([x]) => x)).toEqual(points.map(([x]) => x).toSorted((one, other) => one - other));
      },
    ),
    { numRuns: 200 },
  );
});

test('a hundred thousand points are ready to draw in a small part of a frame', () => {
  const xs = Float64Array.from({ length: 100_000 }, (_, index) => index);
  const ys = xs.map(x => Math.sin(x / 1000) + Math.random());
  const times = Array.from({ length: 15 }, () => {
    const before = process.threadCpuUsage();
    decimate(xs, ys, { from: 0, to: 99_999 }, 1200);
    return process.threadCpuUsage(before).user;
  }).toSorted((one, other) => one - other);
  // Microseconds of the processor.
  expect(times[7]).toBeLessThan(25_000);
});

test('a gap stays one', () => {
  const xs = Array.from({ length: 1000 }, (_, index) => index);
  const ys = xs.map(x => (x > 400 && x < 600 ? null : x));
  const points = decimate(xs, ys, { from: 0, to: 999 }, 50);
  expect(points.some(([x, y]) => Number.isNaN(y) && x >= 400 && x <= 600)).toBe(true);
  expect(points.every(([x, y]) => !(x > 420 && x < 580) || Number.isNaN(y))).toBe(true);
});

test('finds the first x that is not below', () => {
  expect([-1, 0, 1, 5, 9, 10].map(value => firstAtLeast([0, 2, 5, 5, 9], value))).toEqual([0, 0, 1, 2, 4, 5]);
});

test('ticks are round and inside', () => {
  expect(ticks({ from: 0, to: 97 }, 5)).toEqual([0, 20, 40, 60, 80]);
  expect(ticks({ from: 3, to: 3 }, 5)).toEqual([3]);
  expect(ticks({ from: 0.001, to: 0.0092 }, 4).map(tick => tick.toFixed(4))).toEqual([
    '0.0020',
    '0.0040',
    '0.0060',
    '0.0080',
  ]);
});
