// Metrics of regressions.

export interface Errors {
  rmse: number;
  mae: number;
  /** Share of the variance that is explained; null where the actual values are all the same. */
  r2: number | null;
}

export function errorsOf(predicted: Float64Array, actual: Float64Array): Errors {
  const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
  let [squares, absolutes, variance] = [0, 0, 0];
  for (const [row, value] of actual.entries()) {
    const error = (predicted[row] ?? NaN) - value;
    squares += error ** 2;
    absolutes += Math.abs(error);
    variance += (value - mean) ** 2;
  }
  return {
    rmse: Math.sqrt(squares / actual.length),
    mae: absolutes / actual.length,
    r2: variance === 0 ? null : 1 - squares / variance,
  };
}

/** Pairs of actual and predicted values of at most `most` rows, evenly among them. */
export function pairsOf(
  predicted: Float64Array,
  actual: Float64Array,
  most = 500,
): [actual: number, predicted: number][] {
  const step = Math.max(1, actual.length / most);
  return Array.from({ length: Math.min(most, actual.length) }, (_, i) => {
    const row = Math.floor(i * step);
    return [actual[row] ?? NaN, predicted[row] ?? NaN];
  });
}

export interface ResidualBin {
  from: number;
  to: number;
  count: number;
}

/** How often predicted − actual lies in each of some bins of equal width. */
export function residualsOf(predicted: Float64Array, actual: Float64Array, bins = 20): ResidualBin[] {
  const residuals = Float64Array.from(actual, (value, row) => (predicted[row] ?? NaN) - value);
  const low = residuals.reduce((least, value) => Math.min(least, value), Infinity);
  const high = residuals.reduce((greatest, value) => Math.max(greatest, value), -Infinity);
  if (!(high > low)) return [{ from: low, to: high, count: residuals.length }];
  const width = (high - low) / bins;
  const counts = Array<number>(bins).fill(0);
  for (const value of residuals) {
    const bin = Math.min(bins - 1, Math.floor((value - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts.map((count, i) => ({
    from: low + i * width,
    to: i === bins - 1 ? high : low + (i + 1) * width,
    count,
  }));
}
