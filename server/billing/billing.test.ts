// Money as people see it, over real PGlite and HTTP; only Stripe is a stand-in, and its library is the real one.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { routes } from '@vectorium/contract';
import { Stripe } from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGroupCommit } from '../database/index.ts';
import { type Browser, type TestPeople, openPeople } from '../people/testing.ts';
import { usdToPicodollars } from '../plans/index.ts';
import { type Ledger, createLedger } from '../usage/index.ts';
import { type BudgetAlerts, createBudgetAlerts } from './alerts.ts';
import { type Payments, createStripePayments } from './payments.ts';
import { mountBillingRoutes } from './routes.ts';

const webhookSecret = 'whsec_test';
let it: TestPeople;
let ledger: Ledger;
let alerts: BudgetAlerts;
let stripe: { url: string; asked: URLSearchParams[]; close(): void };
beforeAll(async () => {
  stripe = await standIn();
  const { hostname, port } = new URL(stripe.url);
  const payments: Payments = await createStripePayments(
    { secretKey: 'sk_test_x', webhookSecret },
    { host: hostname, port: Number(port), protocol: 'http' },
  );
  it = await openPeople(
    async (app, parts, people) => {
      const commit = createGroupCommit(parts.database);
      ledger = await createLedger({ ...parts, commit });
      mountBillingRoutes(app, {
        ...parts,
        ledger,
        audit: people.audit,
        flush: () => commit.flush(),
        payments,
        seller: ['Example Ltd', '1 High Street'],
        link: page => people.link(page),
      });
      const { database } = parts;
      alerts = createBudgetAlerts({
        database,
        mailer: people.mailer,
        link: page => people.link(page),
        webhooks: { wake() {} },
        log: (event, fields) => expect.fail(`${event} ${JSON.stringify(fields)}`),
      });
    },
    { sendsMail: true },
  );
});
afterAll(async () => {
  await alerts.close();
  await ledger.close();
  await it.close();
  stripe.close();
});

/** As a request of the person's session would be charged. */
async function spend(accountId: string, usd: string, model = 'e5_small'): Promise<void> {
  const account = await it.parts.accounts.get(accountId);
  const keyId = (
    await it.parts.database.query<{ id: string }>('SELECT id FROM keys WHERE account_id = $1', [accountId])
  )[0]?.id;
  if (!account || keyId === undefined) throw new Error('no account');
  const key = {
    id: keyId,
    name: '',
    admin: false,
    scopes: null,
    models: null,
    budgetPicodollars: null,
    expiresAt: null,
  };
  const reservation = await ledger.reserve({ account, key }, usdToPicodollars(usd));
  await reservation.settle({
    route: '/vectorize',
    model,
    tokens: 100,
    costPicodollars: usdToPicodollars(usd),
    durationMs: 5,
    requestId: 'r',
  });
}

/** Signed up, and seen once, so that the session has its key. */
async function person(name: string): Promise<Browser & { accountId: string }> {
  const browser = await it.signedUp(name);
  await it.people.confirmations.vouch(browser.personId);
  await browser.call('GET', '/console/api/billing');
  return browser;
}

