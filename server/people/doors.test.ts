// What must not get in: addresses that lead elsewhere, guesses that aren't counted, mail that nobody asked for, links that outlived their
// reason. Over real PGlite and real HTTP.
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mount, sessionTokenOf } from '../http/index.ts';
import { sendRaw } from '../http/testing.ts';
import type { Mail, Mailer } from '../mail/index.ts';
import { byAddress } from './attempts.ts';
import { invitationMail } from './mails.ts';
import { dropExpired } from './retention.ts';
import { createSessions } from './sessions.ts';
import { type Browser, type TestPeople, openPeople, password } from './testing.ts';

let it: TestPeople;
/** How often the mounted route has made an account. */
let made = 0;
beforeAll(async () => {
  it = await openPeople(app => {
    mount(app, routes.createAccount, () => ({ account_id: `acc_${++made}`, api_key: 'sk-secret' }));
  });
});
afterAll(() => it.close());

async function invite(by: Browser, name: string): Promise<string> {
  const answer = await by.call('POST', '/console/api/invitations', { email: `${name}@example.com`, role: 'owner' });
  return tokenOf(answer.body);
}

const tokenOf = (answer: Record<string, unknown>) => String(answer['link']).split('#token=')[1] ?? '';

test('a Host that is more than a host is refused: it chooses no other address', async () => {
  await it.signedUp('hosted');
  const body = JSON.stringify({ name: 'Ada', email: 'hosted@example.com', password });
  for (const host of ['h/console/auth/sign-in/email?x=', 'h?x=', 'h#x', 'a b', 'u@h', 'h:0x50', '']) {
    const head = [
      'POST /console/auth/sign-up/email HTTP/1.1',
      `Host: ${host}`,
      `Origin: http://${host}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ];
    const answer = await sendRaw(it.server.url, [`${head.join('\r\n')}\r\n\r\n${body}`], { quietMs: 50 });
    expect([host, answer.slice(0, 12), /set-cookie/i.test(answer)]).toEqual([host, 'HTTP/1.1 400', false]);
  }
});

test('who was taken out of his last account signs in, gets no new one, and can do what is about himself', async () => {
  const owner = await it.signedUp('keeper');
  const leaver = await it.signedUp('leaver', { invitation: await invite(owner, 'leaver') });
  expect((await owner.call('DELETE', `/console/api/members/${leaver.personId}`)).status).toBe(200);
  const signIn = (secret: string) =>
    leaver.call('POST', '/console/auth/sign-in/email', { email: 'leaver@example.com', password: secret });
  expect((await signIn(password)).status).toBe(200);
  expect((await leaver.call('GET', '/console/api/session')).body).toMatchObject({
    person: { email: 'leaver@example.com' },
    accounts: [],
    account_id: null,
    role: null,
  });
  expect(await it.parts.accounts.byEmail('leaver@example.com')).toBeUndefined();
  expect((await leaver.call('GET', '/console/api/members')).status).toBe(404);
  expect((await leaver.call('GET', '/console/api/sessions')).status).toBe(200);
  const change = { currentPassword: password, newPassword: 'another good password' };
  expect((await leaver.call('POST', '/console/auth/change-password', change)).status).toBe(200);
  expect(
    (await leaver.call('POST', '/console/api/invitation/accept', { token: await invite(owner, 'leaver') })).body,
  ).toEqual({
    account_id: owner.accountId,
  });
});

test('a founder who left what he founded signs in, and makes another account with the same address', async () => {
  const founder = await it.signedUp('founding');
  const body = { email: 'heir@example.com', role: 'owner' };
  const invitation = tokenOf((await founder.call('POST', '/console/api/invitations', body)).body);
  await it.signedUp('heir', { invitation });
  expect((await founder.call('DELETE', `/console/api/members/${founder.personId}`)).status).toBe(200);
  const back = { email: 'founding@example.com', password };
  expect((await founder.call('POST', '/console/auth/sign-in/email', back)).status).toBe(200);
  expect((await founder.call('POST', '/console/api/accounts', { name: 'Anew' })).body).toMatchObject({ role: 'owner' });
  expect((await founder.call('GET', '/console/api/members')).body).toMatchObject({ data: [{ you: true }] });
});

test('who is in no account is forgotten a month after his last session', async () => {
  const { personId, accountId } = await it.signedUp('forgotten');
  const { database } = it.parts;
  await it.signedUp('remembered');
  await database.query('DELETE FROM members WHERE account_id = $1', [accountId]);
  await database.query(`UPDATE people SET updated_at = now() - interval '31 days'`);
  const left = async () => (await database.query('SELECT 1 FROM people WHERE id = $1', [personId])).length;
  await dropExpired(database);
  expect(await left()).toBe(1);
  await database.query('DELETE FROM sessions WHERE person_id = $1', [personId]);
  await dropExpired(database);
  expect(await left()).toBe(0);
  const others = await database.query(`SELECT 1 FROM people WHERE email = 'remembered@example.com'`);
  expect(others).toHaveLength(1);
});

test('an invitation ends when the one who made it may make none any more', async () => {
  const first = await it.signedUp('first');
  const known = async (token: string) =>
    (await it.browser().call('POST', '/console/api/invitation', { token })).status === 200;
  const second = await it.signedUp('second', { invitation: await invite(first, 'second') });
  const kept = await invite(first, 'kept');
  const member = `/console/api/members/${second.personId}`;

  const beforeLess = await invite(second, 'accomplice');
  expect((await first.call('PATCH', member, { role: 'owner' })).status).toBe(200);
  expect(await known(beforeLess)).toBe(true);
  expect((await first.call('PATCH', member, { role: 'member' })).status).toBe(200);
  expect(await known(beforeLess)).toBe(false);

  expect((await first.call('PATCH', member, { role: 'owner' })).status).toBe(200);
  const beforeOut = await invite(second, 'accomplice');
  expect((await first.call('DELETE', member)).status).toBe(200);
  expect([await known(beforeOut), await known(kept)]).toEqual([false, true]);
  const late = {
    accountId: first.accountId,
    email: 'late@example.com',
    role: 'owner',
    invitedBy: second.personId,
  } as const;
  await expect(it.people.members.invite(late)).rejects.toThrow('Only an owner');
});

test('the console is no way to send mail to strangers: invitations are counted, and names are one line without a link', async () => {
  const sender = await it.signedUp('sender');
  const send = (email: string) => sender.call('POST', '/console/api/invitations', { email, role: 'viewer' });
  const statuses: number[] = [];
  for (let more = 0; more < 6; more++) statuses.push((await send('one@example.org')).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
  // Fifty of the account, of which the refused one was the sixth.
  for (let more = 6; more < 50; more++) statuses.push((await send(`stranger-${more}@example.org`)).status);
  expect(statuses.filter(status => status === 200)).toHaveLength(49);
  expect(await send('last@example.org')).toMatchObject({ status: 429, body: { code: 'TOO_MANY_ATTEMPTS' } });
  for (const name of ['Win at https://evil.example', 'Ada\nBcc: all', 'Ada\u2028now'])
    for (const [method, path] of [
      ['PATCH', '/console/api/person'],
      ['POST', '/console/api/accounts'],
      ['POST', '/console/auth/sign-up/email'],
    ] as const) {
      const more = path.endsWith('email') ? { email: 'x@example.org', password } : {};
      expect((await sender.call(method, path, { name, ...more })).status).toBe(400);
    }
  const mail = { email: 'x@example.org', account: 'A\nhttps://x', by: 'B\r\nC', link: 'l', language: 'en' };
  expect(invitationMail(mail).text.split('\n\n')[0]).toBe(
    'B C invites you to the account A https x on Vectorium. The link is good for a week:',
  );
});

test('one place is one IPv4 address, or a whole /64 of IPv6', () => {
  const places = {
    '192.0.2.1': '192.0.2.1',
    '::ffff:192.0.2.1': '192.0.2.1',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:DB8:1:2::9': '2001:db8:1:2::/64',
    '2001:db8::2:0:0:0:1': '2001:db8:0:2::/64',
    '2001:db8::1': '2001:db8:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '::1': '0:0:0:0::/64',
    unknown: 'unknown',
  };
  for (const [ip, place] of Object.entries(places))
    expect([ip, byAddress({ ip }, { name: 'x', most: 1, windowSeconds: 1 }).subject]).toEqual([ip, place]);
});

test('how long a reset takes does not tell whether the address is known; a close waits for the mail', async () => {
  const taken = Promise.withResolvers<void>();
  const sent: Mail[] = [];
  const mailer: Mailer = {
    sends: true,
    async send(mail) {
      await taken.promise;
      sent.push(mail);
    },
    close() {},
  };
  const slow = await openPeople(() => {}, { mailer });
  await slow.signedUp('waiting');
  const reset = { email: 'waiting@example.com' };
  expect((await slow.browser().call('POST', '/console/auth/request-password-reset', reset)).status).toBe(200);
  expect(sent).toEqual([]);
  const closing = slow.close();
  taken.resolve();
  await closing;
  expect(sent.map(({ subject }) => subject)).toContain('Choose a new password');
});

test('what is too long to be a token or an id is not looked up, and so not remembered', async () => {
  const browser = await it.signedUp('lengthy');
  const { database, keys, plans } = it.parts;
  const asked: unknown[][] = [];
  const query: typeof database.query = (sql, values = []) => {
    asked.push(values);
    return database.query(sql, values);
  };
  const sessions = createSessions({ database: { ...database, query }, keys, plans, confirms: false });
  const token = sessionTokenOf({ headers: { cookie: browser.cookie } });
  expect(await sessions.authenticate('x'.repeat(101), undefined)).toBeNull();
  expect(asked).toEqual([]);
  const named = (accountId: string) => sessions.authenticate(token, accountId);
  expect([await named('y'.repeat(101)), await named('z'.repeat(30_000))]).toMatchObject([
    { account: null },
    { account: null },
  ]);
  expect(asked).toHaveLength(1);
  expect(await named(browser.accountId)).toMatchObject({ account: { id: browser.accountId } });
});

test('an Idempotency-Key of a session before is refused, and nothing is done twice', async () => {
  const invitation = tokenOf({ link: it.firstLink });
  const operator = await it.signedUp('operating', { invitation });
  const create = () =>
    operator.call('POST', '/admin/accounts', { email: 'a@example.org' }, { 'idempotency-key': 'again' });
  const first = await create();
  expect([first.status, (await create()).body]).toEqual([200, first.body]);
  await operator.call('POST', '/console/auth/sign-out', {});
  await operator.call('POST', '/console/auth/sign-in/email', { email: 'operating@example.com', password });
  expect(await create()).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_UNFINISHED' } });
  expect(made).toBe(1);
});

test('a new password ends the reset links of before, however it was chosen', async () => {
  const browser = await it.signedUp('relinked');
  const [byMail, byHand] = [await it.people.resetLink(browser.personId), await it.people.resetLink(browser.personId)];
  const reset = (link: object | null) => {
    const body = { token: tokenOf({ ...link }), newPassword: 'yet another password' };
    return it.browser().call('POST', '/console/auth/reset-password', body);
  };
  expect([(await reset(byMail)).status, (await reset(byHand)).status]).toEqual([200, 404]);
  const again = await it.people.resetLink(browser.personId);
  await browser.call('POST', '/console/auth/sign-in/email', {
    email: 'relinked@example.com',
    password: 'yet another password',
  });
  const change = { currentPassword: 'yet another password', newPassword: 'chosen in the console' };
  expect((await browser.call('POST', '/console/auth/change-password', change)).status).toBe(200);
  expect((await reset(again)).status).toBe(404);
});
