// The operator's routes about keys.
import { type AnswerOf, type BodyOf, routes } from '@vectorium/contract';
import type { Accounts } from '../accounts/index.ts';
import type { Audit } from '../audit/index.ts';
import { ApiError, type App, mount } from '../http/index.ts';
import type { Models } from '../models/index.ts';
import { picodollarsToUsd, usdToPicodollars } from '../plans/index.ts';
import { type Caller, type Key, KeyError, type Keys, KeysTooFast, type NewKey } from './keys.ts';

interface Parts {
  accounts: Pick<Accounts, 'get'>;
  keys: Keys;
  models: Pick<Models, 'get'>;
  audit: Pick<Audit, 'write'>;
}

export function mountKeyRoutes(app: App, { accounts, keys, models, audit }: Parts): void {
  const note = (caller: Caller, address: string, action: string, key: Key) =>
    audit.write({
      action,
      target: key.id,
      accountId: key.accountId,
      personId: caller.person?.id ?? null,
      details: { name: key.name },
      address,
    });

  mount(app, routes.createKey, async ({ caller, reply, params, body }) => {
    const made = await keys.make(params.id, newKeyOf(body, models)).catch(refuseKey);
    if (!made) throw new ApiError('NOT_FOUND', { message: `There is no account ${params.id}` });
    await note(caller, reply.request.ip, 'key.made', made.key);
    return { key_id: made.key.id, api_key: made.secret };
  });

  mount(app, routes.listKeys, async ({ params }) => {
    if (!(await accounts.get(params.id)))
      throw new ApiError('NOT_FOUND', { message: `There is no account ${params.id}` });
    return { data: (await keys.list(params.id)).map(shown), has_more: false };
  });

  mount(app, routes.getKey, async ({ params }) => shown((await keys.get(params.id)) ?? missing(params.id)));

  mount(app, routes.revokeKey, async ({ caller, reply, params }) => {
    const revoked = (await keys.revoke(params.id)) ?? missing(params.id);
    await note(caller, reply.request.ip, 'key.revoked', revoked);
    return shown(revoked);
  });
}

function shown(key: Key): AnswerOf<typeof routes.getKey> {
  return {
    id: key.id,
    account_id: key.accountId,
    name: key.name,
    hint: key.hint,
    admin: key.admin,
    scopes: key.scopes,
    models: key.models,
    budget_usd: key.budgetPicodollars === null ? null : picodollarsToUsd(key.budgetPicodollars),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    created_at: key.createdAt.toISOString(),
  };
}

function missing(id: string): never {
  throw new ApiError('NOT_FOUND', { message: `There is no key ${id}` });
}

/** What is made of a body that asks for a key. Throws INVALID_PARAMETER. */
export function newKeyOf(body: BodyOf<typeof routes.createKey>, models: Pick<Models, 'get'>): NewKey {
  const { name, scopes, models: aliases, budget_usd: budgetUsd, expires_at: expires } = body;
  checkModels(aliases, models);
  const expiresAt = expires === undefined ? null : new Date(expires);
  checkExpiry(expiresAt);
  const budgetPicodollars = budgetUsd === undefined ? null : usdToPicodollars(budgetUsd);
  return { name, scopes, models: aliases, budgetPicodollars, expiresAt };
}

export function checkModels(aliases: readonly string[] | null | undefined, models: Pick<Models, 'get'>): void {
  const unknown = aliases?.find(alias => !models.get(alias));
  if (unknown !== undefined)
    throw new ApiError('INVALID_PARAMETER', { message: `There is no model "${unknown}"`, param: 'models' });
}

export function checkExpiry(expiresAt: Date | null | undefined): void {
  if (expiresAt && expiresAt.getTime() <= Date.now())
    throw new ApiError('INVALID_PARAMETER', { message: 'expires_at must be in the future', param: 'expires_at' });
}

export function refuseKey(error: unknown): never {
  if (error instanceof KeyError) throw new ApiError('KEY_LIMIT_REACHED', { message: error.message });
  if (error instanceof KeysTooFast)
    throw new ApiError('TOO_MANY_ATTEMPTS', { message: error.message, retryAfterSeconds: 3600 });
  throw error;
}
