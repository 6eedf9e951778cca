// The routes of datasets by what they answer, on the whole server.
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, startDatasetServer } from './testing.ts';

let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startDatasetServer();
  ({ key } = await server.account());
}, 60_000);

afterAll(() => server.end());

const people = 'name,age\nAda,36\nBob,\n"Çelik, Ece",41\n';

interface Shown {
  dataset_id: string;
  version: number;
  rows: number;
  columns: { name: string; type: string; nulls: number }[];
}

async function uploaded(fields: object = {}, as = key): Promise<Shown> {
  const { status, body } = await server.upload<Shown>(as, people, fields);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

test('200 upload: what the document promises, under both spellings and through every door', async () => {
  const metadata = { name: 'people', description: '<b>of</b> the "shop"' };
  const { body } = await server.upload(key, people, { metadata });
  expect(routes.uploadDataset.answer.parse(body)).toEqual(body);
  expect(body).toMatchObject({
    dataset_id: expect.stringMatching(/^ds_[0-9a-f]{32}$/),
    ...metadata,
    format: 'csv',
    rows: 3,
    columns: [
      { name: 'name', type: 'VARCHAR', nulls: 0 },
      { name: 'age', type: 'BIGINT', nulls: 1 },
    ],
    rejected: { count: 0, samples: [] },
    size_bytes: Buffer.byteLength(people),
    sha256: createHash('sha256').update(people).digest('hex'),
    version: 1,
  });
  const form = new FormData();
  form.set('file', new Blob([people]), 'people.csv');
  form.set('format', 'csv');
  const ofForm = await server.fetch('/v2/data/upload', key, { method: 'POST', body: form });
  const ofPut = await server.fetch('/v2/data/upload?format=csv&name=put', key, { method: 'PUT', body: people });
  for (const answer of [ofForm, ofPut])
    expect(await answer.json()).toMatchObject({ rows: 3, sha256: body['sha256'], columns: body['columns'] });
});

test('200 list: newest first, in pages, and nothing of other accounts', async () => {
  const other = await server.account();
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) ids.unshift((await uploaded({}, other.key)).dataset_id);
  const first = await server.ask<{ data: Shown[]; has_more: boolean }>('GET', '/api/v2/data?limit=2', other.key);
  expect(first.body.data.map(each => each.dataset_id)).toEqual(ids.slice(0, 2));
  expect(first.body.has_more).toBe(true);
  const next = await server.ask<typeof first.body>('GET', `/v2/data?limit=2&after=${ids[1]}`, other.key);
  expect(next.body).toMatchObject({ data: [{ dataset_id: ids[2] }], has_more: false });
});

test('200 get: schema, statistics, versions, lineage and recipe', async () => {
  const { dataset_id: id } = await uploaded();
  const { status, body } = await server.ask('GET', `/api/v2/data/${id}`, key);
  expect(status).toBe(200);
  expect(routes.getDataset.answer.parse(body)).toEqual(body);
  expect(body).toMatchObject({
    dataset_id: id,
    statistics: [
      { name: 'name', count: 3, nulls: 0, distinct: 3 },
      { name: 'age', count: 2, nulls: 1, distinct: 2, min: 36, max: 41, mean: 38.5 },
    ],
    versions: [{ version: 1, rows: 3, parents: [], job_id: null }],
    version_count: 1,
    lineage: { parents: [], operations: [], report: [], output: null, job_id: null },
    recipe: [],
  });
  const profile = await server.ask('GET', `/api/v2/data/${id}@1/profile`, key);
  expect(routes.getProfile.answer.parse(profile.body)).toEqual(profile.body);
  expect(profile.body['columns']).toEqual(body['statistics']);
});

