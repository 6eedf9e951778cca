// Purses: money that requests in flight have set aside, so that callers together never spend more than there is.
//
// A purse is an account's balance, or what is left of its hard budget for the month where that is less, or of a key's budget. Each server
// process holds a lease on it, a row in the database that says how much of it is spoken for there; the sum of all leases never exceeds the
// purse. Reservations are taken out of the process's lease in memory. With the embedded database the only process leases all that there is,
// so that a reservation costs no statement. With PostgreSQL a process leases what its reservations need and no more (callers that wait share a statement),
// so that no process refuses a request for money that lies idle in another. A lease expires when its process is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../database/index.ts';
import type { Database, Statement } from '../database/index.ts';

export interface Purse {
  id: string;
  kind: 'account' | 'key';
  /** The account's or key's id. */
  ownerId: string;
  /** "2024-02": the month that a key's budget is for, or of the account's last reservation. */
  month: string;
  /** A key's budget for the month. */
  budgetPicodollars: bigint;
  /** Whether the account's hard budget leaves less than its balance, as the last lease found it. */
  capped: boolean;
  leased: bigint;
  reserved: bigint;
  waiting: Waiting[];
}

interface Waiting {
  amount: bigint;
  /** Statements that come before the lease, in its transaction. */
  before: Statement[];
  resolve: () => void;
  reject: (error: Error) => void;
}

/** What a finished reservation takes off the process's lease in the database. */
export interface LeaseReturn {
  purse: string;
  amount: bigint;
}

/** Not enough money, or not enough of the key's budget for this month. Nothing was computed and nothing charged. */
export class InsufficientBalance extends Error {
  override readonly name = 'InsufficientBalance';
  /** Whose: the account's balance, the key's monthly budget, or the account's. */
  readonly of: Purse['kind'] | 'budget';
  /** What is left beside the requests in flight. */
  readonly balancePicodollars: bigint;
  readonly requiredPicodollars: bigint;
  constructor(of: InsufficientBalance['of'], balancePicodollars: bigint, requiredPicodollars: bigint) {
    super(messages[of]);
    this.of = of;
    this.balancePicodollars = balancePicodollars;
    this.requiredPicodollars = requiredPicodollars;
  }
}

const messages = {
  account: 'The balance is not enough',
  key: "The key's monthly budget is not enough",
  budget: "The account's monthly budget is not enough",
};

export interface Purses {
  account(id: string, month: string): Purse;
  key(id: string, month: string, budgetPicodollars: bigint): Purse;
  /** Sets money aside. Throws InsufficientBalance. */
  take(purse: Purse, amount: bigint, before?: Statement[]): Promise<void>;
  /** Ends a reservation that cost nothing. */
  release(purse: Purse, reserved: bigint): void;
  /** Ends a reservation that cost something; what is answered must be written with the charge. */
  finish(purse: Purse, reserved: bigint, cost: bigint): LeaseReturn;
  /** What `finish` or `returnIdle` answered could not be written: the money is there again, and goes back later when nobody uses it. */
  undo(purse: Purse, returned: LeaseReturn): void;
  /** Takes what nobody uses off the process's lease; what is answered must be written. */
  returnIdle(purse: Purse): LeaseReturn;
  /** Which process writes returns. */
  holder: string;
  close(): Promise<void>;
}

const expiresAfterSeconds = 60;
const renewEveryMs = 20_000;
const mostPurses = 20_000;
/** A release is in the database so much later, at most, when all is well. */
const returnsWithinMs = 60;
/** Not at once: a database that refuses everything would be asked without end. */
const returnAgainMs = 1000;

export interface PursesOptions {
  database: Database;
  log: (event: string, fields: object) => void;
  /** Must call `returnIdle` soon, and write what it answers. Until then the process may use the money again. */
  returnSoon: (purse: Purse) => void;
  /** Writes what is to be written. */
  flush: () => Promise<void>;
}

