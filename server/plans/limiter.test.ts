// The numbered rules of windows.ts, counted by both kinds of limiter.
import { array, assert, asyncProperty, nat, record } from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createGroupCommit, openDatabase } from '../database/index.ts';
import type { Database } from '../database/index.ts';
import { postgresqlPrograms, startDatabases } from '../database/testing.ts';
import type { TestDatabases } from '../database/testing.ts';
import { createLimiter } from './limiter.ts';
import { loadPlans, withOverrides } from './plans.ts';

const plans = await loadPlans('/nowhere');
const free = plans.get('free');
if (!free) throw new Error('There is no free plan');

let callers = 0;
const newCaller = (overrides: Parameters<typeof withOverrides>[1] = null) => ({
  key: { id: `key_${++callers}` },
  account: { plan: withOverrides(free, overrides) },
});

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(`limits over ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`, () => {
    let databases: TestDatabases | null;
    let database: Database;
    let nowMs = Date.parse('2024-02-10T12:00:30.500Z');
    const start = async () => {
      const commit = createGroupCommit(database);
      return { commit, limiter: await createLimiter({ database, commit, now: () => nowMs }) };
    };
    let running: Awaited<ReturnType<typeof start>>;
    beforeAll(async () => {
      databases = await startDatabases(kind);
      if (!databases) throw new Error('No server');
      database = await databases.open();
      running = await start();
    });
    afterAll(async () => {
      await running.commit.close();
      await databases?.stop();
    });

    it('admits exactly the documented number to concurrent callers', async () => {
      const caller = newCaller();
      const answers = await Promise.all(Array.from({ length: 50 }, () => running.limiter.admit(caller, 'vectors')));
      expect(answers.filter(({ admitted }) => admitted)).toHaveLength(10);
      expect(answers.filter(({ refusedBy }) => refusedBy?.name === 'minute')).toHaveLength(40);
      const resetAt = new Date(nowMs + 60_000);
      expect(answers.find(({ admitted }) => !admitted)).toEqual({
        admitted: false,
        counters: [
          { name: 'minute', limit: 10, remaining: 0, resetAt },
          { name: 'hour', limit: 100, remaining: 90, resetAt: new Date(nowMs + 3_600_000) },
        ],
        refusedBy: { name: 'minute', limit: 10, remaining: 0, resetAt },
      });
    });

    it('starts a window with its first request, and frees it whole', async () => {
      const caller = newCaller({ vectors: { minute: 2, hour: 3 } });
      const admit = async (atMs: number) => {
        nowMs += atMs;
        const { admitted, refusedBy } = await running.limiter.admit(caller, 'vectors');
        return admitted || refusedBy?.name;
      };
      expect([await admit(0), await admit(59_000), await admit(999)]).toEqual([true, true, 'minute']);
      expect(await admit(1)).toBe(true);
      // Both counters would refuse the next but one; the hour frees last and is named.
      expect(await admit(1)).toBe('hour');
      expect(await admit(60_000)).toBe('hour');
      expect(await admit(3_600_000 - 120_002)).toBe('hour');
      expect(await admit(1)).toBe(true);
    });

    it('charges a request that one counter refuses to none', async () => {
      const caller = newCaller({ vectors: { minute: 5, hour: 7 } });
      for (let index = 0; index < 9; index++) await running.limiter.admit(caller, 'vectors');
      nowMs += 60_000;
      const after = await running.limiter.admit(caller, 'vectors');
      expect(after.counters.map(({ remaining }) => remaining)).toEqual([4, 1]);
      const refused = await running.limiter.admit(caller, 'vectors', 2);
      expect(refused.refusedBy?.name).toBe('hour');
      expect(refused.counters.map(({ remaining }) => remaining)).toEqual([4, 1]);
      expect((await running.limiter.admit(newCaller(), 'vectors', 11)).refusedBy?.name).toBe('minute');
    });

    it('counts each family of routes apart, and reading ten times as wide', async () => {
      const caller = newCaller();
      for (let index = 0; index < 10; index++) await running.limiter.admit(caller, 'vectors');
      expect((await running.limiter.admit(caller, 'vectors')).admitted).toBe(false);
      expect((await running.limiter.admit(caller, 'data')).counters).toMatchObject([
        { name: 'minute', limit: 10, remaining: 9 },
        { name: 'day', limit: 1000, remaining: 999 },
      ]);
      expect((await running.limiter.admit(caller, 'read')).counters).toMatchObject([
        { name: 'minute', limit: 100, remaining: 99 },
      ]);
    });

    it('counts nothing where there is no limit', async () => {
      const caller = newCaller({ vectors: { minute: null, hour: null } });
      expect(await running.limiter.admit(caller, 'vectors')).toEqual({ admitted: true, counters: [] });
      expect(await running.limiter.admit(caller, 'read')).toEqual({ admitted: true, counters: [] });
      const oneLimit = newCaller({ vectors: { minute: null, hour: 1 } });
      expect((await running.limiter.admit(oneLimit, 'vectors')).admitted).toBe(true);
      expect((await running.limiter.admit(oneLimit, 'vectors')).refusedBy?.name).toBe('hour');
    });

    it('goes on counting after a restart', async () => {
      const caller = newCaller();
      for (let index = 0; index < 6; index++) await running.limiter.admit(caller, 'vectors');
      await running.commit.close();
      running = await start();
      expect((await running.limiter.admit(caller, 'vectors')).counters.map(({ remaining }) => remaining)).toEqual([
        3, 93,
      ]);
    });

    it('never admits more than the limit in a window, whatever comes when', async () => {
      const step = record({ afterMs: nat(40_000), together: nat(4), cost: nat(3) });
      await assert(
        asyncProperty(array(step, { maxLength: 12 }), async steps => {
          const caller = newCaller({ vectors: { minute: 4, hour: 9 } });
          const admitted: { atMs: number; cost: number }[] = [];
          for (const { afterMs, together, cost } of steps) {
            nowMs += afterMs;
            const answers = await Promise.all(
              Array.from({ length: together }, () => running.limiter.admit(caller, 'vectors', cost)),
            );
            for (const answer of answers) if (answer.admitted) admitted.push({ atMs: nowMs, cost });
          }
          for (const [limit, lengthMs] of [
            [4, 60_000],
            [9, 3_600_000],
          ] as const) {
            let startMs = -Infinity;
            let count = 0;
            for (const { atMs, cost } of admitted) {
              if (atMs >= startMs + lengthMs) [startMs, count] = [atMs, 0];
              count += cost;
              expect(count).toBeLessThanOrEqual(limit);
            }
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

it.skipIf(!postgresqlPrograms())('servers on one PostgreSQL admit the documented number together', async () => {
  const databases = await startDatabases('postgresql');
  if (!databases) throw new Error('No server');
  onTestFinished(() => databases.stop());
  const place = await databases.place();
  const opened = await Promise.all([1, 2, 3].map(() => openDatabase(place)));
  const limiters = await Promise.all(
    opened.map(database => createLimiter({ database, commit: createGroupCommit(database) })),
  );
  const caller = newCaller();
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => limiters[index % 3]?.admit(caller, 'vectors')),
  );
  expect(answers.filter(answer => answer?.admitted)).toHaveLength(10);
  for (const database of opened) await database.close();
});
