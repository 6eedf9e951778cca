// What a plan decides by itself, and what it refuses.
import { describe, expect, test } from 'vitest';
import { createTabular } from './network.ts';
import { planTabular } from './plan.ts';
import type { Feature, Target } from './types.ts';

const number: Feature = { name: 'n', kind: 'number', quantiles: [0, 1, 2], mean: 1, deviation: 1, nulls: 0 };
const constant: Feature = { ...number, name: 'c', quantiles: [2, 2, 2] };
const classes: Target = { kind: 'classes', counts: [40, 60] };
const table: { features: Feature[]; target: Target; rows: number } = {
  features: [number, constant],
  target: classes,
  rows: 100,
};

describe('a plan', () => {
  test('takes what the caller chose, and keeps it as it is', () => {
    const chosen = { algorithm: 'mlp', epochs: 3, batchSize: 7, learningRate: 0.5, seed: 9 } as const;
    expect(planTabular(table, chosen)).toMatchObject(chosen);
    expect(planTabular(table, { epochs: 3 }).patience).toBe(3);
  });

  test('is JSON', () => {
    const plan = planTabular(table);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test('gives small tables small batches, and never more than there are rows', () => {
    expect([10, 100, 1000, 3000, 100_000].map(batchOf)).toEqual([10, 16, 64, 256, 256]);
  });

  test('gives large tables fewer epochs', () => {
    expect(planTabular({ ...table, rows: 1_000_000 }).epochs).toBeLessThan(20);
  });

  test('leaves constant columns out of the encoded row', () => {
    expect(createTabular(planTabular(table)).width).toBe(1);
  });
});

describe('what can not be learnt is refused with the reason', () => {
  test('no features, or only constant ones', () => {
    expect(refused({ features: [] })).toThrow('there are no features');
    expect(refused({ features: [constant] })).toThrow('every feature is constant');
  });

  test('one class, or a constant target', () => {
    expect(refused({ target: { kind: 'classes', counts: [100, 0] } })).toThrow('one class only');
    expect(refused({ target: { kind: 'number', mean: 1, deviation: 0, min: 1, max: 1 } })).toThrow(
      'target is constant',
    );
  });

  test('a feature that is named as a result of the model', () => {
    expect(refused({ features: [{ ...number, name: 'prediction' }] })).toThrow('can not be named prediction');
  });
});

// ---- helpers

const batchOf = (rows: number): number => planTabular({ ...table, rows }).batchSize;
const refused = (changes: Partial<typeof table>) => (): unknown => planTabular({ ...table, ...changes });
