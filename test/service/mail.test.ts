// Mail as it goes over a real SMTP server: what people get, and what its links are good for.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBudgetAlerts } from '../../server/billing/index.ts';
import { loadCatalog } from '../../server/models/catalog.ts';
import { shippedCatalog } from '../../server/models/index.ts';
import { mountOwnKeyRoutes } from '../../server/keys/own-routes.ts';
import { type Mailer, createMailer } from '../../server/mail/index.ts';
import { type Browser, type TestPeople, openPeople, password } from '../../server/people/testing.ts';
import { type MailServer, startMailServer } from './mail-server.ts';

let mail: MailServer;
let mailer: Mailer;
let it: TestPeople;
beforeAll(async () => {
  mail = await startMailServer();
  mailer = await createMailer({ smtpUrl: mail.url, from: 'Vectorium <vectorium@example.com>' });
  const models = await loadCatalog([shippedCatalog]);
  it = await openPeople(
    (app, parts, people) => {
      mountOwnKeyRoutes(app, { ...parts, models, audit: people.audit, budgetChanged: async () => {} });
    },
    { mailer },
  );
});
afterAll(async () => {
  await it.close();
  mailer.close();
  await mail.close();
});

const session = '/console/api/session';
const confirm = (token: string) => it.browser().call('POST', '/console/auth/confirm-email', { token });
const personIn = async (browser: Browser) =>
  (await browser.call('GET', session)).body['person'] as Record<string, unknown>;

test('who signs up reads until the address is confirmed by the link in the mail, which is good once', async () => {
  const browser = await it.signedUp('ada', { language: 'tr' });
  expect((await browser.call('GET', session)).body).toMatchObject({
    must_confirm: true,
    may_add_account: false,
    person: { email_verified: false },
  });
  expect((await browser.call('GET', '/console/api/keys')).status).toBe(200);
  for (const [method, path, body] of [
    ['POST', '/console/api/keys', { name: 'k' }],
    ['POST', '/console/api/invitations', { email: 'x@example.com', role: 'member' }],
    ['POST', '/console/api/accounts', { name: 'more' }],
  ] as const)
    expect(await browser.call(method, path, body)).toMatchObject({
      status: 403,
      body: { code: 'EMAIL_NOT_CONFIRMED' },
    });

  const { from, link, token } = await mail.mailTo('ada@example.com', /^E-posta adresinizi doğrulayın$/);
  expect([from, link.origin, link.pathname]).toEqual(['vectorium@example.com', it.server.url, '/console/confirm']);
  expect(mail.logins).toContainEqual({ user: 'vectorium', secure: true });
  expect(mail.logins).not.toContainEqual(expect.objectContaining({ secure: false }));
  expect((await confirm(`${token}x`)).status).toBe(404);
  expect((await confirm(token)).body).toEqual({ email: 'ada@example.com' });
  expect((await confirm(token)).status).toBe(404);
  expect((await browser.call('GET', session)).body).toMatchObject({
    must_confirm: false,
    person: { email_verified: true },
  });
  expect((await browser.call('POST', '/console/api/keys', { name: 'k' })).status).toBe(200);
  expect((await browser.call('POST', '/console/auth/send-confirmation', {})).status).toBe(409);
});

