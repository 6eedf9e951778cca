// Processing over HTTP on the whole server: versions, splits, previews, recipes, vectors, failures.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '@vectorium/contract';
import { type TestServer, startDatasetServer } from './testing.ts';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startDatasetServer();
  ({ key } = await server.account());
}, 60_000);

afterAll(() => server.end());

const dirty = 'name,age,note\n Ada ,36,first\nBob,N/A,second\nBob,N/A,second\n,,\nEce,41,a third text\n';

interface Answer {
  job_id: string;
  status: string;
  dataset_id: string;
  version: number | null;
  rows: number | null;
  columns: { name: string; type: string }[];
  report: { op: string; rows_in: number; rows_out: number; cells_changed: Record<string, number> }[];
  outputs: { name: string; dataset_id: string; rows: number }[];
  preview: Record<string, unknown>[] | null;
  error: { code: string; message: string; param?: string } | null;
}

async function uploaded(as = key, file = dirty, name = 'people'): Promise<string> {
  const { body } = await server.upload<{ dataset_id: string }>(as, file, { metadata: { name } });
  return body.dataset_id;
}

const processed = (body: object, as = key, headers: Record<string, string> = {}) =>
  server.ask<Answer>('POST', '/api/v2/process', as, body, headers);

async function rowsOf(id: string, as = key): Promise<Record<string, unknown>[]> {
  const { body } = await server.ask<{ data: Record<string, unknown>[] }>('GET', `/api/v2/data/${id}/rows`, as);
  return body.data;
}

test('upload, process, rows and download: the whole path', async () => {
  const id = await uploaded();
  const cleaned = await processed({ dataset_id: id, operations: [{ type: 'clean' }] });
  expect(cleaned.status).toBe(200);
  expect(routes.processDataset.answer.parse(cleaned.body)).toEqual(cleaned.body);
  expect(cleaned.body).toMatchObject({ status: 'succeeded', dataset_id: id, version: 2, rows: 3, error: null });
  expect(cleaned.body.report[0]).toMatchObject({ rows_in: 5, rows_out: 3 });
  expect(await rowsOf(id)).toEqual([
    { name: 'Ada', age: 36, note: 'first' },
    { name: 'Bob', age: null, note: 'second' },
    { name: 'Ece', age: 41, note: 'a third text' },
  ]);
  expect((await rowsOf(`${id}@1`)).length).toBe(5);
  const file = await server.fetch(`/v2/data/${id}/download?format=csv`, key);
  expect(await file.text()).toBe('name,age,note\nAda,36,first\nBob,,second\nEce,41,a third text\n');

  const { body: job } = await server.ask('GET', `/api/v2/jobs/${cleaned.body.job_id}`, key);
  expect(job).toMatchObject({ kind: 'process', status: 'succeeded', result: { dataset_id: id, version: 2, rows: 3 } });
  const { body: shown } = await server.ask('GET', `/api/v2/data/${id}`, key);
  expect(routes.getDataset.answer.parse(shown)).toEqual(shown);
  expect(shown).toMatchObject({
    version: 2,
    sha256: null,
    versions: [{ version: 2, parents: [`${id}@1`], job_id: cleaned.body.job_id }, { version: 1 }],
    lineage: { parents: [`${id}@1`], operations: [{ type: 'clean' }], report: [{ rows_in: 5 }], output: null },
    recipe: [{ type: 'clean' }],
  });
});

test('a job that takes longer than Prefer: wait says is looked at under its id', async () => {
  const id = await uploaded();
  const answer = await processed({ dataset_id: id, operations: [{ type: 'clean' }] }, key, { prefer: 'wait=0' });
  expect(answer.body).toMatchObject({ status: expect.stringMatching(/queued|running/), version: null, dataset_id: id });
  const { body } = await server.ask('GET', `/api/v2/jobs/${answer.body.job_id}`, key, undefined, { prefer: 'wait=30' });
  expect(body).toMatchObject({ status: 'succeeded', result: { version: 2 } });
});

test('a split makes new datasets, and the source stays', async () => {
  const id = await uploaded();
  const split = { type: 'transform', params: { op: 'split_dataset', fractions: { train: 0.6, test: 0.4 }, seed: 7 } };
  const { body } = await processed({ dataset_id: id, operations: [split] });
  expect(body).toMatchObject({ status: 'succeeded', dataset_id: id, version: null });
  expect(body.outputs.map(({ name }) => name).toSorted()).toEqual(['test', 'train']);
  expect(body.outputs.reduce((sum, { rows }) => sum + rows, 0)).toBe(5);
  for (const { name, dataset_id: part, rows } of body.outputs) {
    expect((await rowsOf(part)).length).toBe(rows);
    const { body: shown } = await server.ask('GET', `/api/v2/data/${part}`, key);
    expect(shown).toMatchObject({
      name: `people (${name})`,
      version: 1,
      lineage: { parents: [`${id}@1`], output: name },
    });
  }
  expect((await server.ask('GET', `/api/v2/data/${id}`, key)).body).toMatchObject({ version: 1 });
});

