// People over real PGlite and real HTTP: who gets in, as whom, and who doesn't.
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mount } from '../http/index.ts';
import { type TestPeople, openPeople, password } from './testing.ts';

let it: TestPeople;
beforeAll(async () => {
  it = await openPeople(app => {
    mount(app, routes.getWebhook, ({ caller }) => ({ url: caller.account.email, created_at: caller.key.id }));
    mount(app, routes.deleteWebhook, () => ({ deleted: true }));
    mount(app, routes.getHealth, () => ({
      status: 'healthy',
      uptime_seconds: 1,
      system: { cpu_percent: 0, memory_percent: 0, disk_percent: 0 },
      models_loaded: 0,
      last_model_load: null,
    }));
  });
});
afterAll(() => it.close());

const session = '/console/api/session';
const tokenOf = (link: unknown) => String(link).split('#token=')[1] ?? '';

test('who signs up has an account of his own with the credit of the plan, and is signed in by an HttpOnly cookie alone', async () => {
  const browser = it.browser();
  expect((await browser.call('GET', session)).body).toMatchObject({ person: null, accounts: [], sign_up: 'open' });
  const fields = { name: 'Ada', email: 'Ada@Example.com', password, language: 'tr' };
  const answer = await browser.call('POST', '/console/auth/sign-up/email', fields);
  expect([answer.status, answer.body]).toEqual([200, { done: true }]);
  expect(answer.headers.getSetCookie()[0]).toMatch(/; HttpOnly; SameSite=Lax$/);
  const { body } = await browser.call('GET', session);
  expect(routes.getSession.answer.parse(body)).toMatchObject({
    person: { name: 'Ada', email: 'ada@example.com', language: 'tr', has_password: true },
    accounts: [{ name: 'Ada', role: 'owner', plan: 'free' }],
    role: 'owner',
    operator: false,
  });
  const account = await it.parts.accounts.byEmail('ada@example.com');
  expect(account?.balancePicodollars).toBe(12n * 10n ** 12n);
});

test('a session acts as a key of its account on every route, and its key is in no list', async () => {
  const browser = await it.signedUp('keyed');
  const { body } = await browser.call('GET', '/api/v2/webhook');
  expect(body['url']).toBe('keyed@example.com');
  expect(await it.parts.keys.get(String(body['created_at']))).toMatchObject({ accountId: browser.accountId });
  expect(await it.parts.keys.list(browser.accountId)).toEqual([]);
  // The plan's one key is still free.
  expect(await it.parts.keys.make(browser.accountId, { name: 'first' })).toBeTruthy();
  expect(await browser.call('GET', '/health')).toMatchObject({ status: 403, body: { code: 'ADMIN_REQUIRED' } });
});

test('an unsafe method counts only from a page of this server', async () => {
  const browser = await it.signedUp('origin');
  for (const origin of ['https://evil.example', 'null', `${it.server.url}.evil.example`])
    expect(await browser.call('DELETE', '/api/v2/webhook', undefined, { origin })).toMatchObject({
      status: 403,
      body: { code: 'ORIGIN_NOT_ALLOWED' },
    });
  const bare = await fetch(`${it.server.url}/api/v2/webhook`, {
    method: 'DELETE',
    headers: { cookie: browser.cookie },
  });
  expect(bare.status).toBe(403);
  expect((await browser.call('DELETE', '/api/v2/webhook')).status).toBe(200);
  const elsewhere = { name: 'x', email: 'x@example.com', password };
  const headers = { origin: 'https://evil.example' };
  expect((await it.browser().call('POST', '/console/auth/sign-up/email', elsewhere, headers)).status).toBe(403);
  expect(
    (await it.browser().call('POST', '/console/auth/sign-in/email', { email: 'x@example.com', password }, headers))
      .status,
  ).toBe(403);
});

