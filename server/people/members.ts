// Which people belong to which accounts, and the invitations by which they get there.
//
// 1. An account that has people has an owner: the last one can neither leave nor become less.
// 2. An invitation is good once, for a week, for the address that it was made for, and as long as the one who made it is an owner, or an
//    operator. Its token is kept as a hash.
// 3. Who signs up without an invitation into an account gets an account of his own, once: who leaves his last account is in none.
import type { Role } from '@vectorium/contract';
import { randomBytes, createHash } from 'node:crypto';
import { AccountError, type Accounts } from '../accounts/index.ts';
import { newId } from '../database/index.ts';
import type { Database, Row, Statement } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import { administratorEmail } from '../keys/index.ts';
import type { Plans } from '../plans/index.ts';
import type { Confirmations } from './confirmations.ts';

export interface Member {
  personId: string;
  name: string;
  email: string;
  role: Role;
  since: Date;
  /** To the day, while a session of theirs lasts. */
  lastSeenAt: Date | null;
}

export interface Invitation {
  id: string;
  /** Null: to sign up with an account of one's own. */
  accountId: string | null;
  accountName: string | null;
  /** Null: whoever has the link. */
  email: string | null;
  role: Role | null;
  plan: string | null;
  createdAt: Date;
  expiresAt: Date;
}

export interface NewInvitation {
  accountId: string | null;
  email: string | null;
  role: Role | null;
  plan?: string | null;
  /** The id of the person who makes it; null: the server, or a key. */
  invitedBy: string | null;
}

export interface Membership {
  id: string;
  name: string;
  role: Role;
  plan: string;
}

interface Entering {
  id: string;
  email: string;
  name: string;
}

export interface Members {
  list(accountId: string): Promise<Member[]>;
  /** The person's, oldest membership first. */
  accountsOf(personId: string): Promise<Membership[]>;
  /** Throws CONFLICT for the last owner; null when the person is no member. */
  setRole(accountId: string, personId: string, role: Role): Promise<Member | null>;
  /** Throws CONFLICT for the last owner; false when the person is no member. */
  remove(accountId: string, personId: string): Promise<boolean>;
  /** `mailToken` is for the mail alone: who has it has the address. An older invitation of the same address ends. Throws CONFLICT when the person is there already. */
  invite(invitation: NewInvitation): Promise<{ invitation: Invitation; token: string; mailToken: string }>;
  invitations(accountId: string | null): Promise<Invitation[]>;
  uninvite(accountId: string | null, id: string): Promise<boolean>;
  /** Null when the token is unknown, used or too old. */
  invitation(token: string): Promise<Invitation | null>;
  /**
   * For a person whose address an OpenID provider vouches for: one to an account of his own first, else one into the account that was made
   * for him, and, where nobody signs up without, into any. Elsewhere a stranger's account must not be where somebody finds himself.
   */
  invitationOf(email: string): Promise<Invitation | null>;
  /** Throws NOT_FOUND when the invitation isn't the person's. Answers the account that he is in now. */
  accept(token: string, person: Entering): Promise<string>;
  /** Another account for a person. Throws CONFLICT when he has made as many as he may. */
  add(person: { id: string; email: string }, name: string): Promise<Membership>;
  /** Brings a person who has signed up into the account of the invitation, or into one of his own; never again afterwards. */
  settle(personId: string, token: string | undefined): Promise<void>;
}

export const invitationDays = 7;
/** Beside the first; each has limits of its own, so there is an end to them. */
const mostAdded = 10;
/** Invitations of an account. */
const mostOpen = 100;
const lastOwner = 'The account needs an owner: make somebody else one first, or delete the account';

