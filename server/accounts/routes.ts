// The operator's routes about accounts and their credit.
import { type AnswerOf, routes } from '@vectorium/contract';
import type { Audit } from '../audit/index.ts';
import { ApiError, type App, mount } from '../http/index.ts';
import type { Caller, Keys } from '../keys/index.ts';
import type { Models } from '../models/index.ts';
import { picodollarsToUsd, usdToPicodollars } from '../plans/index.ts';
import { type Account, AccountError, type Accounts } from './accounts.ts';

interface Parts {
  accounts: Accounts;
  keys: Pick<Keys, 'make'>;
  models: Pick<Models, 'get'>;
  audit: Pick<Audit, 'write'>;
}

export function mountAccountRoutes(app: App, { accounts, keys, models, audit }: Parts): void {
  async function existing(id: string): Promise<Account> {
    return (await accounts.get(id)) ?? missing(id);
  }

  const note = (
    caller: Caller,
    address: string,
    what: { action: string; id: string; details: Record<string, unknown> },
  ) =>
    audit.write({
      action: what.action,
      target: what.id,
      accountId: what.id,
      personId: caller.person?.id ?? null,
      details: what.details,
      address,
    });

  mount(app, routes.createAccount, async ({ caller, reply, body: { email, plan, credit_usd: creditUsd } }) => {
    const creditPicodollars = creditUsd === undefined ? undefined : usdToPicodollars(creditUsd);
    const account = await accounts.create({ email, plan, creditPicodollars }).catch(refuse);
    const made = await keys.make(account.id, { name: 'first key' });
    await note(caller, reply.request.ip, { action: 'account.made', id: account.id, details: { plan } });
    return { account_id: account.id, api_key: made?.secret ?? missing(account.id) };
  });

  mount(app, routes.listAccounts, async ({ query: { limit, after, email } }) => {
    if (email !== undefined) {
      const found = await accounts.byEmail(email);
      return { data: found ? [shown(found)] : [], has_more: false };
    }
    const page = await accounts.list({ limit: limit + 1, after });
    return { data: page.slice(0, limit).map(shown), has_more: page.length > limit };
  });

  mount(app, routes.getAccount, async ({ params }) => shown(await existing(params.id)));

  mount(app, routes.changeAccount, async ({ caller, reply, params, body }) => {
    const { plan, limits, default_model: defaultModel } = body;
    await existing(params.id);
    if (defaultModel !== undefined && models.get(defaultModel)?.kind !== 'encoder')
      throw new ApiError('MODEL_NOT_FOUND', { message: `There is no model "${defaultModel}"`, param: 'default_model' });
    const changed = await accounts.patch(params.id, { plan, limits, defaultModel }).catch(refuse);
    await note(caller, reply.request.ip, { action: 'plan.changed', id: params.id, details: { ...body } });
    return shown(changed ?? missing(params.id));
  });

  mount(app, routes.addCredit, async ({ caller, reply, params, body: { amount_usd: amountUsd, note: why = '' } }) => {
    if (amountUsd < 0 && why === '')
      throw new ApiError('INVALID_PARAMETER', {
        message: 'What is taken back needs a note that says why',
        param: 'note',
      });
    const amountPicodollars = usdToPicodollars(amountUsd);
    const account = await accounts.credit(params.id, { amountPicodollars, note: why }).catch(refuse);
    const credited = balanceOf(account ?? missing(params.id));
    await note(caller, reply.request.ip, { action: 'credit.added', id: params.id, details: { amount_usd: amountUsd } });
    return credited;
  });

  mount(app, routes.getCredit, async ({ params }) => balanceOf(await existing(params.id)));
}

function shown(account: Account): AnswerOf<typeof routes.getAccount> {
  return {
    id: account.id,
    email: account.email,
    plan: account.plan.name,
    limits: account.limits,
    default_model: account.defaultModel,
    billed: account.billed,
    balance_usd: balanceOf(account).balance_usd,
    created_at: account.createdAt.toISOString(),
  };
}

function balanceOf({ id, billed, balancePicodollars }: Account): AnswerOf<typeof routes.getCredit> {
  return { account_id: id, balance_usd: billed ? picodollarsToUsd(balancePicodollars) : null };
}

function missing(id: string): never {
  throw new ApiError('NOT_FOUND', { message: `There is no account ${id}` });
}

function refuse(error: unknown): never {
  if (!(error instanceof AccountError)) throw error;
  const { code, message } = error;
  if (code === 'EMAIL_TAKEN' || code === 'UNBILLED') throw new ApiError('CONFLICT', { message });
  throw new ApiError('INVALID_PARAMETER', { message, param: code === 'UNKNOWN_PLAN' ? 'plan' : 'amount_usd' });
}
