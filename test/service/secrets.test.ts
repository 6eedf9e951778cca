// No secret is in a log, in a table as it is, in an address, or in an answer twice: a whole life of an account with a real mail server,
// a real OpenID provider, a webhook and payments, before a server process that logs all that it can.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Stripe } from 'stripe';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../server/database/index.ts';
import { mailPassword, startMailServer } from './mail-server.ts';
import { startProcess } from './process.ts';
import { openProvider, signInThere, startSignIn } from './provider.ts';
import { type Person, password, rowsOf, signUp, until } from './setup.ts';
import { newVisitor } from './visitor.ts';

const operator = {
  VECTORIUM_ADMIN_KEY: 'sk-the-administrator-of-secrets',
  STRIPE_SECRET_KEY: 'sk_test_of_the_operator',
  STRIPE_WEBHOOK_SECRET: 'whsec_of_the_operator',
  HF_TOKEN: 'hf_of_the_operator',
};

test('no secret is in a log, a table, an address or a second answer', { timeout: 240_000 }, async () => {
  const mail = await startMailServer();
  onTestFinished(() => mail.close());
  const provider = await openProvider();
  onTestFinished(() => provider.close());
  const hook = createServer((request, response) => void request.resume().on('end', () => response.end()));
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  onTestFinished(() => void hook.close());
  const address = hook.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const server = await startProcess({
    ...operator,
    VECTORIUM_LOG_LEVEL: 'trace',
    VECTORIUM_WEBHOOKS: 'loopback',
    SMTP_URL: mail.url,
    NODE_EXTRA_CA_CERTS: fileURLToPath(new URL('fixtures/localhost.pem', import.meta.url)),
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: provider.clientId,
    OIDC_CLIENT_SECRET: provider.clientSecret,
  });
  onTestFinished(() => server.end());
  provider.serve([server.url]);
  const { url } = server;

  /** What it is → the secret. */
  const secrets = new Map<string, string>(Object.entries(operator));
  secrets.set('password', password).set('password of the mail server', mailPassword);
  secrets.set('secret of the OpenID client', provider.clientSecret);
  const answers: string[] = [];
  const addresses: string[] = [];
  const noteCookies = ({ cookies, email }: Pick<Person, 'cookies' | 'email'>): void => {
    for (const [name, value] of cookies.get(url) ?? []) {
      secrets.set(`cookie ${name} of ${email} (${secrets.size})`, decodeURIComponent(value));
      secrets.set(`token in ${name} of ${email} (${secrets.size})`, value.split('.')[0] ?? '');
    }
  };
  const watched = (person: Person): Person => {
    addresses.push(...person.visited);
    const { call } = person;
    const keep: Person['call'] = async (method, path, body, accountId) => {
      addresses.push(path);
      const answer = await call<never>(method, path, body, accountId);
      answers.push(JSON.stringify(answer));
      return answer;
    };
    noteCookies(person);
    return Object.assign(person, { call: keep });
  };

  // The first administrator, by the link that is printed once.
  const first = /\/console\/invitation#token=(\S+)/.exec(server.written())?.[1] ?? '';
  expect(first).not.toBe('');
  const admin = watched(await signUp(url, 'admin', { invitation: first }));

  // Sign-up, its confirmation, and keys.
  const ada = watched(await signUp(url, 'ada'));
  const confirmation = (await mail.mailTo(ada.email, /^Confirm/)).token;
  secrets.set('token that confirms', confirmation);
  await ada.call('POST', '/console/auth/confirm-email', { token: confirmation });
  const made = await ada.call<{ api_key: string; key: { id: string } }>('POST', '/console/api/keys', { name: 'k' });
  secrets.set('key', made.api_key);
  await ada.call('PATCH', `/console/api/keys/${made.key.id}`, { name: 'renamed', budget_usd: 1 });
  await ada.call('GET', '/console/api/keys');
  const next = await ada.call<{ api_key: string }>('POST', `/console/api/keys/${made.key.id}/rotate`, {});
  secrets.set('rotated key', next.api_key);
  const used = { method: 'POST', body: '{"text":"x"}' };
  for (const key of [next.api_key, `${next.api_key}x`])
    await fetch(`${url}/vectorize`, {
      ...used,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    });

  // Invitations, by mail and by hand.
  const invited = await ada.call<{ link: string }>('POST', '/console/api/invitations', {
    email: 'bob@example.com',
    role: 'member',
  });
  secrets.set('token of an invitation', invited.link.split('#token=')[1] ?? '');
  const byMail = (await mail.mailTo('bob@example.com', /^You are invited/)).token;
  secrets.set('mailed token of an invitation', byMail);
  await ada.call('POST', '/console/api/invitation', { token: byMail });
  const bob = watched(await signUp(url, 'bob', { invitation: byMail }));
  await ada.call('GET', '/console/api/invitations');

  // A reset by mail, one by the operator, another password, another address.
  await ada.call('POST', '/console/auth/request-password-reset', { email: ada.email });
  const reset = (await mail.mailTo(ada.email, /^Choose a new password/)).token;
  secrets.set('token of a reset', reset).set('second password', 'a second good password');
  await ada.call('POST', '/console/auth/reset-password', { token: reset, newPassword: 'a second good password' });
  const handed = await admin.call<{ link: string }>('POST', `/console/api/operator/people/${bob.personId}/reset`);
  secrets.set('token that is handed over', handed.link.split('#token=')[1] ?? '');
  secrets.set('third password', 'a third good password');
  await bob.call('POST', '/console/auth/change-password', {
    currentPassword: password,
    newPassword: 'a third good password',
  });
  const wrong = newVisitor();
  secrets.set('wrong password', 'a password that is wrong');
  await wrong.fetch(`${url}/console/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: ada.email, password: 'a password that is wrong' }),
  });
  await ada.call('POST', '/console/auth/sign-in/email', { email: ada.email, password: 'a second good password' });
  await ada.call('POST', '/console/auth/change-email', {
    email: 'ada.new@example.com',
    currentPassword: 'a second good password',
  });
  const moved = (await mail.mailTo('ada.new@example.com', /^Confirm/)).token;
  secrets.set('token that moves', moved);
  await ada.call('POST', '/console/auth/confirm-email', { token: moved });
  noteCookies(ada);

  // OpenID Connect.
  provider.claims['carol'] = { email: 'carol@example.com', email_verified: true, name: 'Carol' };
  const carol = newVisitor();
  const answer = await signInThere(carol, await startSignIn(carol, url), 'carol');
  secrets.set('code of the provider', answer.searchParams.get('code') ?? '');
  await carol.fetch(answer);
  noteCookies({ ...carol, email: 'carol@example.com' });

  // A webhook that is told, and payments, good and forged; the provider's own site can not be reached from here.
  const webhook = await ada.call<{ secret: string }>('PUT', '/api/v2/webhook', {
    url: `http://127.0.0.1:${address.port}/told`,
  });
  secrets.set('secret of the webhook', webhook.secret);
  await ada.call('GET', '/api/v2/webhook');
  const payload = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'checkout.session.completed',
    data: {
      object: {
        id: 'cs_1',
        object: 'checkout.session',
        payment_status: 'paid',
        client_reference_id: ada.accountId,
        amount_total: 2500,
        currency: 'usd',
      },
    },
  });
  const tell = (secret: string) =>
    fetch(`${url}/console/payments`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'stripe-signature': new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload, secret }),
      },
      body: payload,
    });
  expect([(await tell(operator.STRIPE_WEBHOOK_SECRET)).status, (await tell('whsec_forged')).status]).toEqual([
    200, 400,
  ]);
  await ada.call('POST', '/console/api/billing/checkout', { amount_usd: 10 }).catch(() => null);
  for (const path of ['audit', 'sessions', 'billing/ledger', 'account']) await ada.call('GET', `/console/api/${path}`);
  for (const path of ['audit', 'accounts']) await admin.call('GET', `/console/api/operator/${path}`);

  await until('a log of it all', async () => server.written().includes('"route":"/console/api/operator/accounts"'), 20);
  const database = await openDatabase({ folder: server.dataFolder, join: true });
  const rows = await rowsOf(database);
  await database.close();
  const written = server.written();
  const faults: string[] = [];
  expect([...secrets.values()].filter(secret => secret.length < 8)).toEqual([]);
  expect(secrets.size).toBeGreaterThan(25);
  for (const [what, secret] of secrets) {
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')];
    const holds = (text: string): boolean => forms.some(form => text.includes(form));
    if (holds(written)) faults.push(`${what} is in the log`);
    if (addresses.some(holds)) faults.push(`${what} is in an address`);
    if (answers.filter(holds).length > 1) faults.push(`${what} is in more than one answer`);
    // The server signs with it, and so has to know it.
    const where = rows.find(
      row => holds(row) && !(what === 'secret of the webhook' && row.startsWith('public.webhooks ')),
    );
    if (where !== undefined) faults.push(`${what} is in ${where.slice(0, 120)}`);
  }
  expect(faults).toEqual([]);
  // Shown this once, to whoever starts the server.
  expect(written.split(first)).toHaveLength(2);
});