test('balance, ledger, usage and invoice tell the same', async () => {
  const browser = await person('teller');
  await spend(browser.accountId, '0.25');
  await spend(browser.accountId, '0.5', 'e5_base');
  const billing = routes.getBilling.answer.parse((await browser.call('GET', '/console/api/billing')).body);
  expect(billing).toMatchObject({
    balance_usd: 11.25,
    spent_usd: 0.75,
    monthly_credit_usd: 2,
    payment_amounts_usd: expect.any(Array),
  });
  expect(billing.projected_usd).toBeGreaterThanOrEqual(0.75);
  const ledgerPage = routes.listLedger.answer.parse(
    (await browser.call('GET', '/console/api/billing/ledger?limit=2')).body,
  );
  expect(ledgerPage).toMatchObject({
    has_more: true,
    data: [{ kind: 'usage', amount_usd: -0.75, balance_usd: 11.25 }, {}],
  });
  const next = await browser.call('GET', `/console/api/billing/ledger?after=${ledgerPage.data[1]?.id}`);
  const all = [...ledgerPage.data, ...routes.listLedger.answer.parse(next.body).data];
  expect(all.map(each => each.kind).toSorted()).toEqual(['monthly', 'sign_up', 'usage']);
  expect(all.reduce((sum, each) => sum + each.amount_usd, 0)).toBe(11.25);
  const usage = routes.getUsageSeries.answer.parse((await browser.call('GET', '/console/api/usage')).body);
  expect(usage.rows.map(each => [each.model, each.requests, each.tokens, each.cost_usd])).toEqual([
    ['e5_base', 1, 100, 0.5],
    ['e5_small', 1, 100, 0.25],
  ]);
  expect(Object.values(usage.keys)).toEqual(['teller']);
  expect((await browser.call('GET', '/console/api/usage?from=2020-01-01T00:00:00Z')).status).toBe(400);
  const invoice = await browser.call('GET', `/console/api/billing/invoices/${billing.month}`);
  expect(routes.getInvoice.answer.parse(invoice.body)).toMatchObject({
    spent_usd: 0.75,
    credits_usd: 12,
    opening_balance_usd: 0,
    closing_balance_usd: 11.25,
    final: false,
    seller: ['Example Ltd', '1 High Street'],
    buyer: { email: 'teller@example.com' },
    lines: [{ model: 'e5_base' }, { model: 'e5_small' }],
  });
  const csv = String((await browser.call('GET', '/console/api/billing/ledger?format=csv')).body['text']);
  expect(csv.split('\n')).toHaveLength(5);
  expect(csv).toContain('usage,-0.75,11.25,');
});

test('a hard budget refuses what would pass it, at once and by name, and lets go when it is raised', async () => {
  const browser = await person('capped');
  const { accountId } = browser;
  await spend(accountId, '1');
  const budget = { monthly_usd: 1.5, hard: true, mail: false };
  expect((await browser.call('PUT', '/console/api/billing/budget', budget)).body).toMatchObject({
    monthly_usd: 1.5,
    hard: true,
  });
  await expect(spend(accountId, '0.6')).rejects.toMatchObject({ of: 'budget' });
  await spend(accountId, '0.5');
  await expect(spend(accountId, '0.01')).rejects.toMatchObject({ of: 'budget' });
  await browser.call('PUT', '/console/api/billing/budget', { monthly_usd: 3, hard: true });
  await spend(accountId, '1');
  await browser.call('PUT', '/console/api/billing/budget', { monthly_usd: null });
  await spend(accountId, '2');
});

test('owners are told of 50, 80 and 95 % once each, and of what is passed together once', async () => {
  const browser = await person('told');
  await browser.call('PUT', '/console/api/billing/budget', { monthly_usd: 2, webhook: true });
  await it.parts.database.query('INSERT INTO webhooks (account_id, url, secret) VALUES ($1, $2, $3)', [
    browser.accountId,
    'https://example.com',
    'x',
  ]);
  const subjects = async () => {
    await alerts.look();
    await alerts.look();
    return it.mails
      .filter(({ to, subject }) => to === 'told@example.com' && subject.includes('%'))
      .map(({ subject }) => subject);
  };
  await spend(browser.accountId, '0.9');
  expect(await subjects()).toEqual([]);
  await spend(browser.accountId, '0.2');
  expect(await subjects()).toEqual(["told: 50 % of the month's budget are spent"]);
  await spend(browser.accountId, '0.85');
  expect(await subjects()).toEqual([
    "told: 50 % of the month's budget are spent",
    "told: 95 % of the month's budget are spent",
  ]);
  const { alerts: shown } = routes.getBilling.answer.parse((await browser.call('GET', '/console/api/billing')).body);
  expect(shown.map(({ percent }) => percent)).toEqual([50, 80, 95]);
  const events = await it.parts.database.query<{ event: object }>(
    'SELECT event FROM webhook_deliveries WHERE account_id = $1 ORDER BY id',
    [browser.accountId],
  );
  expect(events.map(({ event }) => event)).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({ type: 'budget.alert', data: expect.objectContaining({ percent: 50, budget_usd: 2 }) }),
      expect.objectContaining({ data: expect.objectContaining({ percent: 95, spent_usd: 1.95 }) }),
    ]),
  );
  expect(events).toHaveLength(2);
});