test('a preview gives rows and makes nothing', async () => {
  const id = await uploaded();
  const { body } = await processed({ dataset_id: id, operations: [{ type: 'clean' }], preview: true });
  expect(routes.processDataset.answer.parse(body)).toEqual(body);
  expect(body).toMatchObject({ job_id: null, status: 'succeeded', version: null, outputs: [] });
  expect(body.preview).toHaveLength(3);
  expect((await server.ask('GET', `/api/v2/data/${id}`, key)).body).toMatchObject({ version: 1, version_count: 1 });
});

test('a recipe does the same to another dataset; datasets that it names stay at the version that they had', async () => {
  const other = await uploaded(key, 'name,city\nAda,London\nEce,Ankara\n', 'cities');
  const id = await uploaded();
  const lookup = { type: 'enrich', params: { op: 'lookup', dataset_id: other, on: 'name', columns: ['city'] } };
  const first = await processed({ dataset_id: id, operations: [{ type: 'clean' }, lookup] });
  expect(first.body, JSON.stringify(first.body)).toMatchObject({ status: 'succeeded', version: 2 });
  await processed({
    dataset_id: other,
    operations: [{ type: 'transform', params: { op: 'filter', where: "name = 'Ece'" } }],
  });
  const { body: shown } = await server.ask('GET', `/api/v2/data/${id}`, key);
  expect(shown).toMatchObject({
    lineage: { parents: [`${id}@1`, `${other}@1`] },
    recipe: [{ type: 'clean' }, { params: { dataset_id: `${other}@1` } }],
  });
  const again = await uploaded();
  const followed = await processed({ dataset_id: again, recipe: `${id}@2` });
  expect(followed.body).toMatchObject({ status: 'succeeded', version: 2 });
  expect(await rowsOf(again)).toEqual(await rowsOf(id));
  expect(await rowsOf(again)).toContainEqual({ name: 'Ada', age: 36, note: 'first', city: 'London' });
  for (const body of [
    { dataset_id: id, recipe: `${id}@1` },
    { dataset_id: id },
    { dataset_id: id, operations: [{ type: 'clean' }], recipe: `${id}@2` },
  ])
    expect((await processed(body)).status).toBe(400);
});

test('400 and 404 with the place before there is a job', async () => {
  const id = await uploaded();
  const refused = async (operation: object) => {
    const trim = { type: 'clean', params: { op: 'trim' } };
    const { status, body } = await processed({ dataset_id: id, operations: [trim, operation] });
    const { code, message } = body as unknown as { code: string; message: string };
    return [status, code, message] as const;
  };
  for (const [operation, status, code, place] of [
    [{ type: 'clean', params: { op: 'nothing' } }, 400, 'INVALID_OPERATION', 'operations[1].params.op'],
    [{ type: 'transform', params: { op: 'trim' } }, 400, 'INVALID_OPERATION', 'operations[1].type'],
    [{ type: 'clean', params: { op: 'trim', columns: ['nmae'] } }, 400, 'INVALID_OPERATION', 'nmae'],
    [
      { type: 'transform', params: { op: 'filter', where: "read_text('/etc/passwd') = ''" } },
      400,
      'INVALID_OPERATION',
      'operations[1].params.where',
    ],
    [{ type: 'polish', params: {} }, 400, 'INVALID_PARAMETER', 'operations[1].type'],
    [{ type: 'enrich', params: { op: 'embed_text', column: 'note', model: 'none' } }, 404, 'MODEL_NOT_FOUND', 'none'],
    [{ type: 'enrich', params: { op: 'predict', model_id: 'mdl_1' } }, 404, 'MODEL_NOT_FOUND', 'mdl_1'],
    [{ type: 'transform', params: { op: 'join', dataset_id: 'ds_x', on: ['name'] } }, 404, 'DATASET_NOT_FOUND', 'ds_x'],
  ] as const) {
    const [foundStatus, foundCode, message] = await refused(operation);
    expect([foundStatus, foundCode], message).toEqual([status, code]);
    expect(message).toContain(place);
  }
  const unknown = { type: 'clean', params: { op: 'trim', columns: ['nmae'] } };
  expect((await processed({ dataset_id: id, operations: [{ type: 'clean' }, unknown] })).status).toBe(400);
  const { body } = await server.ask<{ data: unknown[] }>('GET', '/api/v2/jobs?kind=process&status=failed', key);
  expect(body.data).toEqual([]);
});

