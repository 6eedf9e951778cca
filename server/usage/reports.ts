// What was used, told from durable rows: for an account by day and model, as CSV, and for the whole service.
import type { Account, Accounts } from '../accounts/index.ts';
import type { Database, Row } from '../database/index.ts';
import { formatUsd } from '../plans/index.ts';

export interface UsageSums {
  requests: number;
  tokens: number;
  costPicodollars: bigint;
}

export interface UsageReport {
  accountId: string;
  email: string;
  /** Null on an account that is not billed. */
  balancePicodollars: bigint | null;
  from: Date;
  to: Date;
  totals: UsageSums;
  /** Days (UTC, "2024-02-29") with any use, oldest first, each with its models. */
  days: ({ date: string; models: ({ model: string } & UsageSums)[] } & UsageSums)[];
  /** Most requests first. */
  models: ({ model: string } & UsageSums)[];
}

export interface ServiceMetrics {
  totalRequests: number;
  requestsLast24Hours: number;
  /** Of all requests; 0 before the first. */
  averageMs: number;
  /** Most requests first. */
  models: { model: string; requests: number; averageMs: number }[];
}

export interface Reports {
  /** Sums of whole hours in [from, to). Undefined when there is no such account. */
  report(accountId: string, range: { from: Date; to: Date }): Promise<UsageReport | undefined>;
  /** Pieces of a CSV file with one line a request in [from, to), oldest first, as far back as rows are kept. */
  csv(accountId: string, range: { from: Date; to: Date }): AsyncGenerator<string>;
  /** What all that was charged under one request id costs, since a moment before the first of it. */
  costOf(accountId: string, requestId: string, since: Date): Promise<bigint>;
  metrics(): Promise<ServiceMetrics>;
}

