// Every operation against an answer that somebody else computed: pandas (fixtures/references.py) where it has an equal, else SQL written
// by hand.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Operation, Row, Services, Value } from '../types.ts';
import { identifier, literal } from './sql.ts';
import { operationNames } from './table.ts';
import { clean, enrich, openBench, transform } from './testing.ts';
import type { Bench } from './testing.ts';

interface References {
  inputs: Record<string, { types: Record<string, string>; rows: Value[][] }>;
  cases: { operation: Operation; input: string; rows: Row[] }[];
}
const file = new URL('fixtures/references.json', import.meta.url);
const { inputs, cases } = JSON.parse(readFileSync(file, 'utf8')) as References;

const cell = (value: Value, type: string) =>
  `CAST(${literal(Array.isArray(value) ? JSON.stringify(value) : (value as string | number | null))} AS ${type})`;

/** The rows of an input as a query. */
function sqlOf(name: string): string {
  const { types = {}, rows = [] } = inputs[name] ?? {};
  const columns = Object.entries(types);
  const values = rows.map(row => `(${columns.map(([, type], at) => cell(row[at] ?? null, type)).join(', ')})`);
  return `SELECT * FROM (VALUES ${values.join(', ')}) t(${columns.map(([column]) => identifier(column)).join(', ')})`;
}

let bench: Bench;
let datasets: Record<string, string>;
beforeAll(async () => {
  bench = await openBench();
  datasets = { other: await bench.file(sqlOf('other')), more: await bench.file(sqlOf('more')) };
});
afterAll(() => bench.close());

/** The same but for the last digits of numbers, which depend on the order of sums. */
function about(value: Value): unknown {
  if (typeof value === 'number' && !Number.isInteger(value)) return expect.closeTo(value, 6);
  if (Array.isArray(value)) return value.map(about);
  return value;
}

const titled = cases.map(each => [JSON.stringify(each.operation.params), each] as const);
test.each(titled)('as pandas: %s', async (_, { operation, input, rows: expected }) => {
  const { rows } = await bench.run(sqlOf(input), [operation], { datasets });
  expect(rows).toEqual(
    expected.map(row => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, about(value)]))),
  );
});

const services: Partial<Services> = {
  embed: async texts => texts.map(text => (text === null ? null : Float32Array.of(text.length, 2))),
  chunk: async texts => texts.map(text => (text === null ? [] : text.split('. '))),
  predict: async rows => rows.map(row => ({ prediction: Number(row['x']) * 2 })),
};
const numbers = 'SELECT i AS x FROM range(1000) r(i)';
/** The rows that a shuffled deck gives first, in their own order. */
const drawn = (from: number, to: number, seed: number) =>
  `SELECT x FROM (SELECT x, row_number() OVER (ORDER BY hash(x::BIGINT, ${seed}::BIGINT)) AS place FROM (${numbers}))
   WHERE place > ${from} AND place <= ${to} ORDER BY x`;
const texts = "SELECT * FROM (VALUES (1, 'One. Two'), (2, NULL), (3, ' '), (4, 'Three')) t(id, t)";

/** Operation, input, and what is to come out (of a split: its first part). */
const byHand: [Operation, string, string][] = [
  [
    { type: 'clean', params: {} },
    "SELECT * FROM (VALUES (' a', '1', '007'), ('N/A', '2', '010'), (' a', '1', '007'), ('', ' ', '-')) t(t, n, code)",
    "SELECT * FROM (VALUES ('a', 1::BIGINT, '007'), (NULL, 2, '010')) t(t, n, code)",
  ],
  [
    clean('cluster_values', { column: 'x' }),
    "SELECT unnest(['New York', 'york,  new', 'new york.', 'New York', 'Oslo']) AS x",
    "SELECT unnest(['New York', 'New York', 'New York', 'New York', 'Oslo']) AS x",
  ],
  [
    clean('mask_pii', { columns: ['x'], kinds: ['email'] }),
    "SELECT unnest(['to ada@example.org, bob@x.co', 'nobody@', NULL]) AS x",
    `SELECT regexp_replace(x, '[a-z]+@[a-z]+\\.[a-z]+', '[EMAIL]', 'g') AS x
     FROM (SELECT unnest(['to ada@example.org, bob@x.co', 'nobody@', NULL]) AS x)`,
  ],
  [
    clean('validate', { rules: ['x % 3 = 0', 'x > 10'], on_fail: 'drop' }),
    numbers,
    `FROM (${numbers}) WHERE x % 3 = 0 AND x > 10`,
  ],
  [transform('sample', { n: 100, seed: 7 }), numbers, drawn(0, 100, 7)],
  [transform('split_dataset', { fractions: { a: 0.7, b: 0.3 }, seed: 5 }), numbers, drawn(0, 700, 5)],
  [
    enrich('embed_text', { column: 't', into: 'v' }),
    texts,
    `SELECT *, CASE WHEN trim(t) <> '' THEN [length(t), 2]::FLOAT[] END AS v FROM (${texts})`,
  ],
  [enrich('predict', { model_id: 'm', inputs: ['x'], into: 'y' }), numbers, `SELECT x, x * 2 AS y FROM (${numbers})`],
  [
    enrich('chunk_text', { column: 't', into: 'c' }),
    texts,
    `SELECT id, t, unnest(string_split(t, '. ')) AS c, unnest(range(len(string_split(t, '. '))))::INTEGER AS c_index
     FROM (${texts}) WHERE trim(t) <> ''`,
  ],
  [
    enrich('detect_language', { column: 't', into: 'l' }),
    `SELECT unnest(['The weather is beautiful today and we go for a walk.', 'Das Wetter ist heute schön und wir gehen spazieren.',
      'Il fait beau aujourd''hui et nous allons nous promener.', 'Bugün hava çok güzel ve yürüyüşe çıkıyoruz.', NULL]) AS t`,
    `SELECT unnest(['The weather is beautiful today and we go for a walk.', 'Das Wetter ist heute schön und wir gehen spazieren.',
      'Il fait beau aujourd''hui et nous allons nous promener.', 'Bugün hava çok güzel ve yürüyüşe çıkıyoruz.', NULL]) AS t,
      unnest(['en', 'de', 'fr', 'tr', NULL]) AS l`,
  ],
];

test.each(byHand.map(each => [String(each[0].params['op'] ?? 'clean without op'), each] as const))(
  'as SQL by hand: %s',
  async (_, [operation, input, expected]) => {
    const { rows } = await bench.run(input, [operation], { services });
    expect(rows).toEqual(await bench.query(expected));
  },
);

test('no operation is without a reference', () => {
  const operations = [...cases.map(({ operation }) => operation), ...byHand.map(([operation]) => operation)];
  const covered = new Set(operations.map(({ params }) => params['op'] ?? 'clean'));
  expect(operationNames.filter(name => !covered.has(name))).toEqual([]);
});
