// Optimisers as functions: parameters, gradients and state in, parameters and state out. Rates and other settings may be
// tensors, so that they change from step to step without another graph.
import type { Tensor } from './expression.ts';
import {
  add,
  addAll,
  cast,
  div,
  filled,
  matmul,
  min,
  mul,
  pow,
  reshape,
  scalar,
  sqrt,
  square,
  sub,
} from './operators.ts';
import { product } from './shape.ts';
import { mapTree, tensorsOf, type Tree, zipTrees } from './tree.ts';

/** A number now, or f32 [] when the graph runs. */
export type Setting = Tensor | number;

/** Steps done (f32 []), and fading sums of the gradients and of their squares: the running means over 1 − beta. */
export type Adam<T extends Tree> = { readonly step: Tensor; readonly sum: T; readonly squares: T };

/** The state of `adamW` before the first step. */
export const adamStart = <T extends Tree>(parameters: T): Adam<T> => ({
  step: scalar(0),
  sum: zeros(parameters),
  squares: zeros(parameters),
});

export interface AdamWSettings {
  rate: Setting;
  /** What gradients are multiplied by first: the factor of `clipByNorm`, or one over the parts of a batch. */
  scale?: Setting;
  /** How much of the sums remains at each step. */
  betas?: readonly [number, number];
  epsilon?: Setting;
  weightDecay?: Setting;
  /** Which parameters decay, by path: all of them unless given. */
  decays?: (path: string, parameter: Tensor) => boolean;
  /** What the rate is multiplied by for a parameter: 1 unless given. */
  rates?: (path: string, parameter: Tensor) => number;
}

/** One step of Adam with decoupled weight decay (Loshchilov and Hutter 2019), with PyTorch's defaults. */
export function adamW<T extends Tree>(
  { parameters, gradients, state }: { parameters: T; gradients: T; state: Adam<T> },
  {
    rate,
    scale = 1,
    betas: [beta1, beta2] = [0.9, 0.999],
    epsilon = 1e-8,
    weightDecay = 0.01,
    decays = () => true,
    rates = () => 1,
  }: AdamWSettings,
): { parameters: T; state: Adam<T> } {
  const step = add(state.step, 1);
  // rate · mean / u1 / (√(mean of squares / u2) + epsilon) with u = 1 − beta^step. What is kept are sums, the means over 1 − beta, so
  // that one pass less goes over all parameters; and scalars are multiplied first.
  const [part1, part2] = [div(1 - beta1, remainder(beta1, step)), sqrt(div(1 - beta2, remainder(beta2, step)))];
  const change = mul(div(part1, part2), rate);
  const floor = div(epsilon, part2);
  const decay = times(rate, weightDecay);
  const [updated, sum, squares] = zipTrees(
    [parameters, gradients, state.sum, state.squares],
    ([weight, gradient, oldSum, oldSquares], path) => {
      const scaled = scale === 1 ? gradient : mul(gradient, scale);
      const m = add(mul(oldSum, beta1), scaled);
      const v = add(mul(oldSquares, beta2), square(scaled));
      const factor = rates(path, weight);
      const decayed = decays(path, weight) && weightDecay !== 0 ? mul(weight, oneMinus(times(decay, factor))) : weight;
      return [sub(decayed, mul(div(m, add(sqrt(v), floor)), times(change, factor))), m, v] as const;
    },
  );
  return { parameters: updated, state: { step, sum, squares } };
}

export interface SgdSettings {
  rate: Setting;
  momentum?: Setting;
  /** Looks ahead along the momentum (Sutskever et al. 2013). */
  nesterov?: boolean;
  /** Added to the gradient, as in L2 regularisation. */
  weightDecay?: Setting;
}

/** One step of gradient descent as PyTorch defines it; the state is the running sum of gradients, `zeros` at first. */
export function sgd<T extends Tree>(
  { parameters, gradients, state }: { parameters: T; gradients: T; state: T },
  { rate, momentum = 0, nesterov = false, weightDecay = 0 }: SgdSettings,
): { parameters: T; state: T } {
  const [updated, sums] = zipTrees([parameters, gradients, state], ([weight, gradient, before]) => {
    const g = weightDecay === 0 ? gradient : add(gradient, mul(weight, weightDecay));
    const sum = add(mul(before, momentum), g);
    return [sub(weight, mul(nesterov ? add(g, mul(sum, momentum)) : sum, rate)), sum] as const;
  });
  return { parameters: updated, state: sums };
}

/** Zeros in the shapes of `tree`. */
export const zeros = <T extends Tree>(tree: T): T => mapTree(tree, ({ shape }) => filled(shape, 0));

/** All gradients scaled down together to a Euclidean norm of at most `greatest`; the norm that they had, and the factor,
 *  which an optimiser can apply without a pass of its own. */
export function clipByNorm<T extends Tree>(
  gradients: T,
  greatest: Setting,
): { gradients: T; norm: Tensor; scale: Tensor } {
  const squares = tensorsOf(gradients).map(gradient => {
    // As a product with itself: one pass, and no squares kept.
    const row = reshape(gradient, [1, product(gradient.shape)]);
    return reshape(matmul(row, row, { transB: true }), []);
  });
  const [first = scalar(0), ...others] = squares;
  const norm = sqrt(addAll(first, ...others));
  const scale = clipScale(norm, greatest);
  return { gradients: mapTree(gradients, gradient => mul(gradient, scale)), norm, scale };
}

/** What gradients of this norm together are multiplied by so that it is at most `greatest`. */
export const clipScale = (norm: Tensor, greatest: Setting): Tensor => min(div(greatest, add(norm, 1e-6)), 1);

// ---- helpers

const oneMinus = (x: Setting): Setting => (typeof x === 'number' ? 1 - x : sub(1, x));
const times = (a: Setting, b: Setting): Setting => {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  return b === 1 ? a : mul(a, b);
};

/** 1 − beta^step; in f64, since it may be as small as 0.001. */
function remainder(beta: number, step: Tensor): Tensor {
  return cast(sub(1, pow(scalar(beta, 'f64'), cast(step, 'f64'))), 'f32');
}
