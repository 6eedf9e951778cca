// The process pool: jobs end when they are told to, fail alone, and leave nothing.
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { duckdb, leftovers, workshop } from './testing.ts';

const shop = await workshop({ memoryBytes: 200 * 2 ** 20 });
const big = join(shop.folder, 'big.csv');
await writeFile(
  big,
  `i,t\n${Array.from({ length: 1_500_000 }, (_, i) => `${i},some text that makes the file longer ${i % 1000}`).join('\n')}\n`,
);
const small = await shop.take('a,b\n1,x\n2,y\n', 'csv');
const job = (name: string) => ({ source: big, format: 'csv' as const, options: {}, target: join(shop.folder, name) });

test('kill -9 of the process in the middle rejects the call and leaves no file', async () => {
  const running = shop.tables.ingest(job('killed.parquet'));
  const killed = expect(running).rejects.toMatchObject({ name: 'TableError', code: 'FAILED' });
  const begun = () => readdirSync(shop.folder).some(name => name.startsWith('killed.parquet'));
  await expect.poll(begun, { interval: 5, timeout: 30_000 }).toBe(true);
  for (const id of shop.tables.processIds) process.kill(id, 'SIGKILL');
  await killed;
  expect(existsSync(join(shop.folder, 'killed.parquet'))).toBe(false);
  expect(await leftovers(shop)).toEqual([]);
  expect(await shop.tables.rows(small.target, { offset: 1, limit: 1 })).toEqual([{ a: 2, b: 'y' }]);
});

test('an aborted job ends as cancelled, its process goes on', async () => {
  const controller = new AbortController();
  const running = shop.tables.ingest(job('aborted.parquet'), { signal: controller.signal });
  const aborted = expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
  await sleep(500);
  const processes = shop.tables.processIds;
  controller.abort();
  await aborted;
  expect(await leftovers(shop)).toEqual([]);
  expect(shop.tables.processIds).toEqual(processes);
});

test('short reads do not wait behind long jobs', async () => {
  const controller = new AbortController();
  const jobs = [1, 2, 3, 4].map(number =>
    shop.tables.ingest(job(`long-${number}.parquet`), { signal: controller.signal }),
  );
  const all = Promise.allSettled(jobs);
  await shop.tables.rows(small.target, { offset: 0, limit: 1 });
  expect(await Promise.race([all.then(() => 'done'), sleep(1, 'running')])).toBe('running');
  controller.abort();
  expect((await all).map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
});

test('a long job tells how far it is', async () => {
  const seen: number[] = [];
  await shop.tables.ingest(job('progress.parquet'), { onProgress: fraction => seen.push(fraction) });
  expect(seen.some(fraction => fraction > 0)).toBe(true);
  expect(seen.every(fraction => fraction >= 0 && fraction <= 1)).toBe(true);
});

test('a job over its time limit is ended', async () => {
  const hasty = await workshop({ timeLimitMs: { short: 30_000, long: 300 } });
  await expect(
    hasty.tables.ingest({ ...job('late.parquet'), target: join(hasty.folder, 'late.parquet') }),
  ).rejects.toMatchObject({ code: 'TIME_LIMIT' });
  expect(await leftovers(hasty)).toEqual([]);
});

test('idle processes end, and new ones are made', async () => {
  const tidy = await workshop({ idleMs: 100 });
  await tidy.take('a\n1\n2\n', 'csv', { header: true });
  await sleep(600);
  expect(tidy.tables.processIds).toEqual([]);
  expect((await tidy.take('a\n1\n2\n', 'csv', { header: true })).rows).toBe(2);
});

test('more distinct values than fit into memory spill to disk', async () => {
  const source = join(shop.folder, 'wide.parquet');
  await duckdb(
    `COPY (SELECT md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS key FROM range(2500000) t(i)) TO '${source}' (FORMAT parquet)`,
  );
  const tight = await workshop({ memoryBytes: 200 * 2 ** 20 });
  const [profile] = await tight.tables.profile(source);
  expect(profile?.distinct).toBe(2_500_000);
  expect(await leftovers(tight)).toEqual([]);
});

test('the long jobs of one account leave a place to another', async () => {
  const controller = new AbortController();
  const greedy = [1, 2, 3, 4].map(number =>
    shop.tables.ingest(job(`greedy-${number}.parquet`), { account: 'greedy', signal: controller.signal }),
  );
  const all = Promise.allSettled(greedy);
  await shop.tables.profile(small.target, { account: 'modest' });
  expect(await Promise.race([all.then(() => 'done'), sleep(1, 'running')])).toBe('running');
  controller.abort();
  await all;
});
