// What the finished model is worth: it is loaded as others will load it, and asked about held-out raw rows.
import type { Reader } from '@vectorium/tables';
import { setImmediate as turn } from 'node:timers/promises';
import { drawRows, importanceOf, importanceSize } from './importance.ts';
import { accuracyOf, areaUnderCurve, calibrationOf, confusionOf, f1Of, logLossOf, rocOf } from './metrics/classes.ts';
import { errorsOf, pairsOf, residualsOf } from './metrics/numbers.ts';
import type { RunPlan } from './plan.ts';
import { pickRows, rawFeeds, rawRows } from './raw-rows.ts';
import type { RawColumn } from './raw-rows.ts';
import { floatsOf, openGraph } from './session.ts';
import type { Graph } from './session.ts';
import type { Part } from './split.ts';
import type { Card } from './types.ts';

/** Larger tables of numbers are for nobody to look at. */
const [mostConfusedClasses, mostCurves] = [100, 10];

export interface MeasureOptions {
  folder: string;
  dimension: number;
  part: Part;
  signal: AbortSignal;
}

export async function measure(
  reader: Reader,
  { plan, model, atOnce }: { plan: RunPlan; model: Uint8Array; atOnce: number },
  options: MeasureOptions,
): Promise<{ metrics: Record<string, unknown>; importance: Card['importance'] }> {
  const graph = await openGraph(model, plan.threads);
  const outputs = plan.target.classes?.length ?? 1;
  const rows = plan.split.rows[options.part];
  const predicted = new Float64Array(rows * outputs);
  const labels = new Float64Array(rows);
  const drawn = drawRows(rows, importanceSize(plan.features.length).rows, plan.seed);
  const kept: { columns: RawColumn[]; ys: Float64Array }[] = [];
  let [done, next] = [0, 0];
  try {
    for await (const raw of rawRows(reader, plan, options)) {
      options.signal.throwIfAborted();
      predicted.set(await predict(graph, raw.columns, { plan, atOnce }), done * outputs);
      labels.set(raw.ys, done);
      const own: number[] = [];
      for (let row = drawn[next]; row !== undefined && row < done + raw.rows; row = drawn[++next]) own.push(row - done);
      kept.push({
        columns: raw.columns.map(column => pickRows(column, own)),
        ys: Float64Array.from(own, row => raw.ys[row] ?? NaN),
      });
      done += raw.rows;
      await turn();
    }
    const importance = await importanceOf(plan, { ...joined(kept), signal: options.signal }, async columns => {
      await turn();
      return predict(graph, columns, { plan, atOnce });
    });
    return {
      metrics: plan.target.classes ? ofClasses(predicted, labels, plan.target.classes) : ofNumbers(predicted, labels),
      importance,
    };
  } finally {
    await graph.release();
  }
}

/** Probabilities [rows, classes], or numbers [rows]. */
async function predict(
  graph: Graph,
  columns: RawColumn[],
  { plan, atOnce }: { plan: RunPlan; atOnce: number },
): Promise<Float64Array> {
  const outputs = plan.target.classes?.length ?? 1;
  const rows = rowsIn(columns);
  const predicted = new Float64Array(rows * outputs);
  for (let first = 0; first < rows; first += atOnce) {
    const part = Array.from({ length: Math.min(atOnce, rows - first) }, (_, i) => first + i);
    const own = part.length === rows ? columns : columns.map(column => pickRows(column, part));
    const results = await graph.run(rawFeeds(plan, own));
    const values = plan.target.classes ? floatsOf(results, 'probabilities') : results['prediction']?.data;
    if (!(values instanceof Float32Array || values instanceof Float64Array))
      throw new Error('the model gives no f64 prediction');
    predicted.set(values, first * outputs);
  }
  return predicted;
}

function rowsIn([first]: RawColumn[]): number {
  if (!first) return 0;
  return 'vectors' in first ? first.vectors.length / first.dimension : first.data.length;
}

function ofClasses(
  p: Float64Array,
  labels: Float64Array,
  of: NonNullable<RunPlan['target']['classes']>,
): Record<string, unknown> {
  const classes = of.length;
  const confusion = confusionOf(p, labels, classes);
  const f1 = f1Of(confusion);
  const calibration = calibrationOf(p, { labels, classes });
  const names = of.map(({ label }) => label);
  const drawn = classes === 2 ? [1] : classes <= mostCurves ? names.map((_, i) => i) : [];
  return {
    rows: labels.length,
    accuracy: accuracyOf(p, labels, classes),
    f1_macro: f1.macro,
    f1_weighted: f1.weighted,
    auc: areaUnderCurve(p, labels, classes),
    log_loss: logLossOf(p, labels, classes),
    expected_calibration_error: calibration.expectedError,
    baseline_accuracy: mostFrequentShare(labels, classes),
    confusion_matrix: classes <= mostConfusedClasses ? { labels: names, counts: confusion } : null,
    calibration: calibration.bins,
    roc: drawn.map(label => ({ label: names[label], points: rocOf(p, { labels, classes, label }) })),
  };
}

/** What always saying the most frequent class would reach. */
function mostFrequentShare(labels: Float64Array, classes: number): number {
  const counts = Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return Math.max(...counts) / labels.length;
}

function ofNumbers(predicted: Float64Array, actual: Float64Array): Record<string, unknown> {
  return {
    rows: actual.length,
    ...errorsOf(predicted, actual),
    pairs: pairsOf(predicted, actual),
    residuals: residualsOf(predicted, actual),
  };
}

function joined(batches: { columns: RawColumn[]; ys: Float64Array }[]): { columns: RawColumn[]; ys: Float64Array } {
  const ys = Float64Array.from(batches.flatMap(batch => [...batch.ys]));
  const columns = (batches[0]?.columns ?? []).map((_, index) =>
    joinColumn(batches.flatMap(batch => batch.columns[index] ?? [])),
  );
  return { columns, ys };
}

function joinColumn(pieces: RawColumn[]): RawColumn {
  const [first] = pieces;
  if (!first) return { data: [] };
  if ('vectors' in first)
    return {
      ...first,
      vectors: Float32Array.from(pieces.flatMap(piece => ('vectors' in piece ? [...piece.vectors] : []))),
    };
  if (first.data instanceof Float64Array)
    return {
      data: Float64Array.from(pieces.flatMap(piece => ('data' in piece ? Array.from(piece.data, Number) : []))),
    };
  return { data: pieces.flatMap(piece => ('data' in piece ? Array.from(piece.data, String) : [])) };
}
