import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBench, transform } from './testing.ts';
import type { Bench } from './testing.ts';
import type { Row } from '../types.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const rowsOf = async (
  sql: string,
  op: string,
  params: Record<string, unknown>,
  datasets: Record<string, string> = {},
): Promise<Row[]> => (await bench.run(sql, [transform(op, params)], { datasets })).rows;
const sales = `SELECT * FROM (VALUES ('a', 1, 10.5::DOUBLE), ('b', 2, 20), ('a', 3, NULL), (NULL, 4, 5)) t(k, n, price)`;

test('select, drop and rename', async () => {
  expect((await rowsOf(sales, 'select', { columns: ['n', 'k'] }))[0]).toEqual({ n: 1, k: 'a' });
  expect((await rowsOf(sales, 'drop', { columns: ['N'] }))[0]).toEqual({ k: 'a', price: 10.5 });
  expect((await rowsOf(sales, 'rename', { mapping: { k: 'n', n: 'k' } }))[0]).toEqual({ n: 'a', k: 1, price: 10.5 });
  await expect(rowsOf(sales, 'rename', { mapping: { k: 'N' } })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
});

test('filter keeps rows for which the condition is true', async () => {
  expect((await rowsOf(sales, 'filter', { where: 'price > 6' })).map(row => row['n'])).toEqual([1, 2]);
});

test('sort is stable, and puts nulls last', async () => {
  expect((await rowsOf(sales, 'sort', { by: 'k' })).map(row => row['n'])).toEqual([1, 3, 2, 4]);
  expect(
    (await rowsOf(sales, 'sort', { by: [{ column: 'k', descending: true, nulls: 'first' }, '-n'] })).map(
      row => row['n'],
    ),
  ).toEqual([4, 2, 3, 1]);
});

test('sample takes exactly as many, the same for the same seed, in order', async () => {
  const sql = 'SELECT range AS n FROM range(10000)';
  const first = (await rowsOf(sql, 'sample', { fraction: 0.1, seed: 7 })).map(row => Number(row['n']));
  expect(first).toHaveLength(1000);
  expect(first).toEqual(first.toSorted((a, b) => a - b));
  expect((await rowsOf(sql, 'sample', { fraction: 0.1, seed: 7 })).map(row => row['n'])).toEqual(first);
  expect((await rowsOf(sql, 'sample', { n: 1000, seed: 8 })).map(row => row['n'])).not.toEqual(first);
  expect(await rowsOf(sql, 'sample', { n: 20000 })).toHaveLength(10000);
});

test('derive adds a column or replaces one', async () => {
  expect((await rowsOf(sales, 'derive', { name: 'total', expression: 'n * price' }))[1]).toEqual({
    k: 'b',
    n: 2,
    price: 20,
    total: 40,
  });
  expect(
    (await rowsOf(sales, 'derive', { name: 'n', expression: 'n + 1', where: "k = 'a'" })).map(row => row['n']),
  ).toEqual([2, 2, 4, 4]);
});

test('split_column, merge_columns and extract', async () => {
  const sql = `SELECT unnest(['a-b-c', 'd', NULL]) AS x, 1 AS y`;
  expect(
    (await rowsOf(sql, 'split_column', { column: 'x', delimiter: '-', into: ['p', 'q'] })).map(row => [
      row['p'],
      row['q'],
    ]),
  ).toEqual([
    ['a', 'b-c'],
    ['d', null],
    [null, null],
  ]);
  expect(
    (await rowsOf(sql, 'merge_columns', { columns: ['x', 'y'], delimiter: '/', into: 'z' })).map(row => row['z']),
  ).toEqual(['a-b-c/1', 'd/1', '1']);
  expect(
    (await rowsOf(sql, 'extract', { column: 'x', pattern: '(\\w)-(\\w)', into: ['p', 'q'] })).map(row => [
      row['p'],
      row['q'],
    ]),
  ).toEqual([
    ['a', 'b'],
    [null, null],
    [null, null],
  ]);
});

test('date_parts', async () => {
  const [row] = await rowsOf(`SELECT DATE '2024-12-31' AS d`, 'date_parts', {
    column: 'd',
    parts: ['year', 'week', 'weekday'],
  });
  expect(row).toEqual({ d: '2024-12-31', d_year: 2024, d_week: 1, d_weekday: 2 });
});

test('bin by width, by quantile and by edges', async () => {
  const sql = 'SELECT unnest([0, 1, 5, 9, 10, NULL]) AS x';
  const bins = async (params: object): Promise<unknown[]> =>
    (await rowsOf(sql, 'bin', { column: 'x', ...params })).map(row => row['x_bin']);
  expect(await bins({ n: 2 })).toEqual([0, 0, 1, 1, 1, null]);
  expect(await bins({ method: 'quantile', n: 2, labels: ['low', 'high'] })).toEqual([
    'low',
    'low',
    'high',
    'high',
    'high',
    null,
  ]);
  expect(await bins({ edges: [1, 10] })).toEqual([0, 1, 1, 1, 2, null]);
});

test('scale as scikit-learn does', async () => {
  const sql = 'SELECT unnest([1, 2, 3, NULL]) AS x, 5 AS same';
  const standard = await rowsOf(sql, 'scale', {});
  expect(standard[0]?.['x']).toBeCloseTo(-1.224744871391589, 12);
  expect(standard[0]?.['same']).toBe(0);
  expect((await rowsOf(sql, 'scale', { method: 'minmax' })).map(row => row['x'])).toEqual([0, 0.5, 1, null]);
  expect((await rowsOf(sql, 'scale', { method: 'robust' })).map(row => row['x'])).toEqual([-1, 0, 1, null]);
});

test('one_hot takes columns that are called like what it counts', async () => {
  const { rows } = await bench.run(`SELECT * FROM (VALUES ('a', 1, 2), ('b', 1, 2), ('b', 1, 2)) t(k, v, n)`, [
    transform('one_hot', { columns: ['k', 'v'], max_categories: 1 }),
  ]);
  expect(rows).toEqual([
    { n: 2, k_b: 0, v_1: 1 },
    { n: 2, k_b: 1, v_1: 1 },
    { n: 2, k_b: 1, v_1: 1 },
  ]);
});

test('one_hot and ordinal_encode', async () => {
  expect((await rowsOf(sales, 'one_hot', { columns: ['k'] })).map(row => [row['k_a'], row['k_b']])).toEqual([
    [1, 0],
    [0, 1],
    [1, 0],
    [0, 0],
  ]);
  expect((await rowsOf(sales, 'ordinal_encode', { column: 'k' })).map(row => row['k_code'])).toEqual([0, 1, 0, null]);
  expect((await rowsOf(sales, 'ordinal_encode', { column: 'k', order: ['b', 'a'] })).map(row => row['k_code'])).toEqual(
    [1, 0, 1, null],
  );
});

test('aggregate gives sorted groups', async () => {
  const metrics = {
    total: 'sum(n)',
    mean: { fn: 'mean', column: 'price' },
    last: { fn: 'last', column: 'n' },
    rows: { fn: 'count' },
    big: { fn: 'count', where: 'n > 1' },
  };
  expect(await rowsOf(sales, 'aggregate', { group_by: ['k'], metrics })).toEqual(
    [
      { k: 'a', total: '4', mean: 10.5, last: 3, rows: 2, big: 1 },
      { k: 'b', total: '2', mean: 20, last: 2, rows: 1, big: 1 },
      { k: null, total: '4', mean: 5, last: 4, rows: 1, big: 1 },
    ].map(row => ({ ...row, total: Number(row.total) })),
  );
  expect(await rowsOf(sales, 'aggregate', { metrics: { n: 'count(*)' } })).toEqual([{ n: 4 }]);
});

test.each([
  ['SELECT NULL::VARCHAR AS q', 'has no value at all'],
  [`SELECT '' AS q`, `can't name a column: ""`],
  [`SELECT chr(1) || 'row' AS q`, `can't name a column: "\\u0001row"`],
])('pivot says which values can be no columns: %s', async (sql, message) => {
  await expect(bench.run(sql, [transform('pivot', { on: 'q' })])).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
    param: 'operations[0].params.on',
    message: expect.stringContaining(message) as string,
  });
});

