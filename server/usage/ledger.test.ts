// The numbered rules of ledger.ts, over both databases.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAccounts } from '../accounts/index.ts';
import { createGroupCommit, DatabaseError, derivedId } from '../database/index.ts';
import type { Database } from '../database/index.ts';
import { openDatabase } from '../database/index.ts';
import { postgresqlPrograms, startDatabases } from '../database/testing.ts';
import type { TestDatabases } from '../database/testing.ts';
import { createKeys } from '../keys/index.ts';
import type { Caller } from '../keys/index.ts';
import { loadPlans, usdToPicodollars } from '../plans/index.ts';
import { createLedger, InsufficientBalance } from './index.ts';
import { createPurses } from './purses.ts';
import { dropOldUsage } from './retention.ts';

const usd = usdToPicodollars;
const usage = { route: '/vectorize', model: 'e5_small', tokens: 5, durationMs: 10, requestId: 'r' };

async function startParts(database: Database, clock: { now: Date }) {
  const now = () => clock.now;
  const commit = createGroupCommit(database);
  const plans = await loadPlans('/nowhere');
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small', now });
  const keys = createKeys({ database, plans, accounts, commit });
  const ledger = await createLedger({ database, commit, accounts, now });
  return {
    commit,
    accounts,
    keys,
    ledger,
    async stop() {
      await ledger.close();
      await commit.close();
    },
  };
}
type Parts = Awaited<ReturnType<typeof startParts>>;

const sums = (requests: number) => ({ requests, tokens: 5 * requests, costPicodollars: 500n * BigInt(requests) });

let people = 0;
async function newCaller(
  { accounts, keys }: Parts,
  { creditUsd, budgetUsd, billed = true }: { creditUsd?: string; budgetUsd?: string; billed?: boolean },
): Promise<Caller> {
  const account = await accounts.create({
    email: `person${++people}@example.org`,
    plan: 'free',
    billed,
    creditPicodollars: creditUsd === undefined ? undefined : usd(creditUsd),
  });
  const made = await keys.make(account.id, {
    name: 'test',
    budgetPicodollars: budgetUsd === undefined ? null : usd(budgetUsd),
  });
  const caller = await keys.authenticate(made?.secret ?? '');
  if (!caller) throw new Error('The key was not taken');
  return caller;
}

