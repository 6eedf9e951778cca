// What a training step costs beside the bare matrix products in it: `node bench/tensor/run.ts [seconds]`.
//
// Step: forward, backward, clipping and AdamW in a Loop, twenty steps a run. Bare: the matrix products of the same graph, of
// the same sizes and transpositions, from inputs of their own and with nothing between them. Both take turns in one process
// on two threads, several rounds, because machines drift; ratios are taken within a round, and medians printed.
import { cpus } from 'node:os';
import {
  adamStart,
  adamW,
  add,
  clipByNorm,
  constant,
  gather,
  gradients,
  input,
  matmul,
  mean,
  mul,
  multiHeadAttention,
  named,
  relu,
  repeat,
  reshape,
  rmsNorm,
  silu,
  softmaxCrossEntropy,
  type Tensor,
  tensorsOf,
  toOnnx,
} from '@vectorium/tensor';
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { type Bare, bareProducts } from './products.ts';

interface Network {
  name: string;
  batch: readonly number[];
  features: number | undefined;
  parameters: Record<string, readonly number[]>;
  logits: (x: Tensor, parameter: (name: string) => Tensor) => Tensor;
}

const ROUNDS = 5;
const STEPS = 20;
const THREADS = 2;
const seconds = Number(process.argv[2] ?? 1);
const titles = [
  'network',
  'parameters',
  'GFLOP a step',
  'bare ms',
  'step ms',
  'ratio',
  'GFLOP/s',
  'traced and loaded in ms',
];

console.log(`${cpus()[0]?.model} × ${cpus().length}, Node ${process.version}, ONNX Runtime ${env.versions.common}`);
console.log(`${THREADS} threads, ${ROUNDS} rounds of ${seconds} s each\n`);
console.log(`| ${titles.join(' | ')} |\n|${titles.map(() => '---|').join('')}`);
for (const network of [mlp(256), mlp(512), mlp(1024), transformer()]) await measure(network);

function mlp(width: number): Network {
  const widths = [width, width, width, width, 10];
  const layers = widths.slice(1).map((out, i) => ({ in: widths[i] ?? 0, out }));
  return {
    name: `MLP 3 × ${width}, batch 256`,
    batch: [256],
    features: width,
    parameters: Object.fromEntries(
      layers.flatMap((layer, i) => [
        [`w${i}`, [layer.in, layer.out]],
        [`b${i}`, [layer.out]],
      ]),
    ),
    logits: (x, parameter) =>
      layers.reduce((hidden, _, i) => {
        const sums = add(matmul(hidden, parameter(`w${i}`)), parameter(`b${i}`));
        return i < layers.length - 1 ? relu(sums) : sums;
      }, x),
  };
}

function transformer(): Network {
  const [batch, tokens, hidden, heads, inner, layers, vocabulary] = [8, 128, 256, 4, 768, 4, 1024];
  const weights = Array.from({ length: layers }, (_, i) => ({
    ...Object.fromEntries(['q', 'k', 'v', 'o'].map(name => [`${name}${i}`, [hidden, hidden]])),
    [`gate${i}`]: [hidden, inner],
    [`up${i}`]: [hidden, inner],
    [`down${i}`]: [inner, hidden],
    [`attentionNorm${i}`]: [hidden],
    [`innerNorm${i}`]: [hidden],
  }));
  const causal = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    i % tokens > Math.floor(i / tokens) ? -1e9 : 0,
  );
  const attentionBias = constant(causal, [1, 1, tokens, tokens]);
  return {
    name: `transformer ${layers} × ${hidden}, ${batch} × ${tokens} tokens`,
    batch: [batch, tokens],
    features: undefined,
    parameters: Object.assign({ embedding: [vocabulary, hidden] }, ...weights),
    logits: (ids, parameter) => {
      const block = (x: Tensor, i: number) => {
        const linear = (of: Tensor, name: string) => matmul(of, parameter(`${name}${i}`));
        const normed = rmsNorm(x, parameter(`attentionNorm${i}`), 1e-5);
        const [query, key, value] = [linear(normed, 'q'), linear(normed, 'k'), linear(normed, 'v')];
        const attended = add(x, linear(multiHeadAttention({ query, key, value, attentionBias }, { heads }), 'o'));
        const second = rmsNorm(attended, parameter(`innerNorm${i}`), 1e-5);
        return add(attended, linear(mul(silu(linear(second, 'gate')), linear(second, 'up')), 'down'));
      };
      const x = weights.reduce((before: Tensor, _, i) => block(before, i), gather(parameter('embedding'), ids));
      return matmul(reshape(x, [batch * tokens, hidden]), parameter('embedding'), { transB: true });
    },
  };
}

