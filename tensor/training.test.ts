// Whole training runs in a Loop: a network learns, a run in two sessions is a run in one, frozen weights may be larger than
// what an ONNX file holds.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect, onTestFinished, test } from 'vitest';
import { repeat } from './control.ts';
import type { Tensor } from './expression.ts';
import { softmaxCrossEntropy } from './fused.ts';
import { gradients } from './gradients.ts';
import { toOnnx } from './onnx/emit.ts';
import { add, cast, gather, input, matmul, mean, mul, parameter, relu, scalar, square, sub } from './operators.ts';
import { adamStart, adamW, clipByNorm, sgd, zeros } from './optimisers.ts';
import { type Draw, dropout, normal } from './random.ts';
import { cosineDecay, warmUp } from './schedules.ts';
import { prepare, type Values, values } from './testing.ts';
import { mapTree, named } from './tree.ts';

const WIDTH = 16;
const BATCH = 32;
const shapes = { w1: [2, WIDTH], b1: [WIDTH], w2: [WIDTH, 2], b2: [2] };
type Parameters = { w1: Tensor; b1: Tensor; w2: Tensor; b2: Tensor };

/** The same function serves training, with a draw for its dropout, and inference, without one. */
const network = (x: Tensor, { w1, b1, w2, b2 }: Parameters, noise?: Draw): Tensor =>
  add(matmul(dropout(relu(add(matmul(x, w1), b1)), 0.1, noise), w2), b2);

/** Inputs for a tree of tensors, named by their paths. */
const inputs = <T extends Parameters>(prefix: string, tree: T): T =>
  mapTree(tree, ({ shape, dtype }, path) => input(`${prefix}.${path}`, shape, dtype));

const first: Parameters = {
  w1: input('w1', shapes.w1),
  b1: input('b1', shapes.b1),
  w2: input('w2', shapes.w2),
  b2: input('b2', shapes.b2),
};
const seed = input('seed', [], 'i64');

/** A run of as many steps as there are batches, from a state to a state. */
function trainer() {
  const parameters = inputs('parameters', first);
  const adam = { step: input('adam.step', []), sum: inputs('adam.sum', first), squares: inputs('adam.squares', first) };
  const x = input('x', ['steps', 'batch', 2]);
  const labels = input('labels', ['steps', 'batch'], 'i64');
  const { state, collected } = repeat('steps', { parameters, adam }, (before, iteration) => {
    const noise = { seed, step: cast(before.adam.step, 'i64'), stream: 0 };
    const logits = network(gather(x, iteration), before.parameters, noise);
    const loss = mean(softmaxCrossEntropy(logits, gather(labels, iteration)), [0]);
    const found = gradients(loss, before.parameters);
    const step = before.adam.step;
    const rate = mul(mul(warmUp(step, 10), cosineDecay(step, 300)), 0.03);
    const next = adamW(
      { parameters: before.parameters, gradients: found, state: before.adam },
      { rate, scale: clipByNorm(found, 1).scale },
    );
    return { state: { parameters: next.parameters, adam: next.state }, collect: loss };
  });
  return { ...named('next.parameters', state.parameters), ...named('next.adam', state.adam), loss: collected };
}

const draw = (stream: number): Draw => ({ seed, step: scalar(0, 'i64'), stream });

/** The first state, drawn in a graph too. */
async function start(): Promise<Record<string, Values>> {
  const parameters = {
    w1: normal(draw(1), shapes.w1),
    b1: zeros(first.b1),
    w2: mul(normal(draw(2), shapes.w2), 1 / Math.sqrt(WIDTH)),
    b2: zeros(first.b2),
  };
  const state = { parameters, adam: adamStart(first) };
  const graph = await prepare(named('next', state), WHOLE);
  const drawn = await graph.run({ seed: values([], [7]) });
  await graph.release();
  return onward(drawn);
}

/** What came out of a run as what goes into the next. */
const onward = (after: Record<string, Values>): Record<string, Values> =>
  Object.fromEntries(Object.entries(after).map(([name, given]) => [name.replace(/^next\./, ''), given]));

