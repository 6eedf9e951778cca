// The routes of trained models by what they answer, on the whole server; only the training itself is a stand-in.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, startDatasetServer } from '../datasets/testing.ts';
import { filesBelow } from '../files/testing.ts';
import { standInTraining } from './testing.ts';

let server: TestServer;
let key: string;
let dataset: string;
const training = standInTraining();

beforeAll(async () => {
  server = await startDatasetServer({}, { training });
  ({ key } = await server.account({ limits: { data: { minute: null, day: null } } }));
  dataset = await uploaded(key);
}, 60_000);

afterAll(() => server.end());

const csv = 'age,member,churned\n36,true,no\n41,false,yes\n50,true,yes\n';

async function uploaded(as: string): Promise<string> {
  const { body } = await server.upload<{ dataset_id: string }>(as, csv);
  return body.dataset_id;
}

interface Compared {
  models: object[];
}

interface Trained {
  model_id: string;
  job_id: string;
  status: string;
}

async function trained({
  as = key,
  of = dataset,
  type = 'classification',
  config = {},
  name,
}: { as?: string; of?: string; type?: string; config?: object; name?: string } = {}): Promise<Trained> {
  const body = { dataset_id: of, model_type: type, config, ...(name && { name }) };
  const answer = await server.ask<Trained>('POST', '/api/v2/models/train', as, body, { prefer: 'wait=30' });
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200, body: { status: 'succeeded' } });
  return answer.body;
}

const predict = (as: string, model: string, data: unknown, options?: object) =>
  server.ask<{ predictions: unknown[]; detail: string }>('POST', '/v2/models/predict', as, {
    model_id: model,
    input: { data },
    ...(options && { options }),
  });

/** Files of the storage below models/. */
const modelFiles = () => filesBelow(join(server.dataFolder, 'storage', 'objects', 'models'));

