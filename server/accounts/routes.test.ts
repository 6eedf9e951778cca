import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createAudit } from '../audit/index.ts';
import { mount } from '../http/index.ts';
import { type TestParts, type TestServer, openParts, startServer } from '../http/testing.ts';
import { mountKeyRoutes } from '../keys/routes.ts';
import { shippedCatalog } from '../models/index.ts';
import { loadCatalog } from '../models/catalog.ts';
import { overridesSchema } from '../plans/index.ts';
import { mountAccountRoutes } from './routes.ts';

let parts: TestParts;
let server: TestServer;
beforeAll(async () => {
  parts = await openParts();
  const models = await loadCatalog([shippedCatalog]);
  server = await startServer(parts, app => {
    const audit = createAudit({ database: parts.database, retentionDays: 1 });
    mountAccountRoutes(app, { ...parts, models, audit });
    mountKeyRoutes(app, { ...parts, models, audit });
    mount(app, routes.tokenize, ({ caller }) => ({
      model: caller.account.plan.name,
      model_used: '',
      tokens: 1,
      characters: 1,
      price_usd: 0,
      price_per_1M_tokens: 0,
    }));
  });
});
afterAll(async () => {
  await server.close();
  await parts.close();
});

type Json = Record<string, unknown>;

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await server.fetch(path, {
    method,
    key: parts.key.admin,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Json, headers: response.headers };
}

async function newAccount(email: string, more: Json = {}): Promise<{ account_id: string; api_key: string }> {
  const { status, body } = await call('POST', '/admin/accounts', { email, ...more });
  expect(status).toBe(200);
  return routes.createAccount.answer.parse(body);
}

test('other keys get 403', async () => {
  for (const path of ['/admin/accounts', `/admin/accounts/${parts.accountId}`, '/admin/keys/x']) {
    expect((await server.fetch(path)).status).toBe(403);
    expect((await server.fetch(path, { key: null })).status).toBe(401);
  }
});

test('an account is made with a key that works at once, and can be read', async () => {
  const { account_id: id, api_key: key } = await newAccount('One@Example.com', { plan: 'Starter', credit_usd: 2.5 });
  const used = await server.post('/tokenize', { text: 'a' }, { key });
  expect([used.status, await used.json()]).toMatchObject([200, { model: 'starter' }]);
  const { body } = await call('GET', `/admin/accounts/${id}`);
  expect(routes.getAccount.answer.parse(body)).toMatchObject({
    email: 'one@example.com',
    plan: 'starter',
    balance_usd: 2.5,
  });
  const listed = await call('GET', '/admin/accounts?email=one@example.com');
  expect(listed.body).toMatchObject({ data: [{ id }], has_more: false });
});

test('without credit_usd the opening balance is what the plan gives', async () => {
  const { account_id: id } = await newAccount('plain@example.com', { credit_usd: null });
  expect((await call('GET', `/admin/accounts/${id}/credit`)).body).toEqual({ account_id: id, balance_usd: 2 });
});

test.each([
  [{}, 422, 'email is required'],
  [{ email: 'nobody' }, 400, 'email must be an e-mail address'],
  [{ email: 'a\0@example.com' }, 400, 'email holds characters that are not allowed'],
  [{ email: 'x@example.com', plan: 'gold' }, 400, 'There is no plan "gold"; there are free, starter, pro, enterprise'],
  [{ email: 'x@example.com', credit_usd: -1 }, 400, 'credit_usd must be at least 0'],
  [{ email: 'x@example.com', credit_usd: 1e300 }, 400, 'credit_usd must be at most 1000000'],
  [{ email: 'x@example.com', credit_usd: '5' }, 422, 'credit_usd must be a number, not a string'],
  [{ email: 'x@example.com', credit: 5 }, 422, 'the body has unknown fields: credit'],
])('a bad account is refused: %j', async (body, status, detail) => {
  expect(await call('POST', '/admin/accounts', body)).toMatchObject({ status, body: { detail } });
});

