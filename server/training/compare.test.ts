// Comparisons of many rows and classes: how much is measured, and that others don't wait for it.
import type { Card } from '@vectorium/training';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Dataset } from '../datasets/index.ts';
import type { Caller } from '../keys/index.ts';
import { type CompareParts, compare } from './compare.ts';
import type { ReadyModel } from './store.ts';

/** Two models of so many classes, of which the second is always right, and a dataset of so many rows. */
function standIns(classes: number, rows: number): CompareParts & { read: number } {
  const target: Card['target'] = {
    name: 'class',
    sql_type: 'BIGINT',
    labels: Array.from({ length: classes }, (_, label) => label),
  };
  const card = { target, features: [{ name: 'class', kind: 'number', sql_type: 'BIGINT' }] };
  const model = (id: string) => ({ id, type: 'classification', ready: { card } }) as unknown as ReadyModel;
  const dataset = { id: 'ds_1', version: { number: 1, rows, columns: [{ name: 'class', type: 'BIGINT' }] } };
  const parts: CompareParts & { read: number } = {
    read: 0,
    datasets: {
      get: () => Promise.resolve(dataset as unknown as Dataset),
      file: () => Promise.resolve({ path: '', release() {} }),
    },
    tables: {
      rows(_, { offset, limit }) {
        parts.read = offset + limit;
        return Promise.resolve(Array.from({ length: limit }, (__, row) => ({ class: (offset + row) % classes })));
      },
    },
    predictions: {
      ready: (_, name) => Promise.resolve(model(name)),
      async predict({ id }, { rows: own }) {
        const probabilities = new Float32Array(own * classes);
        for (let at = 0; at < probabilities.length; at++) probabilities[at] = ((at * 7919) % 1009) / 1009 / classes;
        if (id === 'second') for (let row = 0; row < own; row++) probabilities[row * classes + (row % classes)] = 1;
        return { values: new Float64Array(own), probabilities, tokens: 0 };
      },
    },
  };
  return parts;
}

const asked = (signal: AbortSignal) => ({
  caller: { account: { id: 'account' } } as Caller,
  route: '',
  requestId: '',
  signal,
});
const body = { models: ['first', 'second'], dataset_id: 'ds_1' };

test('a hundred thousand rows of ten classes hold nobody up', async () => {
  const parts = standIns(10, 100_000);
  let [longest, last] = [0, performance.now()];
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const answer = await compare(parts, body, asked(new AbortController().signal));
  await sleep(10);
  clearInterval(beat);
  expect(answer).toMatchObject({ rows: 100_000, models: [{}, { metrics: { accuracy: 1 } }] });
  // On the event loop it was ten seconds; other tests may have the processor meanwhile.
  expect(longest).toBeLessThan(2000);
});

test('a thousand classes are measured on as many rows as fit, and a caller who leaves ends it', async () => {
  const parts = standIns(1000, 50_000);
  const controller = new AbortController();
  const done = compare(parts, body, asked(controller.signal));
  const refused = expect(done).rejects.toThrow('gone');
  const most = Math.floor(2 ** 23 / 1001);
  await expect.poll(() => parts.read, { timeout: 20_000 }).toBe(most);
  await sleep(200);
  controller.abort(new Error('gone'));
  const left = performance.now();
  await refused;
  expect(performance.now() - left).toBeLessThan(1000);
});
