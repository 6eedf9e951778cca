// What is written when requests are done: usage rows, their sums by the hour, ledger entries, balances, spent budgets and leases, for
// any number of requests in one statement, which is one transaction.
import type { Statement } from '../database/index.ts';
import type { LeaseReturn } from './purses.ts';

export interface UsageRow {
  id: string;
  at: Date;
  requestId: string;
  accountId: string;
  keyId: string;
  route: string;
  model: string;
  tokens: number;
  costPicodollars: bigint;
  durationMs: number;
  /** "2024-02" when the cost counts against the key's budget of that month. */
  budgetMonth: string | null;
}

export interface Settlements {
  usage: UsageRow[];
  /** What is done with, of which leases. */
  returns: LeaseReturn[];
  /** The process that holds the leases. */
  holder: string;
  /** Grows from one batch of this process to the next. */
  batch: bigint;
}

/**
 * Idempotent: a usage row that is there already brings nothing with it, and a batch of returns counts once. Everything follows
 * from `booked`, the rows that are new.
 */
export function settlementStatement({ usage, returns, holder, batch }: Settlements): Statement {
  return statementOf({
    rows: usage.map(row => ({
      ...row,
      costPicodollars: String(row.costPicodollars),
      budgetMonth: row.budgetMonth && `${row.budgetMonth}-01`,
    })),
    returns: returns.map(({ purse, amount }) => ({ purse, amount: String(amount) })),
    holder,
    batch,
  });
}

/** As JSON has them. */
interface Parts {
  rows: { id: string }[];
  returns: { purse: string; amount: string }[];
  holder: string;
  batch: bigint;
}

function statementOf({ rows, returns, holder, batch }: Parts): Statement {
  // Of rows with one id the first counts.
  const firsts = new Map(rows.toReversed().map(row => [row.id, row]));
  const amounts = new Map<string, bigint>();
  for (const { purse, amount } of returns) amounts.set(purse, (amounts.get(purse) ?? 0n) + BigInt(amount));
  const sums = [...amounts].filter(([, amount]) => amount > 0n);
  return {
    sql,
    values: [
      JSON.stringify([...firsts.values()].toReversed()),
      JSON.stringify(sums.map(([purse, amount]) => ({ purse, amount: String(amount) }))),
      holder,
      batch,
    ],
    merge(next) {
      const [moreRows, moreReturns, , nextBatch] = next.values as [string, string, string, bigint];
      return statementOf({
        rows: [...rows, ...(JSON.parse(moreRows) as Parts['rows'])],
        returns: [...returns, ...(JSON.parse(moreReturns) as Parts['returns'])],
        holder,
        batch: nextBatch,
      });
    },
  };
}

const sql = `
  WITH given AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, at timestamptz, "requestId" text, "accountId" text,
    "keyId" text, route text, model text, tokens bigint, "costPicodollars" bigint, "durationMs" double precision, "budgetMonth" date)),
  booked AS (
    INSERT INTO usage (id, at, request_id, account_id, key_id, route, model, tokens, cost_picodollars, duration_ms)
    SELECT id, at, "requestId", "accountId", "keyId", route, model, tokens, "costPicodollars", "durationMs" FROM given
    ON CONFLICT (id) DO NOTHING RETURNING *),
  -- Every statement about money locks accounts first, in their order, then keys, then leases; else two servers would deadlock.
  locked AS (SELECT id FROM accounts WHERE id IN (SELECT account_id FROM booked) ORDER BY id FOR UPDATE),
  summed AS (
    INSERT INTO usage_hours AS hours (account_id, hour, key_id, model, requests, tokens, cost_picodollars, duration_ms)
    SELECT account_id, date_trunc('hour', at, 'UTC'), key_id, model, count(*), sum(tokens), sum(cost_picodollars), sum(duration_ms)
    FROM booked JOIN locked ON locked.id = account_id GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (account_id, hour, key_id, model) DO UPDATE SET
      requests = hours.requests + excluded.requests, tokens = hours.tokens + excluded.tokens,
      cost_picodollars = hours.cost_picodollars + excluded.cost_picodollars,
      duration_ms = hours.duration_ms + excluded.duration_ms),
  entered AS (
    INSERT INTO ledger (id, at, account_id, kind, amount_picodollars)
    SELECT id, at, account_id, 'usage', -cost_picodollars FROM booked WHERE cost_picodollars > 0),
  paid AS (
    UPDATE accounts SET balance_picodollars = balance_picodollars - cost.amount,
      spent_month = greatest(accounts.spent_month, cost.month),
      spent_picodollars = CASE WHEN accounts.spent_month > cost.month THEN accounts.spent_picodollars
        WHEN accounts.spent_month = cost.month THEN accounts.spent_picodollars + cost.in_month ELSE cost.in_month END
    FROM (
      -- Of a batch at the turn of the month, the newer month counts as the one that is being spent in.
      SELECT account_id, sum(amount) AS amount, max(month) AS month, (array_agg(amount ORDER BY month DESC))[1] AS in_month
      FROM (
        SELECT account_id, date_trunc('month', at AT TIME ZONE 'UTC')::date AS month, sum(cost_picodollars) AS amount
        FROM booked JOIN locked ON locked.id = account_id WHERE cost_picodollars > 0 GROUP BY 1, 2) AS months
      GROUP BY 1) AS cost
    WHERE accounts.id = cost.account_id),
  spent AS (
    UPDATE keys SET spent_month = cost.month,
      spent_picodollars = CASE WHEN keys.spent_month = cost.month THEN keys.spent_picodollars ELSE 0 END + cost.amount
    FROM (
      SELECT DISTINCT ON (key_id) key_id, "budgetMonth" AS month, sum(cost_picodollars) AS amount
      FROM booked JOIN locked ON locked.id = account_id JOIN given ON given.id = booked.id AND "budgetMonth" IS NOT NULL
      GROUP BY 1, 2 ORDER BY 1, 2 DESC) AS cost
    WHERE keys.id = cost.key_id AND (keys.spent_month IS NULL OR keys.spent_month <= cost.month)
    RETURNING keys.id),
  returned AS (
    UPDATE leases SET amount_picodollars = greatest(amount_picodollars - r.amount, 0), returned_batch = $4::bigint
    FROM jsonb_to_recordset($2::jsonb) AS r(purse text, amount bigint)
    WHERE leases.purse = r.purse AND leases.holder = $3 AND leases.returned_batch < $4::bigint
      AND (SELECT count(*) FROM locked) + (SELECT count(*) FROM spent) >= 0)
  SELECT count(*)::integer AS rows FROM booked`;
