// The line survives newer and older versions of pg-boss's tables, and processes that make them together.
import { getRollbackPlans } from 'pg-boss';
import packageJson from 'pg-boss/package.json' with { type: 'json' };
import { afterAll, describe, expect, it } from 'vitest';
import type { Database } from '../database/index.ts';
import { postgresqlPrograms, startDatabases, type TestDatabases } from '../database/testing.ts';
import { openQueue } from './queue.ts';

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(`the line on ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`, () => {
    let databases: TestDatabases | null;
    afterAll(() => databases?.stop());

    it('is made once by those who start together, keeps its order, and comes over from an older version', async () => {
      databases = await startDatabases(kind);
      const database = await databases?.open();
      if (!database) throw new Error('No server');
      const [queue, other] = await Promise.all([open(database), open(database)]);
      const ids = [1, 2, 3].map(digit => `job_${String(digit).repeat(32)}`);
      for (const id of ids) await queue.put('work', id);
      await other.put('work', ids[0] ?? '');
      expect((await other.take('work'))?.jobId).toBe(ids[0]);
      await Promise.all([queue.close(), other.close()]);

      const { schema } = packageJson.pgboss;
      await database.script(getRollbackPlans('pgboss', schema));
      expect(await database.query('SELECT version FROM pgboss.version')).toEqual([{ version: schema - 1 }]);
      const newer = await open(database);
      expect(await database.query('SELECT version FROM pgboss.version')).toEqual([{ version: schema }]);
      const ticket = await newer.take('work');
      if (!ticket) throw new Error('The line is empty');
      // On PGlite the first was taken by a process that is gone.
      expect(ticket.jobId).toBe(kind === 'pglite' ? ids[0] : ids[1]);
      await newer.putBack(ticket);
      const again = await newer.take('work');
      expect(again).toMatchObject({ jobId: ticket.jobId });
      // A claim that was lost removes nothing.
      await database.transaction([await newer.removal(ticket)]);
      expect(await database.query(`SELECT 1 FROM pgboss.job WHERE state = 'active'`)).not.toEqual([]);
      await newer.close();
    });
  });
}

function open(database: Database) {
  return openQueue({ database, leaseSeconds: 10, log: () => {} });
}