test('200 train: answers at once, and the model has all that the card has', async () => {
  const config = { epochs: 100, batch_size: 32, learning_rate: 0.001, target: 'churned', seed: 7 };
  const body = { dataset_id: dataset, model_type: 'classification', config, name: 'churn' };
  const { status, body: begun } = await server.ask<Trained>('POST', '/v2/models/train', key, body);
  expect(status).toBe(200);
  expect(routes.trainModel.answer.parse(begun)).toEqual(begun);
  expect(['queued', 'running']).toContain(begun.status);
  const got = await server.ask('GET', `/v2/models/${begun.model_id}`, key, undefined, { prefer: 'wait=30' });
  expect(routes.getTrainedModel.answer.parse(got.body)).toEqual(got.body);
  expect(got.body).toMatchObject({
    model_id: begun.model_id,
    name: 'churn',
    status: 'succeeded',
    progress: 1,
    dataset_id: dataset,
    dataset_version: 1,
    target: 'churned',
    config: { epochs: 100, batch_size: 32, learning_rate: 0.001, seed: 7, algorithm: 'linear' },
    dataset: { dataset_id: dataset, version: 1, rows: 3, parquet_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    labels: ['no', 'yes'],
    example: { age: 36, member: true },
    metrics: { accuracy: 1 },
    curves: [{ epoch: 1 }, { epoch: 2 }],
    cost_usd: 0,
    seconds: 2,
  });
  expect(training.jobs.at(-1)?.config).toEqual({
    epochs: 100,
    batchSize: 32,
    learningRate: 0.001,
    target: 'churned',
    seed: 7,
  });
  const job = await server.ask('GET', `/v2/jobs/${begun.job_id}`, key);
  expect(job.body).toMatchObject({ kind: 'train', status: 'succeeded', result: { model_id: begun.model_id } });
});

test('200 predict: objects, lists, missing and further columns; labels and probabilities', async () => {
  const { model_id: id } = await trained();
  const { status, body } = await predict(key, id, [
    { age: 50, member: true, of_no_use: [1] },
    { member: null, age: 20 },
  ]);
  expect([status, body]).toMatchObject([
    200,
    { model_id: id, predictions: ['yes', 'no'], usage: { rows: 2, prompt_tokens: 0, total_tokens: 0 } },
  ]);
  expect(routes.predict.answer.parse(body)).toEqual(body);
  const { probabilities } = body as unknown as { probabilities: { yes: number; no: number }[] };
  expect(probabilities[0]?.yes).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
  expect(probabilities[1]?.no).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  const lists = await predict(
    key,
    id,
    [
      [50, true],
      [20, false],
    ],
    { probabilities: false, temperature: 0.7 },
  );
  expect(lists.body).toEqual({ model_id: id, predictions: ['yes', 'no'], usage: body['usage' as never] });
});

test('200 predict: numbers of a regression, and as many rows as a request may have', async () => {
  const { model_id: id } = await trained({ type: 'regression' });
  const rows = 100_000;
  const data = Array.from({ length: rows }, (_, row) => [row, row % 2 === 0]);
  const { status, body } = await predict(key, id, data);
  expect(status).toBe(200);
  expect(body.predictions).toHaveLength(rows);
  expect([0, 1, 99_999].map(row => body.predictions[row])).toEqual([1, 2, 199_998]);
});

test('labels are what they were in the data', async () => {
  training.options.labels = [false, true];
  const { model_id: id } = await trained();
  training.options.labels = ['no', 'yes'];
  const { body } = await predict(key, id, [[50, true]]);
  expect(body).toMatchObject({ predictions: [true], probabilities: [{ false: expect.any(Number) }] });
});

test('400 predict: what does not fit is named by row and column', async () => {
  const { model_id: id } = await trained();
  const refused = async (data: unknown, param: string) => {
    const { status, body } = await predict(key, id, data);
    expect([status, body['code' as never], body['message' as never]]).toEqual([
      400,
      expect.any(String),
      expect.stringContaining(param),
    ]);
    return body.detail;
  };
  expect(await refused([{ age: 1 }, { age: '36' }], 'input.data[1]')).toContain('"age" must be a number');
  expect(await refused([{ age: true }], 'input.data[0]')).toContain('"age"');
  expect(await refused([{ member: 1 }], 'input.data[0]')).toContain('true or false');
  expect(await refused([{ age: [1] }], 'input.data[0]')).toContain('"age"');
  expect(await refused([[1]], 'input.data[0]')).toContain('age, member');
  expect(await refused([[1, true], [2]], 'input.data[1]')).toContain('1 values');
  await refused([{ age: 1 }, [1, true]], 'input.data[1]');
  await refused(['a text'], 'input.data[0]'.slice(0, 0));
  await refused([], 'input.data');
  await refused([3], 'input.data[0]');
});

test('404 for what is not there or belongs to another account, on every route', async () => {
  const { model_id: id } = await trained();
  const stranger = await server.account();
  for (const name of [id, 'model_0', 'churn@nowhere']) {
    const as = name === id ? stranger.key : key;
    for (const [method, path] of [
      ['GET', `/v2/models/${name}`],
      ['DELETE', `/v2/models/${name}`],
      ['GET', `/v2/models/${name}/download`],
      ['GET', `/v2/models/${name}/events`],
      ['POST', `/v2/models/${name}/cancel`],
    ] as const) {
      const answer = await server.ask(method, path, as);
      expect([path, answer.status, answer.body['code']]).toEqual([path, 404, 'MODEL_NOT_FOUND']);
    }
    expect(await predict(as, name, [[1, true]])).toMatchObject({ status: 404 });
    const set = await server.ask('PUT', '/v2/models/aliases/a@b', as, { model_id: name });
    expect(set).toMatchObject({ status: 404, body: { code: 'MODEL_NOT_FOUND' } });
  }
  const of = await uploaded(key);
  const foreign = await server.ask('POST', '/v2/models/train', stranger.key, {
    dataset_id: of,
    model_type: 'regression',
  });
  expect(foreign).toMatchObject({ status: 404, body: { code: 'DATASET_NOT_FOUND' } });
});

test('400 train: what can not be trained is refused before there is a job', async () => {
  const before = (await server.ask<{ data: object[] }>('GET', '/v2/models?limit=1000', key)).body.data.length;
  const refused = async (body: object) => {
    const answer = await server.ask('POST', '/v2/models/train', key, { dataset_id: dataset, ...body });
    expect(answer.status, JSON.stringify(answer.body)).toBe(400);
    return String(answer.body['message']);
  };
  expect(await refused({ model_type: 'llm', config: { target: 'age' } })).toContain('target is no setting');
  expect(await refused({ model_type: 'classification', config: { target: 'nothing' } })).toContain('one class');
  expect(await refused({ model_type: 'classification', config: { lerning_rate: 1 } })).toContain('lerning_rate');
  expect(await refused({ model_type: 'classification', config: { epochs: 0 } })).toContain('config.epochs');
  expect(await refused({ model_type: 'tree' })).toContain('model_type');
  const { body } = await server.ask<{ data: object[] }>('GET', '/v2/models?limit=1000', key);
  expect(body.data).toHaveLength(before);
});

test('409 for a model that is still being trained; cancel ends it, and delete takes it away', async () => {
  Object.assign(training.options, { epochs: 1000, epochMs: 20 });
  const body = { dataset_id: dataset, model_type: 'classification' };
  const { body: model } = await server.ask<Trained>('POST', '/v2/models/train', key, body);
  const early = await predict(key, model.model_id, [[50, true]]);
  expect(early).toMatchObject({ status: 409, body: { code: 'MODEL_NOT_READY' } });
  const curves = async () =>
    (await server.ask<{ curves: object[] }>('GET', `/v2/models/${model.model_id}`, key)).body.curves;
  while ((await curves()).length < 2) await sleep(20);
  const accept = { accept: 'application/json' };
  const path = `/v2/models/${model.model_id}/events`;
  const page = await server.ask<{ data: { event: string }[] }>('GET', path, key, undefined, accept);
  expect(page.body.data.map(({ event }) => event)).toEqual(expect.arrayContaining(['status', 'started', 'epoch']));
  const cancelled = await server.ask('POST', `/v2/models/${model.model_id}/cancel`, key);
  expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  const late = await predict(key, model.model_id, [[50, true]]);
  expect([late.status, late.body.detail]).toEqual([409, expect.stringContaining('cancelled')]);
  expect((await server.ask('GET', `/v2/models/${model.model_id}/download`, key)).status).toBe(409);
  const { body: second } = await server.ask<Trained>('POST', '/v2/models/train', key, body);
  expect(await server.ask('DELETE', `/v2/models/${second.model_id}`, key)).toMatchObject({ status: 200 });
  expect((await server.ask('GET', `/v2/models/${second.model_id}`, key)).status).toBe(404);
  await expect
    .poll(async () => (await server.ask('GET', `/v2/jobs/${second.job_id}`, key)).body['status'])
    .toBe('cancelled');
  await expect.poll(() => readdir(join(server.dataFolder, 'jobs'))).toEqual([]);
  Object.assign(training.options, { epochs: 2, epochMs: 10 });
});

test('text columns: vectors of the account’s encoder, paid for, in training and in predicting', async () => {
  const { key: as } = await server.account();
  const { body: data } = await server.upload<{ dataset_id: string }>(as, 'note,churned\none text,no\nanother,yes\n');
  const before = training.options.features;
  training.options.features = [{ name: 'note', kind: 'text', sql_type: 'VARCHAR' }];
  const { model_id: id } = await trained({ as, of: data.dataset_id, type: 'regression' });
  training.options.features = before;
  const { body: model } = await server.ask<{ cost_usd: number }>('GET', `/v2/models/${id}`, as);
  expect(model).toMatchObject({ encoder: { name: 'e5_small', dimension: 384 } });
  expect(model.cost_usd).toBeGreaterThan(0);
  const { body } = await predict(as, id, [{ note: 'one text' }, { note: null }, {}]);
  const { body: embedded } = await server.ask<{ vector: number[]; usage: { total_tokens: number } }>(
    'POST',
    '/vectorize',
    as,
    {
      text: 'one text',
    },
  );
  const sum = embedded.vector.reduce((total, each) => total + each, 0);
  expect(body.predictions[0]).toBeCloseTo(2 * (41 + sum), 3);
  expect(body.predictions.slice(1)).toEqual([82, 82]);
  expect(body).toMatchObject({ usage: { rows: 3, total_tokens: embedded.usage.total_tokens } });
  expect(model.cost_usd).toBeCloseTo(embedded.usage.total_tokens * 0.002e-6, 15);
});

test('200 compare: on the rows of a dataset, and on those that both held out', async () => {
  const first = await trained();
  const second = await trained();
  const compare = (body: object) => server.ask<Compared>('POST', '/v2/models/compare', key, body);
  const models = [first.model_id, second.model_id];
  const { body } = await compare({ models, dataset_id: dataset });
  expect(routes.compareModels.answer.parse(body)).toEqual(body);
  expect(body).toMatchObject({
    model_type: 'classification',
    target: 'churned',
    rows: 3,
    models: [
      { model_id: first.model_id, metrics: { accuracy: 1 }, better: [] },
      { model_id: second.model_id, metrics: { accuracy: 1 }, better: [] },
    ],
    agreement: { same: 3, both_right: 3, only_first_right: 0, only_second_right: 0 },
  });
  expect((await compare({ models })).body).toMatchObject({
    rows: 1,
    agreement: null,
    models: [{ metrics: { accuracy: 1 } }, {}],
  });
  const other = await trained({ config: { seed: 9 } });
  expect(await compare({ models: [first.model_id, other.model_id] })).toMatchObject({ status: 400 });
  const numbers = await trained({ type: 'regression' });
  expect(await compare({ models: [first.model_id, numbers.model_id] })).toMatchObject({ status: 400 });
  const { body: narrow } = await server.upload<{ dataset_id: string }>(key, 'age,member\n1,true\n');
  const without = await compare({ models, dataset_id: narrow.dataset_id });
  expect(without).toMatchObject({ status: 400, body: { message: expect.stringContaining('churned') } });
});

test('200 list: newest first, in pages', async () => {
  const other = await server.account();
  const of = await uploaded(other.key);
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) ids.unshift((await trained({ as: other.key, of })).model_id);
  const first = await server.ask<{ data: Trained[]; has_more: boolean }>('GET', '/v2/models?limit=2', other.key);
  expect(routes.listTrainedModels.answer.parse(first.body)).toEqual(first.body);
  expect([first.body.data.map(each => each.model_id), first.body.has_more]).toEqual([ids.slice(0, 2), true]);
  const next = await server.ask<typeof first.body>('GET', `/v2/models?limit=2&after=${ids[1]}`, other.key);
  expect(next.body).toMatchObject({ data: [{ model_id: ids[2] }], has_more: false });
});