/** Clears what a process that was killed has left. */
export async function createPurses({ database, log, returnSoon, flush }: PursesOptions): Promise<Purses> {
  const embedded = database.kind === 'pglite';
  const holder = newId();
  const purses = new Map<string, Purse>();
  await database.query(`DELETE FROM leases ${embedded ? '' : 'WHERE expires_at < now()'}`);
  const timer = embedded ? undefined : setInterval(() => void renew(), renewEveryMs);
  timer?.unref();

  async function renew(): Promise<void> {
    try {
      await database.query(
        `UPDATE leases SET expires_at = clock_timestamp() + interval '${expiresAfterSeconds} seconds'
         WHERE holder = $1 AND amount_picodollars > 0`,
        [holder],
      );
    } catch (error) {
      log('usage.lease_not_renewed', { message: error instanceof Error ? error.message : String(error) });
    }
  }

  function purse(fields: Pick<Purse, 'id' | 'kind' | 'ownerId' | 'month' | 'budgetPicodollars'>): Purse {
    const existing = purses.get(fields.id);
    if (existing) return existing;
    if (purses.size >= mostPurses) forgetIdle();
    const made = { ...fields, capped: false, leased: 0n, reserved: 0n, waiting: [] };
    purses.set(fields.id, made);
    return made;
  }

  /** A purse with a lease is kept until that went back: its money can be had through this purse alone. */
  function forgetIdle(): void {
    for (const it of purses.values()) {
      if (it.reserved > 0n || it.waiting.length > 0) continue;
      if (it.leased > 0n) returnSoon(it);
      else purses.delete(it.id);
    }
  }

  /** One statement at a time for each purse; those who come meanwhile share the next. */
  async function serve(it: Purse): Promise<void> {
    while (it.waiting.length > 0) {
      const served = it.waiting.slice();
      try {
        const elsewhere = await lease(it, served);
        if (elsewhere && needOf(served) > it.leased - it.reserved) {
          // What was released a moment ago, here or in another process, is on its way back.
          await Promise.all([flush(), sleep(returnsWithinMs)]);
          await lease(it, served);
        }
      } catch (error) {
        it.waiting.splice(0, served.length);
        for (const { reject } of served) reject(error instanceof Error ? error : new Error(String(error)));
        continue;
      }
      it.waiting.splice(0, served.length);
      for (const { amount, resolve, reject } of served) {
        const left = it.leased - it.reserved;
        if (amount <= left) {
          it.reserved += amount;
          resolve();
        } else {
          reject(new InsufficientBalance(it.capped ? 'budget' : it.kind, left, amount));
        }
      }
      if (!embedded && it.leased > it.reserved) returnSoon(it);
    }
  }

  /** Adds to the process's lease what is missing, as far as it is there. Answers whether others hold some of the purse. */
  async function lease(it: Purse, served: Waiting[]): Promise<boolean> {
    const missing = needOf(served) - (it.leased - it.reserved);
    const before = new Map(served.flatMap(each => each.before).map(statement => [statement.sql, statement]));
    const table = it.kind === 'account' ? 'accounts' : 'keys';
    const values = [it.id, holder, missing > 0n ? missing : 0n, embedded, it.ownerId];
    const results = await database.transaction([
      ...before.values(),
      // A statement of its own: what comes after must see what those have written who held the lock. It doesn't wait for the disk:
      // a lease need not outlive the database's machine.
      {
        sql: `SELECT set_config('synchronous_commit', 'off', true) FROM ${table} WHERE id = $1 FOR UPDATE`,
        values: [it.ownerId],
      },
      it.kind === 'account'
        ? { sql: leaseAccount, values: [...values, `${it.month}-01`] }
        : { sql: leaseKey, values: [...values, it.budgetPicodollars, `${it.month}-01`] },
    ]);
    const [row] = results.at(-1) ?? [];
    if (!row) throw new Error(`There is no ${it.kind} ${it.ownerId}`);
    const held = row['held'] as bigint;
    const elsewhere = !embedded && held > it.leased;
    it.capped = row['capped'] === true;
    it.leased += row['granted'] as bigint;
    return elsewhere;
  }

  return {
    holder,
    account(id, month) {
      const it = purse({ id, kind: 'account', ownerId: id, month, budgetPicodollars: 0n });
      it.month = month;
      return it;
    },
    key(id, month, budgetPicodollars) {
      const it = purse({ id: `${id}/${month}`, kind: 'key', ownerId: id, month, budgetPicodollars });
      it.budgetPicodollars = budgetPicodollars;
      return it;
    },
    take(it, amount, before = []) {
      if (before.length === 0 && it.waiting.length === 0 && amount <= it.leased - it.reserved) {
        it.reserved += amount;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        it.waiting.push({ amount, before, resolve, reject });
        if (it.waiting.length === 1) void serve(it);
      });
    },
    release(it, reserved) {
      it.reserved -= reserved;
      if (!embedded) returnSoon(it);
    },
    finish(it, reserved, cost) {
      it.reserved -= reserved;
      const amount = embedded ? cost : reserved;
      it.leased -= amount;
      return { purse: it.id, amount };
    },
    undo(it, { amount }) {
      it.leased += amount;
      setTimeout(() => returnSoon(it), returnAgainMs).unref();
    },
    returnIdle(it) {
      // While somebody waits, the money may be on its way to him; when he is served, what is left comes here again.
      const amount = it.waiting.length > 0 ? 0n : it.leased - it.reserved;
      it.leased -= amount;
      return { purse: it.id, amount };
    },
    async close() {
      clearInterval(timer);
      await database.query('DELETE FROM leases WHERE holder = $1', [holder]);
    },
  };
}