async function measure({ name, batch, features, parameters: shapes, logits }: Network): Promise<void> {
  const started = performance.now();
  const parameters = Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, input(key, shape)]));
  const x = features === undefined ? input('x', [STEPS, ...batch], 'i64') : input('x', [STEPS, ...batch, features]);
  const rows = batch.reduce((a, b) => a * b, 1);
  const labels = input('labels', [STEPS, rows], 'i64');
  let bareStep: Bare | undefined;
  const { state, collected } = repeat(STEPS, { parameters, adam: adamStart(parameters) }, (before, step) => {
    const parameter = (key: string) => before.parameters[key] ?? x;
    const loss = mean(softmaxCrossEntropy(logits(gather(x, step), parameter), gather(labels, step)), [0]);
    const found = gradients(loss, before.parameters);
    bareStep = bareProducts([loss, ...tensorsOf(found)]);
    const { scale } = clipByNorm(found, 1);
    const next = adamW({ parameters: before.parameters, gradients: found, state: before.adam }, { rate: 1e-3, scale });
    return { state: { parameters: next.parameters, adam: next.state }, collect: loss };
  });
  const step = await InferenceSession.create(toOnnx({ loss: collected, ...named('next', state.parameters) }), {
    intraOpNumThreads: THREADS,
  });
  const startMs = performance.now() - started;
  const feeds = {
    ...Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, random(shape)])),
    x: features === undefined ? whole([STEPS, ...batch], 1024) : random([STEPS, ...batch, features], 1),
    labels: whole([STEPS, rows], 10),
  };

  if (!bareStep) throw new Error('the loop has no body');
  const { outputs, flop, inputs } = bareStep;
  const bare = await InferenceSession.create(toOnnx(outputs), { intraOpNumThreads: THREADS });
  const bareFeeds = Object.fromEntries(inputs.map(({ name: key, shape }) => [key, random(shape)]));
  const rounds: { bareMs: number; stepMs: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const bareMs = await timed(() => bare.run(bareFeeds));
    const stepMs = (await timed(() => step.run(feeds))) / STEPS;
    rounds.push({ bareMs, stepMs });
  }
  const [bareMs, stepMs] = [median(rounds.map(r => r.bareMs)), median(rounds.map(r => r.stepMs))];
  const ratio = median(rounds.map(r => r.bareMs / r.stepMs));
  const size = Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const cells = [
    name,
    `${(size / 1e6).toFixed(2)} M`,
    (flop / 1e9).toFixed(2),
    bareMs.toFixed(2),
    stepMs.toFixed(2),
    ratio.toFixed(2),
    (flop / 1e6 / stepMs).toFixed(0),
    startMs.toFixed(0),
  ];
  console.log(`| ${cells.join(' | ')} |`);
  await Promise.all([step.release(), bare.release()]);
}

/** Milliseconds a call, the median over as many as fit. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1000; performance.now() < end || times.length < 3;) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  return median(times);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

function random(shape: readonly number[], scale = 1 / Math.sqrt(shape[0] ?? 1)): OrtTensor {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length }, () => (Math.random() * 2 - 1) * scale);
  return new OrtTensor('float32', data, shape);
}

function whole(shape: readonly number[], below: number): OrtTensor {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = BigInt64Array.from({ length }, () => BigInt(Math.floor(Math.random() * below)));
  return new OrtTensor('int64', data, shape);
}