test('200 rows: pages in order, with the columns that are asked for', async () => {
  const { dataset_id: id } = await uploaded();
  const page = await server.ask('GET', `/api/v2/data/${id}/rows?offset=1&limit=1&columns=name`, key);
  expect(page).toMatchObject({
    status: 200,
    body: { dataset_id: id, version: 1, rows: 3, offset: 1, data: [{ name: 'Bob' }], has_more: true },
  });
  const last = await server.ask('GET', `/api/v2/data/${id}@1/rows?offset=2`, key);
  expect(last.body).toMatchObject({ data: [{ name: 'Çelik, Ece', age: 41 }], has_more: false });
  expect((await server.ask('GET', `/api/v2/data/${id}/rows?offset=99`, key)).body).toMatchObject({ data: [] });
});

test('200 download: a file with a name, in each format', async () => {
  const { dataset_id: id } = await uploaded({ metadata: { name: 'Ümit’s "people"' } });
  const answer = await server.fetch(`/api/v2/data/${id}/download`, key);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
  expect(answer.headers.get('content-disposition')).toContain(`filename*=UTF-8''%C3%9Cmit`);
  expect(await answer.text()).toBe(people);
  for (const format of ['json', 'ndjson', 'parquet']) {
    const file = await server.fetch(`/api/v2/data/${id}/download?format=${format}`, key);
    expect([file.status, (await file.arrayBuffer()).byteLength > 0]).toEqual([200, true]);
  }
});

test('200 patch: name and description, of the dataset and so of every version', async () => {
  const { dataset_id: id } = await uploaded({ metadata: { name: 'old', description: 'kept' } });
  const { body } = await server.ask('PATCH', `/api/v2/data/${id}`, key, { name: ' new ' });
  expect(body).toMatchObject({ dataset_id: id, name: 'new', description: 'kept' });
  const emptied = await server.ask('PATCH', `/api/v2/data/${id}`, key, { name: null });
  expect(emptied.body).toMatchObject({ name: null, description: 'kept' });
});

test('200 delete: the dataset is gone, and so is its storage; 409 for the only version by its number', async () => {
  const { dataset_id: id } = await uploaded();
  expect(await server.ask('DELETE', `/api/v2/data/${id}@1`, key)).toMatchObject({
    status: 409,
    body: { code: 'CONFLICT' },
  });
  const { body } = await server.ask('DELETE', `/api/v2/data/${id}`, key);
  expect(body).toEqual({ dataset_id: id, versions: [1], freed_bytes: Buffer.byteLength(people), deleted: true });
  expect((await server.ask('GET', `/api/v2/data/${id}`, key)).status).toBe(404);
});

test('400 for a file that is not what it is said to be, with the place, and nothing stays', async () => {
  const { key: own } = await server.account();
  const cases: [string | Buffer, object, string][] = [
    ['', {}, 'INVALID_FILE'],
    [people, { format: 'parquet' }, 'INVALID_FILE'],
    ['{"a":', { format: 'json' }, 'INVALID_FILE'],
    [people, { format: 'xml' }, 'INVALID_PARAMETER'],
    [people, { format: undefined }, 'VALIDATION_ERROR'],
    [people, { metadata: { name: 7 } }, 'VALIDATION_ERROR'],
    [people, { options: { on_error: 'perhaps' } }, 'INVALID_PARAMETER'],
    ['a,b\n1,2\n3,4,5\n', { options: { on_error: 'fail' } }, 'INVALID_FILE'],
  ];
  for (const [file, fields, code] of cases) {
    const { status, body } = await server.upload(own, file, fields);
    expect([status, body['code']], JSON.stringify([file.toString(), fields, body])).toEqual([400, code]);
  }
  const broken = await server.ask('POST', '/api/v2/data/upload', own, { file: 'a', format: 'csv' });
  expect(broken.status).toBe(400);
  expect((await server.ask('GET', '/api/v2/data', own)).body).toMatchObject({
    data: [],
    has_more: false,
    storage: { used_bytes: 0, limit_bytes: 200_000_000_000 },
  });
});