async function balances(database: Database, accountId: string) {
  const [row] = await database.query(
    `SELECT balance_picodollars AS balance, (SELECT coalesce(sum(amount_picodollars), 0)::bigint FROM ledger WHERE account_id = $1) AS ledger,
     (SELECT coalesce(sum(cost_picodollars), 0)::bigint FROM usage WHERE account_id = $1) AS used,
     (SELECT coalesce(sum(cost_picodollars), 0)::bigint FROM usage_hours WHERE account_id = $1) AS summed
     FROM accounts WHERE id = $1`,
    [accountId],
  );
  return row;
}

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(
    `the ledger over ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`,
    () => {
      let databases: TestDatabases | null;
      let database: Database;
      let parts: Parts;
      const clock = { now: new Date('2024-02-10T12:30:00Z') };
      beforeAll(async () => {
        databases = await startDatabases(kind);
        if (!databases) throw new Error('No server');
        database = await databases.open();
        parts = await startParts(database, clock);
      });
      afterAll(async () => {
        await parts.stop();
        await databases?.stop();
      });

      it('charges once what is charged twice under one id, and gives back what the second set aside', async () => {
        const caller = await newCaller(parts, { creditUsd: '1', budgetUsd: '1' });
        const id = derivedId('job', 3);
        expect(await parts.ledger.isCharged(id)).toBe(false);
        for (let attempt = 0; attempt < 3; attempt++) {
          const again = await parts.ledger.reserve(caller, usd('0.3'));
          await again.settle({ ...usage, id, costPicodollars: usd('0.3') });
        }
        expect(await parts.ledger.isCharged(id)).toBe(true);
        const left = usd('0.7');
        expect(await balances(database, caller.account.id)).toEqual({
          balance: left,
          ledger: left,
          used: usd('0.3'),
          summed: usd('0.3'),
        });
        (await parts.ledger.reserve(caller, left)).release();
        await expect(parts.ledger.reserve(caller, left + 1n)).rejects.toBeInstanceOf(InsufficientBalance);
      });

      it('charges what was settled, and nothing for what was released', async () => {
        const caller = await newCaller(parts, { creditUsd: '1' });
        const first = await parts.ledger.reserve(caller, usd('0.6'));
        await expect(parts.ledger.reserve(caller, usd('0.6'))).rejects.toMatchObject({
          name: 'InsufficientBalance',
          of: 'account',
          balancePicodollars: usd('0.4'),
          requiredPicodollars: usd('0.6'),
        });
        first.release();
        const second = await parts.ledger.reserve(caller, usd('0.6'));
        await second.settle({ ...usage, costPicodollars: usd('0.25') });
        second.release();
        const third = await parts.ledger.reserve(caller, usd('0.75'));
        await third.settle({ ...usage, costPicodollars: usd('0.75') });
        await expect(third.settle({ ...usage, costPicodollars: 1n })).rejects.toThrow('before');
        await expect(parts.ledger.reserve(caller, 1n)).rejects.toBeInstanceOf(InsufficientBalance);
        await (await parts.ledger.reserve(caller, 0n)).settle({ ...usage, costPicodollars: 0n });
        expect(await balances(database, caller.account.id)).toEqual({
          balance: 0n,
          ledger: 0n,
          used: usd('1'),
          summed: usd('1'),
        });
      });

      it('refuses to charge more than was reserved', async () => {
        const caller = await newCaller(parts, { creditUsd: '1' });
        const reservation = await parts.ledger.reserve(caller, 5n);
        await expect(reservation.settle({ ...usage, costPicodollars: 6n })).rejects.toThrow(RangeError);
        reservation.release();
        await expect(parts.ledger.reserve(caller, -1n)).rejects.toThrow(RangeError);
      });

      it('never lets 200 concurrent callers spend more than there is', async () => {
        const caller = await newCaller(parts, { creditUsd: '0.000001' });
        const price = 10_000n;
        const results = await Promise.allSettled(
          Array.from({ length: 200 }, async (_, index) => {
            const reservation = await parts.ledger.reserve(caller, price);
            await new Promise(resolve => setTimeout(resolve, index % 7));
            await reservation.settle({ ...usage, costPicodollars: price });
          }),
        );
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
        expect(await balances(database, caller.account.id)).toMatchObject({
          balance: 0n,
          ledger: 0n,
          used: 1_000_000n,
        });
      });

      it('gives money that is added to those who come after', async () => {
        const caller = await newCaller(parts, { creditUsd: '0' });
        await expect(parts.ledger.reserve(caller, 1n)).rejects.toThrow(InsufficientBalance);
        await parts.accounts.credit(caller.account.id, { amountPicodollars: usd('5'), note: 'invoice 7' });
        (await parts.ledger.reserve(caller, usd('5'))).release();
        expect((await parts.accounts.get(caller.account.id))?.balancePicodollars).toBe(usd('5'));
      });

      it('keeps a key within its monthly budget, and begins anew with the month', async () => {
        const caller = await newCaller(parts, { creditUsd: '100', budgetUsd: '1' });
        const spend = async (amount: string) => {
          const reservation = await parts.ledger.reserve(caller, usd(amount));
          await reservation.settle({ ...usage, costPicodollars: usd(amount) });
        };
        await spend('0.7');
        await expect(spend('0.4')).rejects.toMatchObject({ of: 'key', balancePicodollars: usd('0.3') });
        await spend('0.3');
        await expect(spend('0.000001')).rejects.toMatchObject({ of: 'key', balancePicodollars: 0n });
        const before = clock.now;
        clock.now = new Date('2024-03-01T00:00:00Z');
        await spend('1');
        await expect(spend('0.1')).rejects.toMatchObject({ of: 'key' });
        clock.now = before;
        // March's credit of the plan has come.
        expect(await balances(database, caller.account.id)).toMatchObject({ balance: usd('100'), ledger: usd('100') });
      });

      it("grants a month's credit once, at its first use", async () => {
        const caller = await newCaller(parts, {});
        expect(await balances(database, caller.account.id)).toMatchObject({ balance: usd('2'), ledger: usd('2') });
        const before = clock.now;
        clock.now = new Date('2024-04-01T00:00:00Z');
        // The embedded database has one server only.
        const other = kind === 'pglite' ? parts : await startParts(database, clock);
        await Promise.all(
          [parts, other, parts, other].map(async ({ ledger }) => {
            (await ledger.reserve(caller, usd('0.5'))).release();
            await ledger.report(caller.account.id, { from: clock.now, to: clock.now });
          }),
        );
        if (other !== parts) await other.stop();
        clock.now = before;
        expect(await balances(database, caller.account.id)).toMatchObject({ balance: usd('4'), ledger: usd('4') });
      });

      it('charges nothing to an account that is not billed', async () => {
        const caller = await newCaller(parts, { billed: false });
        const reservation = await parts.ledger.reserve(caller, usd('50'));
        await reservation.settle({ ...usage, costPicodollars: usd('50') });
        expect(await balances(database, caller.account.id)).toEqual({ balance: 0n, ledger: 0n, used: 0n, summed: 0n });
        const report = await parts.ledger.report(caller.account.id, { from: new Date(0), to: new Date('2025-01-01') });
        expect(report).toMatchObject({
          balancePicodollars: null,
          totals: { requests: 1, tokens: 5, costPicodollars: 0n },
        });
      });

      it('sums the ledger to the balance, whatever is done in whatever order', async () => {
        const step = fc.oneof(
          fc.record({
            kind: fc.constant('spend' as const),
            reserve: fc.bigInt(0n, 500n),
            part: fc.nat(100),
            wait: fc.nat(3),
          }),
          fc.record({ kind: fc.constant('fail' as const), reserve: fc.bigInt(0n, 500n), wait: fc.nat(3) }),
          fc.record({ kind: fc.constant('credit' as const), amount: fc.bigInt(1n, 300n) }),
        );
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
            const caller = await newCaller(parts, { creditUsd: '0.000000001' });
            let expected = 1000n;
            await Promise.all(
              steps.map(async each => {
                if (each.kind === 'credit') {
                  await parts.accounts.credit(caller.account.id, { amountPicodollars: each.amount, note: '' });
                  expected += each.amount;
                  return;
                }
                const reservation = await parts.ledger.reserve(caller, each.reserve).catch(() => null);
                if (!reservation) return;
                await new Promise(resolve => setTimeout(resolve, each.wait));
                if (each.kind === 'fail') return reservation.release();
                const costPicodollars = (each.reserve * BigInt(each.part)) / 100n;
                await reservation.settle({ ...usage, costPicodollars });
                expected -= costPicodollars;
              }),
            );
            const row = await balances(database, caller.account.id);
            expect(row).toMatchObject({ balance: expected, ledger: expected });
            expect(row?.['used']).toBe(row?.['summed']);
            expect(expected).toBeGreaterThanOrEqual(0n);
            // Nothing stays set aside: all of it can be reserved.
            (await parts.ledger.reserve(caller, expected)).release();
          }),
          { numRuns: kind === 'pglite' ? 25 : 8 },
        );
      });

      it('reports by day and model, and as CSV', async () => {
        const caller = await newCaller(parts, { creditUsd: '1' });
        const spend = async (at: string, model: string, requestId: string) => {
          const before = clock.now;
          clock.now = new Date(at);
          const reservation = await parts.ledger.reserve(caller, 500n);
          await reservation.settle({ ...usage, model, requestId, costPicodollars: 500n });
          clock.now = before;
        };
        await spend('2024-02-01T23:59:59Z', 'e5_small', 'a');
        await spend('2024-02-02T00:00:00Z', 'e5_small', '=cmd,"x"');
        await spend('2024-02-02T10:00:00Z', 'minilm_l6', 'c');
        await spend('2024-02-02T11:00:00Z', 'e5_small', 'd');
        await spend('2024-02-03T00:00:00Z', 'e5_small', 'e');
        const range = { from: new Date('2024-02-01T00:00:00Z'), to: new Date('2024-02-03T00:00:00Z') };
        const report = await parts.ledger.report(caller.account.id, range);
        expect(report).toMatchObject({
          email: caller.account.email,
          balancePicodollars: usd('1') - 2500n,
          totals: sums(4),
          days: [
            { date: '2024-02-01', ...sums(1), models: [{ model: 'e5_small', ...sums(1) }] },
            {
              date: '2024-02-02',
              ...sums(3),
              models: [
                { model: 'e5_small', ...sums(2) },
                { model: 'minilm_l6', ...sums(1) },
              ],
            },
          ],
          models: [
            { model: 'e5_small', ...sums(3) },
            { model: 'minilm_l6', ...sums(1) },
          ],
        });
        const csv = (await Array.fromAsync(parts.ledger.csv(caller.account.id, range))).join('');
        expect(csv.split('\n')).toHaveLength(6);
        expect(csv).toContain(
          `2024-02-02T00:00:00.000Z,"'=cmd,""x""",${caller.key.id},/vectorize,e5_small,5,0.0000000005,10.0\n`,
        );
        expect(await parts.ledger.report('acc_nobody', range)).toBeUndefined();
      });

      it('drops old rows and keeps their sums, the ledger and the metrics', async () => {
        const caller = await newCaller(parts, { creditUsd: '1' });
        const before = clock.now;
        for (const at of [
          '2023-01-01T10:00:00Z',
          '2023-01-01T12:00:00Z',
          '2023-01-02T00:00:00Z',
          '2024-02-10T00:00:00Z',
        ]) {
          clock.now = new Date(at);
          await (await parts.ledger.reserve(caller, 100n)).settle({ ...usage, costPicodollars: 100n });
        }
        clock.now = before;
        const metrics = await parts.ledger.metrics();
        expect(await dropOldUsage({ database, days: 0, log: () => {} }, new Date('2023-06-01'))).toBe(3);
        expect(await balances(database, caller.account.id)).toEqual({
          balance: usd('1') - 400n,
          ledger: usd('1') - 400n,
          used: 100n,
          summed: 400n,
        });
        const entries = await database.query(`SELECT kind FROM ledger WHERE account_id = $1 ORDER BY at`, [
          caller.account.id,
        ]);
        expect(entries.map(({ kind: each }) => each).toSorted()).toEqual([
          'opening',
          'usage',
          'usage_of_day',
          'usage_of_day',
        ]);
        const fresh = await startParts(database, clock);
        expect(await fresh.ledger.metrics()).toEqual(metrics);
        await fresh.stop();
      });

      it('counts the last 24 hours to the second', async () => {
        const caller = await newCaller(parts, { creditUsd: '1' });
        const before = clock.now;
        clock.now = new Date('2026-06-01T09:59:59Z');
        const spend = async () =>
          (await parts.ledger.reserve(caller, 0n)).settle({ ...usage, model: 'm', costPicodollars: 0n });
        await spend();
        clock.now = new Date('2026-06-01T10:00:01Z');
        await spend();
        clock.now = new Date('2026-06-02T09:30:00Z');
        await spend();
        clock.now = new Date('2026-06-02T10:00:00Z');
        const metrics = await parts.ledger.metrics();
        clock.now = before;
        expect(metrics.requestsLast24Hours).toBe(2);
        expect(metrics.models.find(({ model }) => model === 'm')).toEqual({ model: 'm', requests: 3, averageMs: 10 });
      });
    },
  );
}

