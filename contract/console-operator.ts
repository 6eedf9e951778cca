// What the operator sees and does in the console beside the routes below /admin: accounts with their people, the catalog with what is in
// memory, how the server does over time, and invitations to sign up. A session of an operator or an administrator's key may use them.
import { z } from 'zod';
import { auditEntry, consoleInvitation } from './console.ts';
import { planShape } from './console-billing.ts';
import { dollars, line, optional, page, pageOf, wholeNumber, withDefault } from './fields.ts';
import { defineRoute, roles } from './route.ts';

const operator = { tag: 'Console', auth: 'admin', family: 'console', scope: 'admin', dialect: 'native' } as const;
const identity = z.object({ id: line(100) });
const done = z.object({ done: z.literal(true) });

const accountRow = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  plan: z.string(),
  billed: z.boolean(),
  balance_usd: z.number().nullable(),
  spent_usd: z.number().meta({ description: 'This month.' }),
  members: z.int(),
  keys: z.int().meta({ description: 'Active ones.' }),
  storage_bytes: z.int(),
  last_used_at: z.string().nullable(),
  created_at: z.string(),
});

const searchAccounts = defineRoute({
  ...operator,
  id: 'searchAccounts',
  method: 'GET',
  path: '/console/api/operator/accounts',
  summary: 'Accounts with what they use, oldest first',
  query: page.extend({
    search: optional(
      line(254).meta({ description: 'Part of the id, name or e-mail address of the account or a member.' }),
    ),
    plan: optional(line(100)),
  }),
  answer: pageOf(accountRow),
  errors: ['INVALID_PARAMETER'],
});

const inspectAccount = defineRoute({
  ...operator,
  id: 'inspectAccount',
  method: 'GET',
  path: '/console/api/operator/accounts/{id}',
  summary: 'One account with its people',
  description: 'Its limits, keys and credit are at `/admin/accounts/{id}`.',
  params: identity,
  answer: accountRow.extend({
    people: z.array(
      z.object({
        person_id: z.string(),
        name: z.string(),
        email: z.string(),
        role: z.enum(roles),
        email_verified: z.boolean(),
        last_seen_at: z.string().nullable(),
      }),
    ),
    ledger: z
      .array(z.object({ id: z.string(), at: z.string(), kind: z.string(), amount_usd: z.number(), note: z.string() }))
      .meta({ description: 'The last 50 entries that are no usage, newest first.' }),
  }),
  errors: ['NOT_FOUND'],
});

const deleteAccount = defineRoute({
  ...operator,
  id: 'deleteAccount',
  method: 'POST',
  path: '/console/api/operator/accounts/{id}/delete',
  summary: 'Delete an account with all its data, as its owner could',
  params: identity,
  body: z.strictObject({ confirm: line(100).meta({ description: "The account's id." }) }),
  answer: done,
  errors: ['NOT_FOUND', 'CONFLICT'],
});

const createResetLink = defineRoute({
  ...operator,
  id: 'createResetLink',
  method: 'POST',
  path: '/console/api/operator/people/{id}/reset',
  summary: 'A link by which a person chooses a new password, to hand over where no mail is sent',
  params: identity,
  answer: z.object({ link: z.string().meta({ description: 'Shown this once.' }), expires_at: z.string() }),
  errors: ['NOT_FOUND'],
});

const confirmPerson = defineRoute({
  ...operator,
  id: 'confirmPerson',
  method: 'POST',
  path: '/console/api/operator/people/{id}/confirm',
  summary: "Vouch for a person's e-mail address, where its mail does not arrive",
  params: identity,
  answer: done,
  errors: ['NOT_FOUND'],
});

const count = z.int().min(1).max(2_000_000_000);
const limit = count.nullable();
const title = line(100);