test('an owner whose address is refused keeps the others neither from their mail nor mailed again', async () => {
  const browser = await person('reachable');
  const unreachable = await it.signedUp('unreachable');
  await it.parts.database.query(
    `INSERT INTO members (account_id, person_id, role, created_at) VALUES ($1, $2, 'owner', '2000-01-01')`,
    [browser.accountId, unreachable.personId],
  );
  await browser.call('PUT', '/console/api/billing/budget', { monthly_usd: 2 });
  await spend(browser.accountId, '1');
  const { database } = it.parts;
  const sent: string[] = [];
  const refusedAt: number[] = [];
  let nowMs = Date.now();
  const own = createBudgetAlerts({
    database,
    mailer: {
      sends: true,
      async send({ to }) {
        if (to.startsWith('unreachable')) throw new Error('no such mailbox');
        sent.push(to);
      },
      close() {},
    },
    link: page => page,
    webhooks: { wake() {} },
    log: () => void refusedAt.push(nowMs),
    now: () => new Date(nowMs),
  });
  for (let time = 0; time < 8; time++) {
    await own.look();
    nowMs += 3_600_000;
  }
  await own.close();
  expect([sent, refusedAt.length]).toEqual([['reachable@example.com'], 6]);
});

test('credit is bought on the provider’s page, and a payment that is told twice counts once', async () => {
  const browser = await person('payer');
  const started = await browser.call('POST', '/console/api/billing/checkout', { amount_usd: 25 });
  expect(started.body).toEqual({ url: 'https://checkout.stripe.example/c/1' });
  expect(stripe.asked[0]?.get('line_items[0][price_data][unit_amount]')).toBe('2500');
  expect(stripe.asked[0]?.get('client_reference_id')).toBe(browser.accountId);
  const paid = { id: 'cs_1', client_reference_id: browser.accountId, amount_total: 2500 };
  const told = 'checkout.session.completed';
  expect([await tell(told, paid), await tell(told, paid)]).toEqual([200, 200]);
  const { body } = await browser.call('GET', '/console/api/billing');
  expect(body['balance_usd']).toBe(37);
  expect((await it.people.audit.list({ accountId: browser.accountId, limit: 9 })).map(each => each.action)).toEqual([
    'payment.received',
  ]);
});

/** Tells the server of a payment as Stripe does; the status of the answer. */
async function tell(
  type: string,
  fields: object,
  { secret = webhookSecret, secondsAgo = 0 }: { secret?: string; secondsAgo?: number } = {},
): Promise<number> {
  const object = { object: 'checkout.session', payment_status: 'paid', currency: 'usd', ...fields };
  const payload = JSON.stringify({ id: `evt_${Math.random()}`, object: 'event', type, data: { object } });
  const timestamp = Math.floor(Date.now() / 1000) - secondsAgo;
  const signature = new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload, secret, timestamp });
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
  return (await fetch(`${it.server.url}/console/payments`, { method: 'POST', headers, body: payload })).status;
}