test('one address has one account', async () => {
  await newAccount('twice@example.com');
  const again = await call('POST', '/admin/accounts', { email: 'TWICE@example.com' });
  expect(again).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
});

test('accounts are listed in pages', async () => {
  for (const name of ['p1', 'p2', 'p3']) await newAccount(`${name}@example.com`);
  const seen: unknown[] = [];
  for (let after = ''; ;) {
    const { body } = await call('GET', `/admin/accounts?limit=2${after && `&after=${after}`}`);
    const { data, has_more: more } = routes.listAccounts.answer.parse(body);
    seen.push(...data.map(each => each.email));
    if (!more) break;
    after = data.at(-1)?.id ?? '';
  }
  expect(seen).toEqual(expect.arrayContaining(['ordinary@example.com', 'p1@example.com', 'p3@example.com']));
  expect(new Set(seen).size).toBe(seen.length);
});

test('plan, limits and default model can be changed, and go back to the plan', async () => {
  const { account_id: id, api_key: key } = await newAccount('change@example.com');
  const path = `/admin/accounts/${id}`;
  const changed = await call('PATCH', path, {
    plan: 'pro',
    limits: { vectors: { minute: 1 } },
    default_model: 'e5_base',
  });
  expect(changed.body).toMatchObject({ plan: 'pro', limits: { vectors: { minute: 1 } }, default_model: 'e5_base' });
  expect((await server.post('/tokenize', { text: 'a' }, { key })).status).toBe(200);
  expect((await server.post('/tokenize', { text: 'a' }, { key })).status).toBe(429);
  expect((await call('PATCH', path, {})).body).toMatchObject({ plan: 'pro', limits: { vectors: { minute: 1 } } });
  expect((await call('PATCH', path, { limits: null })).body).toMatchObject({ limits: null, default_model: 'e5_base' });
  expect((await server.post('/tokenize', { text: 'a' }, { key })).status).toBe(200);
  expect(await call('PATCH', path, { default_model: 'nothing' })).toMatchObject({
    status: 404,
    body: { code: 'MODEL_NOT_FOUND' },
  });
  expect(await call('PATCH', path, { limits: { minute: 3 } })).toMatchObject({ status: 422 });
  expect(await call('PATCH', '/admin/accounts/acc_none', { plan: 'pro' })).toMatchObject({ status: 404 });
});

test('credit is added exactly', async () => {
  const { account_id: id } = await newAccount('credit@example.com', { credit_usd: 0 });
  const path = `/admin/accounts/${id}/credit`;
  expect((await call('POST', path, { amount_usd: 0.1 })).body).toEqual({ account_id: id, balance_usd: 0.1 });
  expect((await call('POST', path, { amount_usd: 0.2, note: 'more' })).body).toEqual({
    account_id: id,
    balance_usd: 0.3,
  });
  expect((await call('POST', path, { amount_usd: -0.5, note: 'called back by the bank' })).body).toEqual({
    account_id: id,
    balance_usd: -0.2,
  });
  expect(await call('POST', path, { amount_usd: -1 })).toMatchObject({
    status: 400,
    body: { detail: 'What is taken back needs a note that says why' },
  });
  for (const amount of [0, -1e-13, 1e-13, 1e7])
    expect((await call('POST', path, { amount_usd: amount })).status).toBe(400);
  expect((await call('POST', '/admin/accounts/acc_none/credit', { amount_usd: 1 })).status).toBe(404);
});

