// From the outputs of a network's members to what is predicted, in the graph and beside it.
import {
  add,
  cast,
  exp,
  log,
  logSoftmax,
  max,
  min,
  mul,
  reduceMax,
  reshape,
  softmax,
  sub,
  sum,
  type Tensor,
  topK,
} from '@vectorium/tensor';
import type { Target } from './types.ts';

/** Probabilities [rows, classes] from logits [rows, members, classes]: the mean of the members', made flatter by a temperature
 *  above 1 and sharper by one below. */
export function probabilitiesOf(logits: Tensor, temperature: number): Tensor {
  const each = logSoftmax(logits);
  // log Σ exp over the members, from the greatest on.
  const greatest = reduceMax(each, [1]);
  const [rows = 0, , classes = 0] = logits.shape;
  const total = log(sum(exp(sub(each, reshape(greatest, [rows, 1, classes]))), [1]));
  return softmax(mul(add(greatest, total), 1 / temperature));
}

/** The most probable class of [rows, classes] as f64 [rows]. */
export const mostProbable = (shares: Tensor): Tensor =>
  reshape(cast(topK(shares, 1).indices, 'f64'), [shares.shape[0] ?? 0]);

/** The number itself, f64 [rows], from outputs [rows, members, 1]: the members' mean, and not beyond what training saw. */
export function numberOf(outputs: Tensor, target: Extract<Target, { kind: 'number' }>): Tensor {
  const [rows = 0, members = 1] = outputs.shape;
  const mean = reshape(mul(sum(outputs, [1, 2]), 1 / Number(members)), [rows]);
  const number = add(mul(cast(mean, 'f64'), target.deviation), target.mean);
  return max(min(number, target.max), target.min);
}

/** As `probabilitiesOf`, for outputs that are there: row by row. */
export function probabilities(
  logits: Float32Array,
  { members, classes, temperature = 1 }: { members: number; classes: number; temperature?: number },
): Float64Array {
  const rows = logits.length / (members * classes);
  const result = new Float64Array(rows * classes);
  for (let row = 0; row < rows; row++) {
    const own = result.subarray(row * classes, (row + 1) * classes);
    for (let member = 0; member < members; member++) {
      const start = (row * members + member) * classes;
      softmaxOf(logits.subarray(start, start + classes), 1).forEach((p, i) => (own[i] = (own[i] ?? 0) + p / members));
    }
    if (temperature !== 1)
      own.set(
        softmaxOf(
          own.map(p => Math.log(Math.max(p, Number.MIN_VALUE))),
          temperature,
        ),
      );
  }
  return result;
}

/** As `numberOf`, for outputs that are there. */
export function numbers(
  outputs: Float32Array,
  { members, target }: { members: number; target: Extract<Target, { kind: 'number' }> },
): Float64Array {
  return Float64Array.from({ length: outputs.length / members }, (_, row) => {
    let total = 0;
    for (let member = 0; member < members; member++) total += outputs[row * members + member] ?? NaN;
    const number = (total / members) * target.deviation + target.mean;
    return Math.min(Math.max(number, target.min), target.max);
  });
}

function softmaxOf(logits: Float32Array | Float64Array, temperature: number): Float64Array {
  let greatest = -Infinity;
  for (const logit of logits) greatest = Math.max(greatest, logit);
  const parts = Float64Array.from(logits, logit => Math.exp((logit - greatest) / temperature));
  let total = 0;
  for (const part of parts) total += part;
  return parts.map(part => part / total);
}
