import { assert, asyncProperty, pre, string } from 'fast-check';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProcessJob } from '../types.ts';
import { checkOperations } from './check.ts';
import { processOperations } from './process.ts';
import { identifier, literal } from './sql.ts';
import { clean, openBench, transform } from './testing.ts';
import type { Bench } from './testing.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const people = `SELECT * FROM (VALUES (1, ' Ada ', '36', 'UK'), (2, 'Bob', 'x', 'US'), (3, NULL, '41', 'UK'), (4, 'Bob', '7', 'US'), (5, ' Eve', '30', 'TR')) t(id, name, age, country)`;

test('a pipeline runs as one query and reports what each operation did', async () => {
  const { rows, report, outputs } = await bench.run(people, [
    clean('drop_nulls', { columns: ['name'] }),
    clean('trim', { columns: ['name'] }),
    clean('cast', { types: { age: 'integer' }, on_error: 'null' }),
    transform('derive', { name: 'older', expression: 'age + 1' }),
    transform('filter', { where: "country <> 'TR'" }),
    clean('deduplicate', { columns: ['name'] }),
    transform('sort', { by: '-id' }),
  ]);
  expect(rows).toEqual([
    { id: 2, name: 'Bob', age: null, country: 'US', older: null },
    { id: 1, name: 'Ada', age: 36, country: 'UK', older: 37 },
  ]);
  expect(report.map(({ op, rowsIn, rowsOut }) => [op, rowsIn, rowsOut])).toEqual([
    ['drop_nulls', 5, 4],
    ['trim', 4, 4],
    ['cast', 4, 4],
    ['derive', 4, 4],
    ['filter', 4, 3],
    ['deduplicate', 3, 2],
    ['sort', 2, 2],
  ]);
  expect(report[1]?.cellsChanged).toEqual({ name: 2 });
  expect(report[2]?.cellsChanged).toEqual({ age: 1 });
  expect(report[3]?.columnsAdded).toEqual(['older']);
  expect(outputs[0]?.columns).toContainEqual({ name: 'age', type: 'INTEGER', nulls: 1 });
});

test.each([
  [[{ type: 'clean', params: { op: 'trimm' } }], 'UNKNOWN_OPERATION', 'operations[0].params.op', 'did you mean trim'],
  [[{ type: 'transform', params: { op: 'trim' } }], 'WRONG_FAMILY', 'operations[0].type', 'clean'],
  [[{ type: 'transform', params: {} }], 'INVALID_PARAMS', 'operations[0].params.op', 'missing'],
  [[clean('trim', { columns: ['nmae'] })], 'UNKNOWN_COLUMN', 'operations[0].params.columns', 'did you mean "name"'],
  [[clean('trim', { columns: ['id'] })], 'WRONG_TYPE', 'operations[0].params.columns', 'INTEGER'],
  [[clean('trim', { colums: ['name'] })], 'INVALID_PARAMS', 'operations[0].params.colums', 'did you mean columns'],
  [
    [transform('drop', { columns: 'age' }), transform('filter', { where: 'age = 1' })],
    'INVALID_EXPRESSION',
    'operations[1].params.where',
    'age',
  ],
  [[transform('filter', { where: 'id + 1' })], 'INVALID_EXPRESSION', 'operations[0].params.where', 'condition'],
  [
    [transform('derive', { name: 'x', expression: 'name - 1' })],
    'INVALID_EXPRESSION',
    'operations[0].params.expression',
    '',
  ],
  [
    [transform('aggregate', { group_by: ['name'], metrics: { x: 'id + 1' } })],
    'INVALID_PARAMS',
    'operations[0].params',
    '',
  ],
  [
    [transform('split_dataset', { fractions: { a: 0.5, b: 0.5 } }), clean('trim')],
    'INVALID_PARAMS',
    'operations[0]',
    'last',
  ],
  [
    [transform('split_dataset', { fractions: { a: 0.5 } })],
    'INVALID_PARAMS',
    'operations[0].params.fractions',
    'add up',
  ],
  [[clean('cast', { types: { name: "ENUM('x')" } })], 'INVALID_PARAMS', 'operations[0].params.types.name', 'type'],
  [[], 'INVALID_PARAMS', 'operations', 'at least one'],
])('a check names the place: %#', async (operations, code, param, message) => {
  const source = await bench.file(people);
  await expect(
    checkOperations(bench.connection, { source, operations, datasets: {} } as ProcessJob),
  ).rejects.toMatchObject({
    code,
    param,
    message: expect.stringContaining(message),
  });
});

test('a preview gives the first rows and makes no file', async () => {
  const { outputs, preview } = await bench.run(people, [clean('trim'), transform('filter', { where: 'id > 1' })], {
    preview: 2,
  });
  expect(outputs).toEqual([]);
  expect(preview?.map(row => row['id'])).toEqual([2, 3]);
});

