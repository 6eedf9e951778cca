// The program that crash.test.ts kills: makes jobs, runs them, and prints each step before it is done and when its checkpoint is durable.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../database/index.ts';
import { createJobs } from './jobs.ts';

const [folder = '', url = '', making = '0', kind = 'steps'] = process.argv.slice(2);
const say = (...words: unknown[]): number => writeSync(1, `${words.join(' ')}\n`);
const database = await openDatabase({ folder, url: url || undefined });
const jobs = await createJobs({ database, jobsAtOnce: async () => 3, mostAtOnce: 4, leaseSeconds: 10 });

jobs.handle('steps', async ({ id, resumeFrom, checkpoint, event }) => {
  for (let step = Number(resumeFrom ?? 0); step < 4; step++) {
    say('step', id, step);
    event('step', { step });
    await sleep(Math.random() * 20);
    await checkpoint(step + 1);
    say('kept', id, step);
  }
  return { steps: 4 };
});
jobs.handle('poison', async () => {
  process.kill(process.pid, 'SIGKILL');
  await sleep(10_000);
  return {};
});

say('ready');
await jobs.start();
for (let made = 0; made < Number(making); made++) {
  const job = await jobs.enqueue({ accountId: 'acc_1', keyId: 'key_1', kind, input: null });
  say('made', job.id);
  void follow(job);
}

async function follow(job: Awaited<ReturnType<typeof jobs.enqueue>>): Promise<void> {
  for await (const events of jobs.follow(job, 0, new AbortController().signal))
    for (const { number, type, data } of events) say('seen', job.id, number, type, JSON.stringify(data));
}
