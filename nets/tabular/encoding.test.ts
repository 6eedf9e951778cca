// Encoding of raw columns against plain arithmetic, and the whole model's answers against Python's onnxruntime.
import { readFileSync } from 'node:fs';
import { toOnnx, input } from '@vectorium/tensor';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { cyclesOf, secondsOf } from './dates.ts';
import { encode, informative, layoutOf } from './encoding.ts';
import { createTabular } from './network.ts';
import { planTabular } from './plan.ts';
import { plainWeights, run, tableOf } from './testing.ts';
import type { Feature } from './types.ts';

const texts = (values: string[]) => new Tensor('string', values, [values.length, 1]);
const doubles = (values: number[]) => new Tensor('float64', values, [values.length, 1]);

async function encodedRows(features: Feature[], columns: Record<string, Tensor>): Promise<number[][]> {
  const { encoded } = await run(toOnnx({ encoded: encode(features) }), columns);
  const { width } = layoutOf(features);
  const data = Array.from(encoded?.data ?? [], Number);
  return Array.from({ length: data.length / width }, (_, row) => data.slice(row * width, (row + 1) * width));
}

describe('numbers', () => {
  const number = { name: 'n', kind: 'number', mean: 0, deviation: 1 } as const;

  test('are centred, scaled by their quartiles and bent; what is missing is the median, and marked', async () => {
    const features: Feature[] = [{ ...number, quantiles: [0, 2, 3, 6, 100], nulls: 1 }];
    const rows = await encodedRows(features, { n: doubles([3, 7, NaN, 1e300, -Infinity]) });
    const expected = [
      [0, 0],
      [bent(1), 0],
      [0, 1],
      [3, 0],
      [-3, 0],
    ];
    for (const [i, [x = NaN, mark = NaN]] of expected.entries()) {
      expect(rows[i]?.[0]).toBeCloseTo(x, 5);
      expect(rows[i]?.[1]).toBe(mark);
    }
  });

  test('that are nearly always the same are scaled by their range', async () => {
    const features: Feature[] = [{ ...number, quantiles: [0, 1, 1, 1, 4], nulls: 0 }];
    expect((await encodedRows(features, { n: doubles([3]) }))[0]?.[0]).toBeCloseTo(bent(1), 5);
  });

  test('as large as times in milliseconds lose nothing', async () => {
    const features: Feature[] = [{ ...number, quantiles: [1.7e15, 1.7e15 + 1, 1.7e15 + 2], nulls: 0 }];
    expect((await encodedRows(features, { n: doubles([1.7e15 + 2]) }))[0]?.[0]).toBeCloseTo(bent(1), 5);
  });

  test('that are mostly infinite do no harm', async () => {
    const features: Feature[] = [{ ...number, quantiles: [0, 1, Infinity, Infinity, Infinity], nulls: 0 }];
    expect(await encodedRows(features, { n: doubles([0, Infinity, -1]) })).toEqual([[0], [0], [0]]);
  });

  test('that are constant, or always missing, are left out', () => {
    expect(
      informative([
        { ...number, quantiles: [5, 5, 5], nulls: 0 },
        { ...number, quantiles: [], nulls: 9 },
      ]),
    ).toEqual([]);
    expect(informative([{ ...number, quantiles: [5, 5, 5], nulls: 1 }])).toHaveLength(1);
  });
});

test('booleans are 1 and -1, and 0 where missing', async () => {
  const rows = await encodedRows([{ name: 'b', kind: 'boolean', nulls: 1 }], { b: doubles([1, 0, NaN]) });
  expect(rows).toEqual([[1], [-1], [0]]);
});