const leaseAccount = leaseStatement(
  `SELECT least(balance, left_of_budget) AS amount, coalesce(left_of_budget < balance, false) AS capped FROM (
     SELECT balance_picodollars AS balance, CASE WHEN budget_hard THEN
       budget_picodollars - CASE WHEN spent_month = $6::date THEN spent_picodollars ELSE 0 END END AS left_of_budget
     FROM accounts WHERE id = $5) AS account`,
);
const leaseKey = leaseStatement(
  `SELECT $6::bigint - CASE WHEN spent_month = $7::date THEN spent_picodollars ELSE 0 END AS amount, false AS capped FROM keys WHERE id = $5`,
);

/** $1 purse, $2 holder, $3 needed, $4 whether to take all that there is. */
function leaseStatement(total: string): string {
  return `WITH total AS (${total}),
    held AS (SELECT coalesce(sum(amount_picodollars), 0)::bigint AS amount FROM leases
      WHERE purse = $1 AND (holder = $2 OR expires_at > clock_timestamp())),
    free AS (SELECT greatest(total.amount - held.amount, 0) AS amount FROM total, held),
    granted AS (SELECT CASE WHEN $4::boolean THEN amount ELSE least(amount, $3::bigint) END AS amount FROM free),
    expired AS (DELETE FROM leases WHERE purse = $1 AND holder <> $2 AND expires_at <= clock_timestamp()),
    leased AS (INSERT INTO leases (purse, holder, amount_picodollars, expires_at)
      SELECT $1, $2, amount, clock_timestamp() + interval '${expiresAfterSeconds} seconds' FROM granted
      ON CONFLICT (purse, holder) DO UPDATE SET
        amount_picodollars = leases.amount_picodollars + excluded.amount_picodollars, expires_at = excluded.expires_at)
    SELECT granted.amount AS granted, held.amount AS held, total.capped AS capped FROM granted, held, total`;
}

function needOf(served: Waiting[]): bigint {
  return served.reduce((sum, { amount }) => sum + amount, 0n);
}
