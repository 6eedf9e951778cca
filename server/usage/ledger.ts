// Money and usage: reserve before computing, settle after, release on failure.
//
// 1. What is reserved by requests in flight never exceeds the balance, nor a key's monthly budget, nor the account's where that is a
//    hard one (purses.ts).
// 2. Usage row, ledger entry, balance and sums change in one transaction, which is committed before `settle` resolves; a process
//    that is killed has either charged a request whole or not at all, and a charge that is written twice counts once (settlement.ts).
// 3. The balance of an account is the sum of its ledger.
// 4. A plan's monthly credit is granted once in a calendar month (UTC), at the first use in it.
// 5. Accounts that are not billed have usage rows at no cost.
import { monthOf } from '../accounts/index.ts';
import type { Account, Accounts } from '../accounts/index.ts';
import { newId } from '../database/index.ts';
import type { Database, GroupCommit, Statement } from '../database/index.ts';
import type { Caller } from '../keys/index.ts';
import { createPurses } from './purses.ts';
import type { LeaseReturn, Purse } from './purses.ts';
import { createReports } from './reports.ts';
import type { Reports } from './reports.ts';
import { keepRetention } from './retention.ts';
import { settlementStatement } from './settlement.ts';
import type { UsageRow } from './settlement.ts';

export interface Usage {
  route: string;
  model: string;
  tokens: number;
  /** At most what was reserved. */
  costPicodollars: bigint;
  durationMs: number;
  requestId: string;
  /** Of the usage row, for work that may be done again after its process was killed: what is charged twice under one id counts once. */
  id?: string | undefined;
}

export interface Reservation {
  /** Charges; durable when it resolves. Once only. */
  settle(usage: Usage): Promise<void>;
  /** Gives the money back. Without effect after `settle`. */
  release(): void;
}

