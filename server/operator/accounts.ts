// Accounts as the operator searches them, with what they use.
import type { Role } from '@vectorium/contract';
import { monthOf } from '../accounts/index.ts';
import type { Database, Row } from '../database/index.ts';

export interface AccountRow {
  id: string;
  name: string;
  email: string;
  plan: string;
  billed: boolean;
  balancePicodollars: bigint;
  spentPicodollars: bigint;
  members: number;
  keys: number;
  storageBytes: number;
  lastUsedAt: Date | null;
  createdAt: Date;
}

export interface Search {
  search?: string | undefined;
  plan?: string | undefined;
  /** One account alone. */
  id?: string | undefined;
  limit: number;
  after?: string | undefined;
}

/** Oldest first. */
export async function searchAccounts(database: Pick<Database, 'query'>, search: Search): Promise<AccountRow[]> {
  const rows = await database.query(searchStatement, [
    search.search === undefined ? null : `%${search.search.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`,
    search.plan ?? null,
    search.after ?? null,
    search.limit,
    `${monthOf(new Date())}-01`,
    search.id ?? null,
    new Date(),
  ]);
  return rows.map(accountRowFrom);
}

export async function peopleOf(database: Pick<Database, 'query'>, accountId: string) {
  const rows = await database.query(
    `SELECT p.id, p.name, p.email, p.email_verified, m.role, k.last_used_at FROM members m JOIN people p ON p.id = m.person_id
     LEFT JOIN keys k ON k.account_id = m.account_id AND k.session_of = m.person_id
     WHERE m.account_id = $1 ORDER BY m.created_at, p.id`,
    [accountId],
  );
  return rows.map(row => ({
    person_id: String(row['id']),
    name: String(row['name']),
    email: String(row['email']),
    role: row['role'] as Role,
    email_verified: row['email_verified'] === true,
    last_seen_at: (row['last_used_at'] as Date | null)?.toISOString() ?? null,
  }));
}

const searchStatement = `
  SELECT a.*, CASE WHEN a.spent_month = $5::date THEN a.spent_picodollars ELSE 0 END AS spent_now,
    (SELECT count(*) FROM members m WHERE m.account_id = a.id)::integer AS members,
    (SELECT count(*) FROM keys k WHERE k.account_id = a.id AND k.session_of IS NULL AND k.revoked_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > $7::timestamptz))::integer AS keys,
    (SELECT max(k.last_used_at) FROM keys k WHERE k.account_id = a.id) AS last_used_at,
    ((SELECT coalesce(sum(counted_bytes), 0) FROM dataset_versions v WHERE v.account_id = a.id)
      + (SELECT coalesce(sum(counted_bytes), 0) FROM trained_models t WHERE t.account_id = a.id))::bigint AS storage_bytes
  FROM accounts a
  WHERE ($1::text IS NULL OR lower(a.id) LIKE $1 OR lower(a.name) LIKE $1 OR a.email LIKE $1
      OR EXISTS (SELECT 1 FROM members m JOIN people p ON p.id = m.person_id
        WHERE m.account_id = a.id AND (p.email LIKE $1 OR lower(p.name) LIKE $1)))
    AND ($2::text IS NULL OR a.plan = $2) AND ($3::text IS NULL OR a.id > $3) AND ($6::text IS NULL OR a.id = $6)
  ORDER BY a.id LIMIT $4`;

function accountRowFrom(row: Row): AccountRow {
  return {
    id: String(row['id']),
    name: String(row['name']),
    email: String(row['email']),
    plan: String(row['plan']),
    billed: row['billed'] === true,
    balancePicodollars: row['balance_picodollars'] as bigint,
    spentPicodollars: row['spent_now'] as bigint,
    members: Number(row['members']),
    keys: Number(row['keys']),
    storageBytes: Number(row['storage_bytes']),
    lastUsedAt: row['last_used_at'] as Date | null,
    createdAt: row['created_at'] as Date,
  };
}
