import { array, assert, asyncProperty, constantFrom, pre, string } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBench } from './operations/testing.ts';
import type { Bench } from './operations/testing.ts';
import { identifier, literal } from './operations/sql.ts';
import { safeExpression } from './sandbox.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const columns = [
  { name: 'a', type: 'INTEGER' },
  { name: 'name', type: 'VARCHAR' },
  { name: 'with "quotes".and dots', type: 'DATE' },
  { name: 's', type: 'STRUCT(x INTEGER)' },
];
const safe = (text: unknown, aggregates = false): Promise<string> =>
  safeExpression(bench.connection, text, { columns, aggregates, place: 'operations[0].params.where' });

test.each([
  "a > 5 AND name LIKE 'x%' OR a IN (1, 2)",
  'a BETWEEN 1 AND 2',
  "CASE WHEN a = 1 THEN 'one' ELSE name END",
  '"with ""quotes"".and dots" > DATE \'2024-01-01\'',
  's.x + 1 -- a comment',
  "name -> '$.x' /* another */",
  "regexp_replace(lower(trim(name)), '[0-9]+', '', 'g') || '''; DROP TABLE x; --'",
  'a::DECIMAL(10, 2) + CAST(name AS DOUBLE)',
  'extract(year FROM "with ""quotes"".and dots")',
  'name IS NOT NULL AND NOT (a % 2 = 0)',
  "coalesce(nullif(name, ''), 'none')",
])('takes %s', async text => {
  const sql = await safe(text);
  await bench.query(
    `SELECT ${sql} FROM (SELECT 1 AS a, '2' AS name, DATE '2024-01-01' AS "with ""quotes"".and dots", {'x': 1} AS s)`,
  );
});

const bomb = (depth: number): string => '('.repeat(depth) + 'a' + ')'.repeat(depth);
test.each([
  // Files, other datasets, the network.
  "read_text('/etc/passwd')",
  "read_blob('/etc/passwd')",
  "read_csv('/etc/passwd')",
  "read_parquet('x')",
  "read_json('x')",
  "glob('*')",
  "(SELECT * FROM '/etc/passwd')",
  "a FROM '/etc/passwd'",
  "(FROM read_csv('/etc/passwd'))",
  'EXISTS (SELECT 1)',
  'a IN (SELECT 1)',
  'a = ANY([1])',
  "sniff_csv('x')",
  "parquet_metadata('x')",
  "query('SELECT 1')",
  "query_table('x')",
  "json_execute_serialized_sql('x')",
  // Settings, the catalog, the world outside.
  "getenv('HOME')",
  "current_setting('memory_limit')",
  'pg_backend_pid()',
  'current_database()',
  'version()',
  'duckdb_settings()',
  'current_user',
  'pg_catalog.pg_get_viewdef(1)',
  "getvariable('x')",
  "nextval('s')",
  "currval('s')",
  'txid_current()',
  "in_search_path('a', 'b')",
  "write_log('x')",
  // Statements.
  'a; DROP TABLE x',
  ';',
  "1; ATTACH '/tmp/x.db'",
  "1; COPY (SELECT 1) TO '/tmp/x'",
  'PRAGMA version',
  "SET memory_limit = '1TB'",
  'INSTALL httpfs',
  "LOAD 'x'",
  "EXPORT DATABASE '/tmp/x'",
  'CALL pragma_version()',
  'a UNION SELECT 1',
  'a INTO x',
  'a FROM x WHERE 1',
  'a LIMIT 1',
  'a ORDER BY a',
  'a GROUP BY a',
  'a QUALIFY 1',
  'a HAVING true',
  'a USING SAMPLE 10',
  'DISTINCT a',
  'a, a',
  'a AS b',
  'a b',
  '',
  '   ',
  '--',
  '/*',
  'a -- \n; SELECT 1',
  "a /* ' */ ; SELECT 1 --",
  // What isn't scalar, or isn't bounded.
  '*',
  'COLUMNS(*)',
  "COLUMNS('.*')",
  's.*',
  '$1',
  '?',
  '$name',
  'DEFAULT',
  'sum(a)',
  'count(*)',
  'row_number() OVER ()',
  'sum(a) OVER ()',
  'unnest([1, 2])',
  'lower(name ORDER BY a)',
  'lower(DISTINCT name)',
  'lower(name) FILTER (WHERE true)',
  'list_transform([1], lambda x: x + 1)',
  'list_transform([1], x -> x + 1)',
  '[x FOR x IN [1, 2]]',
  "list_aggregate([1], 'sum')",
  'range(1000000000)',
  'generate_series(1, 1000000000)',
  "repeat('a', 1000000000)",
  'repeat(name, a)',
  "lpad(name, 1000000000, 'x')",
  'repeat(repeat(repeat(name, 999), 999), 999)',
  "replace(replace(replace(name, '', name), '', name), '', name)",
  "printf('%1000000000d', a)",
  "format('{:1000000000}', a)",
  'bar(a, 0, 1, 1000000000)',
  "bitstring('1', 1000000000)",
  'list_resize([1], 1000000000)',
  'bin(bin(bin(bin(bin(name)))))',
  "array_to_string(string_split(array_to_string(string_split(name, ''), repeat('x', 100)), ''), repeat('x', 100))",
  `${'hex('.repeat(40)}name${')'.repeat(40)}`,
  `${'['.repeat(20)}name${']::VARCHAR'.repeat(20)}`,
  "error('x')",
  'random()',
  'uuid()',
  'now()',
  'current_timestamp',
  'today()',
  'sleep(1)',
  'sleep_ms(1000)',
  'setseed(0.5)',
  // Types.
  "'x'::ENUM('x', 'y')",
  'name::STRUCT(a INTEGER)',
  "'x'::my_type",
  'name::regclass',
  'name::UNION(a INTEGER)',
  'name::MAP(INTEGER, INTEGER)',
  'name::INTEGER[1000000]',
  'name::BIT',
  'name COLLATE NOCASE',
  'main.lower(name) + memory.main.lower(name)',
  "system.main.read_text('x')",
  "'/etc/passwd'.read_text()",
  'name.read_text()',
  // Names.
  'nope',
  '"\u0001row"',
  'rowid',
  'file_row_number',
  'filename',
  't.a',
  'memory.main.a',
  '"a""',
  "'",
  '$$',
  '$$ $$ ; SELECT 1',
  "e'\\'' ; SELECT 1 --'",
  'a\u0000',
  "'a\u0000b'",
  'ａ；SELECT',
  'a’ OR 1',
  '(a',
  'a)',
  'a) FROM (SELECT 1',
  '1)) UNION SELECT ((1',
  bomb(61),
  bomb(10_000),
  'NOT '.repeat(2000) + 'true',
  '-'.repeat(3000) + '1',
  'a + '.repeat(2400) + 'a',
  'x'.repeat(10_001),
  'x'.repeat(10_000_000),
  '['.repeat(3000),
  5,
  null,
  undefined,
  [],
  {},
])('refuses what is on line %# of the list', async text => {
  await expect(safe(text)).rejects.toMatchObject({ code: 'INVALID_EXPRESSION', param: 'operations[0].params.where' });
});

