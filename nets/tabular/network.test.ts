// The graphs of tabular networks: against PyTorch (fixtures/make_tabular.py), and against one another.
import { readFileSync } from 'node:fs';
import { Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { createTabular } from './network.ts';
import { numbers, probabilities } from './outputs.ts';
import { planTabular } from './plan.ts';
import { encoded, run, state, tableOf, trained } from './testing.ts';
import type { Algorithm, Feature, Target } from './types.ts';

interface Values {
  shape: number[];
  data: number[];
}
interface Case {
  algorithm: Algorithm;
  learningRate: number;
  xs: Values;
  ys: Values;
  start: Record<string, Values>;
  outputs: Values;
  losses: number[];
  after: Record<string, Values>;
}
const cases = JSON.parse(readFileSync(new URL('../fixtures/tabular.json', import.meta.url), 'utf8')) as Record<
  string,
  Case
>;
const ALGORITHMS: Algorithm[] = ['linear', 'mlp', 'realmlp', 'tabm'];

describe('four steps are those of PyTorch', () => {
  const quantiles = [-1, -0.5, 0, 0.5, 1];
  const number = { kind: 'number', quantiles, mean: 0, deviation: 1, nulls: 0 } as const;
  const features: Feature[] = [
    { name: 'a', ...number },
    { name: 'b', ...number },
    { name: 'c', kind: 'boolean', nulls: 0 },
    { name: 'd', kind: 'category', values: [...'abc'], nulls: 0 },
    { name: 'e', kind: 'category', values: [...'abcdefghijkl'], nulls: 0 },
  ];
  const settings = { width: 6, depth: 2, members: 3, dropout: 0, weightDecay: 0.05, periodic: true };

  test.each(Object.keys(cases))('%s', async name => {
    const given = cases[name];
    if (!given) throw new Error('no such case');
    const target: Target = name.endsWith('classes')
      ? { kind: 'classes', counts: [1, 1, 1] }
      : { kind: 'number', mean: 0.5, deviation: 2, min: -9, max: 9 };
    const { algorithm, learningRate } = given;
    const plan = planTabular({ features, target, rows: 32 }, { algorithm, learningRate, settings });
    const network = createTabular(plan);
    const weights = Object.fromEntries(
      Object.entries(given.start).map(([path, value]) => [`state.weights.${path}`, f32(value)]),
    );
    const { outputs } = await run(network.outputs(), { ...weights, x: f32(firstOf(given.xs)) });
    close(outputs, given.outputs);

    const begun = state(await run(network.start(), {}));
    const total = new Tensor('int64', [10n], []);
    const results = await run(network.steps(), {
      ...begun,
      ...weights,
      xs: f32(given.xs),
      ys: f32({ ...given.ys, data: given.ys.data.map(network.learnt) }),
      total,
    });
    close(results['losses'], { shape: [4], data: given.losses });
    for (const [path, expected] of Object.entries(given.after)) close(results[`next.weights.${path}`], expected, 2e-4);
  });
});

describe.each(ALGORITHMS)('%s', algorithm => {
  test.each(['classes', 'number'] as const)('the model of %s gives what its parts give', async kind => {
    const table = tableOf(kind);
    const { network, plan, weights, x } = await trained(table, { algorithm, settings: small(algorithm) });
    const { outputs } = await run(network.outputs(), { ...weights, x });
    const found = outputs?.data as Float32Array;
    const values = Object.fromEntries(
      Object.entries(weights).map(([name, { dims, data }]) => [name, { shape: [...dims], data: data as Float32Array }]),
    );
    const model = await run(network.model(values, { temperature: 1.7 }), table.columns);
    const { members, outputCount: classes } = network;
    if (plan.target.kind === 'number') {
      close(model['prediction'], { shape: [table.rows], data: [...numbers(found, { members, target: plan.target })] });
      return;
    }
    const expected = probabilities(found, { members, classes, temperature: 1.7 });
    close(model['probabilities'], { shape: [table.rows, classes], data: [...expected] });
    const best = Array.from({ length: table.rows }, (_, row) => {
      const own = [...expected.subarray(row * classes, (row + 1) * classes)];
      return own.indexOf(Math.max(...own));
    });
    expect(Array.from(model['prediction']?.data ?? [], Number)).toEqual(best);
  });

  test('the same seed gives the same weights bit by bit, also in two halves; another seed gives others', async () => {
    const table = tableOf('classes');
    const choices = { algorithm, settings: small(algorithm) };
    const [once, again, halves] = [
      await trained(table, choices),
      await trained(table, choices),
      await trained(table, choices, 2),
    ];
    const other = await trained(table, { ...choices, seed: 1 });
    const bytes = ({ weights }: typeof once) => Object.values(weights).map(({ data }) => [...(data as Float32Array)]);
    expect(bytes(again)).toEqual(bytes(once));
    expect(bytes(halves)).toEqual(bytes(once));
    if (algorithm !== 'linear') expect(bytes(other)).not.toEqual(bytes(once));
  });

  test.each([40, 2000])('twenty rows with a constant column and %i numbers can be trained', async columns => {
    const table = tableOf('classes', { rows: 20, numbers: columns });
    const { losses } = await trained(table, { algorithm, settings: small(algorithm) });
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  });
});

test('rows are encoded one by one: a row does not depend on its block', async () => {
  const table = tableOf('classes');
  const whole = await encoded(table);
  const part = await encoded(table, 7);
  expect([...part.data].slice(0, part.width)).toEqual([...whole.data].slice(7 * whole.width, 8 * whole.width));
});

// ---- helpers

const small = (algorithm: Algorithm) => ({
  ...(algorithm !== 'linear' && { width: 16 }),
  ...(algorithm === 'tabm' && { members: 4, periodic: true }),
});

const f32 = ({ shape, data }: Values): Tensor => new Tensor('float32', Float32Array.from(data), shape);
const firstOf = ({ shape: [, ...shape], data }: Values): Values => ({
  shape,
  data: data.slice(
    0,
    shape.reduce((a, b) => a * b, 1),
  ),
});

function close(actual: Tensor | undefined, expected: Values, tolerance = 1e-4): void {
  expect(actual?.dims).toEqual(expected.shape);
  for (const [i, value] of expected.data.entries())
    expect(Number(actual?.data[i])).toBeCloseTo(value, -Math.log10(tolerance));
}
