// A thread that measures two models once, and ends. Started by measure.ts.
import { metricsOfClasses, metricsOfNumbers } from '@vectorium/training';
import { parentPort, workerData } from 'node:worker_threads';

/** Of both models, in their order, for the same rows. */
export interface Comparison {
  /** Null of a regression. */
  classes: number | null;
  /** The true class of each row by number, or its number. */
  actual: Float64Array<ArrayBuffer>;
  /** Probabilities [rows, classes], or numbers [rows]. */
  predicted: (Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>)[];
}

export interface Measured {
  measured: Record<string, number>[];
  /** Null of a regression. */
  agreement: { same: number; both_right: number; only_first_right: number; only_second_right: number } | null;
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage(measured(workerData as Comparison));

function measured({ classes, actual, predicted }: Comparison): Measured {
  if (classes === null)
    return {
      measured: predicted.map(values => metricsOfNumbers(Float64Array.from(values), actual)),
      agreement: null,
    };
  return {
    measured: predicted.map(values => metricsOfClasses(Float64Array.from(values), actual, classes)),
    agreement: agreementOf(predicted, actual, classes),
  };
}

function agreementOf(predicted: Comparison['predicted'], actual: Float64Array, classes: number): Measured['agreement'] {
  const agreement = { same: 0, both_right: 0, only_first_right: 0, only_second_right: 0 };
  for (const [row, label] of actual.entries()) {
    const [one, other] = predicted.map(values => mostProbable(values, row, classes));
    if (one === other) agreement.same++;
    if (one === label && other === label) agreement.both_right++;
    else if (one === label) agreement.only_first_right++;
    else if (other === label) agreement.only_second_right++;
  }
  return agreement;
}

function mostProbable(values: Comparison['predicted'][number], row: number, classes: number): number {
  let found = 0;
  for (let place = 1; place < classes; place++)
    if ((values[row * classes + place] ?? 0) > (values[row * classes + found] ?? 0)) found = place;
  return found;
}
