// From files to datasets and back to rows and files, with the real tables, storage and database.
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeLeftovers } from './files.ts';
import { download, pageOfRows } from './pages.ts';
import { createProfiles } from './profiles.ts';
import { type TestParts, openTestParts } from './testing.ts';
import { type Uploaded, makeDataset } from './uploaded.ts';
import type { Account } from '../accounts/index.ts';
import type { Dataset } from './store.ts';

let parts: TestParts;
const { signal } = new AbortController();

async function make(uploaded: Uploaded, { account }: { account: Account }): Promise<Dataset> {
  const reservation = await parts.quota.reserve(account);
  try {
    return await makeDataset(parts, uploaded, { account, reservation });
  } finally {
    await reservation.release();
  }
}

beforeAll(async () => {
  parts = await openTestParts();
}, 60_000);

afterAll(() => parts.close());

const people = 'name,age\nAda,36\nBob,\n"Çelik, Ece",41\n';

test('a file becomes version 1, with what it had and its rows in order', async () => {
  const account = await parts.account();
  const uploaded = await parts.uploaded(people, { name: 'people' });
  const dataset = await make(uploaded, { account });
  expect(dataset).toMatchObject({
    name: 'people',
    description: null,
    format: 'csv',
    version: {
      number: 1,
      rows: 3,
      columns: [
        { name: 'name', type: 'VARCHAR', nulls: 0 },
        { name: 'age', type: 'BIGINT', nulls: 1 },
      ],
      rejected: { count: 0, samples: [] },
      sizeBytes: Buffer.byteLength(people),
      sha256: uploaded.sha256,
      parents: [],
    },
  });
  expect(await parts.files()).toContain(dataset.version.file);
  const page = { offset: 1, limit: 10, columns: 'age,name', signal };
  expect((await pageOfRows(parts, dataset, page)).map(row => JSON.parse(row) as unknown)).toEqual([
    { age: null, name: 'Bob' },
    { age: 41, name: 'Çelik, Ece' },
  ]);
  expect(await pageOfRows(parts, dataset, { offset: 3, limit: 10, signal })).toEqual([]);
  await expect(pageOfRows(parts, dataset, { offset: 0, limit: 10, columns: 'agee', signal })).rejects.toMatchObject({
    code: 'INVALID_PARAMETER',
    message: expect.stringContaining('"agee"'),
  });
});

test('a version comes back as a file in every format', async () => {
  const account = await parts.account();
  const dataset = await make(await parts.uploaded(people), { account });
  const csv = await download(parts, dataset, { format: 'csv', signal });
  const content = await text(csv.stream);
  expect(content).toBe('name,age\nAda,36\nBob,\n"Çelik, Ece",41\n');
  expect(csv.bytes).toBe(Buffer.byteLength(content));
  const rows = [
    { name: 'Ada', age: 36 },
    { name: 'Bob', age: null },
    { name: 'Çelik, Ece', age: 41 },
  ];
  expect(JSON.parse(await text((await download(parts, dataset, { format: 'json', signal })).stream))).toEqual(rows);
  const lines = (await text((await download(parts, dataset, { format: 'ndjson', signal })).stream)).trim().split('\n');
  expect(lines.map(line => JSON.parse(line) as unknown)).toEqual(rows);
  const parquet = await download(parts, dataset, { format: 'parquet', signal });
  const bytes = Buffer.concat(await parquet.stream.toArray());
  expect([bytes.length, bytes.subarray(0, 4).toString()]).toEqual([parquet.bytes, 'PAR1']);
  const again = await make(await parts.uploaded(bytes, { format: 'parquet' }), { account });
  expect(again.version.columns).toEqual(dataset.version.columns);
});

