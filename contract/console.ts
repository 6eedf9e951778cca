// What the console needs beside the routes that everybody has: who is signed in, the account's people, and what happened in it.
//
// Signing in and out is in console-sign-in.ts. Links of the server lead to /console/invitation#token=… (for those who sign up with it and
// for those who have), /console/reset-password#token=…, /console/confirm#token=… (of an e-mail address), /console/usage, and
// /console/sign-in?error=… when OpenID Connect failed.
//
// Tokens of links are in the fragment, which no server sees; the app takes them out of the address at once.
// Every other request of the app has the cookie, `x-vectorium-account: acc_…` for another account than the person's first, and, where the
// method is unsafe, the `Origin` that browsers add by themselves.
import { z } from 'zod';
import { languages } from './console-sign-in.ts';
import { line, optional, page, pageOf, properName, withDefault } from './fields.ts';
import { defineRoute, roles } from './route.ts';

const common = { tag: 'Console', auth: 'session', family: 'console', dialect: 'native' } as const;
const open = { ...common, auth: 'none', family: 'none' } as const;
const personal = { ...common, accountless: true } as const;

const language = z.enum(languages);
const role = z.enum(roles);
const email = line(254).pipe(z.email({ error: 'must be an e-mail address' }));
const token = line(200).meta({ description: "Of a link's fragment." });
const identity = z.object({ id: line(100) });
const done = z.object({ done: z.literal(true) });

const person = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  email_verified: z.boolean().meta({ description: 'Whether the address is known to be the person’s.' }),
  new_email: z
    .string()
    .nullable()
    .meta({ description: 'What it becomes when the link in the mail to it is followed.' }),
  language,
  has_password: z.boolean().meta({ description: 'false for a person who signs in by OpenID Connect alone.' }),
  created_at: z.string(),
});

const membership = z.object({ id: z.string(), name: z.string(), role, plan: z.string() });

const getSession = defineRoute({
  ...open,
  id: 'getSession',
  method: 'GET',
  path: '/console/api/session',
  summary: 'Who is signed in, and how one may sign in',
  answer: z.object({
    person: person.nullable().meta({ description: 'null when nobody is signed in.' }),
    accounts: z.array(membership).meta({ description: "The person's, oldest membership first." }),
    account_id: z
      .string()
      .nullable()
      .meta({ description: 'The account that this request is for: `x-vectorium-account`, or the first.' }),
    role: role.nullable().meta({ description: "The person's in that account." }),
    operator: z.boolean().meta({ description: 'Whether the session may use the routes of an administrator.' }),
    must_confirm: z.boolean().meta({
      description:
        'Whether the person may only read until the e-mail address is confirmed (EMAIL_NOT_CONFIRMED): where the server sends mail, except for operators.',
    }),
    may_add_account: z.boolean().meta({ description: 'Whether the person may make another account.' }),
    sign_up: z.enum(['open', 'invitation', 'closed']),
    sign_in: z.object({ oidc: z.object({ name: z.string() }).nullable() }),
    mail: z.boolean().meta({ description: 'Whether the server sends mail; else links are handed over by people.' }),
    payments: z.boolean().meta({ description: 'Whether credit can be bought.' }),
    version: z.string(),
  }),
  errors: [],
});

const changePerson = defineRoute({
  ...personal,
  id: 'changePerson',
  method: 'PATCH',
  path: '/console/api/person',
  summary: 'Change your name or language',
  body: z.strictObject({ name: optional(properName(100)), language: optional(language) }),
  answer: person,
  errors: [],
});

const createOwnAccount = defineRoute({
  ...personal,
  id: 'createOwnAccount',
  method: 'POST',
  path: '/console/api/accounts',
  summary: 'Make another account, with keys, data, people and a balance of its own',
  description:
    'You own it. It starts on the plan of those who sign up, without any credit of a plan or for signing up.',
  body: z.strictObject({ name: properName(100) }),
  answer: membership,
  errors: ['CONFLICT', 'SIGN_UP_NOT_ALLOWED', 'EMAIL_NOT_CONFIRMED'],
});

