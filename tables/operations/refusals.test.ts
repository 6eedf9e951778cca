// Parameters that contradict each other or the columns are refused with their place; values that no statistic is made of do no harm.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Operation, Services } from '../types.ts';
import { checkOperations } from './check.ts';
import { clean, enrich, openBench, transform } from './testing.ts';
import type { Bench } from './testing.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const two = "SELECT 1 AS x, 'a' AS y";
const rule = (name: string) => ({ name, expression: 'x > 0' });

test.each<[string, Operation, string]>([
  ['bounds in the wrong order', clean('clip', { columns: ['x'], min: 3, max: 2 }), 'min'],
  ['two columns that differ by case', transform('rename', { mapping: { x: 'q', y: 'Q' } }), 'mapping'],
  ['one column renamed twice', transform('rename', { mapping: { x: 'q', X: 'r' } }), 'mapping.X'],
  ['one column cast twice', clean('cast', { types: { x: 'double', X: 'varchar' } }), 'types.X'],
  ['two rules of one name', clean('validate', { rules: [rule('a'), rule('a')] }), 'rules[1]'],
  ['a rule that is there twice', clean('validate', { rules: ['x > 0', 'x > 0'] }), 'rules[1]'],
  ['a condition on a type', clean('cast', { types: { x: 'double' }, where: 'x > 0' }), 'where'],
  [
    'a condition that would lose cells',
    transform('merge_columns', { columns: ['x', 'y'], into: 'z', keep: false, where: 'x > 0' }),
    'where',
  ],
  ['a condition that would lose rows', enrich('chunk_text', { column: 'y', where: 'x > 0' }), 'where'],
  ['infinite numbers', clean('clip', { columns: ['x'], min: Infinity }), 'min'],
])('%s', async (_, operation, param) => {
  await expect(bench.run(two, [operation])).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
    param: `operations[0].params.${param}`,
  });
});

const wild = "SELECT unnest(['1', '3', 'inf', '-inf', 'nan', NULL])::DOUBLE AS x";

test('infinities and NaN have no part in statistics and stay what they are', async () => {
  for (const [method, first] of [
    ['standard', -1],
    ['minmax', 0],
    ['robust', -1],
  ] as const) {
    const { rows } = await bench.run(wild, [transform('scale', { method })]);
    expect(rows.map(row => row['x'])).toEqual([first, 1, 'Infinity', '-Infinity', 'NaN', null]);
  }
  const { rows } = await bench.run(wild, [clean('outliers', { method: 'zscore', action: 'clip' })]);
  expect(rows.map(row => row['x'])).toEqual([1, 3, 2 + 3 * Math.SQRT2, 2 - 3 * Math.SQRT2, 2 + 3 * Math.SQRT2, null]);
  const { rows: clipped } = await bench.run(wild, [clean('clip', { min: 2, max: 5 })]);
  expect(clipped.map(row => row['x'])).toEqual([2, 3, 5, 2, 5, null]);
});

test('what a look at the data meets names the operation', async () => {
  const sql = 'SELECT unnest([1e300, -1e300]) AS x';
  await expect(bench.run(sql, [clean('trim'), transform('scale')])).rejects.toMatchObject({
    code: 'OPERATION_FAILED',
    param: 'operations[1].params',
  });
});

const people = `SELECT * FROM (VALUES (1, 'a b', DATE '2024-01-02', 5), (2, 'c d', DATE '2025-03-04', 7)) t(id, name, day, n)`;