test('a recipe gives the same rows again, in the same order', async () => {
  const sql = "SELECT i AS id, (i * 7919) % 1000 AS k, 'name ' || (i % 77) AS name FROM range(200000) r(i)";
  const recipe = [
    clean('deduplicate', { columns: ['name', 'k'] }),
    transform('sample', { fraction: 0.5, seed: 3 }),
    transform('window', { fn: 'cumsum', column: 'id', partition_by: ['name'], into: 'sum' }),
    transform('sort', { by: 'name' }),
  ];
  const hashes = [];
  for (let run = 0; run < 3; run++) {
    const { outputs } = await bench.run(sql, recipe);
    hashes.push(
      await bench.query(
        `SELECT md5(string_agg(concat_ws('|', id, k, name, sum), ',' ORDER BY file_row_number)) AS h FROM read_parquet('${outputs[0]?.path}', file_row_number = true)`,
      ),
    );
  }
  expect(hashes[1]).toEqual(hashes[0]);
  expect(hashes[2]).toEqual(hashes[0]);
});

test('counts are true however the optimiser likes to move filters', async () => {
  const sql = "SELECT i AS id, CASE WHEN i % 4 = 0 THEN ' x ' ELSE 'y' END AS t, i % 3 AS k FROM range(300000) r(i)";
  const other = await bench.file('SELECT 0::BIGINT AS k');
  const { report } = await bench.run(
    sql,
    [
      clean('trim'),
      transform('filter', { where: 'id >= 100000' }),
      clean('replace_values', { column: 't', mapping: { x: 'z' } }),
      transform('filter', { where: 'k < 2' }),
      transform('join', { dataset_id: 'o', on: 'k' }),
      transform('drop', { columns: 't' }),
      transform('sort', { by: '-id' }),
    ],
    { datasets: { o: other } },
  );
  const one = async (condition: string): Promise<unknown> =>
    (await bench.query(`SELECT count(*)::INTEGER AS n FROM (${sql}) WHERE ${condition}`))[0]?.['n'];
  expect(report[0]?.cellsChanged).toEqual({ t: await one("t = ' x '") });
  expect(report[2]?.cellsChanged).toEqual({ t: await one("t = ' x ' AND id >= 100000") });
  expect(report.map(({ rowsOut }) => rowsOut)).toEqual([
    300000,
    200000,
    200000,
    await one('id >= 100000 AND k < 2'),
    await one('id >= 100000 AND k < 1'),
    await one('id >= 100000 AND k < 1'),
    await one('id >= 100000 AND k < 1'),
  ]);
  report.slice(1).forEach(({ rowsIn }, index) => expect(rowsIn).toBe(report[index]?.rowsOut));
});

test.each([
  { what: 'sort', step: transform('sort', { by: '-id' }) },
  { what: 'deduplicate', step: clean('deduplicate', { columns: ['id'] }) },
  { what: 'fill', step: clean('fill_nulls', { columns: ['t'], strategy: 'forward' }) },
  { what: 'join', step: transform('join', { dataset_id: 'o', on: 'k', how: 'left' }) },
  { what: 'union', step: transform('union', { dataset_id: 'p' }) },
])('a filter behind $what changes no count before it', async ({ step }) => {
  const sql = "SELECT i AS id, CASE WHEN i % 4 = 0 THEN ' x ' ELSE 'y' END AS t, i % 3 AS k FROM range(30000) r(i)";
  const datasets = {
    o: await bench.file('SELECT range AS k FROM range(3)'),
    p: await bench.file("SELECT 1::BIGINT AS id, 'y' AS t, 1::BIGINT AS k LIMIT 0"),
  };
  const operations = [
    clean('trim'),
    transform('filter', { where: 'k < 2' }),
    step,
    transform('filter', { where: 'id >= 20000' }),
    transform('filter', { where: 'k = 1 AND id < 29000' }),
  ];
  const { report } = await bench.run(sql, operations, { datasets });
  expect(report[0]?.cellsChanged).toEqual({ t: 7500 });
  expect(report.map(({ rowsOut }) => rowsOut)).toEqual([30000, 20000, 20000, 6666, 3000]);
});

test('names with quotes, dots and any Unicode pass through every kind of parameter', async () => {
  await assert(
    asyncProperty(
      string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
      string({ maxLength: 12 }),
      async (name, value) => {
        pre(
          !name.startsWith('\u0001') &&
            !`${name}${value}`.includes('\0') &&
            !['other', 'value', 'n'].includes(name.toLowerCase()),
        );
        const { rows } = await bench.run(`SELECT ${literal(value)} AS ${identifier(name)}, 1 AS other`, [
          clean('replace_values', { column: name, mapping: { [`${value}'`]: `"${value}` } }),
          transform('rename', { mapping: { [name]: `${name}'";--` } }),
          clean('fill_nulls', { columns: [`${name}'";--`], value: `${value}');` }),
          transform('merge_columns', { columns: [`${name}'";--`], delimiter: value, into: `${name}.` }),
          clean('deduplicate', { columns: [`${name}.`] }),
          transform('sort', { by: `${name}.` }),
          transform('aggregate', { group_by: [`${name}.`], metrics: { n: { fn: 'count', column: `${name}'";--` } } }),
        ]);
        expect(rows).toEqual([{ [`${name}.`]: value, n: 1 }]);
      },
    ),
    { numRuns: 40 },
  );
});