test('403 for a model above the plan and 503 for one that the server can not have, before there is a job', async () => {
  const free = await server.account({ plan: 'free' });
  for (const [as, status, code] of [
    [free.key, 403, 'MODEL_NOT_ALLOWED'],
    [key, 503, 'MODEL_UNAVAILABLE'],
  ] as const) {
    const embed = { type: 'enrich', params: { op: 'embed_text', column: 'note', model: 'gte_base' } };
    const answer = await processed({ dataset_id: await uploaded(as), operations: [embed] }, as);
    expect(answer).toMatchObject({ status, body: { code } });
  }
});

test('what only the data can tell ends the job with its reason, and makes nothing', async () => {
  const id = await uploaded();
  const cast = { type: 'clean', params: { op: 'cast', types: { note: 'INTEGER' } } };
  const { status, body } = await processed({ dataset_id: id, operations: [cast] });
  expect(status).toBe(200);
  expect(body).toMatchObject({ status: 'failed', version: null, error: { code: 'INVALID_OPERATION' } });
  expect(body.error?.message).toContain('note');
  expect((await server.ask('GET', `/api/v2/data/${id}`, key)).body).toMatchObject({ version_count: 1 });
});

test('vectors of a column are those of /vectorize, metered once; without money the job fails and makes nothing', async () => {
  const own = await server.account({ plan: 'free' });
  const id = await uploaded(own.key);
  const embed = { type: 'enrich', params: { op: 'embed_text', column: 'note' } };
  const { body } = await processed({ dataset_id: id, operations: [{ type: 'clean' }, embed] }, own.key);
  expect(body, JSON.stringify(body)).toMatchObject({ status: 'succeeded', version: 2 });
  expect(body.columns.at(-1)).toMatchObject({ name: 'note_vector', type: 'FLOAT[]' });
  const { body: single } = await server.ask<{ vector: number[] }>('POST', '/vectorize', own.key, {
    text: 'a third text',
  });
  const vector = (await rowsOf(id, own.key)).at(-1)?.['note_vector'];
  expect(vector).toEqual(single.vector.map(value => expect.closeTo(value, 5) as number));
  const { body: used } = await server.ask<{ summary: { total_requests: number } }>('GET', '/usage', own.key);
  expect(used.summary.total_requests).toBe(2);

  const poor = await server.account({ plan: 'free', creditUsd: 0 });
  const theirs = await uploaded(poor.key);
  const failed = await processed({ dataset_id: theirs, operations: [embed] }, poor.key);
  expect(failed.body).toMatchObject({ status: 'failed', version: null, error: { code: 'INSUFFICIENT_BALANCE' } });
  expect((await server.ask('GET', `/api/v2/data/${theirs}`, poor.key)).body).toMatchObject({ version_count: 1 });
});

test('a column that the balance can not pay is refused whole, and nothing of it is charged', async () => {
  const lines = Array.from({ length: 400 }, (_, row) => `row number ${row} of a table`);
  const embed = { type: 'enrich', params: { op: 'embed_text', column: 'note', model: 'e5_small' } };
  // One of the two parts would be paid: 400 rows are some 3,000 tokens at $0.002 a million.
  const poor = await server.account({ creditUsd: 0.000004 });
  const id = await uploaded(poor.key, `note\n${lines.join('\n')}\n`);
  const { body } = await processed({ dataset_id: id, operations: [embed] }, poor.key);
  expect(body).toMatchObject({ status: 'failed', version: null, error: { code: 'INSUFFICIENT_BALANCE' } });
  const used = await server.ask('GET', '/usage', poor.key);
  expect(used.body).toMatchObject({ summary: { total_requests: 0, current_balance: 0.000004 } });
});