const listSessions = defineRoute({
  ...personal,
  id: 'listSessions',
  method: 'GET',
  path: '/console/api/sessions',
  summary: 'Where you are signed in',
  answer: z.object({
    data: z.array(
      z.object({
        id: z.string(),
        current: z.boolean(),
        address: z.string().nullable(),
        user_agent: z.string().nullable(),
        created_at: z.string(),
        expires_at: z.string(),
      }),
    ),
  }),
  errors: [],
});

const endSession = defineRoute({
  ...personal,
  id: 'endSession',
  method: 'DELETE',
  path: '/console/api/sessions/{id}',
  summary: 'Sign out elsewhere; `others` ends all but this one',
  params: identity,
  answer: done,
  errors: ['NOT_FOUND'],
});

/** Whom invoices are made out to. */
const billing = z.strictObject({
  name: withDefault(z.string().max(200), ''),
  address: withDefault(z.string().max(1000), ''),
  tax_id: withDefault(z.string().max(100), ''),
});

const ownAccount = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  plan: z.string(),
  default_model: z.string(),
  billing: z.object({ name: z.string(), address: z.string(), tax_id: z.string() }),
  storage: z.object({ used_bytes: z.int(), limit_bytes: z.int().nullable() }),
  created_at: z.string(),
});

const getOwnAccount = defineRoute({
  ...common,
  id: 'getOwnAccount',
  method: 'GET',
  path: '/console/api/account',
  summary: 'The account that you work in',
  answer: ownAccount,
  errors: [],
});

const changeOwnAccount = defineRoute({
  ...common,
  role: 'owner',
  id: 'changeOwnAccount',
  method: 'PATCH',
  path: '/console/api/account',
  summary: "Change the account's name, default model or invoice address",
  body: z.strictObject({
    name: optional(properName(100)),
    default_model: optional(line(200)),
    billing: optional(billing),
  }),
  answer: ownAccount,
  errors: ['MODEL_NOT_FOUND'],
});

const exportAccount = defineRoute({
  ...common,
  role: 'owner',
  id: 'exportAccount',
  method: 'GET',
  path: '/console/api/account/export',
  summary: 'Everything that is kept of the account, as one zip',
  description:
    'JSON for what is in the database, CSV of single requests, Parquet of every version, the files of models.',
  contentType: 'application/zip',
  answer: z.string(),
  errors: ['CONFLICT'],
});

const deleteOwnAccount = defineRoute({
  ...common,
  role: 'owner',
  id: 'deleteOwnAccount',
  method: 'POST',
  path: '/console/api/account/delete',
  summary: 'Delete the account with all its data',
  description:
    'Keys and sessions end at once, jobs are cancelled; datasets, models, files and people without another account are deleted. What the law wants kept is kept under the bare id of the account: the entries of its ledger. Not to be undone.',
  body: z.strictObject({ confirm: line(100).meta({ description: "The account's id." }) }),
  answer: done,
  errors: ['CONFLICT'],
});

const member = z.object({
  person_id: z.string(),
  name: z.string(),
  email: z.string(),
  role,
  you: z.boolean(),
  since: z.string(),
  last_seen_at: z.string().nullable(),
});

const listMembers = defineRoute({
  ...common,
  id: 'listMembers',
  method: 'GET',
  path: '/console/api/members',
  summary: "The account's people",
  answer: z.object({ data: z.array(member) }),
  errors: [],
});

const changeMember = defineRoute({
  ...common,
  role: 'owner',
  id: 'changeMember',
  method: 'PATCH',
  path: '/console/api/members/{id}',
  summary: 'Change what a person may do',
  params: identity,
  body: z.strictObject({ role }),
  answer: member,
  errors: ['NOT_FOUND', 'CONFLICT'],
});

const removeMember = defineRoute({
  ...common,
  id: 'removeMember',
  method: 'DELETE',
  path: '/console/api/members/{id}',
  summary: 'Take a person out of the account, or leave it',
  description: 'An owner may remove anybody, others only themselves. The last owner stays.',
  params: identity,
  answer: done,
  errors: ['NOT_FOUND', 'CONFLICT'],
});

