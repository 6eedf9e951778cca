// The graphs of a tabular network: its parts are functions on expressions, put together here.
import {
  adamStart,
  adamW,
  add,
  cast,
  clipByNorm,
  constant,
  div,
  expand,
  gather,
  gradients,
  input,
  logSoftmax,
  mapTree,
  mean,
  mul,
  named,
  repeat,
  reshape,
  scalar,
  softmaxCrossEntropy,
  square,
  sub,
  type Tensor,
  tensorsOf,
  toOnnx,
  type Tree,
} from '@vectorium/tensor';
import type { Architecture, NextDraw, Sizes } from './architecture.ts';
import { encode, layoutOf } from './encoding.ts';
import { mostProbable, numberOf, probabilitiesOf } from './outputs.ts';
import { realmlp } from './realmlp.ts';
import { linearNetwork, perceptron } from './simple.ts';
import { tabm } from './tabm.ts';
import type { TabularNetwork, TabularPlan, Target } from './types.ts';

export function createTabular(plan: TabularPlan): TabularNetwork {
  const layout = layoutOf(plan.features);
  const outputs = plan.target.kind === 'classes' ? plan.target.counts.length : 1;
  const sizes: Sizes = { layout, outputs };
  switch (plan.algorithm) {
    case 'linear':
      return graphs(linearNetwork(sizes, plan), sizes, plan);
    case 'mlp':
      return graphs(perceptron(sizes, plan), sizes, plan);
    case 'realmlp':
      return graphs(realmlp(sizes, plan), sizes, plan);
    case 'tabm':
      return graphs(tabm(sizes, plan), sizes, plan);
  }
}

function graphs<Weights extends Tree>(
  architecture: Architecture<Weights>,
  { layout, outputs }: Sizes,
  plan: TabularPlan,
): TabularNetwork {
  const { width } = layout;
  const weights = architecture.start(streams(plan.seed, scalar(0, 'i64'), 0));
  const start = { weights, adam: adamStart(weights) };
  const given = mapTree(start, ({ shape, dtype }, path) => input(`state.${path}`, shape, dtype));
  return {
    width,
    outputCount: outputs,
    members: architecture.members,
    parameters: tensorsOf(weights).reduce(
      (sum, { shape }) => sum + shape.reduce<number>((a, d) => a * Number(d), 1),
      0,
    ),
    // In f64: of a large number with a small spread, f32 would keep nothing that differs.
    learnt: y => (plan.target.kind === 'number' ? (y - plan.target.mean) / plan.target.deviation : y),
    encoding: () => toOnnx({ encoded: encode(plan.features) }),
    start: () => toOnnx(named('next', start)),
    steps: () => {
      const [xs, ys] = [input('xs', ['steps', 'batch', width]), input('ys', ['steps', 'batch'])];
      const total = cast(input('total', [], 'i64'), 'f32');
      const { state, collected } = repeat('steps', given, (before, iteration) => {
        const [x, y] = [gather(xs, iteration), gather(ys, iteration)];
        const progress = div(before.adam.step, total);
        const next = streams(plan.seed, cast(before.adam.step, 'i64'), TRAINING);
        const { optimiser } = architecture;
        const result = architecture.forward(x, before.weights, { next, progress });
        const loss = lossOf(result, y, { target: plan.target, smoothing: optimiser.labelSmoothing });
        const slopes = gradients(loss, before.weights);
        const { parameters, state: adam } = adamW(
          { parameters: before.weights, gradients: slopes, state: before.adam },
          {
            ...optimiser,
            rate: mul(optimiser.schedule(progress), plan.learningRate),
            weightDecay: optimiser.weightDecay(progress),
            scale: optimiser.clip === undefined ? 1 : clipByNorm(slopes, optimiser.clip).scale,
          },
        );
        return { state: { weights: parameters, adam }, collect: loss };
      });
      return toOnnx({ losses: collected, ...named('next', state) });
    },
    outputs: () => toOnnx({ outputs: architecture.forward(input('x', ['rows', width]), given.weights) }),
    model: (values, { temperature }) => {
      const fixed = mapTree(weights, ({ shape }, path) => {
        const value = values[`state.weights.${path}`];
        if (value?.shape.join() !== shape.join())
          throw new Error(`state.weights.${path} is [${shape.join()}], not [${value?.shape.join() ?? 'missing'}]`);
        return constant(value.data, value.shape);
      });
      const result = architecture.forward(encode(plan.features), fixed);
      if (plan.target.kind === 'number') return toOnnx({ prediction: numberOf(result, plan.target) });
      const probabilities = probabilitiesOf(result, temperature);
      return toOnnx({ prediction: mostProbable(probabilities), probabilities });
    },
  };
}

// ---- helpers

/** Streams of training are others than those of the start. */
const TRAINING = 1 << 16;

function streams(seed: number, step: Tensor, first: number): NextDraw {
  let stream = first;
  const fixed = scalar(seed, 'i64');
  return () => ({ seed: fixed, step, stream: stream++ });
}

/** The mean over rows and members: each member learns by itself. Outputs [batch, members, n], y f32 [batch] as `learnt` gives it. */
function lossOf(outputs: Tensor, y: Tensor, { target, smoothing }: { target: Target; smoothing: number }): Tensor {
  const [batch = 0, members = 1] = outputs.shape;
  const each = expand(reshape(y, [batch, 1]), [batch, members]);
  if (target.kind === 'number') {
    return mean(square(sub(reshape(outputs, [batch, members]), each)), [0, 1]);
  }
  const right = mean(softmaxCrossEntropy(outputs, cast(each, 'i64')), [0, 1]);
  if (smoothing === 0) return right;
  const all = mul(mean(logSoftmax(outputs), [0, 1, 2]), -1);
  return add(mul(right, 1 - smoothing), mul(all, smoothing));
}
