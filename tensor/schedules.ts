// Factors for a rate that follow the step (f32 [], from 0). Their settings may be tensors, so that a graph serves any run.
import type { Tensor } from './expression.ts';
import { add, cos, div, max, min, mul, sub } from './operators.ts';
import type { Setting } from './optimisers.ts';

/** From 0 to 1 over the first `steps`, then 1. */
export const warmUp = (step: Tensor, steps: Setting): Tensor => min(div(add(step, 1), max(steps, 1)), 1);

/** From 1 to `floor` as half a cosine over `steps`, then `floor` (Loshchilov and Hutter 2017, without restarts). */
export function cosineDecay(step: Tensor, steps: Setting, floor: Setting = 0): Tensor {
  const half = mul(add(cos(mul(progress(step, steps), Math.PI)), 1), 0.5);
  return add(mul(half, sub(1, floor)), floor);
}

/** From 1 to `floor` as a line over `steps`, then `floor`. */
export const linearDecay = (step: Tensor, steps: Setting, floor: Setting = 0): Tensor =>
  sub(1, mul(progress(step, steps), sub(1, floor)));

const progress = (step: Tensor, steps: Setting): Tensor => min(div(step, steps), 1);