test('the report counts under any name, also under those that objects have of themselves', async () => {
  const { report } = await bench.run(`SELECT ' a' AS constructor, ' b' AS "__proto__", 'c' AS "toString"`, [
    clean('trim'),
    clean('validate', {
      rules: [
        { name: '__proto__', expression: 'false' },
        { name: 'valueOf', expression: 'true' },
      ],
      on_fail: 'flag',
    }),
  ]);
  expect(Object.entries(report[0]?.cellsChanged ?? {})).toEqual([
    ['constructor', 1],
    ['__proto__', 1],
    ['toString', 0],
  ]);
  expect(Object.entries(report[1]?.details ?? {})).toEqual([
    ['__proto__', 1],
    ['valueOf', 0],
  ]);
});

test('a preview ends with the row that reaches 8 MiB', async () => {
  const rows = `SELECT i, repeat('x', 1048576) AS text FROM range(50) r(i)`;
  const { preview } = await bench.run(rows, [transform('filter', { where: 'true' })], { preview: 100 });
  expect(preview?.map(({ i }) => i)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a preview writes values as pages of rows do', async () => {
  const sql = `SELECT INTERVAL 1 DAY AS i, 'ab'::BLOB AS b, {'at': TIMESTAMP '2024-01-02 03:04:05', 'big': 9007199254740993} AS s,
    TIMESTAMPTZ '2024-01-02 03:04:05+02' AS z, 'nan'::DOUBLE AS nan, MAP {'k': 1} AS m`;
  const { preview } = await bench.run(sql, [transform('filter', { where: 'true' })], { preview: 1 });
  expect(preview).toEqual([
    {
      i: '1 day',
      b: 'YWI=',
      s: { at: '2024-01-02T03:04:05', big: '9007199254740993' },
      z: '2024-01-02T01:04:05Z',
      nan: 'NaN',
      m: [{ key: 'k', value: 1 }],
    },
  ]);
});

function refuse(): never {
  throw new Error('no service');
}

test('what runs too far fails alone, and leaves no output', async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error('time is over')), 200);
  const source = await bench.file('SELECT i % 10 AS k FROM range(200000) r(i)');
  const job = {
    source,
    operations: [transform('join', { dataset_id: 'o', on: 'k' })],
    datasets: { o: source },
    folder: bench.folder,
  };
  const services = { embed: refuse, count: refuse, affords: refuse, chunk: refuse, predict: refuse };
  await expect(processOperations(bench.connection, job, services, { signal: stop.signal })).rejects.toThrow(
    'time is over',
  );
  expect(readdirSync(bench.folder).filter(name => name.startsWith('output'))).toEqual([]);
  expect(await bench.query('SELECT 1 AS x')).toEqual([{ x: 1 }]);
});

test.each([
  [clean('deduplicate', { columns: ['k'] })],
  [clean('deduplicate', { columns: ['k', 'name'], keep: 'last' })],
  [clean('deduplicate', { columns: ['k'], order_by: ['-name'] })],
  [clean('deduplicate', { columns: ['k'], keep: 'last', order_by: ['name'], where: 'id % 3 > 0' })],
  [clean('deduplicate', { columns: ['k'], where: 'id % 3 > 0' })],
  [transform('join', { dataset_id: 'others', on: ['k'], how: 'semi' })],
  [transform('join', { dataset_id: 'others', on: ['k'], how: 'anti' })],
])('rows are the same whether they are chosen before the query or within it: %#', async operation => {
  const sql =
    "SELECT i AS id, CASE WHEN i % 11 > 0 THEN (i * 7919) % 997 END AS k, 'name ' || (i % 7) AS name FROM range(30000) r(i)";
  const datasets = { others: await bench.file('SELECT i AS k FROM range(0, 900, 2) r(i)') };
  const around = [
    transform('filter', { where: 'id % 5 > 0' }),
    operation,
    transform('filter', { where: 'id % 7 > 0' }),
  ];
  const before = await bench.run(sql, around, { datasets });
  // What changes the order of rows ends what may be chosen before; this order is the rows' own.
  const within = await bench.run(sql, [transform('sort', { by: 'id' }), ...around], { datasets });
  expect(before.rows.length).toBeGreaterThan(100);
  expect(before.rows).toEqual(within.rows);
  expect(before.report).toEqual(within.report.slice(1));
});