test('401, 403 by scope and 404 for what is not there, is no name, or is another account’s', async () => {
  const { dataset_id: id } = await uploaded();
  expect((await fetch(`${server.url}/api/v2/data`)).status).toBe(401);
  const { key: vectorsOnly } = await server.account({ scopes: ['vectors'] });
  expect(await server.ask('GET', '/api/v2/data', vectorsOnly)).toMatchObject({
    status: 403,
    body: { code: 'SCOPE_NOT_ALLOWED' },
  });
  const { key: dataOnly } = await server.account({ scopes: ['data'] });
  expect((await server.ask('GET', '/api/v2/data', dataOnly)).status).toBe(200);
  const { key: stranger } = await server.account();
  for (const [as, name] of [
    [stranger, id],
    [key, `${id}@2`],
    [key, 'ds_none'],
    [key, '..%2F..'],
  ] as const)
    for (const [method, rest, body] of [
      ['GET', ''],
      ['GET', '/rows'],
      ['GET', '/profile'],
      ['GET', '/download'],
      ['PATCH', '', { name: 'x' }],
      ['DELETE', ''],
    ] as const) {
      if (name.includes('@2') && method === 'PATCH') continue;
      const answer = await server.ask(method, `/api/v2/data/${name}${rest}`, as, body);
      expect([method, rest, name, answer.status, answer.body['code']]).toEqual([
        method,
        rest,
        name,
        404,
        'DATASET_NOT_FOUND',
      ]);
    }
  const named = { dataset_id: id, operations: [{ type: 'clean' }] };
  expect((await server.ask('POST', '/api/v2/process', stranger, named)).body).toMatchObject({
    code: 'DATASET_NOT_FOUND',
  });
});

test('400 for rows of columns that are not there, and for pages that are no numbers', async () => {
  const { dataset_id: id } = await uploaded();
  for (const query of ['columns=nmae', 'offset=-1', 'limit=0', 'limit=1001', 'offset=x'])
    expect([query, (await server.ask('GET', `/api/v2/data/${id}/rows?${query}`, key)).status]).toEqual([query, 400]);
  expect((await server.ask('GET', `/api/v2/data/${id}/download?format=xlsx`, key)).status).toBe(400);
});

test('413 when the plan has no room: exactly as many uploads at once get through as fit', async () => {
  const size = Buffer.byteLength(people);
  const own = await server.account({ limits: { storage_bytes: 7 * size + 1 } });
  const answers = await Promise.all(Array.from({ length: 20 }, () => server.upload(own.key, people)));
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused).toHaveLength(13);
  for (const { status, body } of refused)
    expect({ status, body }).toMatchObject({
      status: 413,
      body: { code: 'STORAGE_QUOTA_EXCEEDED', limit_bytes: 7 * size + 1 },
    });
  const { body } = await server.ask<{ data: Shown[] }>('GET', '/api/v2/data', own.key);
  expect(body.data).toHaveLength(7);
  expect(body).toMatchObject({ storage: { used_bytes: 7 * size, limit_bytes: 7 * size + 1 } });
  await server.ask('DELETE', `/api/v2/data/${body.data[0]?.dataset_id}`, own.key);
  expect((await server.upload(own.key, people)).status).toBe(200);
}, 60_000);

test('429 by family: uploads count against the data routes, reading has ten times their minute', async () => {
  const own = await server.account({ plan: 'free', limits: { data: { minute: 2 }, vectors: { minute: 1 } } });
  const uploads = await Promise.all([1, 2, 3].map(() => server.upload(own.key, people)));
  expect(uploads.map(({ status }) => status).toSorted()).toEqual([200, 200, 429]);
  const reads = await Promise.all(Array.from({ length: 21 }, () => server.ask('GET', '/api/v2/data', own.key)));
  expect(reads.filter(({ status }) => status === 429)).toHaveLength(1);
});