const invitation = z.object({
  id: z.string(),
  email: z.string(),
  role: role.nullable().meta({ description: 'null for an invitation to sign up with an account of its own.' }),
  created_at: z.string(),
  expires_at: z.string(),
});

/** A made invitation; the link is in no later answer. */
const madeInvitation = z.object({
  invitation,
  link: z.string().meta({ description: 'Shown this once; its token is in the fragment.' }),
  mailed: z.boolean(),
});

/** Of invitations, for the operator's routes. */
export const consoleInvitation = {
  plain: invitation,
  made: madeInvitation,
  signUp: z.strictObject({
    email,
    plan: optional(line(100).meta({ description: 'Of the new account; `free` when absent.' })),
    account_id: optional(line(100).meta({ description: 'An account that exists, whose owner the person becomes.' })),
  }),
};

const listInvitations = defineRoute({
  ...common,
  role: 'owner',
  id: 'listInvitations',
  method: 'GET',
  path: '/console/api/invitations',
  summary: 'Invitations that are open',
  answer: z.object({ data: z.array(invitation) }),
  errors: [],
});

const createInvitation = defineRoute({
  ...common,
  role: 'owner',
  id: 'createInvitation',
  method: 'POST',
  path: '/console/api/invitations',
  summary: 'Invite a person into the account',
  description:
    'Good for a week, and as long as you are an owner. An older invitation of the same address ends. An account may have 100 open.',
  body: z.strictObject({ email, role }),
  answer: madeInvitation,
  errors: ['CONFLICT', 'TOO_MANY_ATTEMPTS'],
});

const revokeInvitation = defineRoute({
  ...common,
  role: 'owner',
  id: 'revokeInvitation',
  method: 'DELETE',
  path: '/console/api/invitations/{id}',
  summary: 'Take an invitation back',
  params: identity,
  answer: done,
  errors: ['NOT_FOUND'],
});

const readInvitation = defineRoute({
  ...open,
  id: 'readInvitation',
  method: 'POST',
  path: '/console/api/invitation',
  summary: 'What an invitation is for',
  body: z.strictObject({ token }),
  answer: z.object({
    email: z.string().nullable().meta({ description: 'null: whoever has the link (the first administrator).' }),
    account: z.string().nullable().meta({ description: "The account's name; null for an account of one's own." }),
    role: role.nullable(),
    known: z.boolean().meta({ description: 'Whether the person has signed up already, and only needs to sign in.' }),
    expires_at: z.string(),
  }),
  errors: ['NOT_FOUND'],
});

const acceptInvitation = defineRoute({
  ...personal,
  id: 'acceptInvitation',
  method: 'POST',
  path: '/console/api/invitation/accept',
  summary: 'Join the account with the person who is signed in',
  description: 'For those who have an account already; who signs up gives the token there.',
  body: z.strictObject({ token }),
  answer: z.object({ account_id: z.string() }),
  errors: ['NOT_FOUND', 'CONFLICT'],
});

/** Who did what; details have no secrets. */
export const auditEntry = z.object({
  id: z.string(),
  at: z.string(),
  action: z.string().meta({ description: 'Such as `key.made`, `member.removed`, `plan.changed`.' }),
  person: z
    .object({ id: z.string(), name: z.string(), email: z.string() })
    .nullable()
    .meta({ description: 'null for what a key of an administrator, or the server itself, did.' }),
  target: z.string().meta({ description: 'Id or name of what it was done to.' }),
  details: z.record(z.string(), z.unknown()),
  address: z.string().nullable(),
});

const listAudit = defineRoute({
  ...common,
  role: 'owner',
  id: 'listAudit',
  method: 'GET',
  path: '/console/api/audit',
  summary: 'Who changed what in the account, newest first',
  query: page,
  answer: pageOf(auditEntry),
  errors: ['INVALID_PARAMETER'],
});

export const consoleRoutes = {
  getSession,
  changePerson,
  createOwnAccount,
  listSessions,
  endSession,
  getOwnAccount,
  changeOwnAccount,
  exportAccount,
  deleteOwnAccount,
  listMembers,
  changeMember,
  removeMember,
  listInvitations,
  createInvitation,
  revokeInvitation,
  readInvitation,
  acceptInvitation,
  listAudit,
};
