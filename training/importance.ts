// How much worse a model gets when one column's values are shuffled among the rows (Breiman 2001): what it draws from that column.
import type { RunPlan } from './plan.ts';
import { logLossOf } from './metrics/classes.ts';
import { errorsOf } from './metrics/numbers.ts';
import { randomNumbers, shuffle } from './random.ts';
import { pickRows } from './raw-rows.ts';
import type { RawColumn } from './raw-rows.ts';
import type { Card } from './types.ts';

/** Rows × columns × repetitions that are predicted at most, about. */
const mostPredictions = 1_000_000;
const [leastRows, mostRows] = [200, 2_000];

export function importanceSize(features: number): { rows: number; repetitions: number } {
  const repetitions = features <= 200 ? 5 : 1;
  const rows = Math.floor(mostPredictions / features / repetitions);
  return { rows: Math.max(leastRows, Math.min(mostRows, rows)), repetitions };
}

/** Rows of a part, drawn evenly by the seed, in ascending order: a table may be sorted by its target or by time. */
export function drawRows(rows: number, wanted: number, seed: number): number[] {
  const all = Array.from({ length: rows }, (_, row) => row);
  return shuffle(all, randomNumbers(seed, rows, wanted))
    .slice(0, wanted)
    .toSorted((a, b) => a - b);
}

/** After which what was not measured yet stays unmeasured. */
const mostSeconds = 60;

/** In units of the loss: log-loss of classes, root of the mean squared error of numbers. The most important first. */
export async function importanceOf(
  plan: RunPlan,
  { columns, ys, signal }: { columns: RawColumn[]; ys: Float64Array; signal: AbortSignal },
  predict: (columns: RawColumn[]) => Promise<Float64Array>,
): Promise<Card['importance']> {
  const { repetitions } = importanceSize(plan.features.length);
  const lossOf = (predicted: Float64Array) =>
    plan.target.classes ? logLossOf(predicted, ys, plan.target.classes.length) : errorsOf(predicted, ys).rmse;
  const base = lossOf(await predict(columns));
  const found: Card['importance'] = [];
  const began = performance.now();
  for (const [index, { name }] of plan.features.entries()) {
    if (performance.now() - began > mostSeconds * 1000) break;
    const rises: number[] = [];
    for (let repetition = 0; repetition < repetitions; repetition++) {
      signal.throwIfAborted();
      const order = shuffle(
        Array.from({ length: ys.length }, (_, row) => row),
        randomNumbers(plan.seed, index, repetition),
      );
      const shuffled = columns.map((column, i) => (i === index ? pickRows(column, order) : column));
      rises.push(lossOf(await predict(shuffled)) - base);
    }
    const mean = rises.reduce((sum, rise) => sum + rise, 0) / rises.length;
    const variance = rises.reduce((sum, rise) => sum + (rise - mean) ** 2, 0) / rises.length;
    found.push({ feature: name, importance: mean, deviation: Math.sqrt(variance) });
  }
  return found.toSorted((a, b) => b.importance - a.importance);
}
