// The operator's routes: accounts, their credit and their keys.
import { z } from 'zod';
import { dollars, instant, line, optional, page, pageOf, withDefault } from './fields.ts';
import { defineRoute, scopes } from './route.ts';

const admin = { tag: 'Administration', auth: 'admin', family: 'read', scope: 'admin', dialect: 'native' } as const;

const planName = line(100).toLowerCase();
const count = z.int().min(1).max(2_000_000_000);
const limit = count.nullable();
const identity = z.object({ id: line(100) });

/** What an account has instead of its plan's numbers, column by column; null is unlimited. */
const limits = z.strictObject({
  vectors: z.strictObject({ minute: limit, hour: limit, batch: count }).partial().optional(),
  data: z.strictObject({ minute: limit, day: limit }).partial().optional(),
  tiers: z
    .array(z.enum(['budget', 'standard', 'premium']))
    .min(1)
    .optional(),
  models: z.array(z.string().min(1).max(200)).min(1).max(1000).nullable().optional(),
  monthly_credit_usd: z.number().min(0).max(1_000_000).optional(),
  storage_bytes: z.int().min(0).nullable().optional(),
  jobs: limit.optional(),
  max_keys: limit.optional(),
});

const account = z.object({
  id: z.string(),
  email: z.string(),
  plan: z.string(),
  limits: limits.nullable(),
  default_model: z.string(),
  billed: z.boolean(),
  balance_usd: z.number().nullable().meta({ description: 'null on an account that is not billed.' }),
  created_at: z.string(),
});

const key = z.object({
  id: z.string(),
  account_id: z.string(),
  name: z.string(),
  hint: z.string().meta({ description: "The secret's last letters." }),
  admin: z.boolean(),
  scopes: z.array(z.string()).nullable(),
  models: z.array(z.string()).nullable(),
  budget_usd: z.number().nullable(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  created_at: z.string(),
});

const balance = z.object({
  account_id: z.string(),
  balance_usd: z.number().nullable().meta({ description: 'null on an account that is not billed.' }),
});

const secret = z.string().meta({ description: 'Shown this once; only a hash of it is kept.' });

const createAccount = defineRoute({
  ...admin,
  id: 'createAccount',
  method: 'POST',
  path: '/admin/accounts',
  summary: 'Make an account and its first key',
  idempotent: true,
  body: z.strictObject({
    email: line(254).pipe(z.email({ error: 'must be an e-mail address' })),
    plan: withDefault(planName, 'free'),
    credit_usd: optional(dollars.meta({ description: "Opening balance; the plan's when absent." })),
  }),
  answer: z.object({ account_id: z.string(), api_key: secret }),
  errors: ['INVALID_PARAMETER', 'CONFLICT'],
  example: {
    body: { email: 'person@example.com', plan: 'starter', credit_usd: 25 },
    answer: { account_id: 'acc_3f9c2a', api_key: 'sk-…' },
  },
});

const listAccounts = defineRoute({
  ...admin,
  id: 'listAccounts',
  method: 'GET',
  path: '/admin/accounts',
  summary: 'All accounts',
  query: page.extend({ email: optional(line(254)) }),
  answer: pageOf(account),
  errors: ['INVALID_PARAMETER'],
});

const getAccount = defineRoute({
  ...admin,
  id: 'getAccount',
  method: 'GET',
  path: '/admin/accounts/{id}',
  summary: 'One account',
  params: identity,
  answer: account,
  errors: ['NOT_FOUND'],
});

const changeAccount = defineRoute({
  ...admin,
  id: 'changeAccount',
  method: 'PATCH',
  path: '/admin/accounts/{id}',
  summary: "Change an account's plan, limits or default model",
  description: 'Fields that are absent stay; `limits: null` goes back to the plan.',
  params: identity,
  body: z.strictObject({
    plan: optional(planName),
    limits: limits.nullable().optional(),
    default_model: optional(line(200)),
  }),
  answer: account,
  errors: ['INVALID_PARAMETER', 'NOT_FOUND', 'MODEL_NOT_FOUND'],
  example: { body: { plan: 'pro', limits: { vectors: { minute: 1000 } } } },
});

const addCredit = defineRoute({
  ...admin,
  id: 'addCredit',
  method: 'POST',
  path: '/admin/accounts/{id}/credit',
  summary: 'Add to the balance of an account, or take back',
  description:
    'A negative amount corrects: a refund, a payment that was called back. It needs a note, and the balance may go below 0.',
  idempotent: true,
  params: identity,
  body: z.strictObject({
    amount_usd: z.number().min(-1_000_000).max(1_000_000),
    note: optional(line(500)),
  }),
  answer: balance,
  errors: ['INVALID_PARAMETER', 'NOT_FOUND', 'CONFLICT'],
  example: { body: { amount_usd: 10, note: 'invoice 1042' }, answer: { account_id: 'acc_3f9c2a', balance_usd: 35 } },
});

const getCredit = defineRoute({
  ...admin,
  id: 'getCredit',
  method: 'GET',
  path: '/admin/accounts/{id}/credit',
  summary: 'The balance of an account',
  params: identity,
  answer: balance,
  errors: ['NOT_FOUND'],
});

const createKey = defineRoute({
  ...admin,
  id: 'createKey',
  method: 'POST',
  path: '/admin/accounts/{id}/keys',
  summary: 'Make a key for an account',
  idempotent: true,
  params: identity,
  body: z.strictObject({
    name: withDefault(line(100), 'key'),
    scopes: optional(z.array(z.enum(scopes)).min(1).meta({ description: 'What the key may do; all when absent.' })),
    models: optional(z.array(line(200)).min(1).max(1000).meta({ description: 'Models it may use; all when absent.' })),
    budget_usd: optional(dollars.meta({ description: 'Dollars a calendar month (UTC).' })),
    expires_at: optional(instant),
  }),
  answer: z.object({ key_id: z.string(), api_key: secret }),
  errors: ['INVALID_PARAMETER', 'NOT_FOUND', 'KEY_LIMIT_REACHED'],
  example: {
    body: {
      name: 'search service',
      scopes: ['vectors'],
      models: ['e5_small'],
      budget_usd: 20,
      expires_at: '2027-01-31T00:00:00Z',
    },
    answer: { key_id: 'key_8d21', api_key: 'sk-…' },
  },
});

const listKeys = defineRoute({
  ...admin,
  id: 'listKeys',
  method: 'GET',
  path: '/admin/accounts/{id}/keys',
  summary: "An account's keys, without their secrets",
  params: identity,
  answer: pageOf(key),
  errors: ['NOT_FOUND'],
});

const getKey = defineRoute({
  ...admin,
  id: 'getKey',
  method: 'GET',
  path: '/admin/keys/{id}',
  summary: 'One key, without its secret',
  params: identity,
  answer: key,
  errors: ['NOT_FOUND'],
});

const revokeKey = defineRoute({
  ...admin,
  id: 'revokeKey',
  method: 'DELETE',
  path: '/admin/keys/{id}',
  summary: 'Revoke a key for good',
  params: identity,
  answer: key,
  errors: ['NOT_FOUND'],
});

export const adminRoutes = {
  createAccount,
  listAccounts,
  getAccount,
  changeAccount,
  addCredit,
  getCredit,
  createKey,
  listKeys,
  getKey,
  revokeKey,
};
