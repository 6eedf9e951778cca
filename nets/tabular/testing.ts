// What the tests of tabular networks share: a small table, and runs of graphs.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createTabular } from './network.ts';
import { type Choices, planTabular } from './plan.ts';
import type { Feature, TabularNetwork, TabularPlan, Target } from './types.ts';

export interface SmallTable {
  rows: number;
  features: Feature[];
  target: Target;
  columns: Record<string, Tensor>;
  y: Float32Array;
}

/** What a graph gives for these inputs; those that it doesn't have are left out. */
export async function run(graph: Uint8Array, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(graph, { intraOpNumThreads: 1 });
  const own = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
  const results = await session.run(Object.fromEntries(own));
  await session.release();
  return results as Record<string, Tensor>;
}

/** What one graph gave as state, as the next takes it. */
export const state = (results: Record<string, Tensor>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(results).flatMap(([name, tensor]) =>
      name.startsWith('next.') ? [[name.replace('next.', 'state.'), tensor]] : [],
    ),
  );

/** Numbers (one constant, one with gaps), a boolean, two categories with gaps, a date and a text, on which the target depends. */
export function tableOf(kind: Target['kind'], { rows = 60, numbers = 3 } = {}): SmallTable {
  const of = <T>(make: (row: number) => T) => Array.from({ length: rows }, (_, row) => make(row));
  const features: Feature[] = [];
  const columns: Record<string, Tensor> = {};
  for (let i = 0; i < numbers; i++) {
    const values = of(row => (i === 0 ? 4 : i === 1 && row % 5 === 0 ? NaN : noise(row * numbers + i) * 10 ** (i % 5)));
    const sorted = values.filter(value => !Number.isNaN(value)).toSorted((a, b) => a - b);
    const quantiles = [0, 0.25, 0.5, 0.75, 1].map(share => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN);
    features.push({ name: `n${i}`, kind: 'number', quantiles, mean: 0, deviation: 1, nulls: rows - sorted.length });
    columns[`n${i}`] = new Tensor('float64', values, [rows, 1]);
  }
  const letters = of(row => (row % 7 === 0 ? '' : 'abcdefghijkl'[row % 12])) as string[];
  const few = of(row => (row % 2 === 0 ? 'yes' : 'no'));
  const dates = of(row => new Date(day(row) * 1000).toISOString());
  features.push(
    { name: 'b', kind: 'boolean', nulls: 1 },
    {
      name: 'letter',
      kind: 'category',
      values: [...new Set(letters.filter(Boolean))],
      nulls: letters.filter(v => !v).length,
    },
    { name: 'few', kind: 'category', values: ['yes', 'no'], nulls: 0 },
    { name: 'day', kind: 'date', quantiles: [day(0), day(rows / 2), day(rows)], mean: 0, deviation: 1, nulls: 0 },
    { name: 'text', kind: 'text', dimension: 4, nulls: 0 },
  );
  columns['b'] = new Tensor(
    'float64',
    of(row => (row === 3 ? NaN : Number(row % 3 === 0))),
    [rows, 1],
  );
  columns['letter'] = new Tensor('string', letters, [rows, 1]);
  columns['few'] = new Tensor('string', few, [rows, 1]);
  columns['day'] = new Tensor('string', dates, [rows, 1]);
  columns['text'] = new Tensor(
    'float32',
    Float32Array.from({ length: 4 * rows }, (_, i) => noise(i + 99) / 2),
    [rows, 4],
  );
  const scores = of(row => noise(row * numbers + 2) + (row % 2) + row / rows);
  const target: Target =
    kind === 'classes'
      ? { kind, counts: [0, 1, 2].map(label => scores.filter(score => classOf(score) === label).length) }
      : { kind, mean: 1, deviation: 1, min: -1, max: 3 };
  return {
    rows,
    features,
    target,
    columns,
    y: Float32Array.from(scores, score => (kind === 'classes' ? classOf(score) : score)),
  };
}

const noise = (i: number): number => (Math.sin(i * 12.9898 + 1) * 43758.5453) % 1;
const day = (row: number): number => Date.UTC(2024, 0, 1 + row) / 1000;
const classOf = (score: number): number => Math.min(2, Math.max(0, Math.floor(score)));

/** The rows of a table from `from` on, encoded. */
export async function encoded(table: SmallTable, from = 0): Promise<{ width: number; data: Float32Array }> {
  const network = createTabular(planTabular(table));
  const part = Object.entries(table.columns).map(([name, tensor]): [string, Tensor] => {
    const [rows = 0, width = 1] = tensor.dims;
    const data = (tensor.data as Float32Array).slice(from * width);
    return [name, new Tensor(tensor.type as 'float32', data, [rows - from, width])];
  });
  const results = await run(network.encoding(), Object.fromEntries(part));
  return { width: network.width, data: results['encoded']?.data as Float32Array };
}

/** Twenty steps over all rows, in so many runs. */
export async function trained(
  table: SmallTable,
  choices: Choices,
  runs = 1,
): Promise<{
  plan: TabularPlan;
  network: TabularNetwork;
  weights: Record<string, Tensor>;
  x: Tensor;
  losses: number[];
}> {
  const plan = planTabular(table, choices);
  const network = createTabular(plan);
  const { encoded: x } = await run(network.encoding(), table.columns);
  if (!x) throw new Error('nothing was encoded');
  const steps = 20 / runs;
  const repeated = <T extends ArrayLike<number>>(values: T) =>
    Float32Array.from({ length: steps * values.length }, (_, i) => values[i % values.length] ?? NaN);
  let now = state(await run(network.start(), {}));
  const losses: number[] = [];
  for (let turn = 0; turn < runs; turn++) {
    const results = await run(network.steps(), {
      ...now,
      xs: new Tensor('float32', repeated(x.data as Float32Array), [steps, table.rows, network.width]),
      ys: new Tensor('float32', repeated(Array.from(table.y, network.learnt)), [steps, table.rows]),
      total: new Tensor('int64', [20n], []),
    });
    losses.push(...(results['losses']?.data as Float32Array));
    now = state(results);
  }
  const weights = Object.fromEntries(Object.entries(now).filter(([name]) => name.startsWith('state.weights.')));
  return { plan, network, weights, x, losses };
}

/** Weights that any machine computes alike, for a model whose answers are kept. */
export const plainWeights = async (
  network: TabularNetwork,
): Promise<Record<string, { shape: number[]; data: Float32Array }>> =>
  Object.fromEntries(
    Object.entries(state(await run(network.start(), {})))
      .filter(([name]) => name.startsWith('state.weights.'))
      .map(([name, { dims, size }]) => [
        name,
        {
          shape: [...dims],
          data: Float32Array.from({ length: size }, (_, i) => Math.round(50 * Math.sin(i * i + 1)) / 100),
        },
      ]),
  );
