// The audit log: who changed what, in an account or on the server. It is written after what it tells of, and has no secrets.
import type { AnswerOf, routes } from '@vectorium/contract';
import { newId } from '../database/index.ts';
import type { Database, Row, Statement } from '../database/index.ts';

/** What somebody did. */
export interface Deed {
  /** `what.happened`, such as `key.made`. */
  action: string;
  /** Id or name of what it was done to. */
  target: string;
  /** Null for what is no account's. */
  accountId: string | null;
  /** Null for what a key of an administrator, or the server itself, did. */
  personId?: string | null;
  details?: Record<string, unknown>;
  /** From where. */
  address?: string | null;
}

export interface AuditEntry {
  id: string;
  at: Date;
  action: string;
  target: string;
  accountId: string | null;
  person: { id: string; name: string; email: string } | null;
  details: Record<string, unknown>;
  address: string | null;
}

export interface Audit {
  write(deed: Deed): Promise<void>;
  /** Newest first; of one account, or of all. */
  list(o: { accountId?: string | undefined; limit: number; after?: string | undefined }): Promise<AuditEntry[]>;
  close(): Promise<void>;
}

const dayMs = 86_400_000;
const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Entries older than `retentionDays` are dropped. */
export function createAudit({
  database,
  retentionDays,
  log = () => {},
}: {
  database: Database;
  retentionDays: number;
  log?: (event: string, fields: object) => void;
}): Audit {
  const drop = (): Promise<unknown> =>
    database
      .query('DELETE FROM audit WHERE at < $1::timestamptz', [new Date(Date.now() - retentionDays * dayMs)])
      // What is too old goes a day later.
      .catch((error: unknown) => log('audit.not_dropped', { message: String(error) }));
  let dropping = drop();
  const timer = setInterval(() => (dropping = drop()), dayMs);
  timer.unref();
  return {
    async write(deed) {
      const { sql, values } = deedStatement(deed);
      await database.query(sql, values);
    },

    async list({ accountId, limit, after }) {
      if (after !== undefined && !uuid.test(after)) return [];
      const rows = await database.query(
        `SELECT a.*, p.name, p.email FROM audit a LEFT JOIN people p ON p.id = a.person_id
         WHERE ($1::text IS NULL OR a.account_id = $1) AND ($2::uuid IS NULL OR a.id < $2) ORDER BY a.id DESC LIMIT $3`,
        [accountId ?? null, after ?? null, limit],
      );
      return rows.map(entryFrom);
    },

    async close() {
      clearInterval(timer);
      await dropping;
    },
  };
}

/** Writes it, in a transaction with what it tells of. */
export function deedStatement(deed: Deed): Statement {
  const { action, target, accountId, personId = null, details = {}, address = null } = deed;
  return {
    sql: `INSERT INTO audit (id, at, account_id, person_id, action, target, details, address)
          VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8)`,
    values: [newId(), new Date(), accountId, personId, action, target, JSON.stringify(details), address],
  };
}

function entryFrom(row: Row): AuditEntry {
  const personId = row['person_id'] as string | null;
  const named = row['email'] !== null;
  return {
    id: String(row['id']),
    at: row['at'] as Date,
    action: String(row['action']),
    target: String(row['target']),
    accountId: row['account_id'] as string | null,
    person:
      personId === null
        ? null
        : { id: personId, name: named ? String(row['name']) : '', email: named ? String(row['email']) : '' },
    details: row['details'] as Record<string, unknown>,
    address: row['address'] as string | null,
  };
}

/** As answers show it. */
export function shownAudit(entry: AuditEntry): AnswerOf<typeof routes.listAudit>['data'][number] {
  return {
    id: entry.id,
    at: entry.at.toISOString(),
    action: entry.action,
    person: entry.person,
    target: entry.target,
    details: entry.details,
    address: entry.address,
  };
}