test('200 aliases: set, used wherever a model is named, moved, and kept from being deleted', async () => {
  const [first, second] = [(await trained()).model_id, (await trained({ type: 'regression' })).model_id];
  const set = (id: string) => server.ask('PUT', '/v2/models/aliases/churn@production', key, { model_id: id });
  expect((await set(first)).body).toMatchObject({ alias: 'churn@production', model_id: first });
  expect((await predict(key, 'churn@production', [[50, true]])).body).toMatchObject({
    model_id: first,
    predictions: ['yes'],
  });
  expect((await server.ask('GET', '/v2/models/churn@production', key)).body).toMatchObject({
    aliases: ['churn@production'],
  });
  expect(await server.ask('DELETE', `/v2/models/${first}`, key)).toMatchObject({
    status: 409,
    body: { code: 'CONFLICT' },
  });
  expect((await set(second)).body).toMatchObject({ model_id: second });
  expect((await predict(key, 'churn@production', [[50, true]])).body).toMatchObject({ predictions: [101] });
  const { body } = await server.ask<{ data: object[] }>('GET', '/v2/models/aliases', key);
  expect(body.data).toMatchObject([{ alias: 'churn@production', model_id: second }]);
  expect(await server.ask('DELETE', `/v2/models/${first}`, key)).toMatchObject({ status: 200 });
  expect(await server.ask('DELETE', '/v2/models/aliases/churn@production', key)).toMatchObject({ status: 200 });
  expect((await predict(key, 'churn@production', [[50, true]])).status).toBe(404);
  expect((await server.ask('PUT', '/v2/models/aliases/churn', key, { model_id: second })).status).toBe(400);
});

