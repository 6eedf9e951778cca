// The console's routes about money and usage.
import { type AnswerOf, routes } from '@vectorium/contract';
import { buffer } from 'node:stream/consumers';
import { type Account, type Accounts, type Budget, monthOf } from '../accounts/index.ts';
import type { Audit } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError, type App, Raw, mount } from '../http/index.ts';
import { type Plan, type Plans, formatUsd, picodollarsToUsd, usdToPicodollars } from '../plans/index.ts';
import type { Reports } from '../usage/index.ts';
import { mountInvoiceRoutes } from './invoices.ts';
import { PaymentRefused, type Payments } from './payments.ts';
import { type LedgerEntry, createBillingStore } from './store.ts';

export interface BillingParts {
  database: Database;
  accounts: Accounts;
  plans: Plans;
  ledger: Pick<Reports, 'report'>;
  /** Writes what is to be written: with that, money that was lent under the old budget is back. */
  flush(): Promise<void>;
  audit: Audit;
  payments: Payments | null;
  /** Lines of the operator's name and address, for invoices. */
  seller: readonly string[];
  /** A page of the console. */
  link(page: string): string;
  log?: (event: string, fields: object) => void;
}

const dayMs = 86_400_000;
const longestMs = { hour: 14 * dayMs, day: 400 * dayMs };
const paymentAmountsUsd = [10, 25, 50, 100, 250];
const mostPaymentBytes = 256 * 1024;

export function mountBillingRoutes(app: App, parts: BillingParts): void {
  const { database, accounts, plans, ledger, audit, payments, link, log = () => {} } = parts;
  const store = createBillingStore(database);
  mountInvoiceRoutes(app, { store, database, seller: parts.seller });

  mount(app, routes.listPlans, ({ caller }) => ({
    data: plans.list().flatMap(plan => (plan.retired ? [] : [shownPlan(plan)])),
    current: shownPlan(caller.account.plan),
  }));

  mount(app, routes.getBilling, async ({ caller }) => {
    const now = new Date();
    const month = monthOf(now);
    const from = new Date(now.getTime() - 7 * dayMs);
    // Grants the month's credit, if it is due, before it tells the balance.
    const report = await ledger.report(caller.account.id, { from, to: now });
    const account = await accounts.get(caller.account.id);
    if (!report || !account) throw new Error('the account of a session is gone');
    const spent = await store.spentThisMonth(account.id, month);
    const days = Math.min(7, Math.max(1, (now.getTime() - account.createdAt.getTime()) / dayMs));
    const left = (Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1) - now.getTime()) / dayMs;
    const projected = picodollarsToUsd(spent) + (picodollarsToUsd(report.totals.costPicodollars) / days) * left;
    return {
      billed: account.billed,
      balance_usd: report.balancePicodollars === null ? null : picodollarsToUsd(report.balancePicodollars),
      month,
      spent_usd: picodollarsToUsd(spent),
      projected_usd: Math.round(projected * 1e6) / 1e6,
      monthly_credit_usd: picodollarsToUsd(account.plan.monthlyCreditPicodollars),
      budget: shownBudget(account),
      alerts: (await store.alerts(account.id, month)).map(({ percent, at }) => ({ percent, at: at.toISOString() })),
      payment_amounts_usd: payments && account.billed ? paymentAmountsUsd : null,
    };
  });

  mount(app, routes.setBudget, async ({ caller, body, reply }) => {
    const budget: Budget = {
      monthlyPicodollars: body.monthly_usd === null ? null : usdToPicodollars(body.monthly_usd),
      hard: body.hard,
      mail: body.mail,
      webhook: body.webhook,
    };
    const account = await accounts.patch(caller.account.id, { budget });
    if (!account) throw new Error('the account of a session is gone');
    await parts.flush();
    // What the new budget hasn't reached yet is told again when it does.
    await database.query(
      `DELETE FROM budget_alerts b USING accounts a WHERE a.id = $1 AND b.account_id = $1 AND b.month = a.spent_month
       AND (a.budget_picodollars IS NULL OR a.spent_picodollars::numeric * 100 < a.budget_picodollars::numeric * b.percent)`,
      [account.id],
    );
    await audit.write({
      action: 'budget.changed',
      target: account.id,
      accountId: account.id,
      personId: caller.person.id,
      details: { monthly_usd: body.monthly_usd, hard: body.hard },
      address: reply.request.ip,
    });
    return shownBudget(account);
  });

  mount(app, routes.listLedger, async ({ caller, query: { limit, after, format } }) => {
    const { id } = caller.account;
    if (format === 'csv') {
      const entries = await store.ledger(id, { limit: 1_000_000, after: null });
      const lines = entries.toReversed().map(csvOf);
      return new Raw(`time,kind,amount_usd,balance_usd,note\n${lines.join('')}`, 'text/csv; charset=utf-8');
    }
    const entries = await store.ledger(id, { limit: limit + 1, after: after ?? null });
    return { data: entries.slice(0, limit).map(shownEntry), has_more: entries.length > limit };
  });

  mount(app, routes.getUsageSeries, async ({ caller, query: { from: givenFrom, to: givenTo, by, format } }) => {
    const to = givenTo === undefined ? new Date() : new Date(givenTo);
    const from = givenFrom === undefined ? new Date(to.getTime() - 30 * dayMs) : new Date(givenFrom);
    const lengthMs = to.getTime() - from.getTime();
    if (lengthMs < 0 || lengthMs > longestMs[by])
      throw new ApiError('INVALID_PARAMETER', {
        message: `from must be before to, by at most ${longestMs[by] / dayMs} days by the ${by}`,
        param: 'from',
      });
    const used = await store.usage(caller.account.id, { from, to }, by);
    const rows = used.map(row => ({
      at: row.at.toISOString(),
      model: row.model,
      key_id: row.keyId,
      requests: row.requests,
      tokens: row.tokens,
      cost_usd: picodollarsToUsd(row.costPicodollars),
      duration_ms: Math.round(row.durationMs),
    }));
    if (format === 'csv') {
      const lines = rows.map(row => `${Object.values(row).map(csvCell).join(',')}\n`);
      return new Raw(
        `time,model,key_id,requests,tokens,cost_usd,duration_ms\n${lines.join('')}`,
        'text/csv; charset=utf-8',
      );
    }
    const names = await store.keyNames(caller.account.id);
    const keys = Object.fromEntries([...new Set(used.map(row => row.keyId))].map(id => [id, names.get(id) ?? id]));
    return { from: from.toISOString(), to: to.toISOString(), rows, keys };
  });

  mount(app, routes.startCheckout, async ({ caller: { account, person }, body }) => {
    if (!payments) throw new ApiError('NOT_FOUND', { message: 'Credit can not be bought on this server' });
    if (!account.billed) throw new ApiError('CONFLICT', { message: 'This account is not billed: it needs no credit' });
    const amountCents = Math.round(100 * body.amount_usd);
    const checkout = { accountId: account.id, email: person.email, amountCents, backUrl: link('/console/usage') };
    return { url: await payments.checkout(checkout) };
  });

  mount(app, routes.takePayment, async ({ request, headers }) => {
    if (!payments) throw new ApiError('NOT_FOUND', { message: 'Credit can not be bought on this server' });
    if (Number(headers['content-length'] ?? Infinity) > mostPaymentBytes)
      throw new ApiError('BAD_REQUEST', {
        message: `The body must have at most ${mostPaymentBytes} bytes, told before`,
      });
    const payment = received(payments, await buffer(request), headers);
    if (!payment) return { received: true };
    const { accountId, ...rest } = payment;
    const outcome = await accounts.pay(accountId, rest);
    const details = { amount_usd: picodollarsToUsd(payment.amountPicodollars) };
    if (outcome === 'paid')
      await audit.write({ action: 'payment.received', target: payment.paymentId, accountId, details });
    // Under no account, so that the operator finds it and pays it back.
    if (outcome === 'no account') {
      const deed = { target: payment.paymentId, accountId: null, details: { ...details, account_id: accountId } };
      await audit.write({ action: 'payment.without_account', ...deed });
      log('billing.payment_without_account', { payment: payment.paymentId, account_id: accountId, ...details });
    }
    return { received: true };
  });
}

