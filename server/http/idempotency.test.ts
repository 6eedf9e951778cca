import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiError, mount } from './index.ts';
import { type TestParts, type TestServer, openParts, startServer } from './testing.ts';

let parts: TestParts;
let server: TestServer;
let made = 0;
beforeAll(async () => {
  parts = await openParts();
  server = await startServer(parts, app => {
    mount(app, routes.createAccount, async ({ body }) => {
      if (body.email.startsWith('fails')) throw new ApiError('CONFLICT', { message: 'No' });
      made++;
      await sleep(300);
      return { account_id: `acc_${made}`, api_key: 'sk-very-secret' };
    });
  });
});
afterAll(async () => {
  await server.close();
  await parts.close();
});

async function create(key: string, { email = 'a@example.com', as = parts.key.admin } = {}) {
  const response = await server.post('/admin/accounts', { email }, { key: as, headers: { 'idempotency-key': key } });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}

test('the first answer is given again, and the thing is made once', async () => {
  const before = made;
  const [first, again] = [await create('one'), await create('one')];
  expect(again.body).toEqual(first.body);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(made).toBe(before + 1);
});

test('ten at once make one; the others are told that it is running', async () => {
  const before = made;
  const all = await Promise.all(Array.from({ length: 10 }, () => create('ten')));
  expect(made).toBe(before + 1);
  const answers = all.filter(each => each.status === 200).map(each => JSON.stringify(each.body));
  expect(new Set(answers).size).toBe(1);
  const refused = all.filter(each => each.status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, body, headers } of refused) {
    expect([status, body]).toMatchObject([409, { code: 'IDEMPOTENCY_UNFINISHED' }]);
    expect(headers.get('retry-after')).toBe('1');
  }
  expect((await create('ten')).status).toBe(200);
});

test('another body under the same key is refused', async () => {
  await create('body');
  expect(await create('body', { email: 'b@example.com' })).toMatchObject({
    status: 422,
    body: { code: 'IDEMPOTENCY_KEY_REUSED' },
  });
});

test('what failed may be tried again', async () => {
  expect((await create('failing', { email: 'fails@example.com' })).status).toBe(409);
  expect((await create('failing', { email: 'works@example.com' })).status).toBe(200);
});

test('each API key has its own', async () => {
  const other = await parts.keys.make(parts.accountId, { name: 'other', admin: true });
  const [mine, theirs] = [await create('shared'), await create('shared', { as: other?.secret ?? '' })];
  expect(mine.body['account_id']).not.toBe(theirs.body['account_id']);
});

test('a request that broke off is not done again on a guess', async () => {
  await create('broken');
  await parts.database.query('UPDATE idempotency SET answer = NULL');
  expect(await create('broken')).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_UNFINISHED' } });
  await parts.database.query(`UPDATE idempotency SET created_at = now() - interval '25 hours'`);
  expect((await create('broken')).status).toBe(200);
});

test('the database has nothing of the answer to read', async () => {
  await create('sealed');
  const rows = await parts.database.query<{ answer: string }>('SELECT * FROM idempotency WHERE answer IS NOT NULL');
  expect(rows.length).toBeGreaterThan(0);
  const bytes = rows.map(({ answer }) => Buffer.from(answer, 'base64').toString('latin1')).join();
  expect(bytes + JSON.stringify(rows)).not.toMatch(/very-secret|acc_|sealed/);
});

test('a key that is no key is refused', async () => {
  expect((await create('x'.repeat(256))).status).toBe(400);
});
