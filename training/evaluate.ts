// What the network in training says of held-out rows: probabilities or numbers, and how far off they are.
import { numbers, probabilities } from '@vectorium/nets';
import type { TabularNetwork, TabularPlan } from '@vectorium/nets';
import { open } from 'node:fs/promises';
import { readWhole } from './batches.ts';
import { readLabels, rowsPath } from './encode.ts';
import { evaluatedRows } from './memory.ts';
import { accuracyOf, logLossOf, areaUnderCurve } from './metrics/classes.ts';
import { errorsOf } from './metrics/numbers.ts';
import { feedsOf, floats, floatsOf } from './session.ts';
import type { Graph, State } from './session.ts';
import type { Part } from './split.ts';

/** Each class is a sort of all rows, at every epoch. */
const mostRankedClasses = 10;

export interface Evaluation {
  loss: number;
  metrics: Record<string, number>;
}

export interface HeldOut {
  labels: Float64Array;
  /** Runs the network over the rows: probabilities [rows, classes], or numbers [rows]. */
  predict(weights: State): Promise<Float64Array>;
}

export async function openHeldOut(
  { folder, part, rows }: { folder: string; part: Part; rows: number },
  {
    network,
    plan,
    outputs,
    signal,
  }: { network: TabularNetwork; plan: TabularPlan; outputs: Graph; signal: AbortSignal },
): Promise<HeldOut> {
  const { width, members, outputCount } = network;
  const { target } = plan;
  const atOnce = evaluatedRows(network);
  return {
    labels: await readLabels(folder, part),
    async predict(weights) {
      const predicted = new Float64Array(rows * outputCount);
      const file = await open(rowsPath(folder, part));
      try {
        for (let first = 0; first < rows; first += atOnce) {
          signal.throwIfAborted();
          const count = Math.min(atOnce, rows - first);
          const stored = new Float32Array(count * (width + 1));
          await readWhole(file, stored, first * (width + 1) * 4);
          const x = new Float32Array(count * width);
          for (let row = 0; row < count; row++)
            x.set(stored.subarray(row * (width + 1), row * (width + 1) + width), row * width);
          const found = floatsOf(await outputs.run({ ...feedsOf(weights), x: floats(x, [count, width]) }), 'outputs');
          const values =
            target.kind === 'classes'
              ? probabilities(found, { members, classes: outputCount })
              : numbers(found, { members, target });
          predicted.set(values, first * outputCount);
        }
      } finally {
        await file.close();
      }
      return predicted;
    },
  };
}

/** The loss that epochs are compared by: log-loss, or the mean squared error in units of the target's variance. */
export function evaluate(predicted: Float64Array, labels: Float64Array, { target }: TabularPlan): Evaluation {
  if (target.kind === 'number') {
    const { rmse, mae, r2 } = errorsOf(predicted, labels);
    return { loss: (rmse / target.deviation) ** 2, metrics: { rmse, mae, ...(r2 !== null && { r2 }) } };
  }
  const classes = target.counts.length;
  const loss = logLossOf(predicted, labels, classes);
  const auc = classes <= mostRankedClasses ? areaUnderCurve(predicted, labels, classes) : null;
  return {
    loss,
    metrics: { accuracy: accuracyOf(predicted, labels, classes), log_loss: loss, ...(auc !== null && { auc }) },
  };
}
