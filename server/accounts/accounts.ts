// Accounts: who pays, on which plan, with which limits of their own, and with which model when none is named.
import { DatabaseError, derivedId, newId } from '../database/index.ts';
import type { Database, Row, Statement } from '../database/index.ts';
import { overridesSchema, withOverrides } from '../plans/index.ts';
import type { Overrides, Plan, Plans } from '../plans/index.ts';

export interface Account {
  id: string;
  /** What people call it: the e-mail address, until somebody changes it. */
  name: string;
  email: string;
  /** With the account's own limits merged in. */
  plan: Plan;
  limits: Overrides | null;
  defaultModel: string;
  /** Unbilled accounts have usage rows, but no money. */
  billed: boolean;
  balancePicodollars: bigint;
  budget: Budget;
  /** Whom invoices are made out to. */
  invoiceTo: InvoiceTo;
  createdAt: Date;
}

/** What an account means to spend in a calendar month (UTC). */
export interface Budget {
  monthlyPicodollars: bigint | null;
  /** Whether requests that would pass it are refused. */
  hard: boolean;
  /** Who is told when it is nearly spent: owners by mail, and the account's webhook. */
  mail: boolean;
  webhook: boolean;
}

export interface InvoiceTo {
  name: string;
  address: string;
  tax_id: string;
}

export interface NewAccount {
  email: string;
  plan: string;
  /** The opening balance, in place of this month's credit of the plan. Without it, that credit. */
  creditPicodollars?: bigint | undefined;
  /** Made by the person in the console: adds the sign-up credit. */
  signUp?: boolean;
  limits?: Overrides | null;
  billed?: boolean;
  name?: string;
  /** The id of a person who owns it from the beginning. */
  ownerId?: string;
  /** Of a person who has an account: it may have that one's e-mail address, and no credit of a plan. */
  added?: boolean;
}

export interface AccountPatch {
  plan?: string | undefined;
  /** Replaces the account's own limits; null takes them away. */
  limits?: Overrides | null | undefined;
  defaultModel?: string | undefined;
  name?: string | undefined;
  budget?: Budget | undefined;
  invoiceTo?: InvoiceTo | undefined;
}

export interface Accounts {
  /** Throws AccountError. */
  create(account: NewAccount): Promise<Account>;
  get(id: string): Promise<Account | undefined>;
  /** Without accounts that people made beside their first. */
  byEmail(email: string): Promise<Account | undefined>;
  /** Oldest first; `after` is the id of the last one of the page before. */
  list(page?: { limit?: number; after?: string | undefined }): Promise<Account[]>;
  /** Undefined when there is no such account. Throws AccountError. */
  patch(id: string, patch: AccountPatch): Promise<Account | undefined>;
  /** Adds money, or, with a negative amount, takes it back: the balance may go below 0. Undefined when there is no such account. Throws AccountError. */
  credit(id: string, credit: { amountPicodollars: bigint; note: string }): Promise<Account | undefined>;
  /**
   * Adds money that was paid; once for each `paymentId`, however often it is told. Where the account is deleted or was never there, the
   * payment stands in the ledger under its id all the same.
   */
  pay(
    id: string,
    payment: { paymentId: string; amountPicodollars: bigint; note: string },
  ): Promise<'paid' | 'told before' | 'no account'>;
  /** Called with the id of an account whose row has changed in this process. */
  onChange(listener: (accountId: string) => void): void;
}