test('with one Idempotency-Key credit is added once and a key is made once', async () => {
  const { account_id: id } = await newAccount('retry@example.com', { plan: 'pro', credit_usd: 0 });
  const path = `/admin/accounts/${id}`;
  const retry = { 'idempotency-key': 'invoice-1042' };
  const first = await call('POST', `${path}/credit`, { amount_usd: 5 }, retry);
  const second = await call('POST', `${path}/credit`, { amount_usd: 5 }, retry);
  for (const { body } of [first, second]) expect(body).toEqual({ account_id: id, balance_usd: 5 });
  expect([first, second].map(each => each.headers.get('idempotency-replayed'))).toEqual([null, 'true']);
  const key = await call('POST', `${path}/keys`, { name: 'retried' }, retry);
  expect((await call('POST', `${path}/keys`, { name: 'retried' }, retry)).body).toEqual(key.body);
  expect((await call('GET', `${path}/keys`)).body['data']).toHaveLength(2);
  expect(await call('POST', `${path}/keys`, { name: 'other' }, retry)).toMatchObject({
    status: 422,
    body: { code: 'IDEMPOTENCY_KEY_REUSED' },
  });
});

test('keys are made with their rights, listed without secrets, and revoked for good', async () => {
  const { account_id: id, api_key: firstKey } = await newAccount('keys@example.com', { plan: 'starter' });
  const rights = { scopes: ['usage'], models: ['e5_small'], budget_usd: 1.5, expires_at: '2999-01-31T00:00:00+02:00' };
  const { body } = await call('POST', `/admin/accounts/${id}/keys`, { name: 'search', ...rights });
  const made = routes.createKey.answer.parse(body);
  expect((await server.post('/tokenize', { text: 'a' }, { key: made.api_key })).status).toBe(403);
  const { body: listed } = await call('GET', `/admin/accounts/${id}/keys`);
  expect(routes.listKeys.answer.parse(listed).data).toMatchObject([
    { name: 'first key', scopes: null },
    { id: made.key_id, name: 'search', ...rights, expires_at: '2999-01-30T22:00:00.000Z', revoked_at: null },
  ]);
  expect(JSON.stringify(listed)).not.toContain(made.api_key.slice(3, -4));
  expect((await call('GET', `/admin/keys/${made.key_id}`)).body).toMatchObject({ id: made.key_id, account_id: id });
  const [first] = routes.listKeys.answer.parse(listed).data;
  const revoked = await call('DELETE', `/admin/keys/${first?.id}`);
  expect(revoked.body['revoked_at']).toBeTypeOf('string');
  expect((await call('DELETE', `/admin/keys/${first?.id}`)).body).toEqual(revoked.body);
  expect((await server.post('/tokenize', { text: 'a' }, { key: firstKey })).status).toBe(401);
});

test('bad keys are refused', async () => {
  const { account_id: id } = await newAccount('bad-keys@example.com');
  const path = `/admin/accounts/${id}/keys`;
  expect(await call('POST', path, {})).toMatchObject({ status: 409, body: { code: 'KEY_LIMIT_REACHED' } });
  await call('PATCH', `/admin/accounts/${id}`, { plan: 'pro' });
  for (const [body, status] of [
    [{ scopes: ['everything'] }, 400],
    [{ scopes: [] }, 400],
    [{ scopes: 'usage' }, 422],
    [{ models: ['nothing'] }, 400],
    [{ expires_at: '2001-01-01T00:00:00Z' }, 400],
    [{ expires_at: 'tomorrow' }, 400],
    [{ expires_at: '9999-12-31T23:59:59-05:00' }, 400],
    [{ budget_usd: -1 }, 400],
    [{ admin: true }, 422],
  ] as const)
    expect([body, (await call('POST', path, body)).status]).toEqual([body, status]);
  expect((await call('POST', '/admin/accounts/acc_none/keys', {})).status).toBe(404);
  expect((await call('GET', '/admin/accounts/acc_none/keys')).status).toBe(404);
  expect((await call('GET', '/admin/keys/key_none')).status).toBe(404);
  expect((await call('DELETE', '/admin/keys/%00')).status).toBe(400);
});

test('the contract describes an account’s own limits as plans does', () => {
  const described = z.toJSONSchema(routes.changeAccount.body, { io: 'input' }).properties?.['limits'] as {
    anyOf: Json[];
  };
  const { $schema: _, ...expected } = z.toJSONSchema(overridesSchema, { io: 'input' });
  expect(described.anyOf[0]).toEqual(expected);
});