test('what the tree does not hold does not come back', async () => {
  expect(await safe('a;')).toBe('(a)');
  expect(await safe('a WINDOW w AS ()')).toBe('(a)');
});

test('aggregates only where they belong, and not within each other', async () => {
  expect(await safe('sum(a) / count(*) + max(a) FILTER (WHERE a > 1)', true)).toContain('sum');
  await expect(safe('sum(max(a))', true)).rejects.toMatchObject({ code: 'INVALID_EXPRESSION' });
  await expect(safe('list(a)', true)).rejects.toMatchObject({ code: 'INVALID_EXPRESSION' });
});

test('the error tells the position and the nearest name', async () => {
  await expect(safe('a + nam')).rejects.toThrow(/did you mean "name"\? \(at character 5\)/);
  await expect(safe('a + lowr(name)')).rejects.toThrow(/did you mean lower/);
  await expect(safe('a + * 3')).rejects.toThrow(/can't be parsed/);
});

test('whatever the text, it is refused or computes nothing but a value', async () => {
  const pieces = constantFrom(
    'a',
    'name',
    '(',
    ')',
    ';',
    "'",
    '"',
    '--',
    '/*',
    '*/',
    ',',
    ' ',
    '+',
    'SELECT',
    'FROM',
    "'/etc/passwd'",
    '$$',
    'lower(',
    'read_text(',
    '1',
    '::',
    '.',
    '[',
    ']',
    'x ->',
    '\n',
    'é',
    'UNION',
  );
  await assert(
    asyncProperty(array(pieces, { maxLength: 12 }), async parts => {
      let sql: string;
      try {
        sql = await safe(parts.join(' '));
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_EXPRESSION' });
        return;
      }
      const statements = await bench.connection.extractStatements(`SELECT ${sql} FROM (SELECT 1 AS a, 'x' AS name)`);
      expect(statements.count).toBe(1);
      expect(bench.connection.getTableNames(`SELECT ${sql}`, true)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('any name and any value come back as they were', async () => {
  await assert(
    asyncProperty(string({ unit: 'grapheme', minLength: 1 }), string({ unit: 'binary' }), async (name, value) => {
      pre(!name.includes('\0') && !value.includes('\0'));
      const result = await bench.connection.runAndReadAll(`SELECT ${literal(value)} AS ${identifier(name)}`);
      expect(result.columnNames()).toEqual([name.toWellFormed()]);
      expect(result.getRowsJson()).toEqual([[value.toWellFormed()]]);
    }),
    { numRuns: 300 },
  );
});
