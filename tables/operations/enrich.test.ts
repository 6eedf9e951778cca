import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Services } from '../types.ts';
import { processOperations } from './process.ts';
import { clean, enrich, openBench, transform } from './testing.ts';
import type { Bench } from './testing.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Length and first letter as a vector: enough to see which text got which. */
const embed: Services['embed'] = texts =>
  Promise.resolve(texts.map(text => (text === null ? null : Float32Array.of(text.length, text.charCodeAt(0), 1))));
const texts =
  "SELECT i AS id, CASE WHEN i % 10 = 0 THEN NULL WHEN i % 10 = 1 THEN ' ' ELSE repeat('x', 1 + (i % 7)::INTEGER) END AS t FROM range(3000) r(i)";

test('embed_text gives each row its vector, null for null and blank, and more SQL follows', async () => {
  const { rows, outputs, report } = await bench.run(
    texts,
    [
      transform('filter', { where: 'id % 2 = 0 OR id % 10 = 1' }),
      enrich('embed_text', { column: 't', into: 'v' }),
      transform('derive', { name: 'n', expression: 'id + 1' }),
    ],
    { services: { embed } },
  );
  expect(rows).toHaveLength(1800);
  expect(rows.map(row => row['id'])).toEqual(rows.map(row => row['id']).toSorted((a, b) => Number(a) - Number(b)));
  for (const row of rows) {
    const id = Number(row['id']);
    expect(row['v']).toEqual(id % 10 < 2 ? null : [1 + (id % 7), 120, 1]);
    expect(row['n']).toBe(id + 1);
  }
  expect(outputs[0]?.columns.map(({ type }) => type)).toEqual(['BIGINT', 'VARCHAR', 'FLOAT[]', 'BIGINT']);
  expect(report.map(({ rowsIn, rowsOut }) => [rowsIn, rowsOut])).toEqual([
    [3000, 1800],
    [1800, 1800],
    [1800, 1800],
  ]);
});

test('a job that was stopped goes on after the last part that is whole', async () => {
  const source = await bench.file(texts);
  const job = {
    source,
    operations: [enrich('embed_text', { column: 't', into: 'v' })],
    datasets: {},
    folder: bench.folder,
  };
  const calls: number[] = [];
  const dying: Services['embed'] = (batch, params, call) => {
    calls.push(call.part);
    if (call.part === 2) throw new Error('killed');
    return embed(batch, params, call);
  };
  const services = {
    embed: dying,
    count: () => Promise.resolve(0),
    affords: () => Promise.resolve(true),
    chunk: () => Promise.resolve([]),
    predict: () => Promise.resolve([]),
  };
  await expect(processOperations(bench.connection, job, services)).rejects.toThrow('killed');
  expect(calls).toEqual([0, 1, 2]);
  expect(existsSync(join(bench.folder, 'output.parquet'))).toBe(false);
  calls.length = 0;
  const going: Services['embed'] = (batch, params, call) => (calls.push(call.part), embed(batch, params, call));
  const { outputs } = await processOperations(bench.connection, job, { ...services, embed: going });
  expect(calls).toEqual([2]);
  expect(outputs[0]).toMatchObject({ rows: 3000 });
  expect(outputs[0]?.columns[2]).toEqual({ name: 'v', type: 'FLOAT[]', nulls: 600 });
});

test('vectors that come late, after parts of nulls alone, have their length', async () => {
  const sql = "SELECT CASE WHEN i > 2040 THEN 'abc' END AS t FROM range(2050) r(i)";
  const { rows } = await bench.run(sql, [enrich('embed_text', { column: 't', into: 'v' })], { services: { embed } });
  expect(rows[0]?.['v']).toBe(null);
  expect(rows[2049]?.['v']).toEqual([3, 97, 1]);
});

const chunk: Services['chunk'] = all => Promise.resolve(all.map(text => (text === null ? [] : text.split('. '))));

test('chunk_text gives one row a chunk, or a list', async () => {
  const sql = "SELECT * FROM (VALUES (1, 'a. b'), (2, NULL), (3, 'c')) t(id, t)";
  const exploded = await bench.run(sql, [enrich('chunk_text', { column: 't', into: 'c' })], { services: { chunk } });
  expect(exploded.rows.map(row => [row['id'], row['c'], row['c_index']])).toEqual([
    [1, 'a', 0],
    [1, 'b', 1],
    [3, 'c', 0],
  ]);
  const listed = await bench.run(sql, [enrich('chunk_text', { column: 't', into: 'c', as: 'list' })], {
    services: { chunk },
  });
  expect(listed.rows.map(row => row['c'])).toEqual([['a', 'b'], null, ['c']]);
});

