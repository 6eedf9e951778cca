// Keys: random secrets, kept as hashes, that stand for an account within their scopes, models, budget and time.
import { accountFrom, monthOf } from '../accounts/index.ts';
import type { Account, Accounts } from '../accounts/index.ts';
import { newId } from '../database/index.ts';
import type { Database, GroupCommit, Row, Statement } from '../database/index.ts';
import type { Role } from '@vectorium/contract';
import type { Plans } from '../plans/index.ts';
import { hashSecret, hintOf, makeSecret } from './secrets.ts';

export interface Key {
  id: string;
  accountId: string;
  name: string;
  /** The secret's last four letters. */
  hint: string;
  admin: boolean;
  /** What the key may do; null is everything. */
  scopes: string[] | null;
  /** Aliases of the models that it may use; null is every one of the plan. */
  models: string[] | null;
  /** What it may spend in a calendar month (UTC); null is no limit but the balance. */
  budgetPicodollars: bigint | null;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** To the minute. */
  lastUsedAt: Date | null;
  /** The person who made it in the console. */
  madeBy: string | null;
  /** It counts what a person does in the console, and nobody has its secret. */
  ofSession: boolean;
  /** In this calendar month (UTC), of a key with a budget. */
  spentPicodollars: bigint;
}

export interface Caller {
  account: Account;
  key: Pick<Key, 'id' | 'name' | 'admin' | 'scopes' | 'models' | 'budgetPicodollars' | 'expiresAt'> & {
    /** The key whose limit windows it goes on with; absent: its own. */
    countsAs?: string;
  };
  /** Set when a session of the console stands for the key. */
  person?: {
    id: string;
    name: string;
    email: string;
    role: Role;
    sessionId: string;
    /** May only read until the e-mail address is confirmed. */
    mustConfirm: boolean;
  };
}

export interface NewKey {
  name: string;
  scopes?: string[] | null | undefined;
  models?: string[] | null | undefined;
  budgetPicodollars?: bigint | null | undefined;
  expiresAt?: Date | null | undefined;
  admin?: boolean;
  /** The id of a person. */
  madeBy?: string | null | undefined;
  /** A secret chosen by the operator, instead of a random one. */
  secret?: string;
}

export interface KeyChanges {
  name?: string | undefined;
  scopes?: string[] | null | undefined;
  models?: string[] | null | undefined;
  budgetPicodollars?: bigint | null | undefined;
  expiresAt?: Date | null | undefined;
}

export interface Keys {
  /** Whom a secret stands for, or null when it is unknown, revoked or expired. */
  authenticate(secret: string): Promise<Caller | null>;
  /** The secret is in no later answer. Undefined when there is no such account. Throws KeyError. */
  make(accountId: string, key: NewKey): Promise<{ key: Key; secret: string } | undefined>;
  /** Makes a key with the same rights; the old one goes on for `overlapMs`, so that its users can change over. */
  rotate(
    id: string,
    o: { overlapMs: number; madeBy?: string | null },
  ): Promise<{ key: Key; secret: string } | undefined>;
  get(id: string): Promise<Key | undefined>;
  /** An account's keys, oldest first, without those of sessions: all that can be used, and the newest that were revoked or have expired. */
  list(accountId: string): Promise<Key[]>;
  /** What is absent stays. Takes effect at once, as `revoke` does. Undefined when there is no such key or it is revoked. Throws KeyError. */
  change(id: string, changes: KeyChanges): Promise<Key | undefined>;
  /** Takes effect at once in this process, a moment later in others. Undefined when there is no such key. */
  revoke(id: string): Promise<Key | undefined>;
  /** The id of the key that meters what a person does in the console for an account; made when there is none, and no secret opens it. */
  ofSession(accountId: string, personId: string): Promise<string>;
}

/** The plan has no room for another active key. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code = 'TOO_MANY_KEYS';
  readonly limit: number;
  constructor(limit: number) {
    super(`The plan allows ${limit} active ${limit === 1 ? 'key' : 'keys'}; revoke one first`);
    this.limit = limit;
  }
}

/** People of the account have made as many keys within an hour as they may: each leaves a row for good. */
export class KeysTooFast extends Error {
  override readonly name = 'KeysTooFast';
  constructor() {
    super(`People of an account make at most ${mostMadeAnHour} keys an hour; try again later`);
  }
}