export function createMembers({
  database,
  accounts,
  plans,
  confirmations,
  invitedOnly,
}: {
  database: Database;
  accounts: Pick<Accounts, 'create'>;
  plans: Plans;
  confirmations: Pick<Confirmations, 'vouch'>;
  /** Whether nobody signs up without an invitation. */
  invitedOnly: boolean;
}): Members {
  async function isMember(accountId: string, personId: string): Promise<boolean> {
    const rows = await database.query('SELECT 1 FROM members WHERE account_id = $1 AND person_id = $2', [
      accountId,
      personId,
    ]);
    return rows.length > 0;
  }

  async function list(accountId: string, personId: string | null = null): Promise<Member[]> {
    const rows = await database.query(
      `SELECT m.person_id, p.name, p.email, m.role, m.created_at,
         (SELECT max(updated_at) FROM sessions s WHERE s.person_id = m.person_id) AS seen_at
       FROM members m JOIN people p ON p.id = m.person_id
       WHERE m.account_id = $1 AND ($2::text IS NULL OR m.person_id = $2) ORDER BY m.created_at, m.person_id`,
      [accountId, personId],
    );
    return rows.map(memberFrom);
  }

  return {
    list: accountId => list(accountId),

    accountsOf,

    async setRole(accountId, personId, role) {
      const [, rows] = await database.transaction([
        locked(accountId),
        {
          sql: `WITH changed AS (
                  UPDATE members SET role = $3 WHERE account_id = $1 AND person_id = $2 AND ($3 = 'owner' OR ${anotherOwner})
                  RETURNING person_id, role),
                uninvited AS (DELETE FROM invitations i USING changed WHERE changed.role <> 'owner' AND ${invitedByThem('changed')})
                SELECT person_id FROM changed`,
          values: [accountId, personId, role, administratorEmail],
        },
      ]);
      if (rows?.length === 0) {
        if (await isMember(accountId, personId)) throw new ApiError('CONFLICT', { message: lastOwner });
        return null;
      }
      await database.announce('callers');
      return (await list(accountId, personId))[0] ?? null;
    },

    async remove(accountId, personId) {
      const [, rows] = await database.transaction([
        locked(accountId),
        {
          sql: `WITH gone AS (
                  DELETE FROM members WHERE account_id = $1 AND person_id = $2 AND ${anotherOwner} RETURNING person_id),
                uninvited AS (DELETE FROM invitations i USING gone WHERE ${invitedByThem('gone')})
                UPDATE people SET updated_at = $3 FROM gone WHERE id = gone.person_id RETURNING person_id`,
          // Who is in no account is forgotten some time later (retention.ts), counted from here.
          values: [accountId, personId, new Date(), administratorEmail],
        },
      ]);
      if (rows?.length === 0) {
        if (await isMember(accountId, personId)) throw new ApiError('CONFLICT', { message: lastOwner });
        return false;
      }
      await database.announce('callers');
      return true;
    },

    async invite({ accountId, email, role, plan = null, invitedBy }) {
      const address = email?.trim().toLowerCase() ?? null;
      if (plan !== null && plans.get(plan)?.retired !== false)
        throw new ApiError('INVALID_PARAMETER', { message: `There is no plan "${plan}"`, param: 'plan' });
      const known = await database.query(
        `SELECT 1 FROM people p WHERE p.email = $1 AND ($2::text IS NULL
           OR EXISTS (SELECT 1 FROM members m WHERE m.person_id = p.id AND m.account_id = $2))`,
        [address, accountId],
      );
      if (known.length > 0)
        throw new ApiError('CONFLICT', {
          message: `${address} ${accountId === null ? 'has signed up' : 'is in the account'} already`,
        });
      await checkOpen(accountId);
      const token = randomBytes(24).toString('base64url');
      const mailToken = randomBytes(24).toString('base64url');
      const at = new Date();
      const results = await database.transaction([
        ...(accountId === null ? [] : [locked(accountId)]),
        {
          sql: `DELETE FROM invitations WHERE coalesce(account_id, '') = coalesce($1, '') AND email IS NOT DISTINCT FROM $2`,
          values: [accountId, address],
        },
        {
          sql: `INSERT INTO invitations (id, account_id, email, role, plan, token_hash, created_at, expires_at, mailed_hash, invited_by)
                SELECT $1, $2, $3, $4, $5, $6::bytea, $7::timestamptz, $8::timestamptz, $9::bytea, $10
                WHERE $10::text IS NULL OR EXISTS (
                  SELECT 1 FROM members m JOIN accounts a ON a.id = m.account_id
                  WHERE m.person_id = $10 AND m.role = 'owner' AND (a.id = $2 OR a.email = $11))`,
          values: [
            `inv_${newId().replaceAll('-', '')}`,
            accountId,
            address,
            role,
            plan,
            hashOf(token),
            at,
            new Date(at.getTime() + invitationDays * 86_400_000),
            hashOf(mailToken),
            invitedBy,
            administratorEmail,
          ],
        },
        { sql: `${invitationSelect} WHERE token_hash = $1::bytea`, values: [hashOf(token)] },
      ]);
      const row = results.at(-1)?.[0];
      if (!row) throw new ApiError('ROLE_NOT_ALLOWED', { message: 'Only an owner of the account invites people' });
      return { invitation: invitationFrom(row), token, mailToken };
    },

    async invitations(accountId) {
      const rows = await database.query(
        `${invitationSelect} WHERE i.account_id IS NOT DISTINCT FROM $1 AND i.expires_at > $2::timestamptz ORDER BY i.id DESC`,
        [accountId, new Date()],
      );
      return rows.map(invitationFrom);
    },

    async uninvite(accountId, id) {
      const rows = await database.query(
        'DELETE FROM invitations WHERE id = $2 AND account_id IS NOT DISTINCT FROM $1 RETURNING id',
        [accountId, id],
      );
      return rows.length > 0;
    },

    invitation,

    invitationOf,

    async accept(token, person) {
      const found = await invitation(token);
      if (!found) throw unknownInvitation();
      return take(found, person);
    },

    async settle(personId, token) {
      const [person] = await database.query<Entering & { email_verified: boolean }>(
        'SELECT id, email, name, email_verified FROM people WHERE id = $1 AND NOT settled',
        [personId],
      );
      if (!person) return;
      const byAddress = token === undefined && person.email_verified ? await invitationOf(person.email) : null;
      const found = token === undefined ? byAddress : await invitation(token);
      if (token !== undefined && !found) throw unknownInvitation();
      if (found) await take(found, person);
      else await ownAccount(person);
      await database.query('UPDATE people SET settled = true WHERE id = $1', [personId]);
    },

    async add({ id: ownerId, email }, name) {
      const [row] = await database.query(
        `SELECT count(*)::integer AS count FROM members m JOIN accounts a ON a.id = m.account_id
         WHERE m.person_id = $1 AND m.role = 'owner' AND a.added`,
        [ownerId],
      );
      if (Number(row?.['count']) >= mostAdded)
        throw new ApiError('CONFLICT', { message: `You own ${mostAdded} further accounts, and can have no more` });
      const { id, plan } = await accounts.create({ email, plan: plans.signUpPlan().name, name, ownerId, added: true });
      await database.announce('callers');
      return { id, name, role: 'owner', plan: plan.name };
    },
  };

  async function invitationOf(email: string): Promise<(Invitation & { mailed: boolean }) | null> {
    const [row] = await database.query(
      `${invitationSelect} WHERE i.email = $1 AND i.expires_at > $2::timestamptz
         AND (i.account_id IS NULL OR $3 OR (a.email = $1 AND NOT a.added))
       ORDER BY i.account_id IS NOT NULL, i.id DESC LIMIT 1`,
      [email, new Date(), invitedOnly],
    );
    return row ? { ...invitationFrom(row), mailed: false } : null;
  }

  async function checkOpen(accountId: string | null): Promise<void> {
    if (accountId === null) return;
    const [row] = await database.query(
      'SELECT count(*)::integer AS count FROM invitations WHERE account_id = $1 AND expires_at > $2::timestamptz',
      [accountId, new Date()],
    );
    if (Number(row?.['count']) >= mostOpen)
      throw new ApiError('CONFLICT', { message: `The account has ${mostOpen} open invitations, and can have no more` });
  }

  async function invitation(token: string): Promise<(Invitation & { mailed: boolean }) | null> {
    const [row] = await database.query(
      `${invitationSelect} WHERE (i.token_hash = $1::bytea OR i.mailed_hash = $1::bytea) AND i.expires_at > $2::timestamptz`,
      [hashOf(token), new Date()],
    );
    if (!row) return null;
    const mailedHash = row['mailed_hash'] as Uint8Array | null;
    return { ...invitationFrom(row), mailed: mailedHash !== null && hashOf(token).equals(mailedHash) };
  }

  async function accountsOf(personId: string): Promise<Membership[]> {
    const rows = await database.query(
      `SELECT a.id, a.name, a.plan, m.role FROM members m JOIN accounts a ON a.id = m.account_id
       WHERE m.person_id = $1 AND a.deleting_since IS NULL ORDER BY m.created_at, a.id`,
      [personId],
    );
    return rows.map(row => ({
      id: String(row['id']),
      name: String(row['name']),
      role: row['role'] as Role,
      plan: String(row['plan']),
    }));
  }

  async function take(found: Invitation & { mailed: boolean }, person: Entering): Promise<string> {
    if (found.email !== null && found.email !== person.email)
      throw new ApiError('NOT_FOUND', { message: 'The invitation is for another e-mail address' });
    if (found.accountId === null) await ownAccount(person, found.plan);
    const taken = await database.query(
      `WITH taken AS (DELETE FROM invitations WHERE id = $1 RETURNING account_id, role),
       joined AS (
         INSERT INTO members (account_id, person_id, role, created_at)
         SELECT account_id, $2, coalesce(role, 'member'), $3::timestamptz FROM taken WHERE account_id IS NOT NULL
         ON CONFLICT (account_id, person_id) DO NOTHING)
       SELECT 1 FROM taken`,
      [found.id, person.id, new Date()],
    );
    if (taken.length === 0) throw unknownInvitation();
    if (found.mailed) await confirmations.vouch(person.id, person.email);
    await database.announce('callers');
    return found.accountId ?? (await accountsOf(person.id))[0]?.id ?? '';
  }

  /** An account of his own for a person who is in none. */
  async function ownAccount(person: Entering, plan: string | null = null): Promise<void> {
    const rows = await database.query('SELECT 1 FROM members WHERE person_id = $1 LIMIT 1', [person.id]);
    if (rows.length > 0) return;
    try {
      await accounts.create({
        email: person.email,
        plan: plan ?? plans.signUpPlan().name,
        name: person.name,
        signUp: true,
        ownerId: person.id,
      });
    } catch (error) {
      if (error instanceof AccountError && error.code === 'EMAIL_TAKEN')
        throw new ApiError('CONFLICT', {
          message: `${error.message}; ask its owner or the operator for an invitation`,
        });
      throw error;
    }
  }
}

