import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { askedColumns, contentDisposition, countedBytes, namedDatasets, parseReference, pinned } from './rules.ts';

const id = `ds_${'0123456789abcdef'.repeat(2)}`;

test('a reference is a dataset or one version of it, and nothing else is one', () => {
  expect(parseReference(id)).toEqual({ id, version: null });
  expect(parseReference(`${id}@12`)).toEqual({ id, version: 12 });
  for (const text of [
    '',
    'ds_1',
    `${id}@`,
    `${id}@0`,
    `${id}@01`,
    `${id}@1.5`,
    `${id}@1e3`,
    `${id}@9999999999`,
    `${id} `,
    `../${id}`,
  ])
    expect(parseReference(text), text).toBeNull();
});

test('a small file counts as it is; one that is kept much larger counts as it is kept', () => {
  expect(countedBytes(100, 900)).toBe(100);
  expect(countedBytes(1e6, 4e5)).toBe(1e6);
  expect(countedBytes(1000, 1e9)).toBe(1e9 - 65_536);
});

test('the datasets that operations name are found with their places, and can be tied to versions', () => {
  const operations = [
    { type: 'clean' as const, params: {} },
    { type: 'transform' as const, params: { op: 'join', dataset_id: id, on: ['a'] } },
    { type: 'enrich' as const, params: { op: 'lookup', dataset_id: 7 } },
  ];
  expect(namedDatasets(operations)).toEqual([{ name: id, param: 'operations[1].params.dataset_id' }]);
  expect(pinned(operations, new Map([[id, `${id}@3`]]))).toEqual([
    operations[0],
    { type: 'transform', params: { op: 'join', dataset_id: `${id}@3`, on: ['a'] } },
    operations[2],
  ]);
});

test('columns are asked for with commas, several times, or by a name that has a comma in it', () => {
  const known = ['a', 'b', 'last, first'];
  expect(askedColumns(undefined, known)).toBeUndefined();
  expect(askedColumns('a, b', known)).toEqual(['a', 'b']);
  expect(askedColumns(['b', 'a,b'], known)).toEqual(['b', 'a']);
  expect(askedColumns('last, first', known)).toEqual(['last, first']);
  expect(askedColumns('c', known)).toEqual(['c']);
});

test('whatever a dataset is called, its download has one header of printable ASCII that ends with the extension', () => {
  const name = fc.string({ unit: 'grapheme', maxLength: 200 });
  fc.assert(
    fc.property(name, text => {
      const header = contentDisposition(text, 'csv');
      expect(header).toMatch(/^attachment; filename="[\w .()-]+\.csv"; filename\*=UTF-8''[\w%.!~&$+-]*\.csv$/);
    }),
  );
  expect(contentDisposition('Umsätze "2026"', 'csv')).toBe(
    `attachment; filename="Ums_tze _2026_.csv"; filename*=UTF-8''Ums%C3%A4tze%20%222026%22.csv`,
  );
});
