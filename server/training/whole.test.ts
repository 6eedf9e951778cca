// From a file to predictions, with the real training: what the API predicts for rows as JSON is what training measured for the same rows
// read from the dataset by SQL, for every kind of column.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, startDatasetServer } from '../datasets/testing.ts';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startDatasetServer();
  ({ key } = await server.account({ limits: { data: { minute: null, day: null } } }));
}, 60_000);

afterAll(() => server.end());

const words = ['quiet', 'noisy', 'bright', 'dark', 'small', 'large', 'near', 'far', 'old', 'new'];

/** The price is another in every row, so that a row is known by it. */
function flats(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const size = 30 + ((row * 7919) % 90);
    const note = Array.from({ length: 6 }, (__, place) => words[(row * (place + 3) + (row >> 3)) % words.length]).join(
      ' ',
    );
    const built = `20${String(row % 25).padStart(2, '0')}-0${1 + (row % 9)}-1${row % 9}`;
    const cells = [
      row % 11 === 0 ? '' : size,
      (size * 1.25).toFixed(3),
      row % 13 === 0 ? '' : row % 3 === 0,
      row % 17 === 0 ? '' : ['north', 'south', 'east'][row % 3],
      row % 19 === 0 ? '' : built,
      `${built} 0${row % 9}:30:00`,
      row % 23 === 0 ? '' : `a flat that is ${note}`,
      size * 1000 + row,
    ];
    return cells.join(',');
  });
  return `size,area,balcony,side,built,listed,note,price\n${lines.join('\n')}\n`;
}

interface Shown {
  status: string;
  error: object | null;
  features: { name: string; kind: string }[];
  metrics: { pairs: [actual: number, predicted: number][]; rmse: number };
  encoder: object | null;
}

test('numbers, booleans, categories, dates, times and texts, present and missing', { timeout: 120_000 }, async () => {
  const { body: data } = await server.upload<{ dataset_id: string }>(key, flats(400));
  const config = { target: 'price', epochs: 3, seed: 5, algorithm: 'mlp' };
  const body = { dataset_id: data.dataset_id, model_type: 'regression', config };
  const begun = await server.ask<{ model_id: string }>('POST', '/v2/models/train', key, body);
  expect(begun.status, JSON.stringify(begun.body)).toBe(200);
  const id = begun.body.model_id;
  let model: Shown;
  do model = (await server.ask<Shown>('GET', `/v2/models/${id}`, key, undefined, { prefer: 'wait=60' })).body;
  while (model.status === 'queued' || model.status === 'running');
  expect(model, JSON.stringify(model.error)).toMatchObject({ status: 'succeeded', encoder: { name: 'e5_small' } });
  expect(model.features.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
    'size: number',
    'area: number',
    'balcony: boolean',
    'side: category',
    'built: date',
    'listed: date',
    'note: text',
  ]);

  const { body: page } = await server.ask<{ data: Record<string, unknown>[] }>(
    'GET',
    `/v2/data/${data.dataset_id}/rows?limit=1000`,
    key,
  );
  const asked = { model_id: id, input: { data: page.data } };
  const { body: answer } = await server.ask<{ predictions: number[] }>('POST', '/v2/models/predict', key, asked);
  const predicted = new Map(page.data.map((row, index) => [row['price'], answer.predictions[index]]));
  expect(model.metrics.pairs.length).toBeGreaterThan(40);
  for (const [actual, measured] of model.metrics.pairs)
    expect(Math.abs((predicted.get(actual) ?? NaN) - measured)).toBeLessThan(1e-3 * measured);

  const operations = [{ type: 'enrich', params: { op: 'predict', model_id: id, into: 'guess' } }];
  const process = { dataset_id: data.dataset_id, operations };
  const { body: job } = await server.ask<{ status: string }>('POST', '/v2/process', key, process, {
    prefer: 'wait=60',
  });
  expect(job.status, JSON.stringify(job)).toBe('succeeded');
  const { body: enriched } = await server.ask<typeof page>('GET', `/v2/data/${data.dataset_id}/rows?limit=1000`, key);
  for (const row of enriched.data) expect(Number(row['guess'])).toBeCloseTo(predicted.get(row['price']) ?? NaN, 1);
});
