// What predictions are worth in single numbers, for those who measure outside of a run.

/** `p` are probabilities [rows, classes], `labels` the true classes by number. */
export function metricsOfClasses(p: Float64Array, labels: Float64Array, classes: number): Record<string, number> {
  let right = 0;
  let loss = 0;
  for (const [row, label] of labels.entries()) {
    const own = p.subarray(row * classes, (row + 1) * classes);
    if (own.indexOf(Math.max(...own)) === label) right++;
    loss -= Math.log(Math.max(own[label] ?? 0, Number.EPSILON));
  }
  return { accuracy: right / labels.length, log_loss: loss / labels.length };
}

export function metricsOfNumbers(predicted: Float64Array, actual: Float64Array): Record<string, number> {
  let squares = 0;
  for (const [row, value] of actual.entries()) squares += ((predicted[row] ?? NaN) - value) ** 2;
  return { rmse: Math.sqrt(squares / actual.length) };
}
