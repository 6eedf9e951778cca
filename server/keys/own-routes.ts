// The routes by which people manage the keys of their account in the console.
import { type AnswerOf, routes } from '@vectorium/contract';
import type { Audit } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError, type App, type SessionCaller, mount } from '../http/index.ts';
import type { Models } from '../models/index.ts';
import { picodollarsToUsd, usdToPicodollars } from '../plans/index.ts';
import type { Key, Keys } from './keys.ts';
import { checkExpiry, checkModels, newKeyOf, refuseKey } from './routes.ts';

interface Parts {
  keys: Keys;
  models: Pick<Models, 'get'>;
  audit: Audit;
  database: Pick<Database, 'query'>;
  /** Money that was lent under a key's old budget is back when it resolves. */
  budgetChanged(keyId: string): Promise<void>;
}

type ShownKey = AnswerOf<typeof routes.revokeOwnKey>;
const hourMs = 3_600_000;

export function mountOwnKeyRoutes(app: App, { keys, models, audit, database, budgetChanged }: Parts): void {
  async function shown(...list: Key[]): Promise<ShownKey[]> {
    const rows = await database.query<{ id: string; name: string }>(
      'SELECT id, name FROM people WHERE id IN (SELECT json_array_elements_text($1::json))',
      [JSON.stringify(list.flatMap(({ madeBy }) => madeBy ?? []))],
    );
    const names = new Map(rows.map(({ id, name }) => [id, name]));
    return list.map(key => shownKey(key, names));
  }

  /** Who is no owner manages what he made. */
  async function managed(caller: SessionCaller, id: string): Promise<Key> {
    const key = await keys.get(id);
    // Nobody manages the keys by which sessions are counted.
    if (key?.accountId !== caller.account.id || key.ofSession)
      throw new ApiError('NOT_FOUND', { message: `The account has no key ${id}` });
    if (caller.person.role !== 'owner' && key.madeBy !== caller.person.id)
      throw new ApiError('ROLE_NOT_ALLOWED', { message: 'The key is another person’s: an owner can do that' });
    return key;
  }

  const note = (caller: SessionCaller, action: string, key: Key, address: string, details: object = {}) =>
    audit.write({
      action,
      target: key.id,
      accountId: caller.account.id,
      personId: caller.person.id,
      details: { name: key.name, ...details },
      address,
    });

  mount(app, routes.listOwnKeys, async ({ caller: { account } }) => {
    const data = await shown(...(await keys.list(account.id)).toReversed());
    return { data, active: data.filter(({ state }) => state === 'active').length, max_keys: account.plan.maxKeys };
  });

  mount(app, routes.createOwnKey, async ({ caller, body, reply }) => {
    const { account, person } = caller;
    const made = await keys.make(account.id, { ...newKeyOf(body, models), madeBy: person.id }).catch(refuseKey);
    if (!made) throw new Error('the account of a session is gone');
    await note(caller, 'key.made', made.key, reply.request.ip);
    const [key] = await shown(made.key);
    if (!key) throw new Error('a key is gone');
    return { key, api_key: made.secret };
  });

  mount(app, routes.changeOwnKey, async ({ caller, params: { id }, body, reply }) => {
    const old = await managed(caller, id);
    if (old.revokedAt) throw new ApiError('CONFLICT', { message: `The key ${id} is revoked for good: make a new one` });
    checkModels(body.models, models);
    const expiresAt =
      body.expires_at === undefined || body.expires_at === null ? body.expires_at : new Date(body.expires_at);
    checkExpiry(expiresAt);
    const budgetUsd = body.budget_usd;
    const changed = await keys
      .change(id, {
        name: body.name,
        scopes: body.scopes,
        models: body.models,
        budgetPicodollars: budgetUsd === undefined || budgetUsd === null ? budgetUsd : usdToPicodollars(budgetUsd),
        expiresAt,
      })
      .catch(refuseKey);
    if (!changed) throw new ApiError('CONFLICT', { message: `The key ${id} was revoked a moment ago` });
    if (budgetUsd !== undefined) await budgetChanged(id);
    await note(caller, 'key.changed', changed, reply.request.ip, body);
    const [key] = await shown(changed);
    if (!key) throw new Error('a key is gone');
    return key;
  });

  mount(app, routes.rotateOwnKey, async ({ caller, params: { id }, body, reply }) => {
    const old = await managed(caller, id);
    if (stateOf(old) !== 'active')
      throw new ApiError('NOT_FOUND', { message: `The key ${id} is ${stateOf(old)}: make a new one` });
    const overlapMs = body.overlap_hours * hourMs;
    const made = await keys.rotate(id, { overlapMs, madeBy: caller.person.id }).catch(refuseKey);
    if (!made) throw new ApiError('NOT_FOUND', { message: `The account has no key ${id}` });
    await note(caller, 'key.rotated', made.key, reply.request.ip);
    const [key] = await shown(made.key);
    if (!key) throw new Error('a key is gone');
    return { key, api_key: made.secret };
  });

  mount(app, routes.revokeOwnKey, async ({ caller, params: { id }, reply }) => {
    await managed(caller, id);
    const revoked = await keys.revoke(id);
    if (!revoked) throw new ApiError('NOT_FOUND', { message: `The account has no key ${id}` });
    await note(caller, 'key.revoked', revoked, reply.request.ip);
    const [key] = await shown(revoked);
    if (!key) throw new Error('a key is gone');
    return key;
  });
}

function stateOf(key: Key): ShownKey['state'] {
  if (key.revokedAt) return 'revoked';
  return key.expiresAt && key.expiresAt.getTime() <= Date.now() ? 'expired' : 'active';
}

function shownKey(key: Key, names: ReadonlyMap<string, string>): ShownKey {
  return {
    id: key.id,
    name: key.name,
    hint: key.hint,
    scopes: key.scopes,
    models: key.models,
    budget_usd: key.budgetPicodollars === null ? null : picodollarsToUsd(key.budgetPicodollars),
    spent_usd: picodollarsToUsd(key.spentPicodollars),
    made_by: key.madeBy === null ? null : { id: key.madeBy, name: names.get(key.madeBy) ?? '' },
    state: stateOf(key),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    created_at: key.createdAt.toISOString(),
  };
}