test('a page of large rows ends early and the next goes on where it ended', async () => {
  const account = await parts.account();
  const lines = Array.from({ length: 40 }, (_, index) => `${index},${'x'.repeat(400_000)}`);
  const dataset = await make(await parts.uploaded(`id,text\n${lines.join('\n')}\n`), { account });
  const seen: unknown[] = [];
  let pages = 0;
  while (seen.length < 40) {
    const rows = await pageOfRows(parts, dataset, { offset: seen.length, limit: 1000, signal });
    expect(rows.length).toBeGreaterThan(0);
    seen.push(...rows.map(row => (JSON.parse(row) as { id: number }).id));
    pages++;
  }
  expect(seen).toEqual(lines.map((_, index) => index));
  expect(pages).toBeGreaterThan(1);
});

test('what can not be read is refused with its place and leaves nothing', async () => {
  const account = await parts.account();
  const before = await parts.files();
  const refused = async (content: string | Buffer, fields: object) => {
    const error: unknown = await make(await parts.uploaded(content, fields), { account }).catch(e => e);
    return error as { code: string; message: string };
  };
  expect(await refused('', {})).toMatchObject({ code: 'INVALID_FILE' });
  expect(await refused('name,age\nAda,36\n', { format: 'parquet' })).toMatchObject({ code: 'INVALID_FILE' });
  expect(await refused(people, { options: { on_error: 'perhaps' } })).toMatchObject({ code: 'INVALID_PARAMETER' });
  expect(await refused('a,b\n1,2\n3,4,5\n', { options: { on_error: 'fail' } })).toMatchObject({
    code: 'INVALID_FILE',
    message: expect.stringContaining('3'),
  });
  expect(await parts.files()).toEqual(before);
  expect(await parts.store.list(account.id, { limit: 10, after: null })).toEqual([]);
  expect(await parts.database.query('SELECT * FROM storage_reservations')).toEqual([]);
});

test('twenty uploads at once at the edge of the plan: exactly as many as fit, and no file of the others', async () => {
  const size = Buffer.byteLength(people);
  const account = await parts.account({ storage_bytes: 7 * size + size / 2 });
  const uploads = await Promise.all(Array.from({ length: 20 }, () => parts.uploaded(people)));
  const before = (await parts.files()).length;
  const results = await Promise.allSettled(uploads.map(each => make(each, { account })));
  const refused = results.flatMap(result => (result.status === 'rejected' ? [result.reason as { code: string }] : []));
  expect(refused.map(({ code }) => code)).toEqual(Array.from({ length: 13 }, () => 'STORAGE_QUOTA_EXCEEDED'));
  expect(await parts.quota.used(account.id)).toBe(7 * size);
  expect((await parts.files()).length).toBe(before + 7);
}, 60_000);

test('statistics are computed once for all who ask, and kept', async () => {
  const account = await parts.account();
  const dataset = await make(await parts.uploaded(people), { account });
  let computed = 0;
  const counting: typeof parts.tables.profile = path => {
    computed++;
    return parts.tables.profile(path);
  };
  const profiles = createProfiles({ ...parts, tables: { profile: counting } });
  const all = await Promise.all([1, 2, 3].map(() => profiles.of(dataset)));
  expect(await profiles.of(dataset)).toEqual(all[0]);
  expect(computed).toBe(1);
  expect(all[0]?.[1]).toMatchObject({ name: 'age', nulls: 1, count: 2, distinct: 2, min: 36, max: 41, mean: 38.5 });
});

test('files that no version names are removed; those of versions and of work under way stay', async () => {
  const account = await parts.account();
  const { version } = await make(await parts.uploaded(people), { account });
  const reservation = await parts.quota.reserve(account, 1);
  const underWay = `datasets/${account.id}/ds_x/${reservation.id}/data.parquet`;
  const left = `datasets/${account.id}/ds_y/gone/data.parquet`;
  for (const key of [underWay, left]) await parts.storage.write(key, Readable.from([Buffer.from('x')]));
  await removeLeftovers(parts, signal);
  const files = await parts.files();
  expect([version.file, underWay, left].map(key => files.includes(key))).toEqual([true, true, false]);
  await reservation.release();
  await removeLeftovers(parts, signal);
  expect((await parts.files()).includes(underWay)).toBe(false);
});
