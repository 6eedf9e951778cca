// The end of an account over real PGlite: what fails on the way is done again, and its books stay as sums of days.
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type TestParts, openParts } from '../http/testing.ts';
import { createDeletion } from './deletion.ts';

let parts: TestParts;
beforeAll(async () => {
  parts = await openParts();
});
afterAll(() => parts.close());
afterEach(() => vi.useRealTimers());

const nobody = { personId: null, address: null };
const jobs = { open: async () => [], cancel: () => Promise.reject(new Error('no job')) };

function deletionOf(remove: (key: string) => Promise<void>) {
  const forgotten: string[] = [];
  const log: object[] = [];
  const deletion = createDeletion({
    database: parts.database,
    jobs,
    storage: { remove },
    uploads: { forget: async id => void forgotten.push(id) },
    forget() {},
    log: (event, fields) => void log.push({ event, ...fields }),
  });
  return { deletion, forgotten, log };
}

test('what fails halfway is said, keeps no other from its end, and is done again by a timer', async () => {
  const { id } = await parts.accounts.create({ email: 'stuck@example.com', plan: 'free' });
  const { id: other } = await parts.accounts.create({ email: 'other@example.com', plan: 'free' });
  let broken = true;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { deletion, forgotten, log } = deletionOf(async key => {
    if (broken && key.includes(id)) throw new Error('no disk');
  });
  await expect(deletion.delete(id, nobody)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  await deletion.delete(other, nobody);
  expect(log).toMatchObject([
    { event: 'accounts.not_deleted', account_id: id, message: 'no disk' },
    { event: 'accounts.deleted', account_id: other },
  ]);
  expect(await parts.accounts.get(other)).toBeUndefined();
  broken = false;
  vi.advanceTimersByTime(600_000);
  await deletion.close();
  expect(await parts.accounts.get(id)).toBeUndefined();
  expect(new Set(forgotten)).toEqual(new Set([id, other]));
});

test('single charges become one entry a day, beside those that were folded before', async () => {
  const { id } = await parts.accounts.create({ email: 'books@example.com', plan: 'free' });
  for (const [at, kind, amount] of [
    ['2024-02-01T00:00:00Z', 'usage_of_day', -5],
    ['2024-02-01T10:00:00Z', 'usage', -1],
    ['2024-02-01T23:00:00Z', 'usage', -2],
    ['2024-02-02T01:00:00Z', 'usage', -4],
  ])
    await parts.database.query(
      `INSERT INTO ledger (id, at, account_id, kind, amount_picodollars) VALUES (gen_random_uuid(), $1, $2, $3, $4)`,
      [at, id, kind, amount],
    );
  const { deletion } = deletionOf(async () => {});
  await deletion.delete(id, nobody);
  await deletion.close();
  const left = await parts.database.query(
    `SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, kind, amount_picodollars::integer AS amount
     FROM ledger WHERE account_id = $1 AND kind <> 'monthly' ORDER BY at`,
    [id],
  );
  expect(left).toEqual([
    { day: '2024-02-01', kind: 'usage_of_day', amount: -8 },
    { day: '2024-02-02', kind: 'usage_of_day', amount: -4 },
  ]);
});
