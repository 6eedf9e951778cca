// The folder of a job stays for an attempt that goes on, and for nobody else.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inJobFolder, removeOldJobFolders } from './folder.ts';
import { Interruption } from './run.ts';

async function parent(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'vectorium-test-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

const job = (signal = new AbortController().signal) => ({ id: 'job_1', accountId: 'acc_1', signal });

test('it is gone after work that succeeded, also where an attempt before left it', async () => {
  const path = await parent();
  await mkdir(join(path, 'acc_1.job_1'));
  await writeFile(join(path, 'acc_1.job_1', 'half'), 'done');
  const found = await inJobFolder(path, job(), folder => readdir(folder));
  expect(found).toEqual(['half']);
  expect(await readdir(path)).toEqual([]);
});

for (const [by, left] of [
  ['cancel', []],
  ['stop', ['acc_1.job_1']],
  ['loss', ['acc_1.job_1']],
  [null, []],
] as const)
  test(`after a failure (${by ?? 'of its own'}) there is ${left.length === 0 ? 'nothing' : 'what was done so far'}`, async () => {
    const path = await parent();
    const controller = new AbortController();
    const work = inJobFolder(path, job(controller.signal), async folder => {
      await writeFile(join(folder, 'half'), 'done');
      if (by !== null) controller.abort(new Interruption(by));
      throw new Error('no more');
    });
    await expect(work).rejects.toThrow('no more');
    expect(await readdir(path)).toEqual(left);
  });

test('folders of jobs that have ended, or are not known, are removed', async () => {
  const path = await parent();
  for (const name of ['acc_1.job_1', 'acc_1.job_2', 'acc_2.job_3']) await mkdir(join(path, name));
  const ends: Record<string, Date | null> = { job_1: null, job_2: new Date() };
  await removeOldJobFolders(path, {
    get: async (_, id) => (id in ends ? ({ finishedAt: ends[id] } as never) : null),
  });
  expect(await readdir(path)).toEqual(['acc_1.job_1']);
});
