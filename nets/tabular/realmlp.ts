// RealMLP of Holzmüller, Grinsztajn and Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular
// Data" (NeurIPS 2024).
import {
  add,
  cos,
  dropout,
  log,
  matmul,
  max,
  mish,
  mul,
  normal,
  reshape,
  selu,
  sub,
  type Tensor,
} from '@vectorium/tensor';
import {
  type Architecture,
  beside,
  embeddingStart,
  flatWidth,
  none,
  numberOf,
  numericOf,
  ones,
  othersOf,
  type Sizes,
} from './architecture.ts';
import { EMBEDDED, embedNumbers, type Periodic, periodicStart } from './periodic.ts';
import type { TabularPlan } from './types.ts';

interface Layer {
  [name: string]: Tensor;
  weight: Tensor;
  bias: Tensor;
}
type Weights = {
  embedding: Tensor[];
  /** One, or none where there are no numbers or too many. */
  periodic: Periodic[];
  scale: Tensor;
  layers: (Layer & { slope: Tensor })[];
  output: Layer;
};

export function realmlp({ layout, outputs }: Sizes, { settings, target }: TabularPlan): Architecture<Weights> {
  const setting = (name: string) => numberOf(settings, name);
  const [width, depth] = [setting('width'), setting('depth')];
  const periodic = layout.numeric > 0 && settings['periodic'] === true;
  const inner = flatWidth(layout) + (periodic ? (EMBEDDED - 1) * layout.numeric : 0);
  const activation = target.kind === 'classes' ? selu : mish;
  return {
    members: 1,
    start: next => ({
      embedding: embeddingStart(layout, next),
      periodic: periodic ? [periodicStart(layout.numeric, next)] : [],
      scale: ones([inner]),
      layers: Array.from({ length: depth }, (_, i) => ({
        weight: normal(next(), [i === 0 ? inner : width, width]),
        bias: normal(next(), [width]),
        slope: ones([width]),
      })),
      output: { weight: none([width, outputs]), bias: none([outputs]) },
    }),
    forward: (x, { embedding, periodic: [frequencies], scale, layers, output }, training) => {
      const numeric = layout.numeric > 0 ? [numericOf(x, layout)] : [];
      const numbers = frequencies ? numeric.map(numbersOf => embedNumbers(numbersOf, frequencies)) : numeric;
      const rate = training && mul(flatThenCosine(training.progress), setting('dropout'));
      const hidden = layers.reduce(
        (before, layer) => {
          const sums = scaledLinear(before, layer);
          const active = add(sums, mul(sub(activation(sums), sums), layer.slope));
          return rate && setting('dropout') > 0 ? dropout(active, rate, training?.next()) : active;
        },
        mul(beside([...numbers, ...othersOf(x, layout, embedding)]), scale),
      );
      return reshape(scaledLinear(hidden, output), [x.shape[0] ?? 0, 1, outputs]);
    },
    optimiser: {
      betas: [0.9, 0.95],
      schedule: fourCosines,
      weightDecay: progress => mul(flatThenCosine(progress), setting('weightDecay')),
      decays: path => path.endsWith('weight'),
      rates: path => {
        if (path === 'scale') return 6;
        if (path.startsWith('periodic') || path.endsWith('slope') || path.endsWith('bias')) return 0.1;
        return 1;
      },
      labelSmoothing: setting('labelSmoothing'),
    },
  };
}

// ---- helpers

/** x W / √in + b, so that one learning rate suits every width ("neural tangent parametrisation"). */
function scaledLinear(x: Tensor, { weight, bias }: Layer): Tensor {
  return add(matmul(x, weight, { alpha: 1 / Math.sqrt(Number(weight.shape[0])) }), bias);
}

/** ½ (1 − cos(2π log₂(1 + 15 t))): four cosines, each twice as long as the one before. */
const fourCosines = (progress: Tensor): Tensor =>
  mul(sub(1, cos(mul(log(add(mul(progress, 15), 1)), (2 * Math.PI) / Math.LN2))), 0.5);

/** 1 for the first half, then half a cosine down to 0. */
const flatThenCosine = (progress: Tensor): Tensor =>
  mul(add(cos(mul(max(sub(mul(progress, 2), 1), 0), Math.PI)), 1), 0.5);