export interface KeysOptions {
  database: Database;
  commit: GroupCommit;
  accounts: Accounts;
  plans: Plans;
  now?: () => number;
}

/** What others change is announced; should that get lost, what is known of a key is read again after so long. */
const rememberMs = { pglite: 10_000, postgresql: 2_000 };
const mostRemembered = 20_000;
/** By people in the console; what the operator makes is not counted. */
const mostMadeAnHour = 30;
/** Keys in a list that can't be used any more. */
const mostPast = 100;
/** A key in constant use writes its last use this often. */
const lastUsedEveryMs = 60_000;

interface Remembered {
  caller: Promise<Caller | null>;
  untilMs: number;
}

export function createKeys({ database, commit, accounts, plans, now = Date.now }: KeysOptions): Keys {
  const remembered = new Map<string, Remembered>();
  const lastUsedMs = new Map<string, number>();
  const lastUsed = commit.writer<{ id: string; at: string }>(rows => ({
    sql: `UPDATE keys SET last_used_at = r.at FROM (SELECT id, max(at) AS at FROM
          jsonb_to_recordset($1::jsonb) AS r(id text, at timestamptz) GROUP BY id) r WHERE keys.id = r.id`,
    values: [JSON.stringify(rows)],
  }));
  // Whatever has changed, its keys are few and reading them again is cheap.
  database.onAnnouncement('callers', () => remembered.clear());
  plans.onChange(() => remembered.clear());

  async function load(hash: Buffer): Promise<Caller | null> {
    const [row] = await database.query(
      `SELECT a.*, k.id AS key_id, k.name AS key_name, k.admin, k.scopes, k.models, k.budget_picodollars AS key_budget, k.expires_at, k.counts_as
       FROM keys k JOIN accounts a ON a.id = k.account_id WHERE k.hash = $1 AND k.revoked_at IS NULL AND a.deleting_since IS NULL`,
      [hash],
    );
    if (!row) return null;
    await plans.settled();
    return {
      account: accountFrom(row, plans),
      // An account has a name and a budget as well.
      key: {
        ...rightsFrom({ ...row, name: row['key_name'], budget_picodollars: row['key_budget'] }),
        id: String(row['key_id']),
        ...(row['counts_as'] !== null && { countsAs: String(row['counts_as']) }),
      },
    };
  }

  function remember(hash: Buffer): Promise<Caller | null> {
    const name = hash.toString('base64');
    const known = remembered.get(name);
    if (known && known.untilMs > now()) return known.caller;
    const caller = load(hash);
    remembered.delete(name);
    if (remembered.size >= mostRemembered) remembered.delete(remembered.keys().next().value ?? '');
    remembered.set(name, { caller, untilMs: now() + rememberMs[database.kind] });
    caller.catch(() => remembered.delete(name));
    return caller;
  }

  function used(id: string): void {
    if (now() - (lastUsedMs.get(id) ?? -Infinity) < lastUsedEveryMs) return;
    if (lastUsedMs.size >= mostRemembered) lastUsedMs.clear();
    lastUsedMs.set(id, now());
    lastUsed.writeLater({ id, at: new Date(now()).toISOString() });
  }

  async function insert(accountId: string, key: NewKey, replaces?: { id: string; overlapMs: number }) {
    const account = await accounts.get(accountId);
    if (!account) return undefined;
    const secret = key.secret ?? makeSecret();
    const { maxKeys } = account.plan;
    const id = newKeyId();
    const statements: Statement[] = [
      // Keys that are made at the same time count each other.
      { sql: 'SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', values: [accountId] },
      {
        sql: `INSERT INTO keys (id, account_id, hash, hint, name, admin, scopes, models, budget_picodollars, expires_at, created_at, made_by,
                counts_as, spent_month, spent_picodollars)
              SELECT $1, $2, $3::bytea, $4, $5, $6::boolean, $7::jsonb, $8::jsonb, $9::bigint, $10::timestamptz, $11::timestamptz, $14,
                coalesce(old.counts_as, old.id, ${freeWindows}), old.spent_month, coalesce(old.spent_picodollars, 0)
              FROM (SELECT 1) AS one LEFT JOIN keys old ON old.id = $13
              WHERE ($12::integer IS NULL OR $12 > (SELECT count(*) FROM keys WHERE account_id = $2 AND ${active}
                  AND session_of IS NULL AND id IS DISTINCT FROM $13::text))
                AND ($14::text IS NULL OR ${mostMadeAnHour} > (SELECT count(*) FROM keys WHERE account_id = $2
                  AND session_of IS NULL AND made_by IS NOT NULL AND created_at > $11::timestamptz - interval '1 hour'))
              RETURNING *`,
        values: [
          id,
          accountId,
          hashSecret(secret),
          hintOf(secret),
          key.name,
          key.admin ?? false,
          key.scopes ? JSON.stringify(key.scopes) : null,
          key.models ? JSON.stringify(key.models) : null,
          key.budgetPicodollars ?? null,
          key.expiresAt ?? null,
          new Date(now()),
          maxKeys,
          replaces?.id ?? null,
          key.madeBy ?? null,
        ],
      },
    ];
    if (replaces) {
      statements.push({
        sql: `UPDATE keys SET expires_at = least(expires_at, $2::timestamptz)
              WHERE id = $1 AND EXISTS (SELECT 1 FROM keys WHERE id = $3)`,
        values: [replaces.id, new Date(now() + replaces.overlapMs), id],
      });
    }
    // A secret that was chosen may be remembered as unknown, whether this process or another stores it now.
    const [, rows] = await database.transaction(statements).finally(() => database.announce('callers'));
    const [row] = rows ?? [];
    if (!row) throw await refusal(accountId, maxKeys, replaces?.id);
    return { key: keyFrom(row, now()), secret };
  }

  async function refusal(accountId: string, maxKeys: number | null, replaced: string | undefined): Promise<Error> {
    const [row] = await database.query(
      `SELECT count(*)::integer AS count FROM keys WHERE account_id = $1 AND session_of IS NULL AND id IS DISTINCT FROM $2::text
       AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3::timestamptz)`,
      [accountId, replaced ?? null, new Date(now())],
    );
    return maxKeys !== null && Number(row?.['count']) >= maxKeys ? new KeyError(maxKeys) : new KeysTooFast();
  }

  async function get(id: string): Promise<Key | undefined> {
    const [row] = await database.query('SELECT * FROM keys WHERE id = $1', [id]);
    return row && keyFrom(row, now());
  }

  return {
    get,
    make: (accountId, key) => insert(accountId, key),

    async authenticate(secret) {
      const caller = await remember(hashSecret(secret));
      if (!caller) return null;
      if (caller.key.expiresAt && caller.key.expiresAt.getTime() <= now()) return null;
      used(caller.key.id);
      return caller;
    },

    async rotate(id, { overlapMs, madeBy }) {
      const key = await get(id);
      if (!key || key.revokedAt) return undefined;
      const { name, scopes, models, budgetPicodollars, expiresAt, admin } = key;
      const rights = { name, scopes, models, budgetPicodollars, expiresAt, admin, madeBy: madeBy ?? key.madeBy };
      return insert(key.accountId, rights, { id, overlapMs });
    },

    async list(accountId) {
      const rows = await database.query(
        `WITH own AS (SELECT *, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2::timestamptz) AS active
           FROM keys WHERE account_id = $1 AND session_of IS NULL)
         SELECT * FROM (SELECT * FROM own WHERE active UNION ALL
           (SELECT * FROM own WHERE NOT active ORDER BY id DESC LIMIT ${mostPast})) AS listed ORDER BY id`,
        [accountId, new Date(now())],
      );
      return rows.map(row => keyFrom(row, now()));
    },

    async change(id, { name, scopes, models, budgetPicodollars, expiresAt }) {
      const key = await get(id);
      const account = key && (await accounts.get(key.accountId));
      if (!key || !account) return undefined;
      const { maxKeys } = account.plan;
      const [, rows] = await database.transaction([
        { sql: 'SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', values: [account.id] },
        {
          // One that has expired and shall work again needs room like a new one.
          sql: `UPDATE keys SET name = coalesce($2, name),
                  scopes = CASE WHEN $3 THEN $4::jsonb ELSE scopes END, models = CASE WHEN $5 THEN $6::jsonb ELSE models END,
                  budget_picodollars = CASE WHEN $7 THEN $8::bigint ELSE budget_picodollars END,
                  -- What a key without a budget spends isn't counted with it.
                  spent_month = CASE WHEN $7 THEN $13::date ELSE spent_month END,
                  spent_picodollars = CASE WHEN $7 THEN (SELECT coalesce(sum(cost_picodollars), 0) FROM usage_hours u
                    WHERE u.account_id = keys.account_id AND u.key_id = keys.id AND u.hour >= $13::date::timestamp AT TIME ZONE 'UTC')
                    ELSE spent_picodollars END,
                  expires_at = CASE WHEN $9 THEN $10::timestamptz ELSE expires_at END
                WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $11::timestamptz OR NOT $9 OR $12::integer IS NULL
                  OR $12 > (SELECT count(*) FROM keys o WHERE o.account_id = keys.account_id AND o.revoked_at IS NULL
                    AND o.session_of IS NULL AND (o.expires_at IS NULL OR o.expires_at > $11)))
                RETURNING *`,
          values: [
            id,
            name ?? null,
            scopes !== undefined,
            scopes ? JSON.stringify(scopes) : null,
            models !== undefined,
            models ? JSON.stringify(models) : null,
            budgetPicodollars !== undefined,
            budgetPicodollars ?? null,
            expiresAt !== undefined,
            expiresAt ?? null,
            new Date(now()),
            maxKeys,
            `${monthOf(new Date(now()))}-01`,
          ],
        },
      ]);
      const [row] = rows ?? [];
      if (!row) {
        if ((await get(id))?.revokedAt === null) throw new KeyError(maxKeys ?? 0);
        return undefined;
      }
      await database.announce('callers');
      return keyFrom(row, now());
    },

    async revoke(id) {
      const [row] = await database.query(
        'UPDATE keys SET revoked_at = coalesce(revoked_at, $2::timestamptz) WHERE id = $1 RETURNING *',
        [id, new Date(now())],
      );
      await database.announce('callers');
      return row && keyFrom(row, now());
    },

    async ofSession(accountId, personId) {
      // The hash of a secret that is thrown away: the column is unique and must not be empty.
      const values = [newKeyId(), accountId, hashSecret(makeSecret()), personId, new Date(now())];
      await database.query(
        `INSERT INTO keys (id, account_id, hash, hint, name, admin, session_of, created_at)
         VALUES ($1, $2, $3::bytea, '', 'console', false, $4, $5)
         ON CONFLICT (account_id, session_of) WHERE session_of IS NOT NULL DO NOTHING`,
        values,
      );
      const [row] = await database.query('SELECT id FROM keys WHERE account_id = $1 AND session_of = $2', [
        accountId,
        personId,
      ]);
      if (!row) throw new Error('The account is gone');
      return String(row['id']);
    },
  };
}

