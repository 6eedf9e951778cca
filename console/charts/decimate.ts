// Makes any number of points as few as a plot has pixels, without losing a peak: one scan, then drawing costs what the width costs.

export interface Extent {
  from: number;
  to: number;
}

/**
 * For each of `columns` equal parts of `range`: the first, lowest, highest and last point in it, in the order in which they come. `xs` ascend.
 * One point to each side of the range is kept, so that lines reach the edge. Points without a value (null, NaN) break the line: they
 * are given as NaN.
 */
export function decimate(
  xs: ArrayLike<number>,
  ys: ArrayLike<number | null>,
  range: Extent,
  columns: number,
): [x: number, y: number][] {
  const start = Math.max(0, firstAtLeast(xs, range.from) - 1);
  const end = Math.min(xs.length, firstAtLeast(xs, range.to) + 1);
  const points: [number, number][] = [];
  if (end - start <= columns * 2) {
    for (let at = start; at < end; at++) points.push([xs[at] ?? 0, ys[at] ?? Number.NaN]);
    return points;
  }
  const width = (range.to - range.from) / columns;
  let at = start;
  for (let column = 0; column <= columns && at < end; column++) {
    const edge = column === columns ? Number.POSITIVE_INFINITY : range.from + (column + 1) * width;
    const first = at;
    let low = -1;
    let high = -1;
    let isBroken = false;
    for (; at < end && (xs[at] ?? 0) < edge; at++) {
      const y = ys[at] ?? Number.NaN;
      if (Number.isNaN(y)) isBroken = true;
      else {
        if (low < 0 || y < (ys[low] ?? 0)) low = at;
        if (high < 0 || y > (ys[high] ?? 0)) high = at;
      }
    }
    if (at === first) continue;
    const kept = low < 0 ? [first] : [...new Set([first, low, high, at - 1])].toSorted((one, other) => one - other);
    for (const index of kept) points.push([xs[index] ?? 0, ys[index] ?? Number.NaN]);
    if (isBroken && low >= 0) points.push([xs[at - 1] ?? 0, Number.NaN]);
  }
  return points;
}

/** The index of the first x that is at least `value`; the length when there is none. */
export function firstAtLeast(xs: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((xs[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Room in pixels for the longest of the labels beside the vertical axis, at their size of 12 px. */
export function labelRoom(labels: readonly string[]): number {
  return Math.max(28, ...labels.map(label => label.length * 7)) + 12;
}

/** About `count` round values that cover the extent: 1, 2 or 5 times a power of ten apart. */
export function ticks({ from, to }: Extent, count: number): number[] {
  const span = to - from;
  if (!(span > 0) || !Number.isFinite(span)) return [from];
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(each => span / each <= count + 0.5) ?? span;
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}
