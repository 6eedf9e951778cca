// Settlements that were merged do what they do one after the other.
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { type Database, openDatabase } from '../database/index.ts';
import { testFolder } from '../database/testing.ts';
import { settlementStatement, type UsageRow } from './settlement.ts';

const months = ['2024-01', '2024-02', null];
const usage = fc.record({
  number: fc.integer({ min: 0, max: 5 }),
  hour: fc.integer({ min: 0, max: 2 }),
  tokens: fc.nat(1000),
  cost: fc.bigInt({ min: 0n, max: 1000n }),
  month: fc.constantFrom(...months),
});
const settlements = fc.array(
  fc.record({
    usage: fc.array(usage, { maxLength: 3 }),
    returns: fc.array(fc.bigInt({ min: 0n, max: 50n }), { maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 5 },
);

it('merging changes nothing', async () => {
  const folder = await testFolder();
  onTestFinished(folder.remove);
  const database = await openDatabase({ folder: folder.path });
  onTestFinished(() => database.close());
  await fc.assert(
    fc.asyncProperty(settlements, async list => {
      const [oneByOne, merged] = [randomUUID(), randomUUID()];
      await Promise.all([oneByOne, merged].map(account => open(database, account)));
      const statementsOf = (account: string) => {
        const ids = Array.from({ length: 6 }, () => randomUUID());
        return list.map(({ usage: rows, returns }, batch) =>
          settlementStatement({
            usage: rows.map((row): UsageRow => ({
              id: ids[row.number] ?? '',
              at: new Date(Date.UTC(2024, 0, 1, row.hour)),
              requestId: 'r',
              accountId: account,
              keyId: account,
              route: '/vectorize',
              model: 'm',
              tokens: row.tokens,
              costPicodollars: row.cost,
              durationMs: 1,
              budgetMonth: row.month,
            })),
            returns: returns.map(amount => ({ purse: account, amount })),
            holder: 'h',
            batch: BigInt(batch + 1),
          }),
        );
      };
      for (const statement of statementsOf(oneByOne)) await database.transaction([statement].map(plain));
      const whole = statementsOf(merged).reduce((before, next) => before.merge?.(next) ?? next);
      // Twice, as after a kill: the second time brings nothing.
      for (let time = 0; time < 2; time++) await database.transaction([plain(whole)]);
      expect(await stateOf(database, merged)).toEqual(await stateOf(database, oneByOne));
    }),
    { numRuns: 60 },
  );
});

const plain = ({ sql, values = [] }: { sql: string; values?: unknown[] }) => ({ sql, values });

async function open(database: Database, account: string): Promise<void> {
  await database.query(
    `INSERT INTO accounts (id, email, plan, default_model, billed, balance_picodollars) VALUES ($1, $1, 'free', 'm', true, 10000)`,
    [account],
  );
  await database.query(
    `INSERT INTO keys (id, account_id, hash, hint, name, admin) VALUES ($1, $1, $2, '', '', false)`,
    [account, Buffer.from(account)],
  );
  await database.query(
    `INSERT INTO leases (purse, holder, amount_picodollars, expires_at) VALUES ($1, 'h', 100, now())`,
    [account],
  );
}

async function stateOf(database: Database, account: string): Promise<unknown> {
  const ask = (sql: string) => database.query(sql, [account]);
  return Promise.all([
    ask('SELECT balance_picodollars FROM accounts WHERE id = $1'),
    ask('SELECT spent_month, spent_picodollars FROM keys WHERE id = $1'),
    ask('SELECT amount_picodollars FROM leases WHERE purse = $1'),
    ask('SELECT at, tokens, cost_picodollars FROM usage WHERE account_id = $1 ORDER BY 1, 2, 3'),
    ask('SELECT hour, requests, tokens, cost_picodollars FROM usage_hours WHERE account_id = $1 ORDER BY 1'),
    ask('SELECT at, amount_picodollars FROM ledger WHERE account_id = $1 ORDER BY 1, 2'),
  ]);
}
