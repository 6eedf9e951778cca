// Killing the server at any moment leaves the old state or the new one: what was acknowledged is there with its file and its rows,
// nothing is there by half, no file is left over, and the storage that is counted is that of the versions that are there.
import type { ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../database/index.ts';
import { filesBelow } from '../files/testing.ts';
import { openStorage } from '../storage/index.ts';
import { type TestData, killBeforeTheEnd, spawnServer, testData } from './testing.ts';

let data: TestData;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  data = await testData();
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await data.remove();
});

const serve = () => spawnServer(data, running);

/** What is in the folder when no server runs on it, after a start that tidied up. */
async function state() {
  const storage = await openStorage({ folder: join(data.path, 'storage') });
  const files: string[] = [];
  for await (const { key } of storage.list('')) files.push(key);
  await storage.close();
  const database = await openDatabase({ folder: data.path });
  const rows = await database.query<{ dataset_id: string; number: number; file: string; rows: bigint }>(
    'SELECT dataset_id, number, file, rows FROM dataset_versions',
  );
  const datasets = await database.query(
    'SELECT id FROM datasets d WHERE NOT EXISTS (SELECT 1 FROM dataset_versions WHERE dataset_id = d.id)',
  );
  const reservations = await database.query('SELECT * FROM storage_reservations');
  await database.close();
  const scratch = await filesBelow(join(data.path, 'storage', 'scratch'));
  return { files: files.toSorted(), rows, empty: datasets, reservations, scratch };
}

/** Starts a server that tidies up, and stops it in order. */
async function tidied(): Promise<Awaited<ReturnType<typeof state>>> {
  const { stop } = await serve();
  // What was left over is removed in the background of the start.
  await sleep(500);
  await stop();
  return state();
}

test('uploads', { timeout: 240_000 }, async () => {
  const acknowledged = new Map<string, number>();
  const first = await serve();
  const { key } = await first.account({ limits: { data: { minute: null, day: null } } });
  await first.kill();
  for (let round = 0; round < 2; round++) {
    const server = await serve();
    const uploads = Array.from({ length: 4 }, async (_, lane) => {
      for (let count = 1; ; count++) {
        const lines = Array.from(
          { length: 1 + ((lane * 7919 + count * 104_729) % 3000) },
          (__, row) => `${row},"text ${row}"`,
        );
        const answer = await server
          .upload<{ dataset_id: string }>(key, `id,text\n${lines.join('\n')}\n`)
          .catch(() => null);
        if (answer === null) return;
        expect(answer.status, JSON.stringify(answer.body)).toBe(200);
        acknowledged.set(answer.body.dataset_id, lines.length);
      }
    });
    const before = acknowledged.size;
    while (acknowledged.size < before + 4) await sleep(20);
    await sleep(Math.random() * 400);
    await server.kill();
    await Promise.all(uploads);

    const { files, rows, empty, reservations, scratch } = await tidied();
    expect(files).toEqual(rows.map(({ file }) => file).toSorted());
    expect({ empty, reservations, scratch }).toEqual({ empty: [], reservations: [], scratch: [] });
    const found = new Map(rows.map(row => [row.dataset_id, Number(row.rows)]));
    for (const [id, count] of acknowledged) expect(found.get(id)).toBe(count);
  }
  const server = await serve();
  for (const [id, count] of [...acknowledged].slice(-5)) {
    const text = await (await server.fetch(`/api/v2/data/${id}/download`, key)).text();
    expect(text.trim().split('\n')).toHaveLength(count + 1);
  }
  await server.kill();
});

test('an upload that was half sent when the server was killed', { timeout: 60_000 }, async () => {
  const server = await serve();
  const { id, key } = await server.account();
  const half = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(
        Buffer.from(`{"format": "csv", "file": "${Buffer.from('a,b\n'.repeat(30_000)).toString('base64')}`),
      );
      await sleep(300);
    },
  });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const answer = fetch(`${server.url}/api/v2/data/upload`, {
    method: 'POST',
    body: half,
    headers,
    duplex: 'half',
  } as RequestInit);
  // Seen below; until then nobody listens.
  answer.catch(() => {});
  await sleep(500);
  await server.kill();
  await expect(answer).rejects.toThrow();
  const { files, rows, reservations, scratch } = await tidied();
  expect(rows.filter(({ file }) => file.includes(id))).toEqual([]);
  expect(files.filter(file => file.includes(id))).toEqual([]);
  expect({ reservations, scratch }).toEqual({ reservations: [], scratch: [] });
});

