// The plain algorithms: one linear map, and a perceptron with hidden layers.
import { cosineDecay, dropout, relu, reshape, type Tensor } from '@vectorium/tensor';
import {
  type Architecture,
  beside,
  embeddingStart,
  flatWidth,
  type Linear,
  linear,
  linearStart,
  none,
  numberOf,
  numericOf,
  othersOf,
  type Sizes,
} from './architecture.ts';
import type { TabularPlan } from './types.ts';

/** Logistic or linear regression with a little weight decay. */
export function linearNetwork({ layout, outputs }: Sizes, { settings }: TabularPlan): Architecture<LinearWeights> {
  return {
    members: 1,
    start: next => ({
      embedding: embeddingStart(layout, next),
      output: { weight: none([flatWidth(layout), outputs]), bias: none([outputs]) },
    }),
    forward: (x, { embedding, output }) => oneMember(linear(flat(x, { layout, embedding }), output), outputs),
    optimiser: {
      betas: [0.9, 0.999],
      schedule: progress => cosineDecay(progress, 1),
      weightDecay: () => numberOf(settings, 'weightDecay'),
      decays: path => path === 'output.weight',
      labelSmoothing: 0,
    },
  };
}

type LinearWeights = { embedding: Tensor[]; output: Linear };

/** ReLU layers of one width with dropout. */
export function perceptron({ layout, outputs }: Sizes, { settings }: TabularPlan): Architecture<PerceptronWeights> {
  const [width, depth, rate] = ['width', 'depth', 'dropout'].map(name => numberOf(settings, name)) as [
    number,
    number,
    number,
  ];
  return {
    members: 1,
    start: next => ({
      embedding: embeddingStart(layout, next),
      layers: Array.from({ length: depth }, (_, i) => linearStart(next, i === 0 ? flatWidth(layout) : width, width)),
      output: linearStart(next, width, outputs),
    }),
    forward: (x, { embedding, layers, output }, training) => {
      const hidden = layers.reduce(
        (before, layer) => dropout(relu(linear(before, layer)), rate, training?.next()),
        flat(x, { layout, embedding }),
      );
      return oneMember(linear(hidden, output), outputs);
    },
    optimiser: {
      betas: [0.9, 0.999],
      schedule: progress => cosineDecay(progress, 1),
      weightDecay: () => numberOf(settings, 'weightDecay'),
      clip: 1,
      decays: path => path.endsWith('weight'),
      labelSmoothing: 0,
    },
  };
}

type PerceptronWeights = { embedding: Tensor[]; layers: Linear[]; output: Linear };

// ---- helpers

/** A row as one vector of `flatWidth`. */
const flat = (x: Tensor, { layout, embedding }: Pick<Sizes, 'layout'> & { embedding: Tensor[] }): Tensor =>
  beside([...(layout.numeric > 0 ? [numericOf(x, layout)] : []), ...othersOf(x, layout, embedding)]);

const oneMember = (y: Tensor, outputs: number): Tensor => reshape(y, [y.shape[0] ?? 0, 1, outputs]);
