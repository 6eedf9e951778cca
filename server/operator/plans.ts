// The operator's routes about plans: what is on each, and making and changing them while the server runs.
import { type AnswerOf, routes } from '@vectorium/contract';
import { shownPlan } from '../billing/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError, type App, mount } from '../http/index.ts';
import type { Models } from '../models/index.ts';
import type { People } from '../people/index.ts';
import { type Plan, type PlanStore, picodollarsToUsd } from '../plans/index.ts';

interface Parts {
  database: Pick<Database, 'query'>;
  plans: PlanStore;
  models: Pick<Models, 'get'>;
  people: Pick<People, 'audit'>;
}

type PlanInUse = AnswerOf<typeof routes.changePlan>;

export function mountPlanRoutes(app: App, { database, plans, models, people: { audit } }: Parts): void {
  async function shown(list: readonly Plan[]): Promise<PlanInUse[]> {
    const rows = await database.query<{ plan: string; count: number }>(
      'SELECT plan, count(*)::integer AS count FROM accounts GROUP BY plan',
    );
    const counts = new Map(rows.map(({ plan, count }) => [plan, count]));
    return list.map(plan => ({
      ...shownPlan(plan),
      accounts: counts.get(plan.name) ?? 0,
      retired: plan.retired,
      changed: plan.changed,
    }));
  }

  async function only(plan: Plan): Promise<PlanInUse> {
    const [one] = await shown([plan]);
    if (!one) throw new Error('a plan is gone');
    return one;
  }

  /** A new account needs a model that makes vectors. */
  function checkModels(aliases: readonly string[] | null | undefined, tiers: readonly string[]): void {
    if (!aliases) return;
    const unknown = aliases.find(alias => !models.get(alias));
    if (unknown !== undefined)
      throw new ApiError('INVALID_PARAMETER', { message: `There is no model "${unknown}"`, param: 'models' });
    const usable = aliases.some(alias => {
      const entry = models.get(alias);
      return entry?.kind === 'encoder' && tiers.includes(entry.tier);
    });
    if (!usable)
      throw new ApiError('INVALID_PARAMETER', {
        message: 'models must have a model for vectors, of one of the tiers of the plan',
        param: 'models',
      });
  }

  mount(app, routes.listPlansInUse, async () => ({
    data: await shown(plans.list()),
    sign_up_plan: plans.signUpPlan().name,
    sign_up_credit_usd: picodollarsToUsd(plans.signUpCreditPicodollars),
  }));

  mount(app, routes.createPlan, async ({ caller, body: { name, ...definition }, reply }) => {
    checkModels(definition.models, definition.tiers);
    const made = await plans.create(name, definition);
    if (!made) throw new ApiError('CONFLICT', { message: `There is a plan "${name}" already`, param: 'name' });
    await audit.write({
      action: 'plan.made',
      target: name,
      accountId: null,
      personId: caller.person?.id ?? null,
      details: definition,
      address: reply.request.ip,
    });
    return only(made);
  });

  mount(app, routes.changePlan, async ({ caller, params: { name }, body, reply }) => {
    const plan = plans.get(name);
    if (!plan) throw new ApiError('NOT_FOUND', { message: `There is no plan "${name}"` });
    checkModels(body.models === undefined ? plan.models : body.models, body.tiers ?? plan.tiers);
    const others = plans.list().some(each => each.name !== name && !each.retired);
    if (body.retired && !others)
      throw new ApiError('CONFLICT', { message: 'The last plan that people can be on can not be retired' });
    const changed = await plans.change(name, body);
    if (!changed) throw new ApiError('NOT_FOUND', { message: `There is no plan "${name}"` });
    await audit.write({
      action: 'plan.redefined',
      target: name,
      accountId: null,
      personId: caller.person?.id ?? null,
      details: body,
      address: reply.request.ip,
    });
    return only(changed);
  });

  mount(app, routes.setSignUpCredit, async ({ caller, body: { credit_usd: creditUsd }, reply }) => {
    await plans.setSignUpCredit(creditUsd);
    await audit.write({
      action: 'sign_up_credit.changed',
      target: 'sign-up',
      accountId: null,
      personId: caller.person?.id ?? null,
      details: { credit_usd: creditUsd },
      address: reply.request.ip,
    });
    return { credit_usd: picodollarsToUsd(plans.signUpCreditPicodollars) };
  });
}
