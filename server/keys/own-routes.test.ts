// Keys as people manage them in the console, over real HTTP and PGlite.
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mount } from '../http/index.ts';
import { loadCatalog } from '../models/catalog.ts';
import { shippedCatalog } from '../models/index.ts';
import { type TestPeople, openPeople } from '../people/testing.ts';
import { mountOwnKeyRoutes } from './own-routes.ts';

let it: TestPeople;
beforeAll(async () => {
  const models = await loadCatalog([shippedCatalog]);
  it = await openPeople((app, parts, people) => {
    mountOwnKeyRoutes(app, { ...parts, models, audit: people.audit, budgetChanged: async () => {} });
    mount(app, routes.getWebhook, ({ caller }) => ({ url: caller.account.id, created_at: '' }));
  });
});
afterAll(() => it.close());

const path = '/console/api/keys';
const statusWith = async (key: unknown) => (await it.server.fetch('/api/v2/webhook', { key: String(key) })).status;

test('a key is made with its rights, shown once, listed without its secret, and revoked at once', async () => {
  const browser = await it.signedUp('maker');
  const rights = { scopes: ['data'], models: ['e5_small'], budget_usd: 1.5, expires_at: '2999-01-31T00:00:00Z' };
  const made = routes.createOwnKey.answer.parse((await browser.call('POST', path, { name: 'search', ...rights })).body);
  expect(await statusWith(made.api_key)).toBe(200);
  const listed = await browser.call('GET', path);
  expect(routes.listOwnKeys.answer.parse(listed.body)).toMatchObject({
    data: [
      {
        name: 'search',
        ...rights,
        expires_at: '2999-01-31T00:00:00.000Z',
        spent_usd: 0,
        made_by: { name: 'maker' },
        state: 'active',
      },
    ],
    active: 1,
    max_keys: 1,
  });
  expect(JSON.stringify(listed.body)).not.toContain(made.api_key.slice(3, -4));
  expect(await browser.call('POST', path, { name: 'two' })).toMatchObject({
    status: 409,
    body: { code: 'KEY_LIMIT_REACHED' },
  });
  expect((await browser.call('DELETE', `${path}/${made.key.id}`)).body).toMatchObject({ state: 'revoked' });
  expect(await statusWith(made.api_key)).toBe(401);
  expect((await it.people.audit.list({ accountId: browser.accountId, limit: 9 })).map(each => each.action)).toEqual([
    'key.revoked',
    'key.made',
  ]);
});

test('rotating makes another with the same rights, and the old one goes on for the overlap', async () => {
  const browser = await it.signedUp('rotator');
  const { body } = await browser.call('POST', path, { name: 'service', scopes: ['data', 'usage'] });
  const old = routes.createOwnKey.answer.parse(body);
  const rotated = await browser.call('POST', `${path}/${old.key.id}/rotate`, { overlap_hours: 1 });
  const next = routes.rotateOwnKey.answer.parse(rotated.body);
  expect(next.key).toMatchObject({ name: 'service', scopes: ['data', 'usage'], state: 'active' });
  expect([await statusWith(old.api_key), await statusWith(next.api_key)]).toEqual([200, 200]);
  const now = await browser.call('POST', `${path}/${next.key.id}/rotate`, { overlap_hours: 0 });
  expect(now.status).toBe(409);
  await browser.call('DELETE', `${path}/${old.key.id}`);
  const last = routes.rotateOwnKey.answer.parse(
    (await browser.call('POST', `${path}/${next.key.id}/rotate`, { overlap_hours: 0 })).body,
  );
  expect([await statusWith(next.api_key), await statusWith(last.api_key)]).toEqual([401, 200]);
});

test('a key’s name and rights are changed while its secret stays, field by field and at once', async () => {
  const browser = await it.signedUp('changer');
  const { body } = await browser.call('POST', path, { name: 'one', scopes: ['data'], budget_usd: 5 });
  const { key, api_key: secret } = routes.createOwnKey.answer.parse(body);
  const change = async (fields: object) => browser.call('PATCH', `${path}/${key.id}`, fields);
  const rights = async () => (await it.parts.keys.authenticate(secret))?.key;
  expect(await rights()).toMatchObject({ scopes: ['data'], models: null });
  expect((await change({ name: 'two', models: ['e5_small'] })).body).toMatchObject({
    name: 'two',
    scopes: ['data'],
    models: ['e5_small'],
    budget_usd: 5,
  });
  expect(await rights()).toMatchObject({ name: 'two', scopes: ['data'], models: ['e5_small'] });
  await change({ scopes: ['vectors'], models: null, budget_usd: null });
  expect(await rights()).toMatchObject({ scopes: ['vectors'], models: null, budgetPicodollars: null });
  expect(await statusWith(secret)).toBe(403);
  await change({ scopes: null, expires_at: '2999-01-31T00:00:00Z' });
  expect(await statusWith(secret)).toBe(200);
  expect(await rights()).toMatchObject({ scopes: null, expiresAt: new Date('2999-01-31T00:00:00Z') });
  expect((await change({ expires_at: '2001-01-01T00:00:00Z' })).status).toBe(400);
  expect((await change({ models: ['nothing'] })).status).toBe(400);
  expect((await change({ admin: true })).status).toBe(422);
  const other = await it.signedUp('stranger');
  expect((await other.call('PATCH', `${path}/${key.id}`, { name: 'mine' })).status).toBe(404);
  await browser.call('DELETE', `${path}/${key.id}`);
  expect((await change({ name: 'again' })).status).toBe(409);
});

test('an expired key that shall work again needs room like a new one', async () => {
  const browser = await it.signedUp('revived');
  const { body } = await browser.call('POST', path, { name: 'old' });
  const { key } = routes.createOwnKey.answer.parse(body);
  await it.parts.database.query('UPDATE keys SET expires_at = now() WHERE id = $1', [key.id]);
  await browser.call('POST', path, { name: 'new' });
  const change = () => browser.call('PATCH', `${path}/${key.id}`, { expires_at: null });
  expect(await change()).toMatchObject({ status: 409, body: { code: 'KEY_LIMIT_REACHED' } });
  expect((await browser.call('PATCH', `${path}/${key.id}`, { name: 'older' })).status).toBe(200);
});

test('bad keys are refused by name, and what is another account’s is not there', async () => {
  const browser = await it.signedUp('picky');
  for (const [body, status, said] of [
    [{}, 422, 'name is required'],
    [{ name: 'x', scopes: ['admin'] }, 400, 'scopes[0] must be one of'],
    [{ name: 'x', models: ['nothing'] }, 400, 'There is no model "nothing"'],
    [{ name: 'x', expires_at: '2001-01-01T00:00:00Z' }, 400, 'expires_at must be in the future'],
  ] as const)
    expect(await browser.call('POST', path, body)).toMatchObject({
      status,
      body: { detail: expect.stringContaining(said) },
    });
  const other = await it.signedUp('other');
  const { key } = routes.createOwnKey.answer.parse((await other.call('POST', path, { name: 'x' })).body);
  expect((await browser.call('DELETE', `${path}/${key.id}`)).status).toBe(404);
  expect((await browser.call('POST', `${path}/${key.id}/rotate`, {})).status).toBe(404);
  // Nor can a key make keys.
  const bearer = await fetch(it.server.url + path, { headers: { authorization: `Bearer ${it.parts.key.admin}` } });
  expect(bearer.status).toBe(401);
});
