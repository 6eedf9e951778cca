// Invoices: what an account used, paid and was given in a calendar month (UTC), for a page that people print.
import { type AnswerOf, routes } from '@vectorium/contract';
import { monthOf } from '../accounts/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError, type App, mount } from '../http/index.ts';
import { picodollarsToUsd } from '../plans/index.ts';
import type { BillingStore } from './store.ts';

interface Parts {
  store: BillingStore;
  database: Pick<Database, 'query'>;
  seller: readonly string[];
}

export function mountInvoiceRoutes(app: App, { store, database, seller }: Parts): void {
  mount(app, routes.listInvoices, async ({ caller }) => {
    const months = await store.months(caller.account.id);
    return { data: months.map(each => headOf(caller.account.id, each)) };
  });

  mount(app, routes.getInvoice, async ({ caller: { account }, params: { month } }) => {
    const sums = (await store.months(account.id)).find(each => each.month === month);
    if (!sums) throw new ApiError('NOT_FOUND', { message: `Nothing was used or paid in ${month}` });
    const start = new Date(`${month}-01T00:00:00Z`);
    const end = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1));
    const range = [account.id, start, end];
    const lines = await database.query(
      `SELECT model, sum(requests)::bigint AS requests, sum(tokens)::bigint AS tokens, sum(cost_picodollars)::bigint AS cost
       FROM usage_hours WHERE account_id = $1 AND hour >= $2::timestamptz AND hour < $3::timestamptz GROUP BY model ORDER BY cost DESC, model`,
      range,
    );
    const entries = await database.query(
      `SELECT at, kind, amount_picodollars, note FROM ledger WHERE account_id = $1 AND at >= $2::timestamptz AND at < $3::timestamptz
       AND kind NOT IN ('usage', 'usage_of_day') ORDER BY at, id`,
      range,
    );
    const [before] = await database.query(
      `SELECT (coalesce((SELECT sum(amount_picodollars) FROM ledger
           WHERE account_id = $1 AND at < $2::timestamptz AND kind NOT IN ('usage', 'usage_of_day')), 0)
         - coalesce((SELECT sum(cost_picodollars) FROM usage_hours WHERE account_id = $1 AND hour < $2::timestamptz), 0))::bigint AS balance`,
      [account.id, start],
    );
    const opening = (before?.['balance'] as bigint | undefined) ?? 0n;
    const payments = entries.filter(({ kind }) => kind === 'payment');
    const credits = sumOf(entries) - sumOf(payments);
    const final = month < monthOf(new Date());
    return {
      ...headOf(account.id, sums),
      issued_on: (final ? end : new Date()).toISOString().slice(0, 10),
      seller: [...seller],
      buyer: { ...account.invoiceTo, email: account.email },
      lines: lines.map(row => ({
        model: String(row['model']),
        requests: Number(row['requests']),
        tokens: Number(row['tokens']),
        cost_usd: picodollarsToUsd(row['cost'] as bigint),
      })),
      payments: payments.map(row => ({
        at: (row['at'] as Date).toISOString(),
        amount_usd: picodollarsToUsd(row['amount_picodollars'] as bigint),
        note: String(row['note']),
      })),
      credits_usd: picodollarsToUsd(credits),
      opening_balance_usd: picodollarsToUsd(opening),
      closing_balance_usd: picodollarsToUsd(opening + sumOf(entries) - sums.spentPicodollars),
    };
  });
}

type Head = AnswerOf<typeof routes.listInvoices>['data'][number];

function headOf(accountId: string, sums: { month: string; spentPicodollars: bigint; paidPicodollars: bigint }): Head {
  return {
    month: sums.month,
    number: `${sums.month}-${accountId.slice(-8).toUpperCase()}`,
    spent_usd: picodollarsToUsd(sums.spentPicodollars),
    paid_usd: picodollarsToUsd(sums.paidPicodollars),
    final: sums.month < monthOf(new Date()),
  };
}

function sumOf(rows: readonly Record<string, unknown>[]): bigint {
  return rows.reduce((sum, row) => sum + (row['amount_picodollars'] as bigint), 0n);
}