test('delete takes the files and gives their bytes back to the plan', async () => {
  const other = await server.account();
  const of = await uploaded(other.key);
  const used = async () =>
    (await server.ask<{ storage: { used_bytes: number } }>('GET', '/v2/data', other.key)).body.storage.used_bytes;
  const before = [await used(), (await modelFiles()).length] as const;
  const { model_id: id } = await trained({ as: other.key, of });
  const { body: shown } = await server.ask<{ size_bytes: number }>('GET', `/v2/models/${id}`, other.key);
  expect(shown.size_bytes).toBeGreaterThan(0);
  expect([await used(), (await modelFiles()).length]).toEqual([before[0] + shown.size_bytes, before[1] + 2]);
  const { body } = await server.ask('DELETE', `/v2/models/${id}`, other.key);
  expect(body).toEqual({ model_id: id, freed_bytes: shown.size_bytes, deleted: true });
  expect([await used(), (await modelFiles()).length]).toEqual(before);
  expect((await predict(other.key, id, [[50, true]])).status).toBe(404);
});

test('413 train: no room in the plan', async () => {
  const other = await server.account();
  const of = await uploaded(other.key);
  await server.ask('PATCH', `/admin/accounts/${other.id}`, server.adminKey, { limits: { storage_bytes: 100 } });
  const body = { dataset_id: of, model_type: 'classification' };
  const answer = await server.ask('POST', '/v2/models/train', other.key, body);
  expect(answer).toMatchObject({ status: 413, body: { code: 'STORAGE_QUOTA_EXCEEDED' } });
});

