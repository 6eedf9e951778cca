// Fine-tuning against PEFT and PyTorch on the same small weights, adapters and texts (fixtures/make_decoders.py).
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { farthest } from '../encoders/testing.ts';
import { putGraph } from '../weights/files.ts';
import { openDecoder } from './source.ts';
import { ADAPTABLE, loraGraphs, type LoraPlan } from './training.ts';
import { DecoderWeights, type Precision } from './weights.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');

interface Lora {
  rank: number;
  alpha: number;
  samples: { ids: number[]; prompt: number }[];
  start: Record<string, number[]>;
  gradients: Record<string, number[]>;
  losses: number[];
}

async function made(model: string, change: Partial<LoraPlan> = {}, precision: Precision = 'f32') {
  const { lora } = JSON.parse(await readFile(join(FIXTURES, model, 'expected.json'), 'utf8')) as { lora: Lora };
  const source = await openDecoder(join(FIXTURES, model));
  const weights = new DecoderWeights(source, { precision, version: '' });
  const { rank, alpha } = lora;
  const plan = { rank, alpha, layers: ADAPTABLE, weightDecay: 0.01, clip: 1e9, seed: 1, recompute: false, ...change };
  const graphs = loraGraphs(source.config, weights, plan);
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-lora-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const bytes = [graphs.start(), graphs.steps(), graphs.losses()];
  await weights.write(join(folder, weights.file));
  const sessions = await Promise.all(
    bytes.map(async graph => InferenceSession.create(await putGraph(folder, 'lora', graph), { intraOpNumThreads: 1 })),
  );
  const [start, steps, losses] = sessions;
  if (!start || !steps || !losses) throw new Error('three graphs have three sessions');
  const state: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(await start.run({}))) state[name.replace(/^next/, 'state')] = tensor;
  for (const [path, values] of Object.entries(lora.start)) {
    const known = state[`state.adapters.${path}`];
    if (!known) throw new Error(`the state has no ${path}`);
    state[`state.adapters.${path}`] = new Tensor('float32', Float32Array.from(values), known.dims);
  }
  return { lora, graphs, steps, losses, state };
}

/** The samples one behind the other in rows of `tokens`, in `parts` of one row each, the same in each step. */
function packed({ samples }: Lora, { steps, rows, tokens }: { steps: number; rows: number[][]; tokens: number }) {
  const answersOf = (row: number[]) =>
    row.reduce((sum, i) => sum + (samples[i]?.ids.length ?? 0) - (samples[i]?.prompt ?? 0), 0);
  const answers = Math.max(...rows.map(answersOf));
  const all = nothing();
  for (const row of rows) {
    const part = nothing();
    for (const index of row) {
      const { ids, prompt } = samples[index] ?? { ids: [], prompt: 0 };
      const at = part.ids.length;
      ids.forEach((id, i) => {
        part.ids.push(id);
        part.positions.push(i);
        part.texts.push(index);
        if (i < prompt) return;
        part.places.push(at + i - 1);
        part.targets.push(id);
        part.weights.push(1);
      });
    }
    const fill = (keys: (keyof typeof all)[], length: number, value: number) => {
      for (const key of keys) while (part[key].length < length) part[key].push(value);
    };
    fill(['ids', 'positions'], tokens, 0);
    fill(['texts'], tokens, -1);
    fill(['places', 'targets', 'weights'], answers, 0);
    for (const key of Object.keys(all) as (keyof typeof all)[]) all[key].push(...part[key]);
  }
  const repeated = (values: number[]) => Array.from({ length: steps }, () => values).flat();
  const whole = (values: number[], width: number[]) =>
    new Tensor('int64', BigInt64Array.from(repeated(values), BigInt), [steps, rows.length, ...width]);
  return {
    ids: whole(all.ids, [1, tokens]),
    positions: whole(all.positions, [1, tokens]),
    texts: whole(all.texts, [1, tokens]),
    places: whole(all.places, [answers]),
    targets: whole(all.targets, [answers]),
    weights: new Tensor('float32', Float32Array.from(repeated(all.weights)), [steps, rows.length, answers]),
  };
}

