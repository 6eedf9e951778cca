// Metrics of classifiers. `p` are probabilities [rows, classes], `labels` the true classes by number.

/** The most probable class of each row; of equals the first. */
export function mostProbable(p: Float64Array, classes: number): Int32Array {
  return Int32Array.from({ length: p.length / classes }, (_, row) => {
    let best = 0;
    for (let i = 1; i < classes; i++) if ((p[row * classes + i] ?? 0) > (p[row * classes + best] ?? 0)) best = i;
    return best;
  });
}

export function accuracyOf(p: Float64Array, labels: Float64Array, classes: number): number {
  const predicted = mostProbable(p, classes);
  return predicted.reduce((right, label, row) => right + Number(label === labels[row]), 0) / predicted.length;
}

/** Mean of −log of the true class's probability, which is taken as at least the smallest difference of f64 from 1. */
export function logLossOf(p: Float64Array, labels: Float64Array, classes: number): number {
  let sum = 0;
  for (const [row, label] of labels.entries()) sum -= Math.log(Math.max(p[row * classes + label] ?? 0, Number.EPSILON));
  return sum / labels.length;
}

/** Rows of each true class (first) by predicted class (second). */
export function confusionOf(p: Float64Array, labels: Float64Array, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  for (const [row, predicted] of mostProbable(p, classes).entries()) {
    const own = counts[labels[row] ?? 0];
    if (own) own[predicted] = (own[predicted] ?? 0) + 1;
  }
  return counts;
}

/** F1 of each class, averaged evenly or by how many rows it has; classes that occur neither in truth nor in prediction don't count. */
export function f1Of(confusion: number[][]): { macro: number; weighted: number } {
  let [sum, weightedSum, occurring, rows] = [0, 0, 0, 0];
  for (const [label, own] of confusion.entries()) {
    const right = own[label] ?? 0;
    const actual = own.reduce((a, b) => a + b, 0);
    const predicted = confusion.reduce((total, other) => total + (other[label] ?? 0), 0);
    if (actual + predicted === 0) continue;
    const f1 = (2 * right) / (actual + predicted);
    occurring++;
    sum += f1;
    weightedSum += f1 * actual;
    rows += actual;
  }
  return { macro: sum / occurring, weighted: weightedSum / rows };
}

/**
 * Area under the ROC curve: of the second class where there are two, else the mean over classes of one against the rest (those that
 * occur, and not alone). Null where only one class occurs.
 */
export function areaUnderCurve(p: Float64Array, labels: Float64Array, classes: number): number | null {
  const areas = (classes === 2 ? [1] : Array.from({ length: classes }, (_, i) => i)).flatMap(label => {
    const area = areaOf(scoresOf(p, label, classes), labels, label);
    return area === null ? [] : [area];
  });
  return areas.length === 0 ? null : areas.reduce((a, b) => a + b, 0) / areas.length;
}

/** The chance that a row of the class has a higher score than another (Mann and Whitney), equals counting half. */
function areaOf(scores: Float64Array, labels: Float64Array, label: number): number | null {
  const order = Uint32Array.from(scores.keys()).toSorted((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let [rankSum, positives] = [0, 0];
  for (let start = 0; start < order.length;) {
    let end = start;
    let own = 0;
    while (end < order.length && scores[order[end] ?? 0] === scores[order[start] ?? 0]) {
      own += Number(labels[order[end] ?? 0] === label);
      end++;
    }
    rankSum += own * ((start + end + 1) / 2);
    positives += own;
    start = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return null;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

export interface CalibrationBin {
  from: number;
  to: number;
  count: number;
  /** Mean probability of what was predicted, and how often it was right. */
  confidence: number;
  accuracy: number;
}

/** Bins of equal width of the predicted class's probability (Guo et al. 2017); empty ones are left out. */
export function calibrationOf(
  p: Float64Array,
  { labels, classes, bins = 15 }: { labels: Float64Array; classes: number; bins?: number },
): { bins: CalibrationBin[]; expectedError: number } {
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (const [row, predicted] of mostProbable(p, classes).entries()) {
    const confidence = p[row * classes + predicted] ?? 0;
    // Intervals are open below and closed above.
    const bin = sums[Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))];
    if (!bin) continue;
    bin.count++;
    bin.confidence += confidence;
    bin.right += Number(predicted === labels[row]);
  }
  const found = sums.flatMap(({ count, confidence, right }, i) =>
    count === 0
      ? []
      : [{ from: i / bins, to: (i + 1) / bins, count, confidence: confidence / count, accuracy: right / count }],
  );
  const expectedError = found.reduce(
    (sum, { count, confidence, accuracy }) => sum + (count / labels.length) * Math.abs(confidence - accuracy),
    0,
  );
  return { bins: found, expectedError };
}

/** Points (false positive rate, true positive rate) of the ROC curve of one class, at most `most` of them, evenly along the rows. */
export function rocOf(
  p: Float64Array,
  { labels, classes, label, most = 100 }: { labels: Float64Array; classes: number; label: number; most?: number },
): [number, number][] {
  const scores = scoresOf(p, label, classes);
  const order = Uint32Array.from(scores.keys()).toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const positives = labels.reduce((sum, own) => sum + Number(own === label), 0);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return [];
  const points: [number, number][] = [[0, 0]];
  let [truePositives, falsePositives] = [0, 0];
  let due = order.length / most;
  for (const [i, row] of order.entries()) {
    if (labels[row] === label) truePositives++;
    else falsePositives++;
    // A threshold lies between two scores, never among equals.
    const next = order[i + 1];
    const last = next === undefined;
    if (!last && (scores[next] === scores[row] || i + 1 < due)) continue;
    points.push([falsePositives / negatives, truePositives / positives]);
    due = i + 1 + order.length / most;
  }
  return points;
}

const scoresOf = (p: Float64Array, label: number, classes: number): Float64Array =>
  Float64Array.from({ length: p.length / classes }, (_, row) => p[row * classes + label] ?? 0);
