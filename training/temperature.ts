// One number that makes probabilities honest: the temperature of Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).
import { logLossOf } from './metrics/classes.ts';

const [coldest, hottest] = [Math.log(0.05), Math.log(20)];
const golden = (Math.sqrt(5) - 1) / 2;
const turns = 60;

/** Of its logarithm, before any row is seen: a few rows that are all right shall not make the probabilities certain. */
const priorDeviation = 0.5;

/** The most likely temperature: the one with the least log-loss on these rows, and near 1 where they are few. */
export function fitTemperature(p: Float64Array, labels: Float64Array, classes: number): number {
  // By golden section on its logarithm.
  const lossAt = (x: number) =>
    labels.length * logLossOf(tempered(p, classes, Math.exp(x)), labels, classes) + (x / priorDeviation) ** 2 / 2;
  let [low, high] = [coldest, hottest];
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [lossLeft, lossRight] = [lossAt(left), lossAt(right)];
  for (let turn = 0; turn < turns && high - low > 1e-4; turn++) {
    if (lossLeft <= lossRight) {
      [high, right, lossRight] = [right, left, lossLeft];
      left = high - golden * (high - low);
      lossLeft = lossAt(left);
    } else {
      [low, left, lossLeft] = [left, right, lossRight];
      right = low + golden * (high - low);
      lossRight = lossAt(right);
    }
  }
  return Math.exp((low + high) / 2);
}

/** Probabilities [rows, classes] at a temperature: flatter above 1, sharper below. */
export function tempered(p: Float64Array, classes: number, temperature: number): Float64Array {
  const result = new Float64Array(p.length);
  for (let start = 0; start < p.length; start += classes) {
    let greatest = -Infinity;
    for (let i = start; i < start + classes; i++) {
      const logit = Math.log(Math.max(p[i] ?? 0, Number.MIN_VALUE)) / temperature;
      result[i] = logit;
      greatest = Math.max(greatest, logit);
    }
    let sum = 0;
    for (let i = start; i < start + classes; i++) sum += result[i] = Math.exp((result[i] ?? 0) - greatest);
    for (let i = start; i < start + classes; i++) result[i] = (result[i] ?? 0) / sum;
  }
  return result;
}