/** Of a row of `keys`, where $11 is now. */
const active = `revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $11)`;

/**
 * The windows of a key of the account ($2) that can't be used any more, unless another goes on with them already; those that were in use
 * last. So an account never has more windows than it may have keys at once, however many it makes and revokes.
 */
const freeWindows = `(
  SELECT coalesce(past.counts_as, past.id) FROM (SELECT * FROM keys WHERE account_id = $2 AND session_of IS NULL AND NOT (${active})) AS past
  WHERE NOT EXISTS (SELECT 1 FROM keys WHERE account_id = $2 AND coalesce(counts_as, id) = coalesce(past.counts_as, past.id) AND ${active})
  ORDER BY greatest(past.last_used_at, past.created_at) DESC, past.id DESC LIMIT 1)`;

function newKeyId(): string {
  return `key_${newId().replaceAll('-', '')}`;
}

function rightsFrom(row: Row) {
  return {
    name: String(row['name']),
    admin: row['admin'] === true,
    scopes: row['scopes'] as string[] | null,
    models: row['models'] as string[] | null,
    budgetPicodollars: row['budget_picodollars'] as bigint | null,
    expiresAt: row['expires_at'] as Date | null,
  };
}

function keyFrom(row: Row, nowMs: number): Key {
  const spentThisMonth = row['spent_month'] === `${monthOf(new Date(nowMs))}-01`;
  return {
    ...rightsFrom(row),
    id: String(row['id']),
    accountId: String(row['account_id']),
    hint: String(row['hint']),
    createdAt: row['created_at'] as Date,
    revokedAt: row['revoked_at'] as Date | null,
    lastUsedAt: row['last_used_at'] as Date | null,
    madeBy: row['made_by'] as string | null,
    ofSession: row['session_of'] !== null,
    spentPicodollars: spentThisMonth ? (row['spent_picodollars'] as bigint) : 0n,
  };
}