test('aggregate without groups gives one row, also of none, and takes no metric that is a value of each row', async () => {
  const metrics = { rows: 'count(*)', n: { fn: 'sum', column: 'n' } };
  expect(await rowsOf('SELECT 1 AS n WHERE false', 'aggregate', { metrics })).toEqual([{ rows: 0, n: null }]);
  await expect(rowsOf('SELECT 1 AS n', 'aggregate', { metrics: { n: 'n' } })).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
    param: 'operations[0].params',
  });
});

test('pivot and unpivot', async () => {
  const long = await rowsOf('SELECT 1 AS id, 10 AS q1, NULL::INTEGER AS q2', 'unpivot', {
    columns: ['q1', 'q2'],
    nulls: true,
  });
  expect(long).toEqual([
    { id: 1, name: 'q1', value: 10 },
    { id: 1, name: 'q2', value: null },
  ]);
  const sql = `SELECT * FROM (VALUES (1, 'q1', 10), (1, 'q2', 20), (2, 'q2', 5)) t(id, q, v)`;
  expect(await rowsOf(sql, 'pivot', { on: 'q', group_by: ['id'], using: { fn: 'max', column: 'v' } })).toEqual([
    { id: 1, q1: 10, q2: 20 },
    { id: 2, q1: null, q2: 5 },
  ]);
});