async function openParts(wrap: (database: Database) => Database) {
  const databases = await startDatabases('pglite');
  if (!databases) throw new Error('No database');
  onTestFinished(() => databases.stop());
  const database = await databases.open();
  const parts = await startParts(wrap(database), { now: new Date('2024-02-10T12:30:00Z') });
  onTestFinished(() => parts.stop());
  const caller = await newCaller(parts, { creditUsd: '1' });
  return { database, parts, caller };
}

describe('a lease', () => {
  it('goes back in the end when its return could not be written', async () => {
    let refused = 0;
    const { database, parts, caller } = await openParts(opened => ({
      ...opened,
      // As with several servers.
      kind: 'postgresql',
      async post(statements) {
        if (refused === 2 || !statements.some(({ sql }) => sql.includes('returned_batch'))) {
          await opened.transaction(statements);
          return;
        }
        refused += 1;
        throw new DatabaseError('The disk is full', { code: '53100' });
      },
    }));
    const [settled, released] = [await parts.ledger.reserve(caller, 70n), await parts.ledger.reserve(caller, 30n)];
    await expect(settled.settle({ ...usage, costPicodollars: 70n })).rejects.toThrow('full');
    released.release();
    const leases = () => database.query('SELECT amount_picodollars AS amount FROM leases');
    await vi.waitFor(async () => expect(await leases()).toEqual([{ amount: 0n }]), 10_000);
    expect(refused).toBe(2);
  });

  it('can be used until it went back, though its purse is among too many', async () => {
    const { database, caller } = await openParts(opened => opened);
    const returned = vi.fn();
    const purses = await createPurses({ database, log: () => {}, returnSoon: returned, flush: async () => {} });
    const purse = purses.account(caller.account.id, '2024-02');
    await purses.take(purse, 5n);
    purses.release(purse, 5n);
    for (let other = 0; other < 20_000; other++) purses.account(`other${other}`, '2024-02');
    expect(returned).toHaveBeenCalledWith(purse);
    await purses.take(purses.account(caller.account.id, '2024-02'), usd('1'));
  });
});