test('signing out ends the session at once, and signing in begins another', async () => {
  const browser = await it.signedUp('inout');
  const old = browser.cookie;
  expect((await browser.call('POST', '/console/auth/sign-out', {})).status).toBe(200);
  expect(browser.cookie).toBe('');
  browser.cookie = old;
  expect(await browser.call('GET', '/console/api/members')).toMatchObject({
    status: 401,
    body: { code: 'SIGN_IN_REQUIRED' },
  });
  const wrong = { email: 'inout@example.com', password: 'not the password' };
  expect(await browser.call('POST', '/console/auth/sign-in/email', wrong)).toMatchObject({
    status: 401,
    body: { code: 'SIGN_IN_FAILED' },
  });
  browser.cookie = '';
  expect((await browser.call('POST', '/console/auth/sign-in/email', { ...wrong, password })).status).toBe(200);
  expect((await browser.call('GET', '/console/api/members')).body).toMatchObject({
    data: [{ email: 'inout@example.com', you: true }],
  });
});

test('a session that was ended elsewhere is refused at once', async () => {
  const one = await it.signedUp('twice');
  const other = it.browser();
  await other.call('POST', '/console/auth/sign-in/email', { email: 'twice@example.com', password });
  const { body } = await one.call('GET', '/console/api/sessions');
  const { data } = routes.listSessions.answer.parse(body);
  const another = data.find(each => !each.current);
  expect([data.length, (await other.call('GET', '/api/v2/webhook')).status]).toEqual([2, 200]);
  expect((await one.call('DELETE', `/console/api/sessions/${another?.id}`)).status).toBe(200);
  expect((await other.call('GET', '/api/v2/webhook')).status).toBe(401);
  expect((await one.call('GET', '/api/v2/webhook')).status).toBe(200);
});

test('a session is renewed by being used, and refused when it was not', async () => {
  const browser = await it.signedUp('renewed');
  const set = (days: number) =>
    it.parts.database
      .query(`UPDATE sessions SET expires_at = now() + $2 * interval '1 day' WHERE person_id = $1`, [
        browser.personId,
        days,
      ])
      .then(() => it.parts.database.announce('callers'));
  await set(20);
  const answer = await browser.call('GET', session);
  expect(answer.headers.getSetCookie().join()).toMatch(/session_token=.*Max-Age=2592000/);
  const { body } = await browser.call('GET', '/console/api/sessions');
  const [{ expires_at: until = '' } = {}] = routes.listSessions.answer.parse(body).data;
  expect(Date.parse(until) - Date.now()).toBeGreaterThan(29 * 86_400_000);
  await set(-1);
  expect((await browser.call('GET', '/api/v2/webhook')).status).toBe(401);
  expect((await browser.call('GET', session)).body).toMatchObject({ person: null, account_id: null });
});

test('behind TLS the cookie is Secure, and the page’s origin is the proxy’s', async () => {
  const proxied = await openPeople(() => {}, { app: { trustProxy: true } });
  try {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'vectorium.example.com' };
    const fields = { name: 'Tess', email: 'tess@example.com', password };
    const browser = proxied.browser();
    const answer = await browser.call('POST', '/console/auth/sign-up/email', fields, {
      ...headers,
      origin: 'https://vectorium.example.com',
    });
    expect([answer.status, answer.headers.getSetCookie()[0]]).toEqual([200, expect.stringMatching(/; Secure$/)]);
    expect((await browser.call('POST', '/console/auth/sign-out', {}, headers)).status).toBe(403);
  } finally {
    await proxied.close();
  }
});

