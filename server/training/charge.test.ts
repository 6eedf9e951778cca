// Training is paid by the second, before and after each minute of it, and no minute twice.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GroupCommit, createGroupCommit } from '../database/index.ts';
import { type TestParts, openTestParts } from '../datasets/testing.ts';
import type { RunningJob } from '../jobs/index.ts';
import type { Caller } from '../keys/index.ts';
import { type Ledger, createLedger } from '../usage/index.ts';
import { metered } from './charge.ts';

let parts: TestParts;
let commit: GroupCommit;
let ledger: Ledger;
/** A tenth of a cent. */
const secondPicodollars = 1_000_000_000n;

beforeAll(async () => {
  parts = await openTestParts();
  commit = createGroupCommit(parts.database);
  ledger = await createLedger({ database: parts.database, commit, accounts: parts.accounts });
});

afterAll(async () => {
  await ledger.close();
  await commit.close();
  await parts.close();
});

let count = 0;

async function training({ seconds = 1000, resumeFrom = null }: { seconds?: number; resumeFrom?: unknown } = {}) {
  const email = `learner${++count}@example.com`;
  const creditPicodollars = secondPicodollars * BigInt(seconds);
  const account = await parts.accounts.create({ email, plan: 'free', creditPicodollars });
  const plan = { ...account.plan, trainingSecondPicodollars: secondPicodollars };
  const key = {
    id: 'key',
    name: '',
    admin: false,
    scopes: null,
    models: null,
    budgetPicodollars: null,
    expiresAt: null,
  };
  const caller: Caller = { account: { ...account, plan }, key };
  const checkpoints: unknown[] = [];
  const jobOf = (from: unknown): RunningJob => ({
    id: `job_${account.id}`,
    accountId: account.id,
    keyId: key.id,
    input: null,
    resumeFrom: from,
    signal: new AbortController().signal,
    progress: () => {},
    event: () => {},
    checkpoint: async state => void checkpoints.push(state),
  });
  const run = <Result>(
    work: (signal: AbortSignal) => Promise<Result>,
    from: unknown = resumeFrom,
    options: { sliceSeconds?: number } = {},
  ) => metered({ ledger, caller, job: jobOf(from), modelId: 'model_x', route: '/train', ...options }, work);
  const spentSeconds = async () => {
    const left = (await parts.accounts.get(account.id))?.balancePicodollars ?? 0n;
    return Number((creditPicodollars - left) / secondPicodollars);
  };
  return { account, run, spentSeconds, checkpoints };
}

test('what it took is charged in whole seconds, also when it fails', async () => {
  const { account, run, spentSeconds, checkpoints } = await training();
  expect(await run(async () => sleep(30, 'done'))).toBe('done');
  expect(await spentSeconds()).toBe(1);
  expect(checkpoints).toEqual([{ slices: 1 }]);
  const failing = run(async () => sleep(1010).then(() => Promise.reject(new RangeError('no'))), checkpoints.at(-1));
  await expect(failing).rejects.toThrow(RangeError);
  expect(await spentSeconds()).toBe(3);
  expect(await ledger.costOf(account.id, `job_${account.id}`, new Date(0))).toBe(3n * secondPicodollars);
});

test('a slice that was charged before its process died is not charged again', async () => {
  const { run, spentSeconds } = await training();
  await run(async () => {});
  // The checkpoint did not get through.
  await run(async () => {}, null);
  expect(await spentSeconds()).toBe(1);
});

test('a balance that does not cover a minute is refused before anything is done', async () => {
  const { run, spentSeconds } = await training({ seconds: 59 });
  let worked = false;
  const refused = run(async () => {
    worked = true;
  });
  await expect(refused).rejects.toMatchObject({ code: 'INSUFFICIENT_BALANCE' });
  expect([worked, await spentSeconds()]).toEqual([false, 0]);
});

test('a training whose money runs out ends, and has paid for what it had', async () => {
  const { run, spentSeconds } = await training({ seconds: 2 });
  const endless = run(async signal => sleep(30_000, undefined, { signal }), null, { sliceSeconds: 1 });
  await expect(endless).rejects.toMatchObject({ code: 'INSUFFICIENT_BALANCE' });
  expect(await spentSeconds()).toBe(2);
});
