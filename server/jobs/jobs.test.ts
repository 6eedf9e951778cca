// What jobs promise, on both databases, by one process and by several.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { backup, type Database, openDatabase, restore } from '../database/index.ts';
import { postgresqlPrograms, startDatabases, temporaryFolder, type TestDatabases } from '../database/testing.ts';
import { ApiError } from '../http/index.ts';
import { createJobs, type JobsOptions, type ServedJobs } from './jobs.ts';
import { dropOldJobs } from './retention.ts';
import type { JobEvent } from './store.ts';
import type { Job } from './types.ts';

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
      await database.script('DELETE FROM jobs; DELETE FROM job_events; DELETE FROM pgboss.job');
    });
    afterAll(() => databases?.stop());

    async function open(options: Partial<JobsOptions> = {}): Promise<ServedJobs> {
      const jobs = await createJobs({
        database,
        jobsAtOnce: async () => 2,
        mostAtOnce: 8,
        log: (...line) => log.push(line),
        leaseSeconds: 10,
        ...options,
      });
      opened.push(jobs);
      return jobs;
    }
    it('runs a job and keeps its result, which its account alone can read', async () => {
      const jobs = await open();
      jobs.handle('double', async ({ input }) => ({ z: 2 * Number(input), a: 1 }));
      await jobs.start();
      const { id, status } = await jobs.enqueue({ ...account, kind: 'double', input: 21 });
      expect(status).toBe('queued');
      const done = await jobs.wait('acc_1', id, { seconds: 10 });
      expect(done).toMatchObject({ status: 'succeeded', progress: 1, result: { z: 42, a: 1 }, error: null });
      expect(Object.keys(done?.result as object)).toEqual(['z', 'a']);
      expect(done?.finishedAt?.getTime()).toBeGreaterThanOrEqual(done?.startedAt?.getTime() ?? Infinity);
      expect(await jobs.get('acc_2', id)).toBeNull();
      expect(await jobs.wait('acc_2', id, { seconds: 10 })).toBeNull();
      expect(await jobs.cancel('acc_2', id)).toBeNull();
      expect(await jobs.list('acc_2', { limit: 10 })).toEqual([]);
      expect(await database.query('SELECT 1 FROM pgboss.job')).toEqual([]);
    });

    it('starts a job within milliseconds, and asks the embedded database nothing while it idles', async () => {
      let statements = 0;
      const counting: Database = {
        ...database,
        query: (sql, values) => ((statements += 1), database.query(sql, values)),
        transaction: all => ((statements += 1), database.transaction(all)),
      };
      const jobs = await open({ database: counting });
      let startedAt = 0;
      jobs.handle('quick', async () => ((startedAt = performance.now()), {}));
      await jobs.start();
      const delays: number[] = [];
      for (let round = 0; round < 12; round++) {
        const from = performance.now();
        const { id } = await jobs.enqueue({ ...account, kind: 'quick', input: null });
        await jobs.wait('acc_1', id, { seconds: 10 });
        delays.push(startedAt - from);
      }
      // Generous, since other tests share the machine: what it must not be is a poll's second.
      expect(delays.toSorted((a, b) => a - b)[6]).toBeLessThan(250);
      await sleep(100);
      statements = 0;
      await sleep(2500);
      expect(statements).toBeLessThanOrEqual(kind === 'pglite' ? 0 : 12);
    });

    it('tells the caller of an ApiError, and of any other error only that there was one', async () => {
      const jobs = await open();
      jobs.handle('fail', async ({ input }) => {
        if (input === 'told')
          throw new ApiError('INVALID_PARAMETER', { message: 'There is no column x', param: 'column' });
        throw new Error('secret');
      });
      await jobs.start();
      const outcome = async (input: string) => {
        const { id } = await jobs.enqueue({ ...account, kind: 'fail', input });
        return jobs.wait('acc_1', id, { seconds: 10 });
      };
      expect(await outcome('told')).toMatchObject({
        status: 'failed',
        result: null,
        error: { code: 'INVALID_PARAMETER', message: 'There is no column x', param: 'column' },
      });
      expect(await outcome('untold')).toMatchObject({ error: { code: 'INTERNAL_ERROR' } });
      expect(JSON.stringify(await outcome('untold'))).not.toContain('secret');
      expect(log.splice(0)).toHaveLength(2);
    });

    it('never runs more jobs of an account than its plan says, from 50 concurrent enqueues and by three processes', async () => {
      const running = { acc_1: 0, acc_2: 0 };
      const peak = { acc_1: 0, acc_2: 0 };
      let ran = 0;
      const processes = kind === 'pglite' ? [await open()] : await Promise.all([open(), open(), open()]);
      for (const jobs of processes) {
        jobs.handle('work', async ({ accountId }) => {
          const id = accountId as keyof typeof running;
          running[id] += 1;
          peak[id] = Math.max(peak[id], running[id]);
          await sleep(Math.random() * 20);
          running[id] -= 1;
          ran += 1;
          return {};
        });
        await jobs.start();
      }
      const made = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          processes[index % processes.length]?.enqueue({
            ...account,
            accountId: index % 5 === 0 ? 'acc_2' : 'acc_1',
            kind: 'work',
            input: index,
          }),
        ),
      );
      for (const job of made) {
        const done = job && (await processes[0]?.wait(job.accountId, job.id, { seconds: 50 }));
        expect(done?.status).toBe('succeeded');
      }
      expect({ ran, peak: peak.acc_1 }).toEqual({ ran: 50, peak: 2 });
      expect(peak.acc_2).toBeLessThanOrEqual(2);
    });

    it('goes round the accounts when the process is full', async () => {
      const order: string[] = [];
      const jobs = await open({ mostAtOnce: 1, jobsAtOnce: async () => null });
      jobs.handle('work', async ({ accountId }) => (order.push(accountId), await sleep(5), {}));
      for (let index = 0; index < 8; index++)
        await jobs.enqueue({ ...account, accountId: 'greedy', kind: 'work', input: null });
      for (const accountId of ['modest', 'humble'])
        await jobs.enqueue({ ...account, accountId, kind: 'work', input: null });
      await jobs.start();
      await until(() => order.length === 10);
      expect(order.indexOf('modest')).toBeLessThan(4);
      expect(order.indexOf('humble')).toBeLessThan(4);
    });

    it.skipIf(kind === 'postgresql')('keeps a place from an account that has all others', async () => {
      const jobs = await open({ mostAtOnce: 3, jobsAtOnce: async () => null });
      const begun: string[] = [];
      jobs.handle('long', async ({ accountId, signal }) => {
        begun.push(accountId);
        await sleep(60_000, undefined, { signal });
        return {};
      });
      await jobs.start();
      for (let index = 0; index < 5; index++)
        await jobs.enqueue({ ...account, accountId: 'greedy', kind: 'long', input: null });
      await until(() => begun.length === 2);
      await jobs.enqueue({ ...account, accountId: 'modest', kind: 'long', input: null });
      await until(() => begun.length === 3);
      expect(begun).toEqual(['greedy', 'greedy', 'modest']);
    });

    it('leaves a kind that it does not handle to others', async () => {
      const [jobs, other] = [await open(), await open()];
      await jobs.start();
      const { id } = await jobs.enqueue({ ...account, kind: 'strange', input: null });
      await sleep(100);
      expect(await jobs.open('acc_1')).toMatchObject([{ id, status: 'queued' }]);
      other.handle('strange', async () => ({ done: true }));
      await other.start();
      expect(await other.wait('acc_1', id, { seconds: 10 })).toMatchObject({ status: 'succeeded' });
    });

    it('cancels a queued job at once and a running one through its signal, and leaves an ended one as it is', async () => {
      const jobs = await open({ jobsAtOnce: async () => 1 });
      jobs.handle('long', async ({ signal }) => {
        await sleep(60_000, undefined, { signal });
        return {};
      });
      jobs.handle('short', async () => ({ done: true }));
      await jobs.start();
      const enqueue = (each: string) => jobs.enqueue({ ...account, kind: each, input: null });
      const [first, second, third] = [await enqueue('long'), await enqueue('long'), await enqueue('short')];
      await until(async () => (await jobs.get('acc_1', first.id))?.status === 'running');
      expect(await jobs.cancel('acc_1', second.id)).toMatchObject({ status: 'cancelled', startedAt: null });
      expect((await jobs.get('acc_1', third.id))?.status).toBe('queued');
      await jobs.cancel('acc_1', first.id);
      expect(await jobs.wait('acc_1', first.id, { seconds: 10 })).toMatchObject({ status: 'cancelled', error: null });
      expect(await jobs.wait('acc_1', third.id, { seconds: 10 })).toMatchObject({ status: 'succeeded' });
      expect(await jobs.cancel('acc_1', third.id)).toMatchObject({ status: 'succeeded', result: { done: true } });
      for (const job of [first, second])
        expect((await followed(jobs, job)).at(-1)).toMatchObject({ type: 'status', data: { status: 'cancelled' } });
    });

    it('ends each job once when cancels race with starts and ends', async () => {
      const ended = new Map<string, number>();
      const jobs = await open({ jobsAtOnce: async () => 4 });
      jobs.handle('work', async ({ id, signal }) => {
        await sleep(Math.random() * 15, undefined, { signal });
        ended.set(id, (ended.get(id) ?? 0) + 1);
        return {};
      });
      await jobs.start();
      const outcomes = await Promise.all(
        Array.from({ length: 40 }, async () => {
          const job = await jobs.enqueue({ ...account, kind: 'work', input: null });
          await sleep(Math.random() * 60);
          await jobs.cancel('acc_1', job.id);
          const done = await jobs.wait('acc_1', job.id, { seconds: 20 });
          const ends = (await followed(jobs, job)).filter(
            ({ type, data }) => type === 'status' && (data as { status: string }).status !== 'running',
          );
          expect(ends).toMatchObject([{ data: { status: done?.status } }]);
          expect(ended.get(job.id) ?? 0).toBe(done?.status === 'succeeded' ? 1 : 0);
          return done?.status;
        }),
      );
      expect(new Set(outcomes)).not.toContain('running');
      expect(await jobs.open('acc_1')).toEqual([]);
    });

    it('puts running jobs back when it stops, to go on from their checkpoint, without counting it as a death', async () => {
      const resumed: unknown[] = [];
      const start = async () => {
        const jobs = await open({ stopSeconds: 1 });
        jobs.handle('steps', async ({ resumeFrom, checkpoint, signal, event }) => {
          resumed.push(resumeFrom);
          const step = Number((resumeFrom as { step: number } | null)?.step ?? 0) + 1;
          event('step', { step });
          await checkpoint({ step });
          if (step < 6) await sleep(60_000, undefined, { signal });
          return { step };
        });
        await jobs.start();
        return jobs;
      };
      let jobs = await start();
      const job = await jobs.enqueue({ ...account, kind: 'steps', input: null });
      for (let stops = 0; stops < 5; stops++) {
        await until(async () => (await jobs.events(job, 0, 100)).filter(({ type }) => type === 'step').length > stops);
        await jobs.close();
        expect((await database.query('SELECT status, deaths FROM jobs'))[0]).toEqual({ status: 'queued', deaths: 0 });
        jobs = await start();
      }
      expect(await jobs.wait('acc_1', job.id, { seconds: 20 })).toMatchObject({
        status: 'succeeded',
        result: { step: 6 },
      });
      expect(resumed).toEqual([null, { step: 1 }, { step: 2 }, { step: 3 }, { step: 4 }, { step: 5 }]);
      const events = await followed(jobs, job);
      expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
      expect(events.filter(({ type }) => type === 'step').map(({ data }) => data)).toEqual(
        [1, 2, 3, 4, 5, 6].map(step => ({ step })),
      );
    });

    it('does not wait for a handler that does not listen, and refuses what it still writes', async () => {
      const jobs = await open({ stopSeconds: 0.1 });
      const release = Promise.withResolvers<void>();
      jobs.handle('deaf', async () => {
        await release.promise;
        return { by: 'deaf' };
      });
      await jobs.start();
      const { id } = await jobs.enqueue({ ...account, kind: 'deaf', input: null });
      await until(async () => (await jobs.get('acc_1', id))?.status === 'running');
      await jobs.close();
      release.resolve();
      await sleep(100);
      expect(log.splice(0).length).toBeLessThanOrEqual(1);
      const next = await open();
      next.handle('deaf', async () => ({ by: 'next' }));
      await next.start();
      expect(await next.wait('acc_1', id, { seconds: 10 })).toMatchObject({ result: { by: 'next' } });
    });

    it('gives every follower each event once and in order, from wherever it goes on', async () => {
      const jobs = await open({ mostEvents: 10_000 });
      jobs.handle('talk', async ({ event, progress, checkpoint }) => {
        for (let n = 0; n < 1500; n++) {
          event('n', { n });
          progress(n / 1500);
          if (n % 300 === 0) await checkpoint(n);
        }
        return {};
      });
      await jobs.start();
      const job = await jobs.enqueue({ ...account, kind: 'talk', input: null });
      const whole = await followed(jobs, job);
      expect(whole.filter(({ type }) => type === 'n').map(({ data }) => (data as { n: number }).n)).toEqual(
        Array.from({ length: 1500 }, (_, n) => n),
      );
      expect(whole.map(({ number }) => number)).toEqual(whole.map((_, index) => index + 1));
      const from = [0, 1, 250, 999, 1400, whole.length];
      const parts = await Promise.all(from.map(after => followed(jobs, job, after)));
      for (const [index, part] of parts.entries()) expect(part).toEqual(whole.slice(from[index]));
    });

    it('keeps only the newest events of a job, and no job for longer than it is told', async () => {
      const jobs = await open({ mostEvents: 50 });
      jobs.handle('talk', async ({ event }) => {
        for (let n = 0; n < 500; n++) event('n', { n });
        return {};
      });
      await jobs.start();
      const job = await jobs.enqueue({ ...account, kind: 'talk', input: null });
      await jobs.wait('acc_1', job.id, { seconds: 10 });
      const events = await jobs.events(job, 0, 1000);
      expect(events).toHaveLength(50);
      expect(events.at(-1)).toMatchObject({ number: 502, type: 'status' });
      expect(await dropOldJobs(database, 1)).toBe(0);
      expect(await dropOldJobs(database, 0)).toBe(1);
      expect(await database.query('SELECT 1 FROM job_events')).toEqual([]);
    });

    it('queues jobs of a backup again, with their checkpoints', { timeout: 180_000 }, async () => {
      const place = await databases?.place();
      if (!place) throw new Error('No server');
      const source = await openDatabase(place);
      const before = await open({ database: source, jobsAtOnce: async () => 1 });
      before.handle('work', async ({ checkpoint, signal }) => {
        await checkpoint('half');
        await sleep(60_000, undefined, { signal });
        return {};
      });
      await before.start();
      const [first, second] = [
        await before.enqueue({ ...account, kind: 'work', input: 1 }),
        await before.enqueue({ ...account, kind: 'work', input: 2 }),
      ];
      await until(async () => (await source.query('SELECT 1 FROM jobs WHERE checkpoint IS NOT NULL')).length > 0);
      const file = `${place.folder}/backup.gz`;
      await backup(place, file);
      await before.close();
      await source.close();

      const folder = temporaryFolder();
      await restore(file, { folder: folder.path });
      const restored = await openDatabase({ folder: folder.path });
      const after = await open({ database: restored, jobsAtOnce: async () => 1 });
      after.handle('work', async ({ resumeFrom, input }) => ({ resumeFrom, input }));
      await after.start();
      expect(await after.wait('acc_1', first.id, { seconds: 20 })).toMatchObject({
        result: { resumeFrom: 'half', input: 1 },
      });
      expect(await after.wait('acc_1', second.id, { seconds: 20 })).toMatchObject({
        result: { resumeFrom: null, input: 2 },
      });
      await after.close();
      await restored.close();
      await folder.remove();
    });

    it.runIf(kind === 'postgresql')('cancels and follows a job that another process runs', async () => {
      const [here, there] = [await open(), await open()];
      there.handle('long', async ({ signal, event }) => {
        event('begun', {});
        await sleep(60_000, undefined, { signal });
        return {};
      });
      await Promise.all([here.start(), there.start()]);
      const job = await here.enqueue({ ...account, kind: 'long', input: null });
      const events = followed(here, job);
      await until(async () => (await here.get('acc_1', job.id))?.status === 'running');
      await here.cancel('acc_1', job.id);
      expect(await here.wait('acc_1', job.id, { seconds: 10 })).toMatchObject({ status: 'cancelled' });
      expect(
        (await events).map(({ type, data }) => (type === 'begun' ? type : (data as { status: string }).status)),
      ).toEqual(['running', 'begun', 'cancelled']);
    });
  });
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await what()); tries++) {
    if (tries > 4000) throw new Error('It did not come');
    await sleep(5);
  }
}

async function followed(jobs: ServedJobs, job: Job, after = 0): Promise<JobEvent[]> {
  return (await Array.fromAsync(jobs.follow(job, after, AbortSignal.timeout(30_000)))).flat();
}
