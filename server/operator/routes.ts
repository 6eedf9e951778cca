// The operator's routes of the console: accounts and their people, the catalog, the server over time, invitations to sign up.
import { type AnswerOf, routes } from '@vectorium/contract';
import type { Engine } from '@vectorium/engine';
import { type Accounts, type Deletion, checkDeletable } from '../accounts/index.ts';
import { shownAudit } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError, type App, mount } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Models } from '../models/index.ts';
import { type People, invitationMail, shownInvitation } from '../people/index.ts';
import { type PlanStore, picodollarsToUsd } from '../plans/index.ts';
import { type AccountRow, peopleOf, searchAccounts } from './accounts.ts';
import { mountPlanRoutes } from './plans.ts';
import type { Series } from './series.ts';

export interface OperatorParts {
  database: Database;
  accounts: Accounts;
  people: People;
  plans: PlanStore;
  models: Models;
  engine: Pick<Engine, 'status'>;
  deletion: Deletion;
  series: Series;
  log: (event: string, fields: object) => void;
}

const done = { done: true } as const;

export function mountOperatorRoutes(app: App, parts: OperatorParts): void {
  mountAccounts(app, parts);
  mountPlanRoutes(app, parts);
  mountModels(app, parts);
  mountInvitations(app, parts);

  mount(app, routes.getServerSeries, ({ query: { minutes } }) => {
    const points = parts.series.points(minutes);
    const { intervalSeconds } = parts.series;
    const column = <Value>(read: (point: (typeof points)[number]) => Value): Value[] => points.map(read);
    const rates = (read: (point: (typeof points)[number]) => number): number[] =>
      points.map(point => Math.round((100 * read(point)) / point.seconds) / 100);
    return {
      interval_seconds: intervalSeconds,
      at: column(each => each.atSeconds),
      requests_per_second: rates(each => each.requests),
      errors_per_second: rates(each => each.errors),
      p50_ms: column(each => each.p50Ms),
      p95_ms: column(each => each.p95Ms),
      p99_ms: column(each => each.p99Ms),
      tokens_per_second: rates(each => each.tokens),
      queued_tokens: column(each => each.queuedTokens),
      resident_bytes: column(each => each.residentBytes),
      cpu_percent: column(each => each.cpuPercent),
      memory_percent: column(each => each.memoryPercent),
    };
  });
}

function mountAccounts(app: App, { database, accounts, people, deletion }: OperatorParts): void {
  const { audit } = people;

  mount(app, routes.searchAccounts, async ({ query: { limit, after, search, plan } }) => {
    const rows = await searchAccounts(database, { limit: limit + 1, after, search, plan });
    return { data: rows.slice(0, limit).map(shownRow), has_more: rows.length > limit };
  });

  mount(app, routes.inspectAccount, async ({ params: { id } }) => {
    const [row] = await searchAccounts(database, { id, limit: 1 });
    if (!row) throw noAccount(id);
    const entries = await database.query(
      `SELECT id, at, kind, amount_picodollars, note FROM ledger WHERE account_id = $1 AND kind NOT IN ('usage', 'usage_of_day')
       ORDER BY at DESC, id DESC LIMIT 50`,
      [id],
    );
    return {
      ...shownRow(row),
      people: await peopleOf(database, id),
      ledger: entries.map(entry => ({
        id: String(entry['id']),
        at: (entry['at'] as Date).toISOString(),
        kind: String(entry['kind']),
        amount_usd: picodollarsToUsd(entry['amount_picodollars'] as bigint),
        note: String(entry['note']),
      })),
    };
  });

  mount(app, routes.deleteAccount, async ({ caller, params: { id }, body: { confirm }, reply }) => {
    const account = await accounts.get(id);
    if (!account) throw noAccount(id);
    checkDeletable(account, confirm);
    await deletion.delete(id, { personId: caller.person?.id ?? null, address: reply.request.ip });
    return done;
  });

  mount(app, routes.createResetLink, async ({ caller, params: { id }, reply }) => {
    const made = await people.resetLink(id);
    if (!made) throw new ApiError('NOT_FOUND', { message: `There is no person ${id}` });
    await note(people, caller, reply.request.ip, { action: 'reset_link.made', target: id });
    return { link: made.link, expires_at: made.expiresAt.toISOString() };
  });

  mount(app, routes.confirmPerson, async ({ caller, params: { id }, reply }) => {
    if (!(await people.confirmations.vouch(id)))
      throw new ApiError('NOT_FOUND', { message: `There is no person ${id}` });
    await note(people, caller, reply.request.ip, { action: 'person.vouched', target: id });
    return done;
  });

  mount(app, routes.listServerAudit, async ({ query: { limit, after, account_id: accountId } }) => {
    const entries = await audit.list({ accountId, limit: limit + 1, after });
    const data = entries.slice(0, limit).map(entry => ({ ...shownAudit(entry), account_id: entry.accountId }));
    return { data, has_more: entries.length > limit };
  });
}

