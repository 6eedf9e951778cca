import { afterAll, beforeAll, expect, test } from 'vitest';
import { clean, openBench } from './testing.ts';
import type { Bench } from './testing.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const column = (values: string, type: string): string => `SELECT unnest([${values}])::${type} AS x`;
const xs = async (sql: string, op: string, params: Record<string, unknown> = {}): Promise<unknown[]> =>
  (await bench.run(sql, [clean(op, params)])).rows.map(row => row['x']);

test('drop_nulls drops rows with any, or with only nulls', async () => {
  const sql = 'SELECT * FROM (VALUES (1, 2), (NULL, 3), (NULL, NULL)) t(x, y)';
  expect(await xs(sql, 'drop_nulls')).toEqual([1]);
  expect((await bench.run(sql, [clean('drop_nulls', { how: 'all' })])).rows).toHaveLength(2);
  expect(await xs(sql, 'drop_nulls', { where: 'y IS NULL' })).toEqual([1, null]);
});

test('fill_nulls fills with a constant, a statistic or a neighbour', async () => {
  const sql = column('1, NULL, 3, 3, NULL, 10', 'DOUBLE');
  expect(await xs(sql, 'fill_nulls', { value: 0 })).toEqual([1, 0, 3, 3, 0, 10]);
  expect(await xs(sql, 'fill_nulls', { strategy: 'mean' })).toEqual([1, 4.25, 3, 3, 4.25, 10]);
  expect(await xs(sql, 'fill_nulls', { strategy: 'median' })).toEqual([1, 3, 3, 3, 3, 10]);
  expect(await xs(sql, 'fill_nulls', { strategy: 'mode' })).toEqual([1, 3, 3, 3, 3, 10]);
  expect(await xs(sql, 'fill_nulls', { strategy: 'forward' })).toEqual([1, 1, 3, 3, 3, 10]);
  expect(await xs(sql, 'fill_nulls', { strategy: 'backward' })).toEqual([1, 3, 3, 3, 10, 10]);
  const { report } = await bench.run(sql, [clean('fill_nulls', { strategy: 'forward' })]);
  expect(report[0]?.cellsChanged).toEqual({ x: 2 });
  await expect(bench.run(sql, [clean('fill_nulls', { value: 'abc' })])).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
    param: 'operations[0].params.value',
  });
});

test('deduplicate keeps the first or last of equal keys, in the order of the rows', async () => {
  const sql = "SELECT * FROM (VALUES ('b', 1), ('a', 2), ('b', 3), (NULL, 4), (NULL, 5)) t(k, x)";
  expect(await xs(sql, 'deduplicate', { columns: ['k'] })).toEqual([1, 2, 4]);
  expect(await xs(sql, 'deduplicate', { columns: ['k'], keep: 'last' })).toEqual([2, 3, 5]);
  expect(await xs(sql, 'deduplicate', { columns: ['k'], order_by: '-x' })).toEqual([2, 3, 5]);
  expect(await xs(sql, 'deduplicate', { columns: ['k'], order_by: '-x', keep: 'last' })).toEqual([1, 2, 4]);
  expect(await xs(sql, 'deduplicate', { columns: ['k'], where: 'k IS NOT NULL' })).toEqual([1, 2, 4, 5]);
});

test('trim takes all white space, and collapses it where asked', async () => {
  const sql = column("chr(9) || ' a  b' || chr(160) || chr(10), NULL, 'c'", 'VARCHAR');
  expect(await xs(sql, 'trim')).toEqual(['a  b', null, 'c']);
  expect(await xs(sql, 'trim', { collapse: true })).toEqual(['a b', null, 'c']);
});

test('change_case', async () => {
  const sql = column(`'élan vital', 'ABC dEF', NULL`, 'VARCHAR');
  expect(await xs(sql, 'change_case', { case: 'upper' })).toEqual(['ÉLAN VITAL', 'ABC DEF', null]);
  expect(await xs(sql, 'change_case', { case: 'title' })).toEqual(['Élan Vital', 'Abc Def', null]);
  expect(await xs(sql, 'change_case', { case: 'sentence' })).toEqual(['Élan vital', 'Abc def', null]);
});

test('null_tokens', async () => {
  const sql = column(`'N/A', ' - ', 'x', ''`, 'VARCHAR');
  expect(await xs(sql, 'null_tokens')).toEqual([null, null, 'x', null]);
  expect(await xs(sql, 'null_tokens', { tokens: ['x'] })).toEqual(['N/A', ' - ', null, '']);
});

test('replace_values takes 10,000 values at once, and names the one that is no value of the column', async () => {
  const values = Array.from({ length: 10_000 }, (_, index): [string, string] => [String(index), String(index + 1)]);
  const params = { column: 'x', mapping: Object.fromEntries(values) };
  const begun = process.cpuUsage();
  expect(await xs('SELECT 9999 AS x', 'replace_values', params)).toEqual([10_000]);
  // A statement for each value takes some 20 s.
  const { user, system } = process.cpuUsage(begun);
  expect((user + system) / 1e6).toBeLessThan(5);
  const wrong = { column: 'x', mapping: { 1: '2', 3: 'three' } };
  await expect(xs('SELECT 1 AS x', 'replace_values', wrong)).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
    param: 'operations[0].params.mapping.3',
  });
});