test('a payment counts once, in whatever order, how often and to how many it is told at once', async () => {
  const browser = await person('patient');
  const balance = async () => (await browser.call('GET', '/console/api/billing')).body['balance_usd'];
  const slow = { id: 'cs_slow', client_reference_id: browser.accountId, amount_total: 1000 };
  const unpaid = { ...slow, payment_status: 'unpaid' };
  // The bank takes days; its word comes before the checkout's, and the checkout's again after it.
  expect(await tell('checkout.session.completed', unpaid)).toBe(200);
  expect(await balance()).toBe(12);
  expect(await tell('checkout.session.async_payment_succeeded', slow)).toBe(200);
  expect(await tell('checkout.session.completed', unpaid)).toBe(200);
  expect(await tell('checkout.session.completed', slow)).toBe(200);
  expect(await balance()).toBe(22);
  const quick = { ...slow, id: 'cs_quick', amount_total: 500 };
  const statuses = await Promise.all(Array.from({ length: 8 }, () => tell('checkout.session.completed', quick)));
  expect(statuses).toEqual(Array(8).fill(200));
  expect(await balance()).toBe(27);
  for (const [type, fields] of [
    ['checkout.session.expired', { ...slow, id: 'cs_a' }],
    ['checkout.session.async_payment_failed', { ...slow, id: 'cs_b' }],
    ['checkout.session.completed', { ...slow, id: 'cs_c', currency: 'eur' }],
  ] as const)
    expect(await tell(type, fields)).toBe(200);
  expect(await balance()).toBe(27);
});

test('what is not signed by the provider, or was long ago, counts nothing; what nobody can be given is told to the operator', async () => {
  const browser = await person('forged');
  const paid = { id: 'cs_forged', client_reference_id: browser.accountId, amount_total: 1000 };
  expect(await tell('checkout.session.completed', paid, { secret: 'whsec_forged' })).toBe(400);
  expect(await tell('checkout.session.completed', paid, { secondsAgo: 3600 })).toBe(400);
  const unsigned = await fetch(`${it.server.url}/console/payments`, { method: 'POST', body: JSON.stringify(paid) });
  expect(unsigned.status).toBe(400);
  expect((await browser.call('GET', '/console/api/billing')).body['balance_usd']).toBe(12);
  expect(await tell('checkout.session.completed', { ...paid, client_reference_id: 'acc_gone' })).toBe(200);
  const [entry] = await it.people.audit.list({ limit: 1 });
  expect(entry).toMatchObject({
    action: 'payment.without_account',
    target: 'stripe/cs_forged',
    details: { amount_usd: 10 },
  });
});

test('a payment for an account that is gone stands in the books, and the operator is told once', async () => {
  const payment = { paymentId: 'stripe/cs_late', amountPicodollars: usdToPicodollars(10), note: 'Stripe cs_late' };
  const object = {
    id: 'cs_late',
    object: 'checkout.session',
    payment_status: 'paid',
    client_reference_id: 'acc_deleted',
    amount_total: 1000,
    currency: 'usd',
  };
  const payload = JSON.stringify({
    id: 'evt_2',
    object: 'event',
    type: 'checkout.session.completed',
    data: { object },
  });
  const signature = new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload, secret: webhookSecret });
  for (let time = 0; time < 2; time++) {
    const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
    const told = await fetch(`${it.server.url}/console/payments`, { method: 'POST', headers, body: payload });
    expect(told.status).toBe(200);
  }
  expect(
    await it.parts.database.query('SELECT kind, amount_picodollars, note FROM ledger WHERE account_id = $1', [
      'acc_deleted',
    ]),
  ).toEqual([{ kind: 'payment', amount_picodollars: payment.amountPicodollars, note: payment.note }]);
  const entries = (await it.people.audit.list({ limit: 100 })).filter(({ target }) => target === payment.paymentId);
  expect(entries).toMatchObject([
    { action: 'payment.without_account', accountId: null, details: { account_id: 'acc_deleted', amount_usd: 10 } },
  ]);
});

/** Answers as Stripe's API does to a checkout that is begun. */
async function standIn(): Promise<typeof stripe> {
  const asked: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      asked.push(new URLSearchParams(body));
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ id: 'cs_1', object: 'checkout.session', url: 'https://checkout.stripe.example/c/1' }),
      );
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, asked, close: () => void server.close() };
}
