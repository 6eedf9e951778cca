import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';

const kept: Checkpoint = {
  progress: { epoch: 1, step: 2, lossSum: 0.5, curves: [], bestEpoch: 0, bestLoss: null, seconds: 3, stopped: null },
  state: { w: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } },
  best: { w: { shape: [1], data: Float32Array.of(5) } },
};

let path: string;
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'vectorium-checkpoint-')), 'checkpoint');
});
afterEach(() => rm(join(path, '..'), { recursive: true }));

test('what was kept comes back; before that there is nothing', async () => {
  expect(await readCheckpoint(path)).toBeNull();
  await writeCheckpoint(path, kept);
  expect(await readCheckpoint(path)).toEqual(kept);
});

test('one of another layout is as none, and one that was cut off is an error', async () => {
  await writeCheckpoint(path, kept);
  const bytes = await readFile(path);
  const older = bytes.toString('latin1').replace(/"layout":\d+,/, '');
  expect(older.length).toBeLessThan(bytes.length);
  await writeFile(path, older, 'latin1');
  expect(await readCheckpoint(path)).toBeNull();
  await writeFile(path, bytes.subarray(0, -4));
  await expect(readCheckpoint(path)).rejects.toThrow('another length');
});