describe.skipIf(!postgresqlPrograms())('several servers on one PostgreSQL', () => {
  it('never spend more than there is, and refuse nothing that could be paid', async () => {
    const databases = await startDatabases('postgresql');
    if (!databases) throw new Error('No server');
    onTestFinished(() => databases.stop());
    const place = await databases.place();
    const clock = { now: new Date('2024-02-10T12:30:00Z') };
    const opened = await Promise.all([1, 2, 3].map(() => openDatabase(place)));
    const servers = await Promise.all(opened.map(database => startParts(database, clock)));
    const [first, , third] = servers;
    const [database] = opened;
    if (!first || !third || !database) throw new Error('No servers');
    const caller = await newCaller(first, { creditUsd: '0.000001' });
    const results = await Promise.all(
      Array.from({ length: 150 }, async (_, index) => {
        const ledger = servers[index % 3]?.ledger;
        const reservation = await ledger?.reserve(caller, 10_000n).catch((error: unknown) => {
          expect(error).toBeInstanceOf(InsufficientBalance);
        });
        if (!reservation) return 0;
        await new Promise(resolve => setTimeout(resolve, index % 5));
        await reservation.settle({ ...usage, costPicodollars: 10_000n });
        return 1;
      }),
    );
    expect(results.reduce<number>((sum, each) => sum + each, 0)).toBe(100);
    expect(await balances(database, caller.account.id)).toMatchObject({ balance: 0n, ledger: 0n, used: 1_000_000n });

    // What one server has set aside, another can't spend; when that server is gone and its lease runs out, it can.
    const other = await newCaller(first, { creditUsd: '1' });
    await first.ledger.reserve(other, usd('0.8'));
    await expect(third.ledger.reserve(other, usd('0.3'))).rejects.toMatchObject({ balancePicodollars: usd('0.2') });
    await database.query(`UPDATE leases SET expires_at = now() - interval '1 second'`);
    (await third.ledger.reserve(other, usd('1'))).release();

    for (const server of servers) await server.stop();
    for (const each of opened) await each.close();
  });
});