/** Others change the same account's people only before or after it. */
function locked(accountId: string): Statement {
  return { sql: 'SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', values: [accountId] };
}

export function unknownInvitation(): ApiError {
  return new ApiError('NOT_FOUND', { message: 'The invitation is unknown, used or too old; ask for another' });
}

/** Whether the account keeps an owner without this member. */
const anotherOwner = `(role <> 'owner' OR EXISTS (
  SELECT 1 FROM members o WHERE o.account_id = $1 AND o.role = 'owner' AND o.person_id <> $2))`;

/** Of an account's former owner, whom the rows of `gone` name; of a former operator all. $1 is the account, $4 the administrator's e-mail address. */
function invitedByThem(gone: string): string {
  return `i.invited_by = ${gone}.person_id
    AND (i.account_id = $1 OR EXISTS (SELECT 1 FROM accounts WHERE id = $1 AND email = $4))`;
}

const invitationSelect = `SELECT i.*, a.name AS account_name FROM invitations i LEFT JOIN accounts a ON a.id = i.account_id`;

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function memberFrom(row: Row): Member {
  return {
    personId: String(row['person_id']),
    name: String(row['name']),
    email: String(row['email']),
    role: row['role'] as Role,
    since: row['created_at'] as Date,
    lastSeenAt: row['seen_at'] as Date | null,
  };
}

function invitationFrom(row: Row): Invitation {
  return {
    id: String(row['id']),
    accountId: row['account_id'] as string | null,
    accountName: row['account_name'] as string | null,
    email: row['email'] as string | null,
    role: row['role'] as Role | null,
    plan: row['plan'] as string | null,
    createdAt: row['created_at'] as Date,
    expiresAt: row['expires_at'] as Date,
  };
}