/** What an operator sets of a plan; null is unlimited. */
const planFields = {
  title,
  vectors: z.strictObject({ minute: limit, hour: limit, batch: count }),
  data: z.strictObject({ minute: limit, day: limit }),
  tiers: z.array(z.enum(['budget', 'standard', 'premium'])).min(1),
  models: z.array(line(200)).min(1).max(1000).nullable(),
  monthly_credit_usd: dollars,
  storage_bytes: z.int().min(0).nullable(),
  jobs: limit,
  max_keys: limit,
  price_per_training_second_usd: dollars,
  price_per_predicted_row_usd: dollars,
  price_per_generated_token_usd: dollars,
};

const planInUse = planShape.extend({
  accounts: z.int(),
  retired: z.boolean().meta({ description: 'Kept for the accounts that are on it; offered to nobody else.' }),
  changed: z.boolean().meta({ description: 'Made or changed in the console, and so not what plans.json says.' }),
});

const listPlansInUse = defineRoute({
  ...operator,
  id: 'listPlansInUse',
  method: 'GET',
  path: '/console/api/operator/plans',
  summary: 'The plans, and how many accounts are on each',
  answer: z.object({
    data: z.array(planInUse),
    sign_up_plan: z.string().meta({ description: 'Of those who sign up: `free`, or the first that is not retired.' }),
    sign_up_credit_usd: z.number(),
  }),
  errors: [],
});

const createPlan = defineRoute({
  ...operator,
  id: 'createPlan',
  method: 'POST',
  path: '/console/api/operator/plans',
  summary: 'Make a plan',
  body: z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must be small letters, digits, - and _, at most 32'),
    ...planFields,
  }),
  answer: planInUse,
  errors: ['INVALID_PARAMETER', 'CONFLICT'],
});

const changePlan = defineRoute({
  ...operator,
  id: 'changePlan',
  method: 'PATCH',
  path: '/console/api/operator/plans/{name}',
  summary: 'Change a plan for all accounts that are on it, from their next request on',
  description:
    'What is absent stays. A plan is never deleted but retired: accounts that are on it keep it. An account of its own limits keeps those.',
  params: z.object({ name: line(100) }),
  body: z.strictObject({ ...planFields, retired: z.boolean() }).partial(),
  answer: planInUse,
  errors: ['INVALID_PARAMETER', 'NOT_FOUND', 'CONFLICT'],
});

const setSignUpCredit = defineRoute({
  ...operator,
  id: 'setSignUpCredit',
  method: 'PUT',
  path: '/console/api/operator/sign-up-credit',
  summary: 'Set the credit that who signs up gets once, beside that of the plan',
  body: z.strictObject({ credit_usd: dollars }),
  answer: z.object({ credit_usd: z.number() }),
  errors: [],
});

const listCatalog = defineRoute({
  ...operator,
  id: 'listCatalog',
  method: 'GET',
  path: '/console/api/operator/models',
  summary: 'The catalog: what is on disk, being pulled, and in memory with its queue',
  answer: z.object({
    engine: z.object({
      workers: z.int(),
      busy_workers: z.int(),
      memory_budget_bytes: z.number(),
      resident_bytes: z.number(),
    }),
    trained: z
      .object({ models: z.int(), resident_bytes: z.number(), queued_rows: z.int() })
      .meta({ description: 'Trained models in memory.' }),
    data: z.array(
      z.object({
        alias: z.string(),
        name: z.string(),
        kind: z.string(),
        tier: z.string(),
        state: z.enum(['ready', 'pulling', 'absent', 'unavailable']),
        precision: z.string().nullable(),
        error: z.string().nullable(),
        pull: z.object({ done_bytes: z.number(), total_bytes: z.number(), source: z.string() }).nullable(),
        loaded: z
          .object({
            state: z.string(),
            sessions: z.int(),
            resident_bytes: z.number(),
            queued_texts: z.int(),
            queued_tokens: z.int(),
            batches: z.int(),
            tokens: z.int(),
          })
          .nullable()
          .meta({ description: 'null when nobody has asked for it since the start.' }),
      }),
    ),
  }),
  errors: [],
});

