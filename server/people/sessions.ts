// Sessions of people: a cookie's token becomes the same Caller that a key's secret gives, for one of the person's accounts.
//
// A person in an account has a key of the account that nobody can present: what a session does is counted, charged and reported by it.
import { accountFrom } from '../accounts/index.ts';
import type { Database } from '../database/index.ts';
import type { PersonCaller, Sessions } from '../http/index.ts';
import { administratorEmail, type Keys } from '../keys/index.ts';
import type { Plans } from '../plans/index.ts';
import type { Role } from '@vectorium/contract';
import { hashToken } from './tokens.ts';

export interface SessionsOptions {
  database: Database;
  keys: Pick<Keys, 'ofSession'>;
  plans: Plans;
  /** Whether people must confirm their addresses: where mail goes out. */
  confirms: boolean;
  now?: () => number;
}

/** What others change is announced; should that get lost, what is known of a session is read again after so long. */
const rememberMs = { pglite: 10_000, postgresql: 2000 };
const mostRemembered = 20_000;
/** Tokens and ids of accounts are shorter; a header may have many times as much, from anybody. */
const mostCharacters = 100;

type Known = (PersonCaller & { expiresAt: Date }) | null;

interface Remembered {
  caller: Promise<Known>;
  untilMs: number;
}

export function createSessions({ database, keys, plans, confirms, now = Date.now }: SessionsOptions): Sessions {
  const remembered = new Map<string, Remembered>();
  database.onAnnouncement('callers', () => remembered.clear());
  plans.onChange(() => remembered.clear());

  async function load(tokenHash: string, accountId: string | undefined): Promise<Known> {
    const [row] = await database.query(sessionStatement, [
      tokenHash,
      accountId ?? null,
      new Date(now()),
      administratorEmail,
    ]);
    if (!row) return null;
    const expiresAt = row['expires_at'] as Date;
    const person = {
      id: String(row['person_id']),
      name: String(row['person_name']),
      email: String(row['person_email']),
      sessionId: String(row['session_id']),
      // An operator has to get in also when the mail server is what is broken.
      mustConfirm: confirms && row['email_verified'] !== true && row['operator'] !== true,
    };
    if (row['id'] === null) return { account: null, key: null, person: { ...person, role: null }, expiresAt };
    await plans.settled();
    const account = accountFrom(row, plans);
    const key = {
      id: await keys.ofSession(account.id, person.id),
      name: person.name,
      admin: row['operator'] === true,
      scopes: null,
      models: null,
      budgetPicodollars: null,
      expiresAt: null,
    };
    return { account, key, person: { ...person, role: row['role'] as Role }, expiresAt };
  }

  function remember(token: string, accountId: string | undefined): Promise<Known> {
    const tokenHash = hashToken(token);
    const name = `${tokenHash} ${accountId ?? ''}`;
    const known = remembered.get(name);
    if (known && known.untilMs > now()) return known.caller;
    const caller = load(tokenHash, accountId);
    remembered.delete(name);
    // Oldest first.
    for (const [old, { untilMs }] of remembered) {
      if (untilMs > now()) break;
      remembered.delete(old);
    }
    if (remembered.size >= mostRemembered) remembered.delete(remembered.keys().next().value ?? '');
    remembered.set(name, { caller, untilMs: now() + rememberMs[database.kind] });
    caller.catch(() => remembered.delete(name));
    return caller;
  }

  return {
    async authenticate(token, accountId) {
      if (token.length > mostCharacters) return null;
      // What is no account's id stands for one that the person isn't in.
      const named = accountId !== undefined && accountId.length > mostCharacters ? '' : accountId;
      const caller = await remember(token, named);
      return caller && caller.expiresAt.getTime() > now() ? caller : null;
    },
  };
}

/** $1 token's hash, $2 account or null, $3 now, $4 the administrator's e-mail address. An operator owns the administrator's account. */
const sessionStatement = `
  SELECT a.*, s.id AS session_id, s.expires_at, p.id AS person_id, p.name AS person_name, p.email AS person_email, p.email_verified, m.role,
    EXISTS (SELECT 1 FROM members o JOIN accounts oa ON oa.id = o.account_id
      WHERE o.person_id = p.id AND o.role = 'owner' AND oa.email = $4) AS operator
  FROM sessions s JOIN people p ON p.id = s.person_id
  LEFT JOIN LATERAL (
    SELECT account_id, role FROM members JOIN accounts ON accounts.id = account_id
    WHERE person_id = p.id AND ($2::text IS NULL OR account_id = $2) AND deleting_since IS NULL
    ORDER BY members.created_at, account_id LIMIT 1) m ON true
  LEFT JOIN accounts a ON a.id = m.account_id
  WHERE s.token = $1 AND s.expires_at > $3::timestamptz`;