export class AccountError extends Error {
  override readonly name = 'AccountError';
  readonly code: 'EMAIL_TAKEN' | 'UNKNOWN_PLAN' | 'BAD_AMOUNT' | 'UNBILLED';
  constructor(code: AccountError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface AccountsOptions {
  database: Database;
  plans: Plans;
  /** The alias of the model that a new account on this plan gets when it names none. */
  defaultModelFor: (plan: Plan) => Promise<string>;
  now?: () => Date;
}

/** A million dollars: the balance's column holds nine. */
const mostPicodollars = 10n ** 18n;
const uniqueViolation = '23505';
const outOfRange = '22003';

/** Throws when an account is on a plan that there isn't. */
export async function createAccounts(options: AccountsOptions): Promise<Accounts> {
  const { database, plans, defaultModelFor, now = () => new Date() } = options;
  const listeners: ((accountId: string) => void)[] = [];
  const used = await database.query<{ plan: string }>('SELECT DISTINCT plan FROM accounts');
  for (const { plan } of used) {
    if (!plans.get(plan))
      throw new Error(
        `There are accounts on the plan "${plan}", which is neither in plans.json nor made in the console`,
      );
  }

  function planNamed(name: string): Plan {
    const plan = plans.get(name);
    if (plan && !plan.retired) return plan;
    const names = plans.list().flatMap(each => (each.retired ? [] : [each.name]));
    throw new AccountError('UNKNOWN_PLAN', `There is no plan "${name}"; there are ${names.join(', ')}`);
  }

  async function one(where: string, value: string): Promise<Account | undefined> {
    const [row] = await database.query(`SELECT * FROM accounts WHERE ${where} = $1`, [value]);
    return row && accountFrom(row, plans);
  }

  async function changed(id: string): Promise<void> {
    for (const listener of listeners) listener(id);
    await database.announce('callers');
  }

  return {
    get: id => one('id', id),
    byEmail: email => one('NOT added AND email', normalized(email)),

    async create(given) {
      const { email, plan: planName, creditPicodollars, signUp = false, billed = true, added = false } = given;
      const limits = given.limits ?? (added ? { monthly_credit_usd: 0 } : null);
      const plan = withOverrides(planNamed(planName), limits);
      if (creditPicodollars !== undefined) checkAmount(creditPicodollars, 0n);
      const id = `acc_${newId().replaceAll('-', '')}`;
      const at = now();
      const month = monthOf(at);
      const entries: { kind: string; amount: bigint; note: string }[] = [];
      if (billed && creditPicodollars !== undefined)
        entries.push({ kind: 'opening', amount: creditPicodollars, note: '' });
      if (billed && creditPicodollars === undefined) {
        entries.push({ kind: 'monthly', amount: plan.monthlyCreditPicodollars, note: month });
      }
      if (billed && signUp) entries.push({ kind: 'sign_up', amount: plans.signUpCreditPicodollars, note: '' });
      const booked = entries.filter(({ amount }) => amount > 0n);
      const balance = booked.reduce((sum, { amount }) => sum + amount, 0n);
      const account: Statement = {
        sql: `INSERT INTO accounts (id, email, plan, limits, default_model, billed, balance_picodollars, credited_month, created_at, name, added)
              VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8::date, $9, $10, $11) RETURNING *`,
        values: [
          id,
          normalized(email),
          plan.name,
          limits && JSON.stringify(limits),
          await defaultModelFor(plan),
          billed,
          balance,
          // An opening balance that is given stands in place of the first month's credit.
          `${month}-01`,
          at,
          given.name ?? normalized(email),
          added,
        ],
      };
      const owner: Statement[] =
        given.ownerId === undefined
          ? []
          : [
              {
                sql: `INSERT INTO members (account_id, person_id, role, created_at) VALUES ($1, $2, 'owner', $3)`,
                values: [id, given.ownerId, at],
              },
            ];
      const ledger = booked.map(({ kind, amount, note }) => ledgerEntry({ accountId: id, kind, amount, note, at }));
      try {
        const [rows] = await database.transaction([account, ...ledger, ...owner]);
        return accountFrom(firstOf(rows), plans);
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.code !== uniqueViolation) throw error;
        throw new AccountError('EMAIL_TAKEN', `There is an account for ${normalized(email)} already`);
      }
    },

    async list({ limit = 100, after } = {}) {
      const rows = await database.query(
        'SELECT * FROM accounts WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2',
        [after ?? null, limit],
      );
      return rows.map(row => accountFrom(row, plans));
    },

    async patch(id, { plan, limits, defaultModel, name, budget, invoiceTo }) {
      if (plan !== undefined) planNamed(plan);
      const [row] = await database.query(
        `UPDATE accounts SET plan = coalesce($2, plan), default_model = coalesce($3, default_model),
         limits = CASE WHEN $4 THEN $5::jsonb ELSE limits END, name = coalesce($6, name), billing = coalesce($7::jsonb, billing),
         budget_picodollars = CASE WHEN $8 THEN $9::bigint ELSE budget_picodollars END, budget_hard = coalesce($10, budget_hard),
         budget_mail = coalesce($11, budget_mail), budget_webhook = coalesce($12, budget_webhook) WHERE id = $1 RETURNING *`,
        [
          id,
          plan ?? null,
          defaultModel ?? null,
          limits !== undefined,
          limits ? JSON.stringify(limits) : null,
          name ?? null,
          invoiceTo ? JSON.stringify(invoiceTo) : null,
          budget !== undefined,
          budget?.monthlyPicodollars ?? null,
          budget?.hard ?? null,
          budget?.mail ?? null,
          budget?.webhook ?? null,
        ],
      );
      await changed(id);
      return row && accountFrom(row, plans);
    },

    async credit(id, { amountPicodollars, note }) {
      checkAmount(amountPicodollars < 0n ? -amountPicodollars : amountPicodollars, 1n);
      const account = await one('id', id);
      if (!account) return undefined;
      if (!account.billed) throw new AccountError('UNBILLED', 'This account is not billed: it needs no credit');
      try {
        const [rows] = await database.transaction([
          {
            sql: 'UPDATE accounts SET balance_picodollars = balance_picodollars + $2 WHERE id = $1 RETURNING *',
            values: [id, amountPicodollars],
          },
          ledgerEntry({ accountId: id, kind: 'credit', amount: amountPicodollars, note, at: now() }),
        ]);
        await changed(id);
        return accountFrom(firstOf(rows), plans);
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.code !== outOfRange) throw error;
        throw new AccountError('BAD_AMOUNT', 'An account holds at most nine million dollars');
      }
    },

    async pay(id, { paymentId, amountPicodollars, note }) {
      checkAmount(amountPicodollars, 1n);
      const [row] = await database.query<{ entries: number; accounts: number }>(
        `WITH entry AS (
           INSERT INTO ledger (id, at, account_id, kind, amount_picodollars, note)
           VALUES ($2::uuid, $3::timestamptz, $1, 'payment', $4::bigint, $5)
           ON CONFLICT (id) DO NOTHING RETURNING amount_picodollars AS amount),
         paid AS (
           UPDATE accounts SET balance_picodollars = balance_picodollars + entry.amount FROM entry
           WHERE accounts.id = $1 AND accounts.deleting_since IS NULL RETURNING accounts.id)
         SELECT (SELECT count(*) FROM entry)::integer AS entries, (SELECT count(*) FROM paid)::integer AS accounts`,
        [id, derivedId('payment', paymentId), now(), amountPicodollars, note],
      );
      await changed(id);
      if (row?.entries !== 1) return 'told before';
      return row.accounts === 1 ? 'paid' : 'no account';
    },

    onChange(listener) {
      listeners.push(listener);
    },
  };
}

