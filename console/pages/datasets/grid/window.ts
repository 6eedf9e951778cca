// Which rows and columns of a large table are seen, and where they lie.

/** Browsers stop at heights of some 33 million pixels; beyond this, scrolling moves over several rows a pixel. */
const mostPixels = 15_000_000;

export interface RowWindow {
  /** Of the scrolled area. */
  totalHeight: number;
  first: number;
  /** One past the last. */
  end: number;
  /** Where the first row lies in the scrolled area. */
  offset: number;
}

interface RowLayout {
  rows: number;
  rowHeight: number;
  scrollTop: number;
  /** Of what is seen, without the head. */
  height: number;
}

/** Rows beyond the edges that are drawn too, so that a small scroll shows no gap. */
const margin = 6;

export function rowWindow({ rows, rowHeight, scrollTop, height }: RowLayout): RowWindow {
  const natural = rows * rowHeight;
  const totalHeight = Math.min(natural, mostPixels);
  const most = Math.max(0, natural - height);
  const room = Math.max(1, totalHeight - height);
  // Where the natural table would be scrolled to; the same where it fits.
  const top = natural <= mostPixels ? Math.min(scrollTop, most) : Math.min(1, scrollTop / room) * most;
  const first = Math.max(0, Math.floor(top / rowHeight) - margin);
  const end = Math.min(rows, Math.ceil((top + height) / rowHeight) + margin);
  return { totalHeight, first, end, offset: scrollTop + first * rowHeight - top };
}

/** Where to scroll so that this row is the first that is seen. */
export function scrollTopOf(row: number, { rows, rowHeight, height }: Omit<RowLayout, 'scrollTop'>): number {
  const natural = rows * rowHeight;
  if (natural <= mostPixels) return row * rowHeight;
  const most = Math.max(1, natural - height);
  return Math.min(1, (row * rowHeight) / most) * (mostPixels - height);
}

/** The first and one past the last column that are seen between `left` and `left + width`; `edges` are where columns begin, and the end. */
export function columnWindow(
  edges: readonly number[],
  { left, width }: { left: number; width: number },
): [first: number, end: number] {
  const columns = edges.length - 1;
  let first = 0;
  while (first < columns - 1 && (edges[first + 1] ?? 0) <= left) first++;
  let end = first + 1;
  while (end < columns && (edges[end] ?? 0) < left + width) end++;
  return [Math.max(0, first - 1), Math.min(columns, end + 1)];
}
