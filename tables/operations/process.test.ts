import { afterAll, beforeAll, expect, test } from 'vitest';
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