export interface Ledger extends Reports {
  /** Throws InsufficientBalance. */
  reserve(caller: Caller, amountPicodollars: bigint): Promise<Reservation>;
  /** What this process holds of a key's budget goes back, and is leased anew within the new one; done when all is written. */
  keyChanged(keyId: string): void;
  /** Whether there is a usage row with this id. */
  isCharged(id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A request that is done, with what it takes off the leases. */
interface Settled {
  usage: UsageRow;
  returns: LeaseReturn[];
}

export interface LedgerOptions {
  database: Database;
  commit: GroupCommit;
  accounts: Accounts;
  /** Usage rows older than this are dropped; their sums by the hour stay. */
  retentionDays?: number;
  log?: (event: string, fields: object) => void;
  now?: () => Date;
}

export async function createLedger({
  database,
  commit,
  accounts,
  retentionDays = 90,
  log = () => {},
  now = () => new Date(),
}: LedgerOptions): Promise<Ledger> {
  let batch = 0n;
  /** What the transaction under way gives back beside settlements. */
  let idleReturns: { purse: Purse; returned: LeaseReturn }[] = [];
  const settlements = commit.writer<Settled | Purse>(write, () => {
    for (const { purse, returned } of idleReturns) purses.undo(purse, returned);
  });
  function write(rows: (Settled | Purse)[]): Statement {
    const usage: UsageRow[] = [];
    const returns: LeaseReturn[] = [];
    const idle = new Set<Purse>();
    for (const row of rows) {
      if ('usage' in row) {
        usage.push(row.usage);
        returns.push(...row.returns);
      } else {
        idle.add(row);
      }
    }
    idleReturns = [...idle].map(purse => ({ purse, returned: purses.returnIdle(purse) }));
    returns.push(...idleReturns.map(({ returned }) => returned));
    return settlementStatement({ usage, returns, holder: purses.holder, batch: ++batch });
  }
  const purses = await createPurses({
    database,
    log,
    returnSoon: purse => settlements.writeLater(purse),
    flush: () => commit.flush(),
  });
  // A budget may have become smaller: what this process holds goes back, and is leased anew within it.
  accounts.onChange(id => {
    settlements.writeLater(purses.account(id, monthOf(now())));
  });
  const retention = keepRetention({ database, days: retentionDays, log });
  /** The month whose credit an account has had, as far as this process knows. */
  const credited = new Map<string, string>();

  /** The statement that grants this month's credit, when it may still be due. */
  function monthlyCredit({ id, plan, billed }: Account): Statement[] {
    const at = now();
    const month = monthOf(at);
    const amount = plan.monthlyCreditPicodollars;
    if (!billed || amount === 0n || credited.get(id) === month) return [];
    return [{ sql: creditStatement, values: [id, amount, `${month}-01`, newId(), at, month] }];
  }

  async function grant(account: Account): Promise<void> {
    const statements = monthlyCredit(account);
    if (statements.length === 0) return;
    await database.transaction(statements);
    credited.set(account.id, monthOf(now()));
  }

  async function takeAll({ account, key }: Caller, amount: bigint): Promise<Purse[]> {
    if (!account.billed || amount === 0n) return [];
    const month = monthOf(now());
    const balance = purses.account(account.id, month);
    const credit = monthlyCredit(account);
    await purses.take(balance, amount, credit);
    if (credit.length > 0) credited.set(account.id, month);
    if (key.budgetPicodollars === null) return [balance];
    const budget = purses.key(key.id, month, key.budgetPicodollars);
    try {
      await purses.take(budget, amount);
    } catch (error) {
      purses.release(balance, amount);
      throw error;
    }
    return [balance, budget];
  }

  return {
    ...createReports({ database, accounts, grant, now }),

    async reserve(caller, amountPicodollars) {
      if (amountPicodollars < 0n) throw new RangeError('A reservation is not negative');
      const taken = await takeAll(caller, amountPicodollars);
      const arrived = commit.expect();
      let open = true;

      return {
        async settle({ costPicodollars, id = newId(), ...usage }) {
          if (!open) throw new Error('The reservation was settled or released before');
          if (costPicodollars < 0n || costPicodollars > amountPicodollars) {
            throw new RangeError('A request costs at most what was reserved for it');
          }
          const cost = caller.account.billed ? costPicodollars : 0n;
          open = false;
          const returns = taken.map(purse => purses.finish(purse, amountPicodollars, cost));
          const written = settlements.write({
            usage: {
              ...usage,
              id,
              at: now(),
              accountId: caller.account.id,
              keyId: caller.key.id,
              costPicodollars: cost,
              budgetMonth: taken.find(({ kind }) => kind === 'key')?.month ?? null,
            },
            returns,
          });
          arrived();
          try {
            await written;
          } catch (error) {
            taken.forEach((purse, index) => purses.undo(purse, returns[index] ?? { purse: purse.id, amount: 0n }));
            throw error;
          }
        },
        release() {
          if (!open) return;
          open = false;
          for (const purse of taken) purses.release(purse, amountPicodollars);
          arrived();
        },
      };
    },

    keyChanged(keyId) {
      // Who calls next brings the budget along.
      settlements.writeLater(purses.key(keyId, monthOf(now()), 0n));
    },

    async isCharged(id) {
      return (await database.query('SELECT 1 FROM usage WHERE id = $1', [id])).length > 0;
    },

    async close() {
      await retention.stop();
      await commit.flush();
      await purses.close();
    },
  };
}

const creditStatement = `
  WITH granted AS (
    UPDATE accounts SET credited_month = $3::date, balance_picodollars = balance_picodollars + $2::bigint
    WHERE id = $1 AND (credited_month IS NULL OR credited_month < $3::date) RETURNING id)
  INSERT INTO ledger (id, at, account_id, kind, amount_picodollars, note)
  SELECT $4::uuid, $5::timestamptz, id, 'monthly', $2::bigint, $6 FROM granted`;