const nothing = (): Record<'ids' | 'positions' | 'texts' | 'places' | 'targets' | 'weights', number[]> => ({
  ids: [],
  positions: [],
  texts: [],
  places: [],
  targets: [],
  weights: [],
});
const total = (tensor: Tensor | undefined): number => numbers(tensor).reduce((a, b) => a + b, 0);
const numbers = (tensor: Tensor | undefined): number[] => Array.from(tensor?.data as Float32Array);
const ratesOf = (steps: number, rate: number) => new Tensor('float32', new Float32Array(steps).fill(rate), [steps]);

test.each(['llama', 'smollm', 'qwen2', 'mistral'])(
  '%s: fifty steps lose what PEFT loses, with texts packed one behind the other',
  async name => {
    const { lora, steps, state } = await made(name);
    const feeds = packed(lora, { steps: 50, rows: [[0, 1, 2]], tokens: 32 });
    const { losses } = await steps.run({ ...feeds, rate: ratesOf(50, 1e-2), ...state });
    expect(farthest(numbers(losses), lora.losses)).toBeLessThan(1e-3);
  },
);

test.each(['llama', 'qwen2'])('%s: the gradient of every adapter is that of PEFT', async name => {
  const { lora, steps, state } = await made(name, { weightDecay: 0 });
  // From nothing, the running mean after one step is a tenth of the gradient.
  const feeds = packed(lora, { steps: 1, rows: [[2, 0, 1]], tokens: 29 });
  const after = await steps.run({ ...feeds, rate: ratesOf(1, 0), ...state });
  for (const [path, gradient] of Object.entries(lora.gradients)) {
    const found = numbers(after[`next.adam.mean.${path}`]).map(value => 10 * value);
    expect(farthest(found, gradient), path).toBeLessThan(1e-4);
  }
});

test('parts, packing, recomputing and the length of the filling change nothing', async () => {
  const { lora, steps, losses, state } = await made('smollm');
  const first = packed(lora, { steps: 2, rows: [[0, 1, 2]], tokens: 29 });
  const expected = await steps.run({ ...first, rate: ratesOf(2, 1e-2), ...state });
  const other = await made('smollm', { recompute: true });
  const second = packed(lora, { steps: 2, rows: [[2], [1, 0]], tokens: 20 });
  const found = await other.steps.run({ ...second, rate: ratesOf(2, 1e-2), ...state });
  for (const name of Object.keys(expected))
    expect(farthest(numbers(found[name]), numbers(expected[name])), name).toBeLessThan(1e-4);

  const { ids, positions, texts, places, targets, weights } = packed(lora, {
    steps: 1,
    rows: [[2], [1, 0]],
    tokens: 16,
  });
  const flat = Object.entries({ ids, positions, texts, places, targets, weights }).map(
    ([name, tensor]) => [name, tensor.reshape(tensor.dims.slice(1))] as const,
  );
  const adapters = Object.entries(state).filter(([name]) => name.startsWith('state.adapters.'));
  const sums = await losses.run({ ...Object.fromEntries(flat), ...Object.fromEntries(adapters) });
  expect(total(sums['losses']) / total(sums['weight'])).toBeCloseTo(lora.losses[0] ?? NaN, 4);
});

test('on a base in 4 bits the loss falls too, and a clipped gradient is no longer than asked', async () => {
  const { lora, steps, state } = await made('smollm', { clip: 0.5 }, 'q4');
  const feeds = packed(lora, { steps: 30, rows: [[0, 1, 2]], tokens: 32 });
  const after = await steps.run({ ...feeds, rate: ratesOf(30, 1e-2), ...state });
  const losses = numbers(after['losses']);
  expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
  expect(Math.min(...numbers(after['norms']))).toBeGreaterThan(0);
});

test('adapters start by changing nothing, with as many numbers as are told', async () => {
  const { graphs } = await made('llama');
  const session = await InferenceSession.create(graphs.start(), { intraOpNumThreads: 1 });
  const state = Object.entries(await session.run({})).filter(([name]) => name.startsWith('next.adapters.'));
  expect(state.reduce((sum, [, { data }]) => sum + data.length, 0)).toBe(graphs.parameters);
  for (const [name, { data }] of state)
    expect(Math.max(...Array.from(data as Float32Array, Math.abs)) > 0).toBe(name.endsWith('.a'));
});
