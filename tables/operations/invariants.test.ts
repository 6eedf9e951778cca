import { array, assert, asyncProperty, constantFrom, integer, record, shuffledSubarray } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Operation } from '../types.ts';
import { literal } from './sql.ts';
import { clean, openBench, transform } from './testing.ts';
import type { Bench } from './testing.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const rows = array(record({ k: constantFrom('a', 'b', ' b', '', null), n: constantFrom(1, 2, 3, null) }), {
  minLength: 1,
  maxLength: 30,
});
const tableOf = (items: { k: string | null; n: number | null }[]): string =>
  `SELECT * FROM (VALUES ${items.map(({ k, n }, id) => `(${id}, ${literal(k)}::VARCHAR, ${literal(n)}::INTEGER)`).join(', ')}) t(id, k, n)`;

/** Each beside the SQL that does the same by hand, over rows that are numbered by `id`. */
const pool: { operation: Operation; sql: (from: string) => string }[] = [
  { operation: clean('drop_nulls', { columns: ['n'] }), sql: from => `SELECT * FROM (${from}) WHERE n IS NOT NULL` },
  { operation: clean('trim'), sql: from => `SELECT id, trim(k) AS k, n FROM (${from})` },
  {
    operation: clean('fill_nulls', { columns: ['k'], value: '?' }),
    sql: from => `SELECT id, coalesce(k, '?') AS k, n FROM (${from})`,
  },
  { operation: transform('filter', { where: 'n <> 2' }), sql: from => `SELECT * FROM (${from}) WHERE n <> 2` },
  {
    operation: clean('deduplicate', { columns: ['k'] }),
    sql: from => `SELECT * FROM (${from}) WHERE id IN (SELECT min(id) FROM (${from}) GROUP BY k)`,
  },
  {
    operation: clean('fill_nulls', { columns: ['n'], strategy: 'forward' }),
    sql: from => `SELECT id, k, coalesce(n, last_value(n IGNORE NULLS) OVER (ORDER BY id)) AS n FROM (${from})`,
  },
  {
    operation: transform('derive', { name: 'n', expression: 'n % 3' }),
    sql: from => `SELECT id, k, n % 3 AS n FROM (${from})`,
  },
  {
    operation: clean('fill_nulls', { columns: ['n'], strategy: 'mean' }),
    sql: from => `SELECT id, k, coalesce(n, (SELECT CAST(avg(n) AS INTEGER) FROM (${from}))) AS n FROM (${from})`,
  },
];

test('any pipeline gives the rows that the same SQL by hand gives, in order, and its report adds up', async () => {
  await assert(
    asyncProperty(rows, shuffledSubarray(pool, { minLength: 1 }), async (items, chosen) => {
      const source = tableOf(items);
      const result = await bench.run(
        source,
        chosen.map(({ operation }) => operation),
      );
      const byHand = chosen.reduce((from, { sql }) => sql(from), source);
      expect(result.rows).toEqual(await bench.query(`SELECT * FROM (${byHand}) ORDER BY id`));
      let rowsIn = items.length;
      for (const report of result.report) {
        expect(report.rowsIn).toBe(rowsIn);
        rowsIn = report.rowsOut;
      }
      expect(rowsIn).toBe(result.rows.length);
    }),
    { numRuns: 30 },
  );
});

test('what was cleaned once stays as it is', async () => {
  await assert(
    asyncProperty(rows, integer({ min: 0, max: 1 }), async (items, which) => {
      const operation: Operation =
        which === 0 ? clean('deduplicate', { columns: ['k'] }) : { type: 'clean', params: {} };
      const once = await bench.run(tableOf(items), [operation]);
      const twice = await bench.run(`SELECT * FROM read_parquet(${literal(once.outputs[0]?.path ?? '')})`, [operation]);
      expect(twice.rows).toEqual(once.rows);
      expect(twice.report[0]?.rowsOut).toBe(once.report[0]?.rowsOut);
      expect(Object.values(twice.report[0]?.cellsChanged ?? {}).every(count => count === 0)).toBe(true);
    }),
    { numRuns: 20 },
  );
});