test.each<[Operation, Record<string, unknown>, Record<string, unknown>]>([
  [
    transform('split_column', { column: 'name', delimiter: ' ', into: ['p', 'q'] }),
    { p: 'a', q: 'b' },
    { p: null, q: null },
  ],
  [transform('merge_columns', { columns: ['id', 'name'], into: 'm' }), { m: '1 a b' }, { m: null }],
  [transform('extract', { column: 'name', pattern: '[a-z]$', into: 'e' }), { e: 'b' }, { e: null }],
  [transform('date_parts', { column: 'day', parts: ['year'] }), { day_year: 2024 }, { day_year: null }],
  [transform('bin', { column: 'n', edges: [6] }), { n_bin: 0 }, { n_bin: null }],
  [transform('scale', { columns: ['n'] }), { n: -1 }, { n: 7 }],
  [transform('one_hot', { columns: ['id'], keep: true }), { id_1: 1, id_2: 0 }, { id_1: null, id_2: null }],
  [transform('ordinal_encode', { column: 'name' }), { name_code: 0 }, { name_code: null }],
  [enrich('text_stats', { column: 'name' }), { name_words: 2 }, { name_words: null }],
  [clean('validate', { rules: ['n > 5'], on_fail: 'flag' }), { valid: false }, { valid: true }],
  [enrich('lookup', { dataset_id: 'ds', on: 'id', columns: ['v0'] }), { v0: 'one' }, { v0: null }],
])('where: other rows keep their cells and have nulls in new columns: $params.op', async (operation, first, second) => {
  const datasets = { ds: await bench.file("SELECT * FROM (VALUES (1, 'one'), (2, 'two')) t(id, v0)") };
  const { type, params } = operation;
  const { rows } = await bench.run(people, [{ type, params: { ...params, where: "name = 'a b'" } }], { datasets });
  expect(rows).toMatchObject([first, second]);
});

test('where: vectors and chunks are made only of rows that meet it', async () => {
  const asked: unknown[] = [];
  const services: Partial<Services> = {
    embed: async texts => (asked.push(texts), texts.map(text => (text === null ? null : Float32Array.of(1, 0)))),
    chunk: async texts => texts.map(text => (text === null ? [] : text.split(' '))),
  };
  const { rows } = await bench.run(
    people,
    [
      enrich('embed_text', { column: 'name', where: 'id = 2' }),
      enrich('chunk_text', { column: 'name', as: 'list', where: 'id = 1' }),
      enrich('similarity', { column: 'name_vector', other: 'name_vector', where: 'id = 2' }),
    ],
    { services },
  );
  expect(asked).toEqual([[null, 'c d']]);
  expect(rows).toMatchObject([
    { name_vector: null, name_chunk: ['a', 'b'], similarity: null },
    { name_vector: [1, 0], name_chunk: null, similarity: 1 },
  ]);
});

test('what can not be paid for is refused before the first vector, and counted only where it is in doubt', async () => {
  const sql = "SELECT 'four' AS t FROM range(3000)";
  let embedded = 0;
  let counted = 0;
  const services = (tokens: number): Partial<Services> => ({
    embed: async texts => ((embedded += texts.length), texts.map(() => Float32Array.of(1))),
    count: async texts => ((counted += texts.length), texts.length),
    async affords(wanted, _, orFail) {
      if (wanted > tokens && orFail) throw new Error(`${wanted} tokens are too dear`);
      return wanted <= tokens;
    },
  });
  const embed = enrich('embed_text', { column: 't' });
  await expect(bench.run(sql, [embed], { services: services(2999) })).rejects.toThrow('3000 tokens are too dear');
  expect({ embedded, counted }).toEqual({ embedded: 0, counted: 3000 });
  await bench.run(sql, [embed], { services: services(3000) });
  expect({ embedded, counted }).toEqual({ embedded: 3000, counted: 6000 });
  await bench.run(sql, [embed], { services: services(15_000) });
  expect({ embedded, counted }).toEqual({ embedded: 6000, counted: 6000 });
});

const derive = (expression: string) => transform('derive', { name: 'x', expression });

test('what a small dataset decides is checked before there is a job', async () => {
  const source = await bench.file("SELECT * FROM (VALUES (' 1', 'a'), ('2 ', 'b')) t(n, kind)");
  const check = (...operations: Operation[]) =>
    checkOperations(bench.connection, { source, operations, datasets: {} }).then(
      () => null,
      (error: unknown) => error,
    );
  const automatic: Operation = { type: 'clean', params: {} };
  const oneHot = transform('one_hot', { columns: ['kind'] });
  expect(await check(automatic, transform('scale', { columns: ['n'] }), oneHot, derive('n + kind_a'))).toBeNull();
  expect(await check(automatic, clean('trim', { columns: ['n'] }))).toMatchObject({ code: 'WRONG_TYPE' });
  expect(await check(automatic, oneHot, derive('kind_c'))).toMatchObject({ code: 'INVALID_EXPRESSION' });
  expect(await check(transform('pivot', { on: 'kind' }), transform('select', { columns: ['c'] }))).toMatchObject({
    code: 'UNKNOWN_COLUMN',
    param: 'operations[1].params.columns[0]',
  });
});
