// Two server processes on one PostgreSQL: what is ended, changed or capped in one counts in the other at once, and who guesses is slowed
// in both together.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestPostgresql, postgresqlPrograms, startPostgresql } from '../../server/database/testing.ts';
import { ask } from '../server.ts';
import { type ServerProcess, startProcess } from './process.ts';
import { type Person, signUp } from './setup.ts';
import { newVisitor } from './visitor.ts';

const programs = postgresqlPrograms();
const adminKey = 'sk-administrator-of-the-cluster';
/** "At once" for people: a notification, and the next request. */
const atOnce = { timeout: 1000, interval: 20 };

const vectorize = async ({ url }: ServerProcess, key: string, text = 'A short text a'): Promise<number> =>
  (await ask(`${url}/vectorize`, { key, body: { text } })).status;

describe.skipIf(!programs)(`two processes${programs ? '' : ': SKIPPED, install the package postgresql'}`, () => {
  let postgresql: TestPostgresql;
  let here: ServerProcess;
  let there: ServerProcess;
  beforeAll(async () => {
    postgresql = await startPostgresql(programs ?? '');
    const environment = {
      DATABASE_URL: await postgresql.newDatabase(),
      VECTORIUM_ADMIN_KEY: adminKey,
      VECTORIUM_LOG_LEVEL: 'info',
    };
    [here, there] = await Promise.all([startProcess(environment), startProcess(environment)]);
  }, 180_000);
  afterAll(async () => {
    await here?.end();
    await there?.end();
    await postgresql?.stop();
  });

  async function customer(name: string): Promise<{ person: Person; key: string; keyId: string }> {
    const person = await signUp(here.url, name);
    const limits = { vectors: { minute: null, hour: null } };
    await operate('PATCH', `/admin/accounts/${person.accountId}`, { limits });
    const made = await person.call<{ api_key: string; key: { id: string } }>('POST', '/console/api/keys', { name });
    return { person, key: made.api_key, keyId: made.key.id };
  }

  const operate = (method: string, path: string, body: unknown) =>
    ask(here.url + path, { key: adminKey, method, body });
  /** Until the model is there, in both. */
  async function warm(key: string): Promise<void> {
    for (const server of [here, there])
      await expect.poll(() => vectorize(server, key), { timeout: 60_000, interval: 300 }).toBe(200);
  }

  test('a key that is changed or revoked here is so there', async () => {
    const { person, key, keyId } = await customer('keys');
    await warm(key);
    await person.call('PATCH', `/console/api/keys/${keyId}`, { scopes: ['data'] });
    await expect.poll(() => vectorize(there, key), atOnce).toBe(403);
    await person.call('PATCH', `/console/api/keys/${keyId}`, { scopes: null });
    await expect.poll(() => vectorize(there, key), atOnce).toBe(200);
    await person.call('DELETE', `/console/api/keys/${keyId}`);
    expect(await vectorize(here, key)).toBe(401);
    await expect.poll(() => vectorize(there, key), atOnce).toBe(401);
  });

  test('a hard budget is passed by no request, whichever process takes it, and counts there when it is set here', async () => {
    const { person, key } = await customer('capped');
    await warm(key);
    const spent = async () => (await person.call<{ spent_usd: number }>('GET', '/console/api/billing')).spent_usd;
    const before = await spent();
    await vectorize(here, key);
    const cost = (await spent()) - before;
    expect(cost).toBeGreaterThan(0);
    const budget = before + cost * 6.5;
    await person.call('PUT', '/console/api/billing/budget', { monthly_usd: budget, hard: true, mail: false });
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, index) =>
        vectorize(index % 2 === 0 ? here : there, key, `A short text ${String.fromCodePoint(97 + index)}`),
      ),
    );
    const taken = answers.filter(status => status === 200).length;
    expect([taken, answers.filter(status => status === 402).length]).toEqual([5, 19]);
    expect(await spent()).toBeLessThan(budget * 1.000_001);
    await person.call('PUT', '/console/api/billing/budget', { monthly_usd: null, hard: false, mail: false });
    await expect.poll(() => vectorize(there, key), atOnce).toBe(200);
    await person.call('PUT', '/console/api/billing/budget', { monthly_usd: 0, hard: true, mail: false });
    await expect.poll(() => vectorize(there, key), atOnce).toBe(402);
    expect(await vectorize(here, key)).toBe(402);
  });

  test('a key’s budget that is made smaller here refuses there', async () => {
    const { person, key, keyId } = await customer('key-capped');
    await warm(key);
    await person.call('PATCH', `/console/api/keys/${keyId}`, { budget_usd: 1 });
    await expect.poll(() => vectorize(there, key), atOnce).toBe(200);
    expect(await vectorize(here, key)).toBe(200);
    await person.call('PATCH', `/console/api/keys/${keyId}`, { budget_usd: 0 });
    expect(await vectorize(here, key)).toBe(402);
    await expect.poll(() => vectorize(there, key), atOnce).toBe(402);
  });

  test('a plan that is made and changed here counts there', async () => {
    const { person, key } = await customer('planned');
    await warm(key);
    const plan = {
      title: 'Narrow',
      vectors: { minute: null, hour: null, batch: 1 },
      data: { minute: null, day: null },
      tiers: ['budget'],
      models: null,
      monthly_credit_usd: 0,
      storage_bytes: 1e9,
      jobs: 1,
      max_keys: 1,
      price_per_training_second_usd: 0,
      price_per_predicted_row_usd: 0,
      price_per_generated_token_usd: 0,
    };
    expect((await operate('POST', '/console/api/operator/plans', { name: 'narrow', ...plan })).status).toBe(200);
    await operate('PATCH', `/admin/accounts/${person.accountId}`, { plan: 'narrow', limits: null });
    const batch = async ({ url }: ServerProcess) =>
      (await ask(`${url}/vectorize/batch`, { key, body: { texts: ['one', 'two'] } })).status;
    await expect.poll(() => batch(there), atOnce).toBe(400);
    const wider = { vectors: { minute: null, hour: null, batch: 2 } };
    expect((await operate('PATCH', '/console/api/operator/plans/narrow', wider)).status).toBe(200);
    expect(await batch(here)).toBe(200);
    await expect.poll(() => batch(there), atOnce).toBe(200);
    expect(
      (await ask(`${there.url}/admin/accounts/${person.accountId}`, { key: adminKey, method: 'GET' })).body,
    ).toMatchObject({ plan: 'narrow' });
  });

  test('a session that ends here has ended there', async () => {
    const person = await signUp(here.url, 'session');
    const cookie = [...(person.cookies.get(here.url) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
    const status = async ({ url }: ServerProcess) =>
      (await fetch(`${url}/console/api/members`, { headers: { cookie } })).status;
    expect([await status(here), await status(there)]).toEqual([200, 200]);
    await person.call('POST', '/console/auth/sign-out', {});
    expect(await status(here)).toBe(401);
    await expect.poll(() => status(there), atOnce).toBe(401);
  });

  test('guesses are counted in both together', async () => {
    await signUp(here.url, 'guessed');
    const visitor = newVisitor();
    const guess = async ({ url }: ServerProcess, password: string) =>
      (
        await visitor.fetch(`${url}/console/auth/sign-in/email`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ email: 'guessed@example.com', password }),
        })
      ).status;
    const statuses: number[] = [];
    for (let tries = 0; tries < 12; tries++) statuses.push(await guess(tries % 2 === 0 ? here : there, 'a guess'));
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
    expect(await guess(there, 'correct horse battery')).toBe(429);
  });
});