async function run(state: Record<string, Values>, from: number, to: number): Promise<Record<string, Values>> {
  const session = await prepare(trainer(), WHOLE);
  const after = await session.run({ ...batches(from, to), ...state });
  await session.release();
  return onward(after);
}

/** Points of a square, and whether their signs agree; the same at every call. */
function batches(from: number, to: number): Record<string, Values> {
  const points = Array.from({ length: 2 * BATCH * (to - from) }, (_, i) => 2 * fraction(i + 2 * BATCH * from) - 1);
  const labels = Array.from({ length: BATCH * (to - from) }, (_, i) =>
    Number((points[2 * i] ?? 0) * (points[2 * i + 1] ?? 0) > 0),
  );
  return {
    seed: values([], [7]),
    x: values([to - from, BATCH, 2], points),
    labels: values([to - from, BATCH], labels),
  };
}
const fraction = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 8) / 2 ** 24;
const WHOLE = { seed: 'int64', labels: 'int64' } as const;

test('a network learns what it was shown, and the same function predicts', async () => {
  const after = await run(await start(), 0, 300);
  const losses = after['loss']?.data ?? [];
  expect(losses).toHaveLength(300);
  expect(Math.max(...losses.slice(-20))).toBeLessThan(0.5 * Math.min(...losses.slice(0, 5)));

  const inference = await prepare({ logits: network(input('x', ['batch', 2]), inputs('parameters', first)) });
  const { x, labels } = batches(300, 301);
  const { logits } = await inference.run({ ...after, x: values([BATCH, 2], x?.data ?? []) });
  await inference.release();
  const right = (labels?.data ?? []).filter((label, i) => {
    return label === Number((logits?.data[2 * i + 1] ?? 0) > (logits?.data[2 * i] ?? 0));
  });
  expect(right.length / BATCH).toBeGreaterThan(0.9);
});

test('a run in two sessions gives, bit by bit, what a run in one gives', async () => {
  const whole = await run(await start(), 0, 40);
  const half = await run(await start(), 0, 17);
  const { loss, ...rest } = await run(half, 17, 40);
  expect([...(half['loss']?.data ?? []), ...(loss?.data ?? [])]).toEqual(whole['loss']?.data);
  for (const [name, { data }] of Object.entries(rest)) expect(data, name).toEqual(whole[name]?.data);
});

test('a frozen table of more than 2 GB stays in its file while a layer behind it learns', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tensor-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [rows, columns] = [300_000_000, 2];
  const bytes = 4 * rows * columns;
  // A file of holes with one row at its end.
  const file = await open(join(folder, 'table'), 'w');
  await file.truncate(bytes);
  await file.write(new Uint8Array(Float32Array.of(1, 2).buffer), 0, 8, bytes - 8);
  await file.close();

  const table = parameter('table', [rows, columns], { data: { file: 'table', offset: 0, bytes } });
  const w = input('w', [columns, 1]);
  const { state } = repeat(3, { w, momentum: zeros(w) }, before => {
    const y = matmul(gather(table, input('ids', ['batch'], 'i64')), before.w);
    const loss = mean(square(sub(y, 3)), [0, 1]);
    const next = sgd(
      { parameters: before.w, gradients: gradients(loss, before.w), state: before.momentum },
      { rate: 0.1 },
    );
    return { state: { w: next.parameters, momentum: next.state }, collect: [] };
  });
  await writeFile(join(folder, 'train.onnx'), toOnnx({ learned: state.w }));
  const session = await InferenceSession.create(join(folder, 'train.onnx'));
  const { learned } = await session.run({
    w: new OrtTensor('float32', [0, 0], [columns, 1]),
    ids: new OrtTensor('int64', [BigInt(rows - 1)], [1]),
  });
  await session.release();
  // One row (1, 2): the first step goes from 0 to 0.6 · (1, 2), whose product is the target.
  Array.from(learned?.data as Float32Array).forEach((x, i) => expect(x).toBeCloseTo([0.6, 1.2][i] ?? NaN, 5));
});