describe('categories', () => {
  const values = ['red', 'Grün', '', '001'];
  test('have the codes of their values; missing and unseen ones have their own', async () => {
    const features: Feature[] = [{ name: 'c', kind: 'category', values: ['red', 'Grün', '001'], nulls: 2 }];
    expect(await encodedRows(features, { c: texts([...values, '1']) })).toEqual([[0], [1], [3], [2], [4]]);
    expect(layoutOf(features).categories).toEqual([4]);
  });

  test('that were never missing count a missing one as unseen', async () => {
    const features: Feature[] = [{ name: 'c', kind: 'category', values: ['red', 'Grün', '001'], nulls: 0 }];
    expect(await encodedRows(features, { c: texts(['', 'blue']) })).toEqual([[3], [3]]);
  });
});

describe('dates', () => {
  test('with and without time, fraction and zone are those of Date.parse', async () => {
    const dates = ['2024-02-29', '1969-12-31', '1900-03-01', '0001-03-01', '9999-12-31', '2000-12-31'];
    const times = [
      '2024-02-29T23:59:59Z',
      '2024-03-01T00:00:00.125Z',
      '1969-07-20T20:17Z',
      '2024-01-01T00:30:00+02:00',
    ];
    const more = ['2024-01-01T00:30:00.5-09:30', '1970-01-01T00:00:00.000001Z'];
    const all = [...dates, ...times, ...more];
    const found = await seconds(all);
    for (const [i, text] of all.entries()) expect(found[i], text).toBeCloseTo(Date.parse(text) / 1000, 3);
  });

  test('with a blank for the T, and times without a zone, are in UTC', async () => {
    const [blank, local] = await seconds(['2024-02-29 12:00:01.5', '2024-02-29T12:00:01.5']);
    expect([blank, local]).toEqual([1709208001.5, 1709208001.5]);
  });

  test('that are none are missing', async () => {
    const none = ['', '2024', '29.02.2024', '2024-13-01', '2024-00-10', '2024-01-01T25:00', '2024-01-01x', 'null'];
    expect(await seconds(none)).toEqual(none.map(() => NaN));
  });

  test('stand on circles of the year, the week and the day', async () => {
    const angles = cyclesOf(secondsOf(input('d', ['rows', 1], 'string')));
    const graph = toOnnx(Object.fromEntries(angles.map((angle, i) => [`c${i}`, angle])));
    const found = await run(graph, { d: texts(['1970-01-04T06:00:00Z', '1970-01-01', '']) });
    const rows = [0, 1, 2].map(row => angles.map((_, i) => Number(found[`c${i}`]?.data[row])));
    // Sunday, at a quarter of the day; the first of the year; nothing.
    expect(rows[0]?.[2]).toBeCloseTo(Math.sin((2 * Math.PI) / 28), 5);
    expect(rows[0]?.slice(4)).toEqual([expect.closeTo(1, 5), expect.closeTo(0, 5)]);
    expect(rows[1]?.slice(0, 2)).toEqual([0, 1]);
    expect(rows[2]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('a model answers as it does in Python', () => {
  const answers = JSON.parse(
    readFileSync(new URL('../fixtures/tabular_answers.json', import.meta.url), 'utf8'),
  ) as Record<string, { shape: number[]; data: number[] }>;

  test.each(['classes', 'number'] as const)('of %s', async kind => {
    const table = tableOf(kind, { rows: 20 });
    const network = createTabular(
      planTabular(table, { algorithm: 'tabm', settings: { width: 16, members: 4, periodic: true } }),
    );
    const found = await run(network.model(await plainWeights(network), { temperature: 1.5 }), table.columns);
    for (const [name, { dims, data }] of Object.entries(found)) {
      const expected = answers[`${kind}.${name}`];
      expect([...dims]).toEqual(expected?.shape);
      for (const [i, value] of (expected?.data ?? []).entries()) expect(Number(data[i])).toBeCloseTo(value, 5);
    }
  });
});

// ---- helpers

const bent = (x: number): number => x / Math.sqrt(1 + (x / 3) ** 2);

async function seconds(values: string[]): Promise<number[]> {
  const { output } = await run(toOnnx({ output: secondsOf(input('d', ['rows', 1], 'string')) }), {
    d: texts(values),
  });
  return Array.from(output?.data ?? [], Number);
}