/** An account from a row of the table `accounts`, or of a query that carries its columns. */
export function accountFrom(row: Row, plans: Plans): Account {
  const limits = row['limits'] === null ? null : overridesSchema.parse(row['limits']);
  const plan = plans.get(String(row['plan']));
  if (!plan) throw new Error(`An account is on the plan "${String(row['plan'])}", which there isn't`);
  return {
    id: String(row['id']),
    name: String(row['name']),
    email: String(row['email']),
    plan: withOverrides(plan, limits),
    limits,
    defaultModel: String(row['default_model']),
    billed: row['billed'] === true,
    balancePicodollars: row['balance_picodollars'] as bigint,
    budget: {
      monthlyPicodollars: row['budget_picodollars'] as bigint | null,
      hard: row['budget_hard'] === true,
      mail: row['budget_mail'] === true,
      webhook: row['budget_webhook'] === true,
    },
    invoiceTo: (row['billing'] as InvoiceTo | null) ?? { name: '', address: '', tax_id: '' },
    createdAt: row['created_at'] as Date,
  };
}

/** "2024-02", in UTC. */
export function monthOf(at: Date): string {
  return at.toISOString().slice(0, 7);
}

function ledgerEntry({
  accountId,
  kind,
  amount,
  note,
  at,
}: {
  accountId: string;
  kind: string;
  amount: bigint;
  note: string;
  at: Date;
}) {
  return {
    sql: 'INSERT INTO ledger (id, at, account_id, kind, amount_picodollars, note) VALUES ($1, $2, $3, $4, $5, $6)',
    values: [newId(), at, accountId, kind, amount, note],
  };
}

function checkAmount(amount: bigint, least: bigint): void {
  if (amount < least || amount > mostPicodollars) {
    throw new AccountError(
      'BAD_AMOUNT',
      `The amount must be ${least > 0n ? 'more than' : 'at least'} 0 and at most 1,000,000 dollars`,
    );
  }
}

/** One person is one account, however the address is typed. */
function normalized(email: string): string {
  return email.trim().toLowerCase();
}

function firstOf(rows: Row[] | undefined): Row {
  const [row] = rows ?? [];
  if (!row) throw new Error('The database gave no row back');
  return row;
}
