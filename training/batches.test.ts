// Batches: the order follows from (seed, epoch) alone, whatever was read before, and every row takes part.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Batches, stepsOf } from './batches.ts';

const folder = await mkdtemp(join(tmpdir(), 'batches-'));
afterAll(() => rm(folder, { recursive: true }));

const width = 3;
/** Row i is (i, i, i), with the label i. */
async function file(rows: number): Promise<string> {
  const path = join(folder, `rows-${rows}`);
  await writeFile(
    path,
    new Uint8Array(Float32Array.from({ length: rows * (width + 1) }, (_, i) => Math.floor(i / (width + 1))).buffer),
  );
  return path;
}

async function epochOf(
  rows: number,
  epoch: number,
  options: { memoryBytes: number; seed?: number; stepsAtOnce?: number },
): Promise<number[]> {
  const { memoryBytes, seed = 1, stepsAtOnce = 1000 } = options;
  const { steps, batch } = stepsOf(rows, 32);
  const batches = await Batches.open({ path: await file(rows), rows, width, batch, seed, memoryBytes });
  const seen: number[] = [];
  for (let step = 0; step < steps; step += stepsAtOnce) {
    const { xs, ys } = await batches.read(epoch, step, Math.min(stepsAtOnce, steps - step));
    for (const [i, y] of ys.entries()) expect([...xs.subarray(i * width, (i + 1) * width)]).toEqual([y, y, y]);
    seen.push(...ys);
  }
  await batches.close();
  return seen;
}

const large = 2 ** 30;
/** A tenth of 1,000 rows. */
const small = 1600;

test.each([large, small])('every row once an epoch, save those that fill no batch (%i bytes)', async memoryBytes => {
  for (const rows of [1000, 1003]) {
    const seen = await epochOf(rows, 0, { memoryBytes });
    expect(seen).toHaveLength(31 * 32);
    expect(new Set(seen).size).toBe(seen.length);
  }
});

test('in a short epoch all rows, and the first ones again in a last batch that is as large as the others', async () => {
  for (const [rows, length] of [
    [5, 5],
    [33, 64],
    [300, 320],
  ] as const) {
    const seen = await epochOf(rows, 0, { memoryBytes: large });
    expect(seen).toHaveLength(length);
    expect(new Set(seen.slice(0, rows)).size).toBe(rows);
    expect(seen.slice(rows)).toEqual(seen.slice(0, length - rows));
  }
});

test.each([large, small])('epochs and seeds have orders of their own (%i bytes)', async memoryBytes => {
  const first = await epochOf(1000, 0, { memoryBytes });
  expect(await epochOf(1000, 0, { memoryBytes })).toEqual(first);
  expect(await epochOf(1000, 1, { memoryBytes })).not.toEqual(first);
  expect(await epochOf(1000, 0, { memoryBytes, seed: 2 })).not.toEqual(first);
  const near = first.filter((row, i) => Math.abs(row - (first[i + 1] ?? NaN)) <= 1);
  expect(near.length).toBeLessThan(30);
});

test.each([large, small])(
  'however many steps are read at once, and wherever reading begins (%i bytes)',
  async memoryBytes => {
    const rows = 1000;
    const whole = await epochOf(rows, 3, { memoryBytes });
    expect(await epochOf(rows, 3, { memoryBytes, stepsAtOnce: 7 })).toEqual(whole);
    const batches = await Batches.open({ path: await file(rows), rows, width, batch: 32, seed: 1, memoryBytes });
    await batches.read(2, 4, 1);
    expect([...(await batches.read(3, 20, 2)).ys]).toEqual(whole.slice(20 * 32, 22 * 32));
    await batches.close();
  },
);
