// Profiles, pages and exports against pandas and DuckDB.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { duckdb, leftovers, workshop } from './testing.ts';

const shop = await workshop();
const fixtures = join(import.meta.dirname, 'fixtures');

test('statistics of numbers are those of pandas', async () => {
  const { target } = await shop.take(await readFile(join(fixtures, 'numbers.csv')), 'csv', { header: true });
  const expected = JSON.parse(await readFile(join(fixtures, 'numbers.json'), 'utf8')) as Record<string, number>;
  const [column] = await shop.tables.profile(target);
  expect(column).toMatchObject({
    count: expected['count'],
    nulls: expected['nulls'],
    distinct: expected['distinct'],
    min: expected['min'],
    max: expected['max'],
    top: expect.arrayContaining([{ value: 7, count: 3 }]),
  });
  expect(column?.mean).toBeCloseTo(expected['mean'] ?? 0, 10);
  expect(column?.standardDeviation).toBeCloseTo(expected['sd'] ?? 0, 10);
  expect(column?.top[0]).toEqual({ value: 7, count: 3 });
  expect(column?.histogram?.reduce((sum, { count }) => sum + count, 0)).toBe(expected['count']);
});

test('every type has a profile, and quantiles are near those of DuckDB', async () => {
  const target = join(shop.folder, 'types.parquet');
  await duckdb(`COPY (SELECT i, i::DOUBLE / 3 AS x, DATE '2024-01-01' + (i % 300)::INTEGER AS day, TIMESTAMP '2024-01-01' + to_seconds(i) AS at,
    i % 2 = 0 AS ok, 'text ' || i % 7 AS t, [i] AS l, {'a': i} AS s, NULL::VARCHAR AS none, 'x'::BLOB AS b, i::DECIMAL(18,2) AS d, 'NaN'::DOUBLE AS nan, uuid() AS id, INTERVAL 1 DAY AS iv
    FROM range(100000) t(i)) TO '${target}' (FORMAT parquet)`);
  const columns = Object.fromEntries((await shop.tables.profile(target)).map(each => [each.name, each]));
  expect(columns['x']?.quantiles?.map(Number)[2]).toBeCloseTo(100_000 / 6, -3);
  expect(columns['day']).toMatchObject({ min: '2024-01-01', max: '2024-10-26', distinct: 300 });
  expect(columns['at']?.histogram).toHaveLength(20);
  expect(columns['t']?.top).toHaveLength(7);
  expect(columns['l']).toMatchObject({ count: 100_000, top: [], min: null });
  expect(columns['none']).toMatchObject({ count: 0, nulls: 100_000, distinct: 0, min: null, top: [] });
  expect(columns['nan']).toMatchObject({ min: null, mean: null, histogram: null });
});

test('pages: any part, in order, chosen columns', async () => {
  const target = join(shop.folder, 'pages.parquet');
  await duckdb(
    `COPY (SELECT i, i * 2 AS j FROM range(300000) t(i)) TO '${target}' (FORMAT parquet, ROW_GROUP_SIZE 20480)`,
  );
  expect(await shop.tables.rows(target, { offset: 20_479, limit: 2, columns: ['j'] })).toEqual([
    { j: 40_958 },
    { j: 40_960 },
  ]);
  expect(await shop.tables.rows(target, { offset: 400_000, limit: 2 })).toEqual([]);
  await expect(shop.tables.rows(target, { offset: 0, limit: 1, columns: ['k'] })).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    param: 'columns',
  });
});

test.each(['csv', 'json', 'ndjson', 'parquet'] as const)('an export as %s reads back the same', async format => {
  const { target, first } = await shop.take('a,b,d\n1,"x, ""y""\nz",2024-01-01\n2,ü,\n', 'csv');
  const exported = join(shop.folder, `export.${format}`);
  await shop.tables.export({ source: target, format, target: exported });
  expect((await shop.take(await readFile(exported), format)).first).toEqual(first);
  expect(await leftovers(shop)).toEqual([]);
});