export interface ReportsOptions {
  database: Database;
  accounts: Accounts;
  /** Gives the month's credit, if it is due, before a balance is told. */
  grant: (account: Account) => Promise<void>;
  now: () => Date;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const csvPage = 1000;
const csvHeader = 'time,request_id,key_id,route,model,tokens,cost_usd,duration_ms\n';

export function createReports({ database, accounts, grant, now }: ReportsOptions): Reports {
  const totals = createTotals(database, now);
  return {
    async report(accountId, { from, to }) {
      const known = await accounts.get(accountId);
      if (!known) return undefined;
      await grant(known);
      const account = (await accounts.get(accountId)) ?? known;
      const rows = await database.query(
        `SELECT (hour AT TIME ZONE 'UTC')::date AS date, model, sum(requests)::bigint AS requests, sum(tokens)::bigint AS tokens,
           sum(cost_picodollars)::bigint AS cost
         FROM usage_hours WHERE account_id = $1 AND hour >= $2::timestamptz AND hour < $3::timestamptz GROUP BY 1, 2 ORDER BY 1, 2`,
        [accountId, hourOf(from), to],
      );
      return {
        accountId,
        email: account.email,
        balancePicodollars: account.billed ? account.balancePicodollars : null,
        from,
        to,
        totals: sumsOf(rows),
        days: grouped(rows, 'date').map(([date, group]) => ({ date, ...sumsOf(group), models: byModel(group) })),
        models: byModel(rows).toSorted((a, b) => b.requests - a.requests),
      };
    },

    async *csv(accountId, { from, to }) {
      yield csvHeader;
      let after: [Date, string] = [from, '00000000-0000-0000-0000-000000000000'];
      for (;;) {
        const rows = await database.query(
          `SELECT * FROM usage WHERE account_id = $1 AND (at, id) > ($2::timestamptz, $3::uuid) AND at < $4::timestamptz
           ORDER BY at, id LIMIT ${csvPage}`,
          [accountId, ...after, to],
        );
        if (rows.length > 0) yield rows.map(csvLine).join('');
        const last = rows.at(-1);
        if (!last || rows.length < csvPage) return;
        after = [last['at'] as Date, String(last['id'])];
      }
    },

    async costOf(accountId, requestId, since) {
      const [row] = await database.query(
        `SELECT coalesce(sum(cost_picodollars), 0)::bigint AS cost FROM usage
         WHERE account_id = $1 AND at >= $2::timestamptz AND request_id = $3`,
        [accountId, since, requestId],
      );
      return BigInt(String(row?.['cost'] ?? 0));
    },

    async metrics() {
      const models = await totals();
      const since = new Date(now().getTime() - dayMs);
      const firstWholeHour = new Date(Math.ceil(since.getTime() / hourMs) * hourMs);
      const [row] = await database.query(
        `SELECT (coalesce((SELECT sum(requests) FROM usage_hours WHERE hour >= $2::timestamptz), 0)
           + (SELECT count(*) FROM usage WHERE at >= $1::timestamptz AND at < $2::timestamptz))::bigint AS requests`,
        [since, firstWholeHour],
      );
      const all = models.reduce((sum, each) => sum + each.requests, 0);
      const durationMs = models.reduce((sum, each) => sum + each.durationMs, 0);
      return {
        totalRequests: all,
        requestsLast24Hours: Number(row?.['requests'] ?? 0),
        averageMs: all === 0 ? 0 : durationMs / all,
        models: models
          .map(each => ({ model: each.model, requests: each.requests, averageMs: each.durationMs / each.requests }))
          .toSorted((a, b) => b.requests - a.requests),
      };
    },
  };
}

interface ModelTotal {
  model: string;
  requests: number;
  durationMs: number;
}

/**
 * Totals by model. Hours that ended long ago no longer change: their sums are kept in memory, so that a scrape every few seconds reads
 * the last hours and not the whole history.
 */
function createTotals(database: Database, now: () => Date): () => Promise<ModelTotal[]> {
  const closed = new Map<string, ModelTotal>();
  let closedUntil = new Date(0);

  async function add(into: Map<string, ModelTotal>, from: Date, to: Date): Promise<void> {
    const rows = await database.query(
      `SELECT model, sum(requests)::bigint AS requests, sum(duration_ms) AS duration_ms FROM usage_hours
       WHERE hour >= $1::timestamptz AND hour < $2::timestamptz GROUP BY model`,
      [from, to],
    );
    for (const row of rows) {
      const model = String(row['model']);
      const before = into.get(model) ?? { model, requests: 0, durationMs: 0 };
      const durationMs = before.durationMs + Number(row['duration_ms']);
      into.set(model, { model, requests: before.requests + Number(row['requests']), durationMs });
    }
  }

  let turn: Promise<unknown> = Promise.resolve();
  return () => {
    const result = turn.then(async () => {
      const until = new Date(hourOf(now()).getTime() - hourMs);
      if (until > closedUntil) {
        await add(closed, closedUntil, until);
        closedUntil = until;
      }
      const all = new Map(closed);
      await add(all, closedUntil, new Date(now().getTime() + dayMs));
      return [...all.values()];
    });
    turn = result.catch(() => {});
    return result;
  };
}

function byModel(rows: Row[]): ({ model: string } & UsageSums)[] {
  return grouped(rows, 'model').map(([model, group]) => ({ model, ...sumsOf(group) }));
}

function grouped(rows: Row[], column: string): [string, Row[]][] {
  return [...Map.groupBy(rows, row => String(row[column]))];
}

function sumsOf(rows: Row[]): UsageSums {
  const sums = { requests: 0, tokens: 0, costPicodollars: 0n };
  for (const row of rows) {
    sums.requests += Number(row['requests']);
    sums.tokens += Number(row['tokens']);
    sums.costPicodollars += row['cost'] as bigint;
  }
  return sums;
}

function csvLine(row: Row): string {
  const cells = [
    (row['at'] as Date).toISOString(),
    String(row['request_id']),
    String(row['key_id']),
    String(row['route']),
    String(row['model']),
    String(row['tokens']),
    formatUsd(row['cost_picodollars'] as bigint),
    Number(row['duration_ms']).toFixed(1),
  ];
  return `${cells.map(csvCell).join(',')}\n`;
}

/** Quoted where it must be; a cell that a spreadsheet would run as a formula is made text. */
function csvCell(text: string): string {
  const safe = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function hourOf(time: Date): Date {
  return new Date(Math.floor(time.getTime() / hourMs) * hourMs);
}