test('vectors of a dataset need the scope of vectors, as those of a text', async () => {
  const limited = await server.account({ scopes: ['data'] });
  const id = await uploaded(limited.key);
  const asked = async (params: object) => {
    const answer = await processed({ dataset_id: id, operations: [{ type: 'enrich', params }] }, limited.key);
    return [answer.status, (answer.body as unknown as { code?: string }).code];
  };
  expect(await asked({ op: 'embed_text', column: 'note' })).toEqual([403, 'SCOPE_NOT_ALLOWED']);
  expect(await asked({ op: 'chunk_text', column: 'note', as: 'list' })).toEqual([200, undefined]);
  const both = await server.account({ scopes: ['data', 'vectors'] });
  const theirs = await uploaded(both.key);
  const embed = { type: 'enrich', params: { op: 'embed_text', column: 'note', model: 'e5_small' } };
  const { body } = await processed({ dataset_id: theirs, operations: [embed] }, both.key);
  expect(body).toMatchObject({ status: 'succeeded' });
});

test('a job lets requests of others in between, and one that is cancelled makes nothing and leaves nothing', async () => {
  const own = await server.account({ plan: 'enterprise' });
  const lines = Array.from({ length: 20_000 }, (_, row) => `row number ${row} of a long table`);
  const id = await uploaded(own.key, `note\n${lines.join('\n')}\n`);
  const embed = { type: 'enrich', params: { op: 'embed_text', column: 'note', model: 'e5_small' } };
  const { body: started } = await processed({ dataset_id: id, operations: [embed] }, own.key, { prefer: 'wait=0' });
  const requests = async () =>
    (await server.ask<{ summary: { total_requests: number } }>('GET', '/usage', own.key)).body.summary.total_requests;
  while ((await requests()) === 0) await sleep(20);
  for (const text of ['one', 'two', 'three']) {
    const { status } = await server.ask('POST', '/vectorize', own.key, { text, model: 'e5_small' });
    expect(status).toBe(200);
  }
  await server.ask('POST', `/v2/jobs/${started.job_id}/cancel`, own.key);
  const wait = { prefer: 'wait=30' };
  const { body: cancelled } = await server.ask('GET', `/v2/jobs/${started.job_id}`, own.key, undefined, wait);
  expect(cancelled).toMatchObject({ status: 'cancelled' });
  expect(await requests()).toBeLessThan(80);
  expect((await server.ask('GET', `/api/v2/data/${id}`, own.key)).body).toMatchObject({ version_count: 1 });
  expect(await readdir(join(server.dataFolder, 'jobs'))).toEqual([]);
});

test('texts that PostgreSQL does not take pass through values, statistics, parameters and errors', async () => {
  const file = '[{"a": "x\\u0000y", "b": "😀"}, {"a": "x\\u0000y", "b": "z"}]';
  const { body } = await server.upload<{ dataset_id: string }>(key, file, { format: 'json' });
  const id = body.dataset_id;
  expect(await rowsOf(id)).toEqual([
    { a: 'x\0y', b: '😀' },
    { a: 'x\0y', b: 'z' },
  ]);
  expect((await server.ask('GET', `/v2/data/${id}`, key)).body).toMatchObject({
    statistics: [{ top: [{ value: 'x\0y', count: 2 }] }, {}],
  });
  const cast = { type: 'clean', params: { op: 'cast', types: { a: 'INTEGER' } } };
  const failed = await processed({ dataset_id: id, operations: [cast] });
  expect(failed.body).toMatchObject({ status: 'failed', error: { code: 'INVALID_OPERATION' } });
  const replace = {
    type: 'clean',
    params: { op: 'replace_values', column: 'a', mapping: { 'x\0y': 'good', q: '\ud800' } },
  };
  const replaced = await processed({ dataset_id: id, operations: [replace] });
  expect([200, 400], JSON.stringify(replaced.body)).toContain(replaced.status);
});

test('413 for a result that the plan has no room for: the job fails, and nothing is kept', async () => {
  const own = await server.account({ limits: { storage_bytes: Buffer.byteLength(dirty) + 10 } });
  const id = await uploaded(own.key);
  const { body } = await processed({ dataset_id: id, operations: [{ type: 'clean' }] }, own.key);
  expect(body).toMatchObject({ status: 'failed', error: { code: 'STORAGE_QUOTA_EXCEEDED' } });
  expect((await server.ask('GET', '/api/v2/data', own.key)).body).toMatchObject({
    storage: { used_bytes: Buffer.byteLength(dirty) },
  });
});

test('the same Idempotency-Key makes one version', async () => {
  const id = await uploaded();
  const body = { dataset_id: id, operations: [{ type: 'clean' }] };
  const first = await processed(body, key, { 'idempotency-key': 'clean once' });
  const again = await processed(body, key, { 'idempotency-key': 'clean once' });
  expect(again.body).toEqual(first.body);
  expect((await server.ask('GET', `/api/v2/data/${id}`, key)).body).toMatchObject({ version_count: 2 });
});
