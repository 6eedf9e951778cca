// The account's API keys as its people manage them in the console.
import { z } from 'zod';
import { dollars, instant, line, optional, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

const common = { tag: 'Console', auth: 'session', family: 'console', dialect: 'native' } as const;

/** What people may give a key; `admin` is the operator's. */
export const keyScopes = ['vectors', 'data', 'models', 'usage'] as const;

const ownKey = z.object({
  id: z.string(),
  name: z.string(),
  hint: z.string().meta({ description: "The secret's last letters." }),
  scopes: z.array(z.string()).nullable().meta({ description: 'null: all.' }),
  models: z.array(z.string()).nullable().meta({ description: 'null: all of the plan.' }),
  budget_usd: z.number().nullable().meta({ description: 'A calendar month (UTC).' }),
  spent_usd: z.number().meta({ description: 'This month.' }),
  made_by: z.object({ id: z.string(), name: z.string() }).nullable(),
  state: z.enum(['active', 'expired', 'revoked']),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  created_at: z.string(),
});

const madeKey = z.object({
  key: ownKey,
  api_key: z.string().meta({ description: 'Shown this once; only a hash of it is kept.' }),
});
const identity = z.object({ id: line(100) });

const listOwnKeys = defineRoute({
  ...common,
  id: 'listOwnKeys',
  method: 'GET',
  path: '/console/api/keys',
  summary: "The account's keys, without their secrets, newest first",
  answer: z.object({
    data: z.array(ownKey),
    active: z.int(),
    max_keys: z.int().nullable().meta({ description: 'Active keys that the plan allows.' }),
  }),
  errors: [],
});

const createOwnKey = defineRoute({
  ...common,
  role: 'member',
  id: 'createOwnKey',
  method: 'POST',
  path: '/console/api/keys',
  summary: 'Make a key',
  body: z.strictObject({
    name: line(100),
    scopes: optional(z.array(z.enum(keyScopes)).min(1).meta({ description: 'What the key may do; all when absent.' })),
    models: optional(z.array(line(200)).min(1).max(1000).meta({ description: 'Models it may use; all when absent.' })),
    budget_usd: optional(dollars.meta({ description: 'Dollars a calendar month (UTC).' })),
    expires_at: optional(instant),
  }),
  answer: madeKey,
  errors: ['KEY_LIMIT_REACHED', 'TOO_MANY_ATTEMPTS'],
});

const changeOwnKey = defineRoute({
  ...common,
  role: 'member',
  id: 'changeOwnKey',
  method: 'PATCH',
  path: '/console/api/keys/{id}',
  summary: "Change a key's name and rights; its secret stays",
  description:
    'What is absent stays; null takes a restriction away. It counts from the next request on. Who is no owner may change the keys that he made.',
  params: identity,
  body: z.strictObject({
    name: line(100).optional(),
    scopes: z.array(z.enum(keyScopes)).min(1).nullable().optional(),
    models: z.array(line(200)).min(1).max(1000).nullable().optional(),
    budget_usd: dollars.nullable().optional(),
    expires_at: instant.nullable().optional(),
  }),
  answer: ownKey,
  errors: ['INVALID_PARAMETER', 'NOT_FOUND', 'CONFLICT', 'KEY_LIMIT_REACHED'],
});

const rotateOwnKey = defineRoute({
  ...common,
  role: 'member',
  id: 'rotateOwnKey',
  method: 'POST',
  path: '/console/api/keys/{id}/rotate',
  summary: 'Make a key with the same rights in the place of this one, which goes on for a while',
  description: 'Who is no owner may rotate and revoke the keys that he made.',
  params: identity,
  body: z.strictObject({
    overlap_hours: withDefault(z.number().min(0).max(720), 24).meta({
      description: 'How long the old one still works.',
    }),
  }),
  answer: madeKey,
  errors: ['NOT_FOUND', 'KEY_LIMIT_REACHED', 'TOO_MANY_ATTEMPTS'],
});

const revokeOwnKey = defineRoute({
  ...common,
  role: 'member',
  id: 'revokeOwnKey',
  method: 'DELETE',
  path: '/console/api/keys/{id}',
  summary: 'Revoke a key for good',
  params: identity,
  answer: ownKey,
  errors: ['NOT_FOUND'],
});

export const consoleKeyRoutes = { listOwnKeys, createOwnKey, changeOwnKey, rotateOwnKey, revokeOwnKey };
