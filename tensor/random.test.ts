// Random numbers bit by bit against plain arithmetic, and their statistics.
import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import { bernoulli, type Draw, dropout, normal, randomBits, uniform } from './random.ts';
import { gradients } from './gradients.ts';
import type { Tensor } from './expression.ts';
import { gather, input, integers, mul, sum } from './operators.ts';
import { repeat } from './control.ts';
import { evaluate, values } from './testing.ts';

const whole = (x: number): Tensor => gather(integers([x]), integers([0], []));
const draw = (seed: number, step: number, stream = 0): Draw => ({ seed: whole(seed), step: whole(step), stream });
const dataOf = async (tensor: Tensor): Promise<readonly number[]> => (await evaluate(tensor)).data;

/** pcg4d as its authors print it. */
function pcg4d(...given: readonly [number, number, number, number]): number[] {
  let [x, y, z, w] = given.map(v => (Math.imul(v, 1664525) + 1013904223) >>> 0) as [number, number, number, number];
  const mix = () => {
    x = (x + Math.imul(y, w)) >>> 0;
    y = (y + Math.imul(z, x)) >>> 0;
    z = (z + Math.imul(x, y)) >>> 0;
    w = (w + Math.imul(y, z)) >>> 0;
  };
  mix();
  [x, y, z, w] = [x ^ (x >>> 16), y ^ (y >>> 16), z ^ (z >>> 16), w ^ (w >>> 16)];
  mix();
  return [x, y, z, w].map(v => v >>> 0);
}

/** The word for each element of [rows, columns]. */
function plainBits(draws: { seed: number; step: number; stream: number }, rows: number, columns: number): number[] {
  const blocks = Math.ceil(columns / 4);
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const hashed = pcg4d(row * blocks + (column % blocks), draws.stream, draws.step, draws.seed);
    return hashed[Math.floor(column / blocks)] ?? NaN;
  });
}

describe('equal to plain arithmetic', () => {
  const word = fc.nat(2 ** 32 - 1);
  test('bits, uniform numbers and draws', async () => {
    await fc.assert(
      fc.asyncProperty(
        word,
        word,
        word,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 9 }),
        async (seed, step, stream, rows, columns) => {
          const expected = plainBits({ seed, step, stream }, rows, columns);
          const given = draw(seed, step, stream);
          expect(await dataOf(randomBits(given, [rows, columns]))).toEqual(expected);
          expect(await dataOf(uniform(given, [rows, columns]))).toEqual(expected.map(x => (x >>> 8) / 2 ** 24));
          const drawn = expected.map(x => Number(Math.fround(x) < Math.fround(0.3) * 2 ** 32));
          expect(await dataOf(bernoulli(given, 0.3, [rows, columns]))).toEqual(drawn);
        },
      ),
      { numRuns: 10 },
    );
  });

  test('normal numbers', async () => {
    const found = await dataOf(normal(draw(5, 6), [2, 8]));
    const u = plainBits({ seed: 5, step: 6, stream: 0 }, 2, 8).map(x => (x >>> 8) / 2 ** 24);
    const at = (row: number, column: number) => u[row * 8 + column] ?? NaN;
    const expected = found.map((_, i) => {
      const [row, column] = [Math.floor(i / 8), i % 8];
      const [quarter, block] = [Math.floor(column / 2), column % 2];
      const first = quarter < 2 ? 0 : 4;
      const [a, b] = [at(row, first + block), at(row, first + 2 + block)];
      return (
        Math.sqrt(-2 * Math.log(1 - a)) * (quarter % 2 === 0 ? Math.cos(2 * Math.PI * b) : Math.sin(2 * Math.PI * b))
      );
    });
    found.forEach((x, i) => expect(x).toBeCloseTo(expected[i] ?? NaN, 5));
  });
});

describe('statistics', () => {
  const n = 1 << 16;

  test('all bytes of the words are even', async () => {
    for (const [seed, step] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [12345, 678],
    ] as const) {
      const bits = await dataOf(randomBits(draw(seed, step), [n]));
      for (const byte of [0, 8, 16, 24]) {
        const counts = new Float64Array(256);
        for (const x of bits) counts[(x >>> byte) & 255] = (counts[(x >>> byte) & 255] ?? 0) + 1;
        const chi = counts.reduce((total, c) => total + (c - n / 256) ** 2 / (n / 256), 0);
        expect(chi, `seed ${seed}, step ${step}, byte ${byte}`).toBeLessThan(255 + 5 * Math.sqrt(2 * 255));
      }
    }
  });

  test('neighbours, steps, seeds and streams are not correlated', async () => {
    const draws = [draw(0, 0), draw(0, 1), draw(1, 0), draw(0, 0, 1), draw(7, 3), draw(8, 3)];
    const all = await Promise.all(draws.map(each => dataOf(uniform(each, [n]))));
    const shifted = all.flatMap(x => [1, 2, n / 4].map(by => [...x.slice(by), ...x.slice(0, by)]));
    const pairs = [
      ...all.flatMap((x, i) => all.slice(i + 1).map(y => [x, y] as const)),
      ...shifted.map((y, i) => [all[Math.floor(i / 3)] ?? [], y] as const),
    ];
    // Of independent uniforms, the mean of 12 (x − ½)(y − ½) has the deviation 1/√n.
    for (const [x, y] of pairs) {
      const correlation = x.reduce((total, v, i) => total + 12 * (v - 0.5) * ((y[i] ?? 0) - 0.5), 0) / n;
      expect(Math.abs(correlation)).toBeLessThan(4.5 / Math.sqrt(n));
    }
  });

  test('normal numbers have the moments of the normal distribution', async () => {
    const x = await dataOf(normal(draw(3, 9), [n]));
    const moment = (k: number) => x.reduce((total, v) => total + v ** k, 0) / n;
    const deviation = (k: number, variance: number) =>
      Math.abs(moment(k) - ([0, 0, 1, 0, 3][k] ?? 0)) / Math.sqrt(variance / n);
    expect(deviation(1, 1)).toBeLessThan(4.5);
    expect(deviation(2, 2)).toBeLessThan(4.5);
    expect(deviation(3, 15)).toBeLessThan(4.5);
    expect(deviation(4, 96)).toBeLessThan(4.5);
  });
});

test('dropout keeps the expectation, and its gradient goes where the values went', async () => {
  const x = input('x', ['rows', 64]);
  const dropped = dropout(x, 0.25, draw(1, 2));
  const given = {
    x: values(
      [512, 64],
      Array.from({ length: 512 * 64 }, () => 1),
    ),
  };
  const { data } = await evaluate(dropped, given);
  expect(new Set(data)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
  expect(data.reduce((a, b) => a + b, 0) / data.length).toBeCloseTo(1, 1.7);
  const slope = await evaluate(gradients(sum(mul(dropped, x), [0, 1]), x), given);
  expect(slope.data).toEqual(data.map(v => 2 * v));
  expect(dropout(x, 0.25, undefined)).toBe(x);
});

test('the draws of a step are the same in a loop and in any session', async () => {
  const seed = whole(11);
  const { collected } = repeat(3, whole(40), step => {
    const next = gather(integers([41, 42, 43]), integers([0], []));
    return { state: next, collect: uniform({ seed, step, stream: 4 }, [5]) };
  });
  const turns = await dataOf(collected);
  expect(turns.slice(0, 5)).toEqual(await dataOf(uniform(draw(11, 40, 4), [5])));
  expect(turns.slice(5, 10)).toEqual(await dataOf(uniform(draw(11, 41, 4), [5])));
});