test('replace_values replaces by a mapping, and the rest by a default', async () => {
  const sql = column(`'m', 'f', 'q', NULL`, 'VARCHAR');
  expect(await xs(sql, 'replace_values', { column: 'x', mapping: { m: 'male', f: 'female' } })).toEqual([
    'male',
    'female',
    'q',
    null,
  ]);
  expect(await xs(sql, 'replace_values', { column: 'x', mapping: { m: null }, default: 'other' })).toEqual([
    null,
    'other',
    'other',
    null,
  ]);
});

test('regex_replace refuses what RE2 does not know', async () => {
  const sql = column(`'a1b22', NULL`, 'VARCHAR');
  expect(await xs(sql, 'regex_replace', { columns: ['x'], pattern: '[0-9]+', replacement: '#' })).toEqual([
    'a#b#',
    null,
  ]);
  await expect(xs(sql, 'regex_replace', { columns: ['x'], pattern: '(?=a)', replacement: '' })).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
    param: 'operations[0].params.pattern',
  });
});

test('cast fails with the place, gives null, or drops', async () => {
  const sql = column(`'1', 'abc', NULL`, 'VARCHAR');
  await expect(xs(sql, 'cast', { types: { x: 'integer' } })).rejects.toMatchObject({
    code: 'OPERATION_FAILED',
    param: 'operations[0].params.types.x',
    message: expect.stringContaining('abc'),
  });
  expect(await xs(sql, 'cast', { types: { x: 'integer' }, on_error: 'null' })).toEqual([1, null, null]);
  expect(await xs(sql, 'cast', { types: { x: 'integer' }, on_error: 'drop' })).toEqual([1, null]);
});

test('parse_dates reads the formats given', async () => {
  const sql = column(`'31/12/2024', '2024-01-02', 'x'`, 'VARCHAR');
  const { rows, outputs, report } = await bench.run(sql, [
    clean('parse_dates', { columns: ['x'], formats: ['%d/%m/%Y', '%Y-%m-%d'] }),
  ]);
  expect(rows.map(row => row['x'])).toEqual(['2024-12-31', '2024-01-02', null]);
  expect(outputs[0]?.columns[0]?.type).toBe('DATE');
  expect(report[0]?.cellsChanged).toEqual({ x: 1 });
});

test('outliers become null, go, or are clipped', async () => {
  const sql = column('1, 2, 3, 4, 5, 1000', 'INTEGER');
  expect(await xs(sql, 'outliers')).toEqual([1, 2, 3, 4, 5, null]);
  expect(await xs(sql, 'outliers', { action: 'drop' })).toEqual([1, 2, 3, 4, 5]);
  // numpy.percentile: quartiles 2.25 and 4.75, so that 4.75 + 1.5 * 2.5 = 8.5 is the fence; a cast rounds to even.
  expect(await xs(sql, 'outliers', { action: 'clip' })).toEqual([1, 2, 3, 4, 5, 8]);
  expect(await xs(sql, 'outliers', { method: 'zscore', threshold: 2 })).toEqual([1, 2, 3, 4, 5, null]);
});

test('clip keeps nulls', async () => {
  expect(await xs(column('1, NULL, 9', 'INTEGER'), 'clip', { min: 2, max: 5 })).toEqual([2, null, 5]);
});

test('normalize_unicode', async () => {
  const sql = column(`'e' || chr(769)`, 'VARCHAR');
  expect(await xs(sql, 'normalize_unicode')).toEqual(['é']);
  expect(await xs(sql, 'normalize_unicode', { strip_accents: true })).toEqual(['e']);
});

test('cluster_values gives all of one fingerprint the most frequent spelling', async () => {
  const sql = column(`'Acme, Inc.', 'inc acme', 'ACME Inc', 'ACME Inc', 'Other', NULL`, 'VARCHAR');
  const { rows, report } = await bench.run(sql, [clean('cluster_values', { column: 'x' })]);
  expect(rows.map(row => row['x'])).toEqual(['ACME Inc', 'ACME Inc', 'ACME Inc', 'ACME Inc', 'Other', null]);
  expect(report[0]?.cellsChanged).toEqual({ x: 2 });
});

