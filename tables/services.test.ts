// Services across the boundary of the process: values, errors and cancellation arrive as they were sent.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { TableError } from './errors.ts';
import { Pool } from './pool.ts';
import type { RunOptions, Services } from './types.ts';

const folder = await mkdtemp(join(tmpdir(), 'services-'));
const pool = new Pool({
  places: { short: 1, long: 1 },
  timeLimitMs: { short: 60_000, long: 60_000 },
  idleMs: 60_000,
  graceMs: 2_000,
  entry: new URL('fixtures/calling-process.ts', import.meta.url),
});
const settings = { scratch: folder, memoryBytes: 2 ** 27, threads: 1, maxSpillBytes: 2 ** 27, formatsFolder: null };
const unused = () => Promise.reject(new Error('not called'));

afterAll(async () => {
  await pool.close();
  await rm(folder, { recursive: true });
});

/** A job that embeds the texts and fails with what it was answered. */
function embedIn(texts: string[], embed: Services['embed'], options?: RunOptions): Promise<null> {
  const operations = texts.map(text => ({ type: 'enrich' as const, params: { text } }));
  const services = { embed, count: unused, affords: unused, chunk: unused, predict: unused };
  return pool.run(
    { lane: 'short', kind: 'check', input: { source: '', datasets: {}, operations }, settings, services },
    options,
  );
}

test('vectors arrive as Float32Array, and null as null', async () => {
  const answer = embedIn(['a', 'b'], async texts =>
    texts.map(text => (text === 'a' ? Float32Array.of(0.5, -1, 3e38) : null)),
  );
  await expect(answer).rejects.toMatchObject({
    message: JSON.stringify([[...Float32Array.of(0.5, -1, 3e38)], null]),
  });
});

test('an error of a service is the error of the job, with its code and its place', async () => {
  const refused = new TableError('TOO_LARGE', 'Text 1 is too long', { param: 'operations[0].params.column' });
  await expect(embedIn(['a'], () => Promise.reject(refused))).rejects.toMatchObject({ ...refused });
});

test('an abort during a call ends the job at once, and its process goes on', async () => {
  const controller = new AbortController();
  const [process] = pool.processIds;
  const never: Services['embed'] = () => {
    controller.abort();
    return new Promise(() => undefined);
  };
  await expect(embedIn(['a'], never, { signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  await expect(embedIn(['a'], async () => [null])).rejects.toMatchObject({ message: '[null]' });
  expect(pool.processIds).toEqual([process]);
});

test('a full heap ends the job as out of memory, and the next one has a new process', async () => {
  await expect(embedIn(['heap'], unused)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  await expect(embedIn(['a'], async () => [null])).rejects.toMatchObject({ message: '[null]' });
});
