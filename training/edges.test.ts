// Tables at the edge of what can be learnt: many small classes, large numbers of small spread, values that occur once.
import { expect, test, vi } from 'vitest';
import { noServices, workshop } from './testing.ts';

// Runs have the lowest priority, and other tests come first.
vi.setConfig({ testTimeout: 240_000 });

const shop = await workshop();
const config = { algorithm: 'mlp', seed: 1, earlyStopping: false } as const;

test('of 400 classes of five rows some choose the epoch and some measure', async () => {
  const rows = Array.from({ length: 2000 }, (_, i) => ({ x: (i % 400) / 7, kind: `class ${i % 400}` }));
  const job = shop.job('classification', await shop.table(rows), { ...config, epochs: 1, target: 'kind' });
  const { rows: parts } = await shop.training.train(job, noServices);
  expect(parts.validation).toBeGreaterThan(100);
  expect(parts.test).toBeGreaterThan(100);
  expect(parts.validation + parts.test + parts.training).toBe(2000);
});

test('moments within a minute, as seconds since 1970, are told apart', async () => {
  const rows = Array.from({ length: 600 }, (_, i) => ({ x: (i * 7) % 60, at: 1_700_000_000 + ((i * 7) % 60) }));
  const job = shop.job('regression', await shop.table(rows), { ...config, epochs: 60, target: 'at' });
  const { metrics } = await shop.training.train(job, noServices);
  expect(metrics?.['r2']).toBeGreaterThan(0.95);
});

test('one frequent value beside others that occur once is a feature', async () => {
  const rows = Array.from({ length: 400 }, (_, i) => ({
    code: i % 2 === 0 ? 'none' : `c${i}`,
    noise: (i * 31) % 17,
    kind: i % 2,
  }));
  const job = shop.job('classification', await shop.table(rows), { ...config, epochs: 20, target: 'kind' });
  const { metrics, left_out: leftOut } = await shop.training.train(job, noServices);
  expect(leftOut).toEqual([]);
  expect(metrics?.['accuracy']).toBe(1);
});