const pullModel = defineRoute({
  ...operator,
  id: 'pullModel',
  method: 'POST',
  path: '/console/api/operator/models/{alias}/pull',
  summary: 'Fetch a model of the catalog; the catalog shows how far it is',
  params: z.object({ alias: line(200) }),
  answer: z.object({ state: z.string() }),
  errors: ['MODEL_NOT_FOUND'],
});

const removeModelFiles = defineRoute({
  ...operator,
  id: 'removeModelFiles',
  method: 'DELETE',
  path: '/console/api/operator/models/{alias}',
  summary: "Delete a catalog model's files; the next use fetches them again",
  params: z.object({ alias: line(200) }),
  answer: z.object({ deleted: z.boolean() }),
  errors: ['MODEL_NOT_FOUND', 'CONFLICT'],
});

const getServerSeries = defineRoute({
  ...operator,
  id: 'getServerSeries',
  method: 'GET',
  path: '/console/api/operator/series',
  summary: 'Requests, latency, queues and the machine over time',
  description:
    'Of this process since its start, one point every ten seconds; of the time before, one a minute, of all processes that there were. Kept for a day. Equally long columns. `/health` and `/metrics` tell of now.',
  query: z.object({ minutes: withDefault(wholeNumber(1, 1440), 60) }),
  answer: z.object({
    interval_seconds: z.number(),
    at: z.array(z.number()).meta({ description: 'Seconds since 1970.' }),
    requests_per_second: z.array(z.number()),
    errors_per_second: z.array(z.number()).meta({ description: 'Answers with a status from 500.' }),
    p50_ms: z.array(z.number().nullable()).meta({ description: 'null where there was no request.' }),
    p95_ms: z.array(z.number().nullable()),
    p99_ms: z.array(z.number().nullable()),
    tokens_per_second: z.array(z.number()),
    queued_tokens: z.array(z.number()),
    resident_bytes: z.array(z.number()).meta({ description: 'Models in memory.' }),
    cpu_percent: z.array(z.number()),
    memory_percent: z.array(z.number()),
  }),
  errors: ['INVALID_PARAMETER'],
});

const listSignUpInvitations = defineRoute({
  ...operator,
  id: 'listSignUpInvitations',
  method: 'GET',
  path: '/console/api/operator/invitations',
  summary: 'Invitations to sign up that are open',
  answer: z.object({ data: z.array(consoleInvitation.plain) }),
  errors: [],
});

const createSignUpInvitation = defineRoute({
  ...operator,
  id: 'createSignUpInvitation',
  method: 'POST',
  path: '/console/api/operator/invitations',
  summary: 'Invite a person to sign up, with an account of its own',
  body: consoleInvitation.signUp,
  answer: consoleInvitation.made,
  errors: ['CONFLICT'],
});

const revokeSignUpInvitation = defineRoute({
  ...operator,
  id: 'revokeSignUpInvitation',
  method: 'DELETE',
  path: '/console/api/operator/invitations/{id}',
  summary: 'Take an invitation to sign up back',
  params: identity,
  answer: done,
  errors: ['NOT_FOUND'],
});

const listServerAudit = defineRoute({
  ...operator,
  id: 'listServerAudit',
  method: 'GET',
  path: '/console/api/operator/audit',
  summary: 'Who changed what on the server, newest first',
  query: page.extend({ account_id: optional(line(100)) }),
  answer: pageOf(auditEntry.extend({ account_id: z.string().nullable() })),
  errors: ['INVALID_PARAMETER'],
});

export const consoleOperatorRoutes = {
  searchAccounts,
  inspectAccount,
  deleteAccount,
  createResetLink,
  confirmPerson,
  listPlansInUse,
  createPlan,
  changePlan,
  setSignUpCredit,
  listCatalog,
  pullModel,
  removeModelFiles,
  getServerSeries,
  listSignUpInvitations,
  createSignUpInvitation,
  revokeSignUpInvitation,
  listServerAudit,
};