test('processing: each version that was acknowledged is there, and none by half', { timeout: 120_000 }, async () => {
  const acknowledged = new Set<string>();
  let server = await serve();
  const { id: accountId, key } = await server.account({ limits: { data: { minute: null, day: null } } });
  const lines = Array.from({ length: 2000 }, (_, row) => `${row}," text ${row % 500} "`);
  const file = `id,text\n${lines.join('\n')}\n`;
  const { body: source } = await server.upload<{ dataset_id: string }>(key, file);
  const id = source.dataset_id;
  for (let round = 0; round < 2; round++) {
    const lanes = Array.from({ length: 3 }, async () => {
      for (;;) {
        const body = { dataset_id: `${id}@1`, operations: [{ type: 'clean' }] };
        const answer = await server
          .ask<{ status: string; version: number }>('POST', '/v2/process', key, body)
          .catch(() => null);
        if (answer === null) return;
        expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200, body: { status: 'succeeded' } });
        acknowledged.add(`${id}@${answer.body.version}`);
      }
    });
    const before = acknowledged.size;
    while (acknowledged.size < before + 3) await sleep(20);
    await sleep(Math.random() * 300);
    await server.kill();
    await Promise.all(lanes);
    server = await serve();
    await jobsDone(server, key);
  }
  const versions = await server.ask<{ version_count: number }>('GET', `/v2/data/${id}`, key);
  await server.stop();
  const { files, rows, reservations, scratch } = await state();
  const own = rows.filter(({ file: each }) => each.includes(accountId));
  expect(own.length).toBe(versions.body.version_count);
  expect(files).toEqual(rows.map(({ file: each }) => each).toSorted());
  expect({ reservations, scratch }).toEqual({ reservations: [], scratch: [] });
  const found = new Set(own.map(row => `${row.dataset_id}@${row.number}`));
  expect([...acknowledged].filter(name => !found.has(name))).toEqual([]);
  expect(await readdir(join(data.path, 'jobs'))).toEqual([]);
});

test(
  'a job that was killed between its versions and its end is told what it made, and leaves nothing',
  { timeout: 60_000 },
  async () => {
    let server = await serve();
    const { id: accountId, key } = await server.account();
    const { body: source } = await server.upload<{ dataset_id: string }>(key, 'id,text\n1, a \n');
    const operations = [{ type: 'clean' }];
    const { body: made } = await server.ask<{ job_id: string }>('POST', '/v2/process', key, {
      dataset_id: source.dataset_id,
      operations,
    });
    await server.stop();
    await killBeforeTheEnd(data, { accountId, id: made.job_id });
    server = await serve();
    await jobsDone(server, key);
    const { body: job } = await server.ask('GET', `/v2/jobs/${made.job_id}`, key);
    expect(job).toMatchObject({ status: 'succeeded', result: { dataset_id: source.dataset_id, version: 2, rows: 1 } });
    expect((await server.ask('GET', `/v2/data/${source.dataset_id}`, key)).body).toMatchObject({ version_count: 2 });
    expect(await readdir(join(data.path, 'jobs'))).toEqual([]);
    await server.stop();
  },
);

test('vectors for a dataset: the job goes on, and every part of it is charged once', { timeout: 120_000 }, async () => {
  let server = await serve();
  const { key } = await server.account();
  const texts = Array.from({ length: 3000 }, (_, row) => `the text of row number ${row}`);
  const { body } = await server.upload<{ dataset_id: string }>(key, `text\n${texts.join('\n')}\n`);
  const operations = [{ type: 'enrich', params: { op: 'embed_text', column: 'text', model: 'e5_small' } }];
  const { dataset_id: id } = body;
  const start = async () =>
    (
      await server.ask<{ job_id: string }>(
        'POST',
        '/v2/process',
        key,
        { dataset_id: id, operations },
        { prefer: 'wait=0' },
      )
    ).status;
  // The first asks for the model, which is fetched then.
  while ((await start()) !== 200) await sleep(100);
  const used = async () =>
    (await server.ask<{ summary: { total_tokens: number; total_requests: number } }>('GET', '/usage', key)).body
      .summary;
  let kills = 0;
  let seen = 0;
  for (;;) {
    const { total_requests: parts } = await used();
    if (parts >= 12) break;
    if (parts > seen && kills < 2) {
      seen = parts;
      kills++;
      await server.kill();
      server = await serve();
    }
    await sleep(10);
  }
  await jobsDone(server, key);
  expect(kills).toBe(2);
  const after = await used();
  // 1,024 rows a call, 256 a part: 4 + 4 + 4.
  expect(after.total_requests).toBe(12);
  const { body: shown } = await server.ask('GET', `/v2/data/${id}`, key);
  expect(shown).toMatchObject({ version: 2, version_count: 2, rows: 3000 });
  const { body: price } = await server.ask<{ tokens: number }>('POST', '/tokenize', key, {
    text: texts.join(' '),
    model: 'e5_small',
  });
  expect(after.total_tokens).toBe(price.tokens);
  await server.stop();
});

/** Waits until nothing of the account is queued or running; nothing may have failed. */
async function jobsDone(server: Awaited<ReturnType<typeof serve>>, key: string): Promise<void> {
  for (;;) {
    const { body } = await server.ask<{ data: { status: string; error?: object }[] }>('GET', '/v2/jobs?limit=100', key);
    const failed = body.data.filter(({ status }) => status === 'failed');
    expect(failed).toEqual([]);
    if (body.data.every(({ status }) => status === 'succeeded')) return;
    await sleep(100);
  }
}
