// What jobs promise, on both databases.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../database/index.ts';
import { postgresqlPrograms, startDatabases, type TestDatabases } from '../database/testing.ts';
import { createJobs, type JobsOptions, type ServedJobs } from './jobs.ts';

const account = { accountId: 'acc_1', keyId: 'key_1' };

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(`jobs on ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`, () => {
    let databases: TestDatabases | null;
    let database: Database;
    const opened: ServedJobs[] = [];
    const log: unknown[] = [];
    beforeAll(async () => {
      databases = await startDatabases(kind);
      if (databases) database = await databases.open();
    });
    afterEach(async () => {
      for (const jobs of opened.splice(0)) await jobs.close();
      expect(log.splice(0)).toEqual([]);
    });
    afterAll(() => databases?.stop());
    async function open(options: Partial<JobsOptions> = {}): Promise<ServedJobs> {
      const jobs = await createJobs({
        database,
        jobsAtOnce: async () => 2,
        most: 8,
        log: (...line) => log.push(line),
        ...options,
      });
      opened.push(jobs);
      return jobs;
    }

    it('runs a job and keeps its result', async () => {
      const jobs = await open();
      jobs.handle('double', async ({ input }) => ({ z: 2 * Number(input), a: 1 }));
      await jobs.start();
      const { id, status } = await jobs.enqueue({ ...account, kind: 'double', input: 21 });
      expect(status).toBe('queued');
      const done = await jobs.wait('acc_1', id, { seconds: 10 });
      expect(done).toMatchObject({ status: 'succeeded', progress: 1, result: { z: 42, a: 1 }, error: null });
      expect(Object.keys(done?.result as object)).toEqual(['z', 'a']);
      expect(await jobs.get('acc_2', id)).toBeNull();
      await sleep(0);
    });
  });
}