test('an upload with an Idempotency-Key is made once: another file under the key is 422', async () => {
  const own = await server.account();
  const headers = { 'idempotency-key': 'one' };
  const first = await server.upload<Shown>(own.key, people, {}, headers);
  const again = await server.upload<Shown>(own.key, people, {}, headers);
  expect(again.body).toEqual(first.body);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  const other = await server.upload(own.key, people.replace('36', '37'), {}, headers);
  expect([other.status, other.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  expect((await server.ask<{ data: Shown[] }>('GET', '/api/v2/data', own.key)).body.data).toHaveLength(1);
});

const encoded = (value: string) => Buffer.from(value).toString('base64');

test('an upload in pieces (tus) becomes a dataset with its last piece', async () => {
  const own = await server.account();
  const tus = { 'tus-resumable': '1.0.0' };
  const metadata = `format ${encoded('csv')},name ${encoded('in pieces')}`;
  const begun = await server.fetch('/v2/data/uploads', own.key, {
    method: 'POST',
    headers: { ...tus, 'upload-length': String(Buffer.byteLength(people)), 'upload-metadata': metadata },
  });
  expect(begun.status).toBe(201);
  const place = new URL(begun.headers.get('location') ?? '', `${server.url}/v2/data/uploads`).pathname;
  const bytes = Buffer.from(people);
  const piece = (from: number, to: number) =>
    server.fetch(place, own.key, {
      method: 'PATCH',
      headers: { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': String(from) },
      body: bytes.subarray(from, to),
    });
  expect((await piece(0, 10)).status).toBe(204);
  const last = await piece(10, bytes.length);
  expect([last.status, await last.json()]).toMatchObject([200, { name: 'in pieces', rows: 3, version: 1 }]);
  expect((await server.ask<{ data: Shown[] }>('GET', '/v2/data', own.key)).body.data).toHaveLength(1);
});

/** Sends a whole upload and leaves while the file is being read. */
function leaveEarly(as: string, file: string, headers: Record<string, string> = {}): Promise<void> {
  return new Promise(resolve => {
    const sent = request(`${server.url}/v2/data/upload?format=csv`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${as}`, 'content-length': Buffer.byteLength(file), ...headers },
    });
    sent.on('error', () => {}).on('close', () => resolve());
    sent.end(file, () => void sleep(150).then(() => sent.destroy()));
  });
}

test('a client that leaves before the answer has no dataset; with an Idempotency-Key it finds it when it comes back', async () => {
  const own = await server.account();
  const list = async () => (await server.ask<{ data: Shown[] }>('GET', '/v2/data', own.key)).body.data;
  const large = `id,text\n${Array.from({ length: 400_000 }, (_, row) => `${row},"text number ${row}"`).join('\n')}\n`;
  await leaveEarly(own.key, large);
  await sleep(2000);
  expect(await list()).toEqual([]);
  const headers = { 'idempotency-key': 'large' };
  await leaveEarly(own.key, large, headers);
  while ((await list()).length === 0) await sleep(50);
  const { status, body } = await server.upload<Shown>(own.key, large, {}, headers);
  // Another door is another route, and so another key.
  expect([status, (await list()).length]).toEqual([200, 2]);
  const answer = await server.fetch('/v2/data/upload?format=csv', own.key, { method: 'PUT', body: large, headers });
  expect(answer.headers.get('idempotency-replayed')).toBe('true');
  const replayed = (await answer.json()) as Shown;
  expect([replayed.rows, replayed.dataset_id === body.dataset_id]).toEqual([400_000, false]);
  expect((await list()).length).toBe(2);
}, 30_000);

test('404, and no 500, for whoever reads while a dataset is being deleted', async () => {
  for (let round = 0; round < 5; round++) {
    const { dataset_id: id } = await uploaded();
    const reads = ['/rows', '/profile', '/download', '/download?format=parquet', ''].map(rest =>
      server.fetch(`/v2/data/${id}${rest}`, key).then(async answer => {
        await answer.text();
        return answer.status;
      }),
    );
    const deleted = await server.ask('DELETE', `/v2/data/${id}`, key);
    expect(deleted.status).toBe(200);
    for (const status of await Promise.all(reads)) expect([200, 404]).toContain(status);
  }
});
