// What billing reads: the ledger with usage as one entry a day, usage by time, model and key, and sums of months. Sums by the hour stay
// for ever and hold what the ledger's single charges hold, so a year of usage is read without reading a charge.
import type { Database, Row } from '../database/index.ts';

export interface LedgerEntry {
  id: string;
  at: Date;
  kind: string;
  amountPicodollars: bigint;
  balancePicodollars: bigint;
  note: string;
}

export interface UsageByTime {
  at: Date;
  model: string;
  keyId: string;
  requests: number;
  tokens: number;
  costPicodollars: bigint;
  durationMs: number;
}

export interface Range {
  from: Date;
  to: Date;
}

export interface BillingStore {
  /** Newest first. */
  ledger(accountId: string, page: { limit: number; after: string | null }): Promise<LedgerEntry[]>;
  usage(accountId: string, range: Range, by: 'hour' | 'day'): Promise<UsageByTime[]>;
  /** Names by id: of keys, and of people for their keys in the console. */
  keyNames(accountId: string): Promise<Map<string, string>>;
  spentThisMonth(accountId: string, month: string): Promise<bigint>;
  alerts(accountId: string, month: string): Promise<{ percent: number; at: Date }[]>;
  /** Months ("2024-02") with any use or payment, newest first. */
  months(accountId: string): Promise<{ month: string; spentPicodollars: bigint; paidPicodollars: bigint }[]>;
}

export function createBillingStore(database: Pick<Database, 'query'>): BillingStore {
  return {
    async ledger(accountId, { limit, after }) {
      const rows = await database.query(
        `${entriesOf} SELECT * FROM running
         WHERE $2::text IS NULL OR (at, id) < (SELECT at, id FROM running WHERE id = $2) ORDER BY at DESC, id DESC LIMIT $3`,
        [accountId, after, limit],
      );
      return rows.map(entryFrom);
    },

    async usage(accountId, { from, to }, by) {
      const rows = await database.query(
        `SELECT date_trunc($4, hour, 'UTC') AS at, model, key_id, sum(requests)::bigint AS requests, sum(tokens)::bigint AS tokens,
           sum(cost_picodollars)::bigint AS cost, sum(duration_ms) AS duration_ms
         FROM usage_hours WHERE account_id = $1 AND hour >= date_trunc($4, $2::timestamptz, 'UTC') AND hour < $3::timestamptz
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
        [accountId, from, to, by],
      );
      return rows.map(row => ({
        at: row['at'] as Date,
        model: String(row['model']),
        keyId: String(row['key_id']),
        requests: Number(row['requests']),
        tokens: Number(row['tokens']),
        costPicodollars: row['cost'] as bigint,
        durationMs: Number(row['duration_ms']),
      }));
    },

    async keyNames(accountId) {
      const rows = await database.query<{ id: string; name: string }>(
        `SELECT k.id, coalesce(p.name, k.name) AS name FROM keys k LEFT JOIN people p ON p.id = k.session_of WHERE k.account_id = $1`,
        [accountId],
      );
      return new Map(rows.map(({ id, name }) => [id, name]));
    },

    async spentThisMonth(accountId, month) {
      const [row] = await database.query(
        'SELECT spent_picodollars FROM accounts WHERE id = $1 AND spent_month = $2::date',
        [accountId, `${month}-01`],
      );
      return (row?.['spent_picodollars'] as bigint | undefined) ?? 0n;
    },

    async alerts(accountId, month) {
      return database.query<{ percent: number; at: Date }>(
        'SELECT percent, at FROM budget_alerts WHERE account_id = $1 AND month = $2::date ORDER BY percent',
        [accountId, `${month}-01`],
      );
    },

    async months(accountId) {
      const rows = await database.query(
        `SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, sum(spent)::bigint AS spent, sum(paid)::bigint AS paid FROM (
           SELECT hour AS at, cost_picodollars AS spent, 0::bigint AS paid FROM usage_hours WHERE account_id = $1 AND cost_picodollars > 0
           UNION ALL
           SELECT at, 0, amount_picodollars FROM ledger WHERE account_id = $1 AND kind = 'payment') AS each
         GROUP BY 1 ORDER BY 1 DESC`,
        [accountId],
      );
      return rows.map(row => ({
        month: String(row['month']),
        spentPicodollars: row['spent'] as bigint,
        paidPicodollars: row['paid'] as bigint,
      }));
    },
  };
}

/** $1 the account. A day's usage stands at its end. */
const entriesOf = `
  WITH days AS (
    SELECT (hour AT TIME ZONE 'UTC')::date AS day, sum(cost_picodollars) AS cost FROM usage_hours
    WHERE account_id = $1 AND cost_picodollars > 0 GROUP BY 1),
  entries AS (
    SELECT id::text AS id, at, kind, amount_picodollars::numeric AS amount, note FROM ledger
    WHERE account_id = $1 AND kind NOT IN ('usage', 'usage_of_day')
    UNION ALL
    SELECT 'usage-' || day, (day + 1)::timestamp AT TIME ZONE 'UTC' - interval '1 millisecond', 'usage', -cost, '' FROM days),
  running AS (SELECT *, (sum(amount) OVER (ORDER BY at, id))::bigint AS balance FROM entries)`;

function entryFrom(row: Row): LedgerEntry {
  return {
    id: String(row['id']),
    at: row['at'] as Date,
    kind: String(row['kind']),
    amountPicodollars: BigInt(String(row['amount'])),
    balancePicodollars: row['balance'] as bigint,
    note: String(row['note']),
  };
}