function received(payments: Payments, ...what: Parameters<Payments['received']>): ReturnType<Payments['received']> {
  try {
    return payments.received(...what);
  } catch (error) {
    if (error instanceof PaymentRefused) throw new ApiError('BAD_REQUEST', { message: error.message });
    throw error;
  }
}

export function shownPlan(plan: Plan): AnswerOf<typeof routes.listPlans>['current'] {
  return {
    name: plan.name,
    title: plan.title,
    vectors: plan.vectors,
    data: plan.data,
    tiers: plan.tiers,
    models: plan.models,
    monthly_credit_usd: picodollarsToUsd(plan.monthlyCreditPicodollars),
    storage_bytes: plan.storageBytes,
    jobs: plan.jobs,
    max_keys: plan.maxKeys,
    price_per_training_second_usd: picodollarsToUsd(plan.trainingSecondPicodollars),
    price_per_predicted_row_usd: picodollarsToUsd(plan.predictedRowPicodollars),
    price_per_generated_token_usd: picodollarsToUsd(plan.generatedTokenPicodollars),
  };
}

function shownBudget({ budget }: Account): AnswerOf<typeof routes.setBudget> {
  const { monthlyPicodollars: monthly, hard, mail, webhook } = budget;
  return { monthly_usd: monthly === null ? null : picodollarsToUsd(monthly), hard, mail, webhook };
}

function shownEntry(entry: LedgerEntry): AnswerOf<typeof routes.listLedger>['data'][number] {
  return {
    id: entry.id,
    at: entry.at.toISOString(),
    kind: entry.kind as AnswerOf<typeof routes.listLedger>['data'][number]['kind'],
    amount_usd: picodollarsToUsd(entry.amountPicodollars),
    balance_usd: picodollarsToUsd(entry.balancePicodollars),
    note: entry.note,
  };
}

function csvOf({ at, kind, amountPicodollars, balancePicodollars, note }: LedgerEntry): string {
  const cells = [at.toISOString(), kind, formatUsd(amountPicodollars), formatUsd(balancePicodollars), note];
  return `${cells.map(csvCell).join(',')}\n`;
}

/** Quoted where it must be; a cell that a spreadsheet would run as a formula is made text. */
function csvCell(value: string | number): string {
  const text = String(value);
  const safe = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
