// A run that is killed at any moment goes on, and ends with the model, bit by bit, of one that was not.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { noServices, workshop } from './testing.ts';
import type { TrainJob } from './types.ts';

// Runs have the lowest priority, and other tests come first.
vi.setConfig({ testTimeout: 240_000 });

// The rows are more than may be in memory, and each call of ONNX Runtime is kept.
const shop = await workshop({ threads: 2, checkpointSeconds: 0, rowsInMemoryBytes: 2 ** 14 });
const weather = await shop.vega('seattle-weather.csv');
const config = { target: 'weather', algorithm: 'mlp', epochs: 40, earlyStopping: false, seed: 11 } as const;

const untouched = shop.job('classification', weather, config);
await shop.training.train(untouched, noServices);
const expected = await readFile(join(untouched.target, 'model.onnx'));

/** Trains in a process of its own until it is killed; gives the lines that it printed. */
async function trainUntil(job: TrainJob, killed: (line: string) => Promise<boolean>): Promise<string[]> {
  const program = fileURLToPath(new URL('train-until-killed.ts', import.meta.url));
  const child = spawn(process.execPath, [program, shop.folder, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise(resolve => child.once('exit', resolve));
  const lines: string[] = [];
  let text = '';
  for await (const piece of child.stdout) {
    text += String(piece);
    const whole = text.split('\n');
    text = whole.pop() ?? '';
    for (const line of whole) {
      lines.push(line);
      if (await killed(line)) child.kill('SIGKILL');
    }
  }
  await ended;
  return lines;
}

const isAlive = (id: number): boolean => existsSync(`/proc/${id}/stat`);

test('kill -9 of the process that trains, in every stage', async () => {
  const job = shop.job('classification', weather, config);
  // The rows are encoded up to 0.1, the steps are done up to 0.95.
  for (const fraction of [0, 0.05, 0.2, 0.3, 0.5, 0.8, 0.94].map(least => least + Math.random() * 0.01)) {
    const kill = () => {
      for (const id of shop.training.processIds) process.kill(id, 'SIGKILL');
    };
    const run = shop.training.train(job, noServices, {
      onProgress: done => {
        if (done >= fraction) setTimeout(kill, Math.random() * 20);
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'FAILED' });
    expect(existsSync(job.target)).toBe(false);
  }
  const card = await shop.training.train(job, noServices);
  expect(expected.equals(await readFile(join(job.target, 'model.onnx')))).toBe(true);
  expect(card.curves.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  expect(await readdir(job.target)).toHaveLength(3);
});

test('kill -9 of the server in the middle of an epoch takes the process with it, and the next goes on', async () => {
  const job = shop.job('classification', weather, config);
  let id = 0;
  const first = await trainUntil(job, async line => {
    const said = JSON.parse(line) as { type: string; id?: number; epoch?: number };
    if (said.type === 'process') id = said.id ?? 0;
    return said.type === 'epoch' && said.epoch === 5;
  });
  expect(first.length).toBeLessThan(20);
  await expect.poll(() => isAlive(id), { timeout: 5_000 }).toBe(false);
  const second = await trainUntil(job, () => Promise.resolve(false));
  const epochs = second.flatMap(line => (JSON.parse(line) as { epoch?: number }).epoch ?? []);
  expect(Math.min(...epochs)).toBeGreaterThan(3);
  expect(expected.equals(await readFile(join(job.target, 'model.onnx')))).toBe(true);
});

test('a run that was over is not done again', async () => {
  const before = await readFile(join(untouched.target, 'card.json'), 'utf8');
  const card = await shop.training.train(untouched, noServices);
  expect(card).toEqual(JSON.parse(before));
});
