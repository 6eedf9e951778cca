// Killing the processes that run jobs at any moment loses no job, ends none twice, does no step again that a checkpoint covers, and takes
// back no event that somebody has seen.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../database/index.ts';
import { postgresqlPrograms, startDatabases, type TestDatabases } from '../database/testing.ts';
import { createJobs } from './jobs.ts';

const program = fileURLToPath(new URL('./run-until-killed.ts', import.meta.url));
type Place = { folder: string; url?: string };

function start(
  { folder, url = '' }: Place,
  making: number,
  kind = 'steps',
): { child: ChildProcess; lines: string[]; ready: Promise<void> } {
  const child = spawn(process.execPath, [program, folder, url, String(making), kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let rest = '';
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    const complete = (rest + piece).split('\n');
    rest = complete.pop() ?? '';
    lines.push(...complete);
    if (lines.includes('ready')) resolve();
  });
  return { child, lines, ready };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Lets this process finish what is left, and holds what is in the database against what the others have said. */
async function settle(place: Place, said: string[]): Promise<void> {
  const database = await openDatabase(place);
  const jobs = await createJobs({ database, jobsAtOnce: async () => 3, mostAtOnce: 4, leaseSeconds: 10 });
  jobs.handle('steps', async ({ id, resumeFrom, checkpoint }) => {
    for (let step = Number(resumeFrom ?? 0); step < 4; step++) {
      said.push(`step ${id} ${step}`);
      await checkpoint(step + 1);
    }
    return { steps: 4 };
  });
  await jobs.start();
  const made = said.filter(line => line.startsWith('made ')).map(line => line.slice(5));
  for (const id of made)
    expect(await jobs.wait('acc_1', id, { seconds: 50 })).toMatchObject({
      status: 'succeeded',
      result: { steps: 4 },
      progress: 1,
    });
  // Also those of which their process was killed before it could say that it had made them.
  await expect.poll(() => jobs.open('acc_1'), { timeout: 50_000 }).toEqual([]);
  const all = await jobs.list('acc_1', { limit: 1000 });
  for (const job of all) {
    const events = await jobs.events(job, 0, 1000);
    expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter(({ data }) => (data as { status?: string }).status === 'succeeded')).toHaveLength(1);
    const kept = new Set(
      events.map(({ number, type, data }) => `seen ${job.id} ${number} ${type} ${JSON.stringify(data)}`),
    );
    expect(said.filter(line => line.startsWith(`seen ${job.id} `) && !kept.has(line))).toEqual([]);
    // No step begins again after its checkpoint.
    const done = new Set<string>();
    for (const line of said.filter(each => each.split(' ')[1] === job.id)) {
      const [word, , step] = line.split(' ');
      if (word === 'kept') done.add(step ?? '');
      if (word === 'step') expect(done).not.toContain(step);
    }
  }
  expect(await database.query('SELECT 1 FROM pgboss.job')).toEqual([]);
  await jobs.close();
  await database.close();
}

describe('jobs whose process is killed', () => {
  let pglite: TestDatabases | null;
  beforeAll(async () => {
    pglite = await startDatabases('pglite');
  });
  afterAll(() => pglite?.stop());
  const newPlace = async (): Promise<Place> => (await pglite?.place()) ?? { folder: '' };

  it('on PGlite, at random moments, end once each and go on from their checkpoints', { timeout: 240_000 }, async () => {
    const place = await newPlace();
    const said: string[] = [];
    for (let round = 0; round < 4; round++) {
      const { child, lines, ready } = start(place, 6);
      await ready;
      // On a busy machine too, jobs get somewhere in each round: three deaths without a checkpoint between them would end them.
      await expect
        .poll(() => lines.filter(line => line.startsWith('kept ')).length, { timeout: 30_000 })
        .toBeGreaterThan(3);
      await sleep(Math.random() * 600);
      await kill(child);
      said.push(...lines);
    }
    expect(said.filter(line => line.startsWith('kept ')).length).toBeGreaterThan(5);
    await settle(place, said);
  });

  it('are given up when they kill it three times', { timeout: 120_000 }, async () => {
    const place = await newPlace();
    for (let round = 0; round < 3; round++) {
      const { child } = start(place, round === 0 ? 1 : 0, 'poison');
      await once(child, 'exit');
    }
    const database = await openDatabase(place);
    const jobs = await createJobs({ database, jobsAtOnce: async () => 3, mostAtOnce: 4 });
    let ran = 0;
    jobs.handle('poison', async () => ({ ran: (ran += 1) }));
    await jobs.start();
    const [job] = await jobs.list('acc_1', { limit: 1 });
    const done = await jobs.wait('acc_1', job?.id ?? '', { seconds: 20 });
    expect(done).toMatchObject({ status: 'failed', error: { code: 'JOB_INTERRUPTED' } });
    expect(ran).toBe(0);
    await jobs.close();
    await database.close();
  });
});

const missing = !postgresqlPrograms();
describe.skipIf(missing)(`jobs on PostgreSQL${missing ? ': SKIPPED, install the package postgresql' : ''}`, () => {
  it('are taken up by another process when the heartbeats of theirs have stopped', { timeout: 240_000 }, async () => {
    const databases = await startDatabases('postgresql');
    if (!databases) throw new Error('No server');
    const place = await databases.place();
    const [first, second] = [start(place, 4), start(place, 4)];
    await Promise.all([first.ready, second.ready]);
    await sleep(300 + Math.random() * 300);
    await kill(first.child);
    await sleep(300);
    await kill(second.child);
    await settle(place, [...first.lines, ...second.lines]);
    await databases.stop();
  });
});
