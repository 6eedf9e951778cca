// Plans that the operator makes and changes while the server runs, over real HTTP and PGlite.
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAccounts } from '../accounts/index.ts';
import { createKeys } from '../keys/index.ts';
import { createGroupCommit } from '../database/index.ts';
import { mount } from '../http/index.ts';
import { shippedCatalog } from '../models/index.ts';
import { loadCatalog } from '../models/catalog.ts';
import { type Browser, type TestPeople, openPeople } from '../people/testing.ts';
import { type PlanStore, createPlanStore, loadPlans } from '../plans/index.ts';
import { mountPlanRoutes } from './plans.ts';

let it: TestPeople;
let plans: PlanStore;
let operator: Browser;
beforeAll(async () => {
  const models = await loadCatalog([shippedCatalog]);
  it = await openPeople(async (app, parts, people) => {
    const { database } = parts;
    plans = await createPlanStore({ database, file: await loadPlans('/nowhere') });
    mountPlanRoutes(app, { database, plans, models, people });
    mount(app, routes.tokenize, () => ({
      model: '',
      model_used: '',
      tokens: 1,
      characters: 1,
      price_usd: 0,
      price_per_1M_tokens: 0,
    }));
  });
  operator = await it.signedUp('operator', { invitation: it.firstLink.split('#token=')[1] });
});
afterAll(() => it.close());

const path = '/console/api/operator/plans';
const team = {
  name: 'team',
  title: 'Team',
  vectors: { minute: 3, hour: null, batch: 10 },
  data: { minute: 5, day: null },
  tiers: ['budget', 'standard'],
  models: ['e5_small', 'e5_base'],
  monthly_credit_usd: 7.5,
  storage_bytes: null,
  jobs: 2,
  max_keys: 3,
  price_per_training_second_usd: 0.001,
  price_per_predicted_row_usd: 0,
  price_per_generated_token_usd: 0.000002,
};

test('a plan is made, given to an account and changed, each from the next request on', async () => {
  const made = await operator.call('POST', path, team);
  expect(routes.createPlan.answer.parse(made.body)).toMatchObject({
    ...team,
    accounts: 0,
    retired: false,
    changed: true,
  });
  expect((await operator.call('POST', path, team)).status).toBe(409);
  expect((await operator.call('POST', path, { ...team, name: 'free' })).status).toBe(409);

  const { database } = it.parts;
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
  const keys = createKeys({ database, plans, accounts, commit: createGroupCommit(database) });
  const account = await accounts.create({ email: 'team@example.com', plan: 'team' });
  expect(account).toMatchObject({ balancePicodollars: 7_500_000_000_000n, plan: { models: ['e5_small', 'e5_base'] } });
  const key = await keys.make(account.id, { name: 'k' });
  const planOf = async () => (await keys.authenticate(key?.secret ?? ''))?.account.plan;
  expect(await planOf()).toMatchObject({ vectors: { minute: 3 }, generatedTokenPicodollars: 2_000_000n });

  const changes = {
    vectors: { minute: 900, hour: 1, batch: 10 },
    price_per_generated_token_usd: 0.00001,
    models: null,
  };
  expect((await operator.call('PATCH', `${path}/team`, changes)).body).toMatchObject({
    ...team,
    ...changes,
    accounts: 1,
  });
  expect(await planOf()).toMatchObject({
    vectors: { minute: 900 },
    generatedTokenPicodollars: 10_000_000n,
    models: null,
    jobs: 2,
  });
});

test('a plan of plans.json is changed field by field, and a start finds it so', async () => {
  const { body } = await operator.call('PATCH', `${path}/pro`, { title: 'Professional', jobs: 9 });
  expect(body).toMatchObject({ name: 'pro', title: 'Professional', jobs: 9, storage_bytes: 200e9, changed: true });
  const again = await createPlanStore({ database: it.parts.database, file: await loadPlans('/nowhere') });
  expect(again.get('pro')).toMatchObject({ title: 'Professional', jobs: 9, vectors: { minute: 500 } });
  expect(again.list().map(({ name }) => name)).toEqual(['free', 'starter', 'pro', 'enterprise', 'team']);
});

test('a retired plan is kept by those who are on it, and nobody else gets it', async () => {
  await operator.call('PATCH', `${path}/free`, { retired: true });
  const listed = await operator.call('GET', path);
  expect(routes.listPlansInUse.answer.parse(listed.body)).toMatchObject({ sign_up_plan: 'starter' });
  expect(plans.get('free')).toMatchObject({ retired: true, vectors: { minute: 10 } });
  const { database } = it.parts;
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
  await expect(accounts.create({ email: 'late@example.com', plan: 'free' })).rejects.toMatchObject({
    code: 'UNKNOWN_PLAN',
  });
  await operator.call('PATCH', `${path}/free`, { retired: false });
  expect(plans.signUpPlan().name).toBe('free');
});

test('the credit for signing up is set', async () => {
  expect((await operator.call('PUT', '/console/api/operator/sign-up-credit', { credit_usd: 0.5 })).status).toBe(200);
  expect(plans.signUpCreditPicodollars).toBe(500_000_000_000n);
});

test('bad plans are refused by name, and nobody but an operator makes any', async () => {
  for (const [body, status, said] of [
    [{ ...team, name: 'Big Team' }, 400, 'small letters'],
    [{ ...team, name: 'x', vectors: { minute: 0, hour: 1, batch: 1 } }, 400, 'vectors.minute'],
    [{ ...team, name: 'x', models: ['nothing'] }, 400, 'There is no model "nothing"'],
    [{ ...team, name: 'x', models: ['gte_base'] }, 400, 'of one of the tiers'],
    [{ ...team, name: 'x', monthly_credit_usd: -1 }, 400, 'monthly_credit_usd'],
    [{ ...team, name: 'x', more: 1 }, 422, 'unknown fields: more'],
  ] as const)
    expect([body, await operator.call('POST', path, body)]).toMatchObject([
      body,
      { status, body: { detail: expect.stringContaining(said) } },
    ]);
  expect((await operator.call('PATCH', `${path}/gold`, { jobs: 1 })).status).toBe(404);
  for (const name of ['free', 'starter', 'pro', 'team'])
    await operator.call('PATCH', `${path}/${name}`, { retired: true });
  expect((await operator.call('PATCH', `${path}/enterprise`, { retired: true })).status).toBe(409);
  const person = await it.signedUp('person');
  expect((await person.call('POST', path, team)).status).toBe(403);
});