const predict: Services['predict'] = rows =>
  Promise.resolve(rows.map(row => ({ prediction: Number(row['x']) * 2.5, probabilities: { yes: 1 } })));

test('predict gives typed columns', async () => {
  const { rows, outputs } = await bench.run(
    'SELECT unnest([1, 2]) AS x',
    [enrich('predict', { model_id: 'm', inputs: ['x'], into: 'y', probabilities: true })],
    { services: { predict } },
  );
  expect(rows).toEqual([
    { x: 1, y: 2.5, y_probabilities: '{"yes":1}' },
    { x: 2, y: 5, y_probabilities: '{"yes":1}' },
  ]);
  expect(outputs[0]?.columns[1]?.type).toBe('DOUBLE');
});

const predictedOf = (kind: string) =>
  bench.run("SELECT 'a' AS x", [enrich('predict', { model_id: 'm', inputs: ['x'], input_kinds: { x: kind } })], {
    services: { predict: rows => Promise.resolve(rows.map(() => ({ prediction: 'yes' }))) },
  });

test('predict refuses a column of another kind than the model takes', async () => {
  expect((await predictedOf('text')).rows).toEqual([{ x: 'a', prediction: 'yes' }]);
  for (const kind of ['number', 'boolean', 'date'])
    await expect(predictedOf(kind)).rejects.toMatchObject({ code: 'WRONG_TYPE', param: 'operations[0].params.inputs' });
});

const dot = (x: number[], y: number[]): number => x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);

test('similarity to a text and to another column', async () => {
  const sql = "SELECT 'abc' AS t, 'zz' AS u";
  const { rows } = await bench.run(
    sql,
    [
      enrich('embed_text', { column: 't', into: 'v' }),
      enrich('embed_text', { column: 'u', into: 'w' }),
      enrich('similarity', { column: 'v', query: 'abc', into: 'same' }),
      enrich('similarity', { column: 'v', other: 'w', into: 'like' }),
    ],
    { services: { embed } },
  );
  expect(rows[0]?.['same']).toBeCloseTo(1, 6);
  const [a, b] = [
    [3, 97, 1],
    [2, 122, 1],
  ];
  expect(rows[0]?.['like']).toBeCloseTo(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), 5);
});

test('lookup takes the first match, and keeps the rows', async () => {
  const other = await bench.file("SELECT * FROM (VALUES ('a', 'first'), ('a', 'second')) t(k, label)");
  const { rows } = await bench.run(
    "SELECT unnest(['b', 'a', 'a']) AS key",
    [enrich('lookup', { dataset_id: 'ds_o', on: { key: 'k' }, columns: ['label'] })],
    { datasets: { ds_o: other } },
  );
  expect(rows).toEqual([
    { key: 'b', label: null },
    { key: 'a', label: 'first' },
    { key: 'a', label: 'first' },
  ]);
});

test('text_stats and detect_language', async () => {
  const sql = `SELECT unnest(['The quick brown fox jumps over the lazy dog. It is quick!', 'Der schnelle braune Fuchs springt über den faulen Hund', NULL]) AS t`;
  const { rows } = await bench.run(sql, [
    enrich('text_stats', { column: 't' }),
    enrich('detect_language', { column: 't', into: 'lang' }),
  ]);
  expect(rows[0]).toMatchObject({ t_characters: 57, t_words: 12, t_sentences: 2, t_lines: 1, lang: 'en' });
  expect(rows[1]).toMatchObject({ t_words: 9, lang: 'de' });
  expect(rows[2]).toMatchObject({ t_words: null, lang: null });
});

test('masking and languages are found in one query with SQL', async () => {
  const { rows } = await bench.run("SELECT 'write to x@y.org' AS t", [
    clean('mask_pii'),
    transform('derive', { name: 'n', expression: 'length(t)' }),
  ]);
  expect(rows).toEqual([{ t: 'write to [EMAIL]', n: 16 }]);
});