test('mask_pii masks what its checks hold for', async () => {
  const sql = column(
    `'mail ada@example.org now', 'card 4111 1111 1111 1111', 'no card 4111 1111 1111 1112', 'ip 10.0.0.1 at 12:30:45', 'DE89 3704 0044 0532 0130 00', 'call +49 30 1234567', 'on 2024-01-02', '::1 2001:db8::1'`,
    'VARCHAR',
  );
  expect(await xs(sql, 'mask_pii', { kinds: ['email', 'card', 'ip', 'iban'] })).toEqual([
    'mail [EMAIL] now',
    'card [CARD]',
    'no card 4111 1111 1111 1112',
    'ip [IP] at 12:30:45',
    '[IBAN]',
    'call +49 30 1234567',
    'on 2024-01-02',
    '::1 [IP]',
  ]);
  expect((await xs(sql, 'mask_pii'))[5]).toBe('call [PHONE]');
  expect((await xs(sql, 'mask_pii'))[6]).toBe('on 2024-01-02');
  expect((await xs(sql, 'mask_pii', { kinds: ['email'], method: 'hash' }))[0]).toMatch(/^mail [0-9a-f]{16} now$/);
});

test('validate fails, drops or flags, and counts for each rule', async () => {
  const sql = column('1, -1, NULL', 'INTEGER');
  const rules = [{ name: 'positive', expression: 'x > 0' }, 'x IS NOT NULL'];
  await expect(xs(sql, 'validate', { rules })).rejects.toMatchObject({
    code: 'OPERATION_FAILED',
    param: 'operations[0].params.rules[0]',
  });
  const dropped = await bench.run(sql, [clean('validate', { rules, on_fail: 'drop' })]);
  expect(dropped.rows).toEqual([{ x: 1 }]);
  expect(dropped.report[0]?.details).toEqual({ positive: 2, 'x IS NOT NULL': 1 });
  const flagged = await bench.run(sql, [clean('validate', { rules, on_fail: 'flag' })]);
  expect(flagged.rows.map(row => row['valid'])).toEqual([true, false, false]);
});

test('clean without op trims, finds nulls and types, and drops empty and duplicate rows', async () => {
  const sql = `SELECT * FROM (VALUES
    (' 1', '001', 'x ', '31/12/2024', 'yes', 'NA'), ('2', '002', '?', '01/02/2024', 'no', 'FR'), ('NA', '003', 'N/A', '', 'YES', 'none'),
    ('2', '002', '?', '01/02/2024', 'no', 'FR'), ('', '', '', '', '', ''))
    t(n, code, word, day, flag, country)`;
  const { rows, report, outputs } = await bench.run(sql, [{ type: 'clean', params: {} }]);
  expect(rows).toEqual([
    { n: 1, code: '001', word: 'x', day: '2024-12-31', flag: true, country: 'NA' },
    { n: 2, code: '002', word: null, day: '2024-02-01', flag: false, country: 'FR' },
    { n: null, code: '003', word: null, day: null, flag: true, country: 'none' },
  ]);
  expect(outputs[0]?.columns.map(({ type }) => type)).toEqual([
    'BIGINT',
    'VARCHAR',
    'VARCHAR',
    'DATE',
    'BOOLEAN',
    'VARCHAR',
  ]);
  expect(report[0]).toMatchObject({
    op: 'clean',
    rowsIn: 5,
    rowsOut: 3,
    cellsChanged: { n: 3, code: 1, word: 5, day: 2, flag: 1, country: 1 },
    details: { empty_rows: 1, duplicate_rows: 1, types: { n: { type: 'BIGINT', cells: 3 } } },
  });
});

test('a column is what all of its rows are, not only the first', async () => {
  const sql = `SELECT i::VARCHAR || CASE WHEN i = 24999 THEN ' or so' ELSE '' END AS nearly,
      CASE WHEN i < 20000 THEN 'n/a' ELSE i::VARCHAR END AS late,
      CASE WHEN i = 24999 THEN '?' ELSE '1' END AS mark,
      CASE WHEN i = 24999 THEN ' x' WHEN i = 24998 THEN 'x' ELSE i::VARCHAR END AS twice
    FROM range(25000) AS r(i)`;
  const { outputs, report } = await bench.run(sql, [{ type: 'clean', params: {} }]);
  expect(outputs[0]?.columns.map(({ type, nulls }) => [type, nulls])).toEqual([
    ['VARCHAR', 0],
    ['BIGINT', 20_000],
    ['BIGINT', 1],
    ['VARCHAR', 0],
  ]);
  expect(report[0]?.details).toMatchObject({ duplicate_rows: 0, empty_rows: 0 });
  const alike = `SELECT CASE WHEN i = 24999 THEN ' 3.0' ELSE i::VARCHAR END AS x FROM range(25000) AS r(i)`;
  const { report: merged } = await bench.run(alike, [{ type: 'clean', params: {} }]);
  expect(merged[0]).toMatchObject({ rowsIn: 25_000, rowsOut: 24_999, details: { duplicate_rows: 1 } });
});

test('days and months that could be either stay text', async () => {
  const { outputs } = await bench.run(column(`'01/02/2024', '03/04/2024'`, 'VARCHAR'), [{ type: 'clean', params: {} }]);
  expect(outputs[0]?.columns[0]?.type).toBe('VARCHAR');
});