test('guessing a password is stopped, for the address that is guessed at', async () => {
  await it.signedUp('guessed');
  const browser = it.browser();
  const guess = { email: 'guessed@example.com', password: 'a guess like others' };
  const statuses: number[] = [];
  for (let tries = 0; tries < 12; tries++)
    statuses.push((await browser.call('POST', '/console/auth/sign-in/email', guess)).status);
  expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
  const refused = await browser.call('POST', '/console/auth/sign-in/email', { ...guess, password });
  expect(refused).toMatchObject({ status: 429, body: { code: 'TOO_MANY_ATTEMPTS' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
});

test('a reset link is in the log when no mail is sent, works once, and ends all sessions', async () => {
  const browser = await it.signedUp('forgot');
  await it.browser().call('POST', '/console/auth/request-password-reset', { email: 'forgot@example.com' });
  const unknown = await it
    .browser()
    .call('POST', '/console/auth/request-password-reset', { email: 'nobody@example.com' });
  expect(unknown).toMatchObject({ status: 200, body: { done: true } });
  const links = it.log.filter(({ event }) => event === 'people.reset_link');
  expect(links).toHaveLength(1);
  const token = tokenOf(links.map(({ fields }) => (fields as { link: string }).link)[0]);
  const reset = { token, newPassword: 'another good password' };
  expect((await it.browser().call('POST', '/console/auth/reset-password', reset)).status).toBe(200);
  expect((await it.browser().call('POST', '/console/auth/reset-password', reset)).status).toBe(404);
  expect((await browser.call('GET', '/console/api/members')).status).toBe(401);
  const back = { email: 'forgot@example.com', password: reset.newPassword };
  expect((await it.browser().call('POST', '/console/auth/sign-in/email', back)).status).toBe(200);
});

test('a link that the operator makes resets a password too', async () => {
  const browser = await it.signedUp('handed');
  const made = await it.people.resetLink(browser.personId);
  const reset = { token: tokenOf(made?.link), newPassword: 'handed over by a person' };
  expect((await it.browser().call('POST', '/console/auth/reset-password', reset)).status).toBe(200);
  expect(await it.people.resetLink('per_nobody')).toBeNull();
});

test('the first administrator comes by the printed link, once, and is an operator', async () => {
  const invitation = tokenOf(it.firstLink);
  const look = await it.browser().call('POST', '/console/api/invitation', { token: invitation });
  expect(look.body).toMatchObject({ email: null, role: 'owner', known: false });
  const operator = await it.signedUp('operator', { invitation });
  expect((await operator.call('GET', session)).body).toMatchObject({
    operator: true,
    accounts: [{ plan: 'enterprise' }],
  });
  expect((await operator.call('GET', '/health')).status).toBe(200);
  await expect(it.signedUp('second', { invitation })).rejects.toThrow('404');
});

test('an invitation makes a member, who can work but not administer; a viewer only reads', async () => {
  const owner = await it.signedUp('owner');
  const invite = async (email: string, role: string) =>
    tokenOf((await owner.call('POST', '/console/api/invitations', { email, role })).body['link']);
  const member = await it.signedUp('member', { invitation: await invite('member@example.com', 'member') });
  expect(member.accountId).toBe(owner.accountId);
  const viewer = await it.signedUp('viewer', { invitation: await invite('viewer@example.com', 'viewer') });
  expect((await member.call('DELETE', '/api/v2/webhook')).status).toBe(200);
  expect(await viewer.call('DELETE', '/api/v2/webhook')).toMatchObject({
    status: 403,
    body: { code: 'ROLE_NOT_ALLOWED' },
  });
  expect((await viewer.call('GET', '/api/v2/webhook')).status).toBe(200);
  for (const browser of [member, viewer]) {
    expect((await browser.call('GET', '/console/api/invitations')).status).toBe(403);
    expect((await browser.call('PATCH', `/console/api/members/${browser.personId}`, { role: 'owner' })).status).toBe(
      403,
    );
    expect((await browser.call('DELETE', `/console/api/members/${owner.personId}`)).status).toBe(403);
  }
  expect((await owner.call('PATCH', `/console/api/members/${viewer.personId}`, { role: 'member' })).status).toBe(200);
  expect((await viewer.call('DELETE', '/api/v2/webhook')).status).toBe(200);
  expect((await owner.call('DELETE', `/console/api/members/${viewer.personId}`)).status).toBe(200);
  expect((await viewer.call('GET', '/api/v2/webhook')).status).toBe(404);
  // The last owner stays.
  expect((await owner.call('DELETE', `/console/api/members/${owner.personId}`)).status).toBe(409);
  expect((await owner.call('PATCH', `/console/api/members/${owner.personId}`, { role: 'viewer' })).status).toBe(409);
});

test('another account can be chosen by those who are in it, and by nobody else', async () => {
  const owner = await it.signedUp('host');
  const guest = await it.signedUp('guest');
  const link = (await owner.call('POST', '/console/api/invitations', { email: 'guest@example.com', role: 'member' }))
    .body['link'];
  const there = { 'x-vectorium-account': owner.accountId };
  expect((await guest.call('GET', '/api/v2/webhook', undefined, there)).status).toBe(404);
  const stranger = await it.signedUp('stranger');
  const token = tokenOf(link);
  expect((await stranger.call('POST', '/console/api/invitation/accept', { token })).status).toBe(404);
  expect((await guest.call('POST', '/console/api/invitation/accept', { token })).body).toEqual({
    account_id: owner.accountId,
  });
  expect((await guest.call('GET', '/api/v2/webhook', undefined, there)).body['url']).toBe('host@example.com');
  expect((await guest.call('GET', '/api/v2/webhook')).body['url']).toBe('guest@example.com');
});

test('an address that has an account, made by the operator, is not taken over by signing up', async () => {
  const account = await it.parts.accounts.create({ email: 'taken@example.com', plan: 'free' });
  await expect(it.signedUp('taken')).rejects.toThrow('409');
  const { token } = await it.people.members.invite({
    accountId: account.id,
    email: 'taken@example.com',
    role: 'owner',
    invitedBy: null,
  });
  expect((await it.signedUp('taken', { invitation: token })).accountId).toBe(account.id);
});

test('a person makes another account, which has no credit of its own and an e-mail address that is no obstacle', async () => {
  const browser = await it.signedUp('founder');
  const made = await browser.call('POST', '/console/api/accounts', { name: 'The Foundry' });
  const { id, ...rest } = routes.createOwnAccount.answer.parse(made.body);
  expect(rest).toEqual({ name: 'The Foundry', role: 'owner', plan: 'free' });
  const there = { 'x-vectorium-account': id };
  expect((await browser.call('GET', session, undefined, there)).body).toMatchObject({
    account_id: id,
    role: 'owner',
    may_add_account: true,
    accounts: [{ name: 'founder' }, { name: 'The Foundry' }],
  });
  expect(await it.parts.accounts.get(id)).toMatchObject({ email: 'founder@example.com', balancePicodollars: 0n });
  expect((await it.parts.accounts.byEmail('founder@example.com'))?.id).toBe(browser.accountId);
  for (let more = 1; more < 10; more++) await browser.call('POST', '/console/api/accounts', { name: `${more}` });
  expect((await browser.call('POST', '/console/api/accounts', { name: 'too many' })).status).toBe(409);
});

test('without mail an address is changed at once, by whoever knows the password, and the account goes along', async () => {
  const browser = await it.signedUp('moving');
  await it.signedUp('settled');
  const change = (email: string, currentPassword?: string) =>
    browser.call('POST', '/console/auth/change-email', { email, currentPassword });
  expect((await change('Moved@example.com')).status).toBe(401);
  expect((await change('moved@example.com', 'not the password')).status).toBe(401);
  expect((await change('settled@example.com', password)).status).toBe(409);
  expect(await change('Moved@example.com', password)).toMatchObject({ status: 200, body: { changed: true } });
  expect((await browser.call('GET', session)).body).toMatchObject({
    person: { email: 'moved@example.com', email_verified: false, new_email: null },
    must_confirm: false,
  });
  expect((await it.parts.accounts.get(browser.accountId))?.email).toBe('moved@example.com');
  expect((await browser.call('POST', '/console/auth/send-confirmation', {})).status).toBe(409);
  const back = { email: 'moved@example.com', password };
  expect((await it.browser().call('POST', '/console/auth/sign-in/email', back)).status).toBe(200);
});

test('no token of a cookie or a link is in the database as it is', async () => {
  const browser = await it.signedUp('hashed');
  const token = browser.cookie.split('=')[1]?.split('.')[0] ?? '-';
  const rows = await it.parts.database.query(
    'SELECT s::text AS text FROM sessions s UNION ALL SELECT v::text FROM verifications v',
  );
  expect(token.length).toBeGreaterThan(20);
  expect(JSON.stringify(rows)).not.toContain(token);
});