test('flatten_json of texts and of structs', async () => {
  const sql = `SELECT '{"a": {"b": 1}, "c": "x"}' AS j, {'u': 1, 'v': 'y'} AS s`;
  expect((await rowsOf(sql, 'flatten_json', { column: 'j', paths: { b: '$.a.b' } }))[0]?.['b']).toBe('1');
  expect((await rowsOf(sql, 'flatten_json', { column: 'j', paths: ['a.b'] }))[0]?.['a_b']).toBe('1');
  expect((await rowsOf(sql, 'flatten_json', { column: 's' }))[0]).toMatchObject({ s_u: '1', s_v: 'y' });
});

const windowed = async (params: object): Promise<unknown[]> =>
  (await rowsOf(sales, 'window', { into: 'w', ...params })).map(row => row['w']);

test('window functions, in the order of the rows', async () => {
  expect(await windowed({ fn: 'row_number', partition_by: ['k'] })).toEqual([1, 1, 2, 1]);
  expect(await windowed({ fn: 'cumsum', column: 'n' })).toEqual([1, 3, 6, 10]);
  expect(await windowed({ fn: 'sum', column: 'n', partition_by: ['k'] })).toEqual([4, 2, 4, 4]);
  expect(await windowed({ fn: 'lag', column: 'n' })).toEqual([null, 1, 2, 3]);
  expect(await windowed({ fn: 'mean', column: 'n', rows: 2 })).toEqual([1, 1.5, 2.5, 3.5]);
  expect(await windowed({ fn: 'rank', order_by: '-k' })).toEqual([2, 1, 2, 4]);
});

test('joins of every kind keep the order of the left rows', async () => {
  const other = await bench.file(`SELECT * FROM (VALUES ('a', 'x', 7), ('a', 'y', 8), ('c', 'z', 9)) t(k, label, n)`);
  const joined = async (how: string): Promise<unknown[]> =>
    (await rowsOf(sales, 'join', { dataset_id: 'ds_o', on: 'k', how }, { ds_o: other })).map(row => [
      row['k'],
      row['n'],
      row['label'],
      row['n_right'],
    ]);
  const inner = [
    ['a', 1, 'x', 7],
    ['a', 1, 'y', 8],
    ['a', 3, 'x', 7],
    ['a', 3, 'y', 8],
  ];
  expect(await joined('inner')).toEqual(inner);
  expect(await joined('left')).toEqual([
    ...inner.slice(0, 2),
    ['b', 2, null, null],
    ...inner.slice(2),
    [null, 4, null, null],
  ]);
  expect(await joined('right')).toEqual([...inner, ['c', null, 'z', 9]]);
  expect(await joined('full')).toHaveLength(7);
  expect((await joined('semi')).map(row => (Array.isArray(row) ? row[1] : null))).toEqual([1, 3]);
  expect((await joined('anti')).map(row => (Array.isArray(row) ? row[1] : null))).toEqual([2, 4]);
  await expect(rowsOf(sales, 'join', { dataset_id: 'ds_x', on: 'k' })).rejects.toMatchObject({
    code: 'UNKNOWN_DATASET',
    param: 'operations[0].params.dataset_id',
  });
});

test('union by name', async () => {
  const other = await bench.file(`SELECT 9 AS n, 'new' AS extra UNION ALL SELECT 9, 'new'`);
  const all = await rowsOf(sales, 'union', { dataset_id: 'ds_o' }, { ds_o: other });
  expect(all.map(row => [row['n'], row['extra']])).toEqual([
    [1, null],
    [2, null],
    [3, null],
    [4, null],
    [9, 'new'],
    [9, 'new'],
  ]);
  expect(await rowsOf(sales, 'union', { dataset_id: 'ds_o', how: 'distinct' }, { ds_o: other })).toHaveLength(5);
});

test('split_dataset gives parts of exactly the fractions, together all rows', async () => {
  const sql = 'SELECT range AS n, range % 100 AS g FROM range(1001)';
  const fractions = { train: 0.7, valid: 0.2, test: 0.1 };
  const { outputs } = await bench.run(sql, [transform('split_dataset', { fractions, seed: 1 })]);
  expect(outputs.map(({ name, rows }) => [name, rows])).toEqual([
    ['train', 701],
    ['valid', 200],
    ['test', 100],
  ]);
  const files = outputs.map(({ path }) => `'${path}'`).join(', ');
  expect(await bench.query(`SELECT count(DISTINCT n) AS n FROM read_parquet([${files}])`)).toEqual([{ n: 1001 }]);
  const keyed = await bench.run(sql, [transform('split_dataset', { fractions, seed: 1, key: 'g' })]);
  const groups = await bench.query(
    `SELECT count(DISTINCT filename) AS files FROM read_parquet([${keyed.outputs.map(({ path }) => `'${path}'`).join(', ')}], filename = true) GROUP BY g`,
  );
  expect(groups.every(row => row['files'] === 1)).toBe(true);
  expect(keyed.outputs.reduce((sum, { rows }) => sum + rows, 0)).toBe(1001);
});
