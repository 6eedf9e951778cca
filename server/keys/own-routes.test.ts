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
    mountOwnKeyRoutes(app, { ...parts, models, audit: people.audit });
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