function mountModels(app: App, { models, engine, people, log }: OperatorParts): void {
  mount(app, routes.listCatalog, () => {
    const status = engine.status();
    return {
      engine: {
        workers: status.workers,
        busy_workers: status.busyWorkers,
        memory_budget_bytes: status.memoryBudgetBytes,
        resident_bytes: status.residentBytes,
      },
      trained: {
        models: status.predictor.models,
        resident_bytes: status.predictor.residentBytes,
        queued_rows: status.predictor.queuedRows,
      },
      data: models.list().map(entry => shownModel(models, status, entry)),
    };
  });

  mount(app, routes.pullModel, async ({ caller, params: { alias }, reply }) => {
    if (!models.get(alias)) throw noModel(alias);
    // It goes on by itself; the catalog shows how far it is, and what went wrong.
    models.pull(alias).catch((error: unknown) => {
      log('models.pull_failed', { model: alias, message: error instanceof Error ? error.message : String(error) });
    });
    await note(people, caller, reply.request.ip, { action: 'model.pulled', target: alias });
    return { state: models.state(alias).state };
  });

  mount(app, routes.removeModelFiles, async ({ caller, params: { alias }, reply }) => {
    if (!models.get(alias)) throw noModel(alias);
    if (models.state(alias).state === 'pulling')
      throw new ApiError('CONFLICT', { message: `${alias} is being fetched` });
    const deleted = await models.remove(alias);
    await note(people, caller, reply.request.ip, { action: 'model.removed', target: alias });
    return { deleted };
  });
}

function mountInvitations(app: App, { people, accounts }: OperatorParts): void {
  const { members } = people;

  mount(app, routes.listSignUpInvitations, async () => ({
    data: (await members.invitations(null)).map(shownInvitation),
  }));

  mount(app, routes.createSignUpInvitation, async ({ caller, body, reply }) => {
    const { email, plan = null, account_id: accountId = null } = body;
    const account = accountId === null ? null : await accounts.get(accountId);
    if (accountId !== null && !account) throw noAccount(accountId);
    const role = accountId === null ? null : ('owner' as const);
    const { invitation, token, mailToken } = await members.invite({
      accountId,
      email,
      role,
      plan,
      invitedBy: caller.person?.id ?? null,
    });
    const link = people.link('/console/invitation', token);
    const by = caller.person?.name ?? 'The operator';
    const mailed = await people.tell(
      invitationMail({
        email,
        account: account?.name ?? null,
        by,
        link: people.link('/console/invitation', mailToken),
        language: 'en',
      }),
    );
    await note(people, caller, reply.request.ip, { action: 'person.invited', target: email });
    return { invitation: shownInvitation(invitation), link, mailed };
  });

  mount(app, routes.revokeSignUpInvitation, async ({ caller, params: { id }, reply }) => {
    if (!(await members.uninvite(null, id)))
      throw new ApiError('NOT_FOUND', { message: `There is no invitation ${id}` });
    await note(people, caller, reply.request.ip, { action: 'invitation.revoked', target: id });
    return done;
  });
}

type CatalogAnswer = AnswerOf<typeof routes.listCatalog>;

function shownModel(
  models: Models,
  status: ReturnType<Engine['status']>,
  entry: ReturnType<Models['list']>[number],
): CatalogAnswer['data'][number] {
  const { state, progress, precision, error } = models.state(entry.alias);
  // The engine's ids are the alias and what its files are.
  const loaded = status.models.find(each => each.id.split('@')[0] === entry.alias);
  return {
    alias: entry.alias,
    name: entry.model,
    kind: entry.kind,
    tier: entry.tier,
    state,
    precision: precision ?? null,
    error: error ?? null,
    pull: progress
      ? { done_bytes: progress.doneBytes, total_bytes: progress.totalBytes, source: progress.source }
      : null,
    loaded: loaded
      ? {
          state: loaded.state,
          sessions: loaded.sessions,
          resident_bytes: loaded.residentBytes,
          queued_texts: loaded.queuedTexts,
          queued_tokens: loaded.queuedTokens,
          batches: loaded.batches,
          tokens: loaded.tokens,
        }
      : null,
  };
}

function note(
  people: People,
  caller: Caller,
  address: string,
  what: { action: string; target: string },
): Promise<void> {
  return people.audit.write({ ...what, accountId: null, personId: caller.person?.id ?? null, address });
}

function shownRow(row: AccountRow): AnswerOf<typeof routes.searchAccounts>['data'][number] {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    plan: row.plan,
    billed: row.billed,
    balance_usd: row.billed ? picodollarsToUsd(row.balancePicodollars) : null,
    spent_usd: picodollarsToUsd(row.spentPicodollars),
    members: row.members,
    keys: row.keys,
    storage_bytes: row.storageBytes,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  };
}

function noAccount(id: string): ApiError {
  return new ApiError('NOT_FOUND', { message: `There is no account ${id}` });
}

function noModel(alias: string): ApiError {
  return new ApiError('MODEL_NOT_FOUND', { message: `There is no model "${alias}"`, param: 'alias' });
}
