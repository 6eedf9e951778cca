// Values of rows against the columns that a model was trained on: what is taken, as what, and what is refused where.
import { cellTable } from '@vectorium/contract';
import { expect, test } from 'vitest';
import { encode } from './encode.ts';
import type { Feature } from './rules.ts';

const feature = (name: string, kind: Feature['kind'], type: string): Feature => ({ name, kind, sql_type: type });
const features = [
  feature('n', 'number', 'BIGINT'),
  feature('d', 'number', 'DECIMAL(18,3)'),
  feature('f', 'number', 'DOUBLE'),
  feature('b', 'boolean', 'BOOLEAN'),
  feature('c', 'category', 'VARCHAR'),
  feature('t', 'date', 'TIMESTAMP'),
  feature('x', 'text', 'VARCHAR'),
];

async function encoded(rows: unknown[], of = features) {
  const read = cellTable(rows);
  if (!read.ok) throw new Error(read.fault.message);
  const { columns, texts } = await encode(read.table, { features: of });
  const values = columns.map(column => [
    column.name,
    column.kind === 'text' ? [...column.codes].map(code => column.values[code]) : [...column.values],
  ]);
  return { ...Object.fromEntries(values), ...Object.fromEntries(texts.map(text => [text.name, text.values])) };
}

test('each kind as the model takes it; what is missing or null is NaN, an empty string or no text', async () => {
  const rows = [
    { n: 3, d: 1.5, f: -0.25, b: true, c: 'red', t: '2025-03-01', x: ' a text ' },
    { n: null, b: false, c: null },
    {},
  ];
  expect(await encoded(rows)).toEqual({
    n: [3, NaN, NaN],
    d: [1.5, NaN, NaN],
    f: [-0.25, NaN, NaN],
    b: [1, 0, NaN],
    c: ['red', '', ''],
    t: ['2025-03-01', '', ''],
    x: ['a text', null, null],
  });
});

test('lists are in the order of the features', async () => {
  const two = [feature('c', 'category', 'VARCHAR'), feature('n', 'number', 'BIGINT')];
  expect(
    await encoded(
      [
        ['red', 1],
        [null, 2],
      ],
      two,
    ),
  ).toEqual({ c: ['red', ''], n: [1, 2] });
});

test('strings are numbers only where rows of datasets have them so', async () => {
  expect(await encoded([{ n: '9007199254740993', d: '001.50', f: 'Infinity' }])).toMatchObject({
    n: [9007199254740992],
    d: [1.5],
    f: [NaN],
  });
  for (const row of [{ n: '3' }, { n: '001' }, { n: '' }, { n: 'x' }, { d: '' }, { d: '0x10' }, { f: '1.5' }])
    await expect(encoded([row])).rejects.toThrow('must be a number');
});

test('the first value that does not fit is named by row and column', async () => {
  const cases: [unknown, string][] = [
    [{ n: true }, 'n'],
    [{ b: 1 }, 'b'],
    [{ b: 'true' }, 'b'],
    [{ c: 1 }, 'c'],
    [{ c: false }, 'c'],
    [{ c: ['red'] }, 'c'],
    [{ c: '\ud800' }, 'c'],
    [{ t: '1 March 2025' }, 't'],
    [{ t: '2025-13-01' }, 't'],
    [{ t: 1_740_787_200 }, 't'],
    [{ x: {} }, 'x'],
  ];
  for (const [row, name] of cases)
    await expect(encoded([{ n: 1 }, row]), JSON.stringify(row)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      fields: {
        param: `input.data[1].${name}`,
        message: expect.stringContaining(`input.data[1]: column "${name}" must be`),
      },
    });
});

test('lists of another length than the features are refused', async () => {
  await expect(encoded([[1, 2, 3]])).rejects.toThrow('the model takes 7: n, d, f, b, c, t, x');
});