test('200 download: the model, its card, and a zip of both', async () => {
  const { model_id: id } = await trained({ name: 'ümit’s model' });
  const got = async (format: string) => {
    const answer = await server.fetch(`/v2/models/${id}/download${format}`, key);
    expect(answer.status).toBe(200);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (format === '') expect(Number(answer.headers.get('content-length'))).toBe(bytes.length);
    return { bytes, headers: answer.headers };
  };
  const onnx = await got('?format=onnx');
  const card = await got('?format=card');
  const zip = await got('');
  expect(JSON.parse(card.bytes.toString())).toMatchObject({
    card: 1,
    files: [{ name: 'model.onnx', bytes: onnx.bytes.length }],
  });
  expect(zip.headers.get('content-type')).toBe('application/zip');
  expect(zip.headers.get('content-disposition')).toContain('.zip');
  expect(zip.bytes.includes(onnx.bytes) && zip.bytes.includes(card.bytes)).toBe(true);
  expect((await server.fetch(`/v2/models/${id}/download?format=gguf`, key)).status).toBe(400);
});

test('403 for a key without the scope, and a key with it alone can train and predict', async () => {
  const { key: dataOnly } = await server.account({ scopes: ['data'] });
  expect((await server.ask('GET', '/v2/models', dataOnly)).status).toBe(403);
  const { key: modelsOnly } = await server.account({ scopes: ['models'] });
  expect((await server.ask('GET', '/v2/models', modelsOnly)).status).toBe(200);
  expect((await server.ask('GET', '/v2/data', modelsOnly)).status).toBe(403);
});

test('200 enrich: predictions as columns of a new version, looked at before the job', async () => {
  const { model_id: id } = await trained();
  await server.ask('PUT', '/v2/models/aliases/churn@enrich', key, { model_id: id });
  const process = (params: object, of = dataset) =>
    server.ask<{ status: string; version: number; dataset_id: string }>('POST', '/v2/process', key, {
      dataset_id: of,
      operations: [{ type: 'enrich', params: { op: 'predict', ...params } }],
    });
  const { status, body } = await process({ model_id: 'churn@enrich', into: 'guess', probabilities: true });
  expect([status, body.status], JSON.stringify(body)).toEqual([200, 'succeeded']);
  const { body: page } = await server.ask<{ data: Record<string, unknown>[] }>(
    'GET',
    `/v2/data/${dataset}@${body.version}/rows`,
    key,
  );
  expect(page.data.map(row => row['guess'])).toEqual(['no', 'yes', 'yes']);
  expect(JSON.parse(String(page.data[0]?.['guess_probabilities']))).toEqual({
    no: expect.any(Number),
    yes: expect.any(Number),
  });
  const { body: whole } = await server.ask<{ recipe: { params: object }[] }>(
    'GET',
    `/v2/data/${dataset}@${body.version}`,
    key,
  );
  expect(whole.recipe[0]?.params).toMatchObject({ model_id: id, inputs: ['age', 'member'] });
  expect(await process({ model_id: 'model_none' })).toMatchObject({ status: 404 });
  const { body: narrow } = await server.upload<{ dataset_id: string }>(key, 'age,member\nold,true\n');
  expect(await process({ model_id: id }, narrow.dataset_id)).toMatchObject({
    status: 400,
    body: { code: 'INVALID_OPERATION', message: expect.stringContaining('"age"') },
  });
  const { body: without } = await server.upload<{ dataset_id: string }>(key, 'age\n41\n');
  expect(await process({ model_id: id }, without.dataset_id)).toMatchObject({ status: 400 });
  expect(await process({ model_id: id, inputs: ['age'] }, without.dataset_id)).toMatchObject({ status: 200 });
});

test('the usage has a line for each training and prediction', async () => {
  const other = await server.account();
  const { model_id: id } = await trained({ as: other.key, of: await uploaded(other.key) });
  await predict(other.key, id, [[50, true]]);
  const csvOfUsage = await (await server.fetch('/usage?format=csv', other.key)).text();
  expect(csvOfUsage).toContain('/api/v2/models/train');
  expect(csvOfUsage).toContain('/api/v2/models/predict');
});