test('the link is sent again on demand, the one before ends, and not without end', async () => {
  const browser = await it.signedUp('again');
  const first = await mail.mailTo('again@example.com', /^Confirm/);
  const statuses: number[] = [];
  for (let times = 0; times < 6; times++)
    statuses.push((await browser.call('POST', '/console/auth/send-confirmation', {})).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
  await expect.poll(() => mail.mails.filter(each => each.to === 'again@example.com')).toHaveLength(6);
  expect((await confirm(first.token)).status).toBe(404);
  expect((await confirm((await mail.mailTo('again@example.com', /^Confirm/)).token)).status).toBe(200);
});

test('a password is reset by the link in the mail, which also shows whose the address is', async () => {
  await it.signedUp('forgot');
  await it.browser().call('POST', '/console/auth/request-password-reset', { email: 'forgot@example.com' });
  const { link, token } = await mail.mailTo('forgot@example.com', /^Choose a new password$/);
  expect(link.pathname).toBe('/console/reset-password');
  const newPassword = 'another good password';
  const reset = () => it.browser().call('POST', '/console/auth/reset-password', { token, newPassword });
  expect((await reset()).status).toBe(200);
  expect((await reset()).status).toBe(404);
  const browser = it.browser();
  await browser.call('POST', '/console/auth/sign-in/email', { email: 'forgot@example.com', password: newPassword });
  expect(await personIn(browser)).toMatchObject({ email_verified: true });
  // A link that an operator hands over shows nothing of the kind.
  const handed = await it.signedUp('handed');
  const made = await it.people.resetLink(handed.personId);
  await it
    .browser()
    .call('POST', '/console/auth/reset-password', { token: made?.link.split('#token=')[1], newPassword });
  const back = it.browser();
  await back.call('POST', '/console/auth/sign-in/email', { email: 'handed@example.com', password: newPassword });
  expect(await personIn(back)).toMatchObject({ email_verified: false });
  // It works for whoever cannot get mail, once the operator vouches.
  expect(await it.people.confirmations.vouch(handed.personId)).toBe(true);
  expect(await personIn(back)).toMatchObject({ email_verified: true });
});

test('an invitation comes by mail; who signs up with that link has the address, who got it from another has not', async () => {
  const owner = await it.signedUp('owner');
  await it.people.confirmations.vouch(owner.personId);
  const invite = (email: string) => owner.call('POST', '/console/api/invitations', { email, role: 'member' });
  expect((await invite('mailed@example.com')).body).toMatchObject({ mailed: true });
  const { link, token } = await mail.mailTo('mailed@example.com', /^You are invited to owner$/);
  expect(link.pathname).toBe('/console/invitation');
  const mailed = await it.signedUp('mailed', { invitation: token });
  expect([mailed.accountId, await personIn(mailed)]).toMatchObject([owner.accountId, { email_verified: true }]);
  expect(mail.mails.filter(each => each.to === 'mailed@example.com')).toHaveLength(1);

  const shown = String((await invite('shown@example.com')).body['link']).split('#token=')[1];
  expect(shown).not.toBe((await mail.mailTo('shown@example.com', /^You are invited/)).token);
  const other = await it.signedUp('shown', { invitation: shown });
  expect([other.accountId, await personIn(other)]).toMatchObject([owner.accountId, { email_verified: false }]);
});

test('a new address counts when its link is followed, and the old one is told', async () => {
  const browser = await it.signedUp('old');
  await it.people.confirmations.vouch(browser.personId);
  const change = (email: string, currentPassword: string) =>
    browser.call('POST', '/console/auth/change-email', { email, currentPassword });
  expect((await change('new@example.com', 'not the password')).status).toBe(401);
  expect((await change('new@example.com', password)).body).toEqual({ changed: false });
  expect(await personIn(browser)).toMatchObject({ email: 'old@example.com', new_email: 'new@example.com' });
  const { token } = await mail.mailTo('new@example.com', /^Confirm/);
  expect((await confirm(token)).body).toEqual({ email: 'new@example.com' });
  expect(await personIn(browser)).toMatchObject({ email: 'new@example.com', email_verified: true, new_email: null });
  expect((await mail.mailTo('old@example.com', /^Your e-mail address was changed$/)).text).toContain('new@example.com');
  expect((await it.parts.accounts.get(browser.accountId))?.email).toBe('new@example.com');

  // Who is faster has the address.
  const rival = await it.signedUp('rival');
  await change('wanted@example.com', password);
  const late = await mail.mailTo('wanted@example.com', /^Confirm/);
  await it.parts.database.query(`UPDATE people SET email = 'wanted@example.com' WHERE id = $1`, [rival.personId]);
  expect((await confirm(late.token)).status).toBe(409);
});

test('owners are told by mail of 50, 80 and 95 % of the budget, once each', async () => {
  const browser = await it.signedUp('spender');
  const { database } = it.parts;
  await it.parts.accounts.patch(browser.accountId, {
    budget: { monthlyPicodollars: 100n * 10n ** 12n, hard: true, mail: true, webhook: false },
  });
  const alerts = createBudgetAlerts({ database, mailer, link: page => it.people.link(page), webhooks: { wake() {} } });
  for (const [usd, percent] of [
    [51, 50],
    [80, 80],
    [96, 95],
  ]) {
    await database.query(
      `UPDATE accounts SET spent_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date, spent_picodollars = $2 WHERE id = $1`,
      [browser.accountId, BigInt(usd ?? 0) * 10n ** 12n],
    );
    await alerts.look();
    await alerts.look();
    const { text, link } = await mail.mailTo('spender@example.com', new RegExp(`: ${percent} %`));
    expect([text, link.pathname]).toEqual([expect.stringContaining(`has spent $${usd}.00`), '/console/usage']);
  }
  expect(mail.mails.filter(({ to, subject }) => to === 'spender@example.com' && subject.includes('%'))).toHaveLength(3);
  await alerts.close();
});

test('a password never goes to a mail server that knows no TLS, and a mail that is not taken fails by name', async () => {
  const bare = await startMailServer({ knowsTls: false });
  const insecure = await createMailer({ smtpUrl: bare.url, from: 'a@example.com' });
  const letter = { to: 'b@example.com', subject: 's', text: 't' };
  await expect(insecure.send(letter)).rejects.toThrow(/STARTTLS/);
  expect([bare.logins, bare.mails]).toEqual([[], []]);
  const allowed = await createMailer({ smtpUrl: `${bare.url}?requireTLS=false`, from: 'a@example.com' });
  await allowed.send(letter);
  expect(bare.mails).toHaveLength(1);
  await bare.close();
  const wrong = await createMailer({ smtpUrl: mail.url.replace('vectorium:', 'somebody:'), from: 'a@example.com' });
  await expect(wrong.send(letter)).rejects.toThrow(/Wrong user or password|Invalid login/);
});
