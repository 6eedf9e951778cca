// The routes by which people manage their own account in the console: its name, its export and its end, and who changed what.
import { type AnswerOf, routes } from '@vectorium/contract';
import { type Audit, shownAudit } from '../audit/index.ts';
import { ApiError, type App, Raw, mount } from '../http/index.ts';
import type { Models } from '../models/index.ts';
import type { Quota } from '../quota/index.ts';
import type { Account, Accounts } from './accounts.ts';
import { type Deletion, checkDeletable } from './deletion.ts';
import { type ExportParts, exportOf } from './export.ts';

export interface OwnAccountParts extends ExportParts {
  accounts: Accounts;
  models: Pick<Models, 'get'>;
  quota: Pick<Quota, 'used'>;
  audit: Audit;
  deletion: Deletion;
}

export function mountOwnAccountRoutes(app: App, parts: OwnAccountParts): void {
  const { accounts, models, quota, audit, deletion } = parts;
  /** Accounts that are being exported by this process. */
  const exporting = new Set<string>();

  async function shown(account: Account): Promise<AnswerOf<typeof routes.getOwnAccount>> {
    return {
      id: account.id,
      name: account.name,
      email: account.email,
      plan: account.plan.name,
      default_model: account.defaultModel,
      billing: account.invoiceTo,
      storage: { used_bytes: await quota.used(account.id), limit_bytes: account.plan.storageBytes },
      created_at: account.createdAt.toISOString(),
    };
  }

  mount(app, routes.getOwnAccount, ({ caller }) => shown(caller.account));

  mount(app, routes.changeOwnAccount, async ({ caller, body, reply }) => {
    const { name, default_model: defaultModel, billing: invoiceTo } = body;
    if (defaultModel !== undefined && models.get(defaultModel)?.kind !== 'encoder')
      throw new ApiError('MODEL_NOT_FOUND', { message: `There is no model "${defaultModel}"`, param: 'default_model' });
    const account = await accounts.patch(caller.account.id, { name, defaultModel, invoiceTo });
    if (!account) throw new Error('the account of a session is gone');
    await audit.write({
      action: 'account.changed',
      target: account.id,
      accountId: account.id,
      personId: caller.person.id,
      details: { fields: Object.keys(body).filter(field => body[field as keyof typeof body] !== undefined) },
      address: reply.request.ip,
    });
    return shown(account);
  });

  mount(app, routes.exportAccount, async ({ caller: { account, person }, reply }) => {
    const { id } = account;
    if (exporting.has(id))
      throw new ApiError('CONFLICT', { message: 'An export of this account is under way: wait for its end' });
    exporting.add(id);
    reply.raw.once('close', () => exporting.delete(id));
    await audit.write({
      action: 'account.exported',
      target: id,
      accountId: id,
      personId: person.id,
      address: reply.request.ip,
    });
    reply.header('content-disposition', `attachment; filename="${id}.zip"`);
    return new Raw(await exportOf(parts, id), 'application/zip');
  });

  mount(app, routes.deleteOwnAccount, async ({ caller: { account, person }, body: { confirm }, reply }) => {
    checkDeletable(account, confirm);
    await deletion.delete(account.id, { personId: person.id, address: reply.request.ip });
    return { done: true as const };
  });

  mount(app, routes.listAudit, async ({ caller, query: { limit, after } }) => {
    const entries = await audit.list({ accountId: caller.account.id, limit: limit + 1, after });
    return { data: entries.slice(0, limit).map(shownAudit), has_more: entries.length > limit };
  });
}
