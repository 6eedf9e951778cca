// Where the chunks of a text lie in it: the API gives them as exact substrings that cover the text in order, each beginning within or
// right after the one before.

export interface Span {
  start: number;
  end: number;
}

/** A stretch of the text with the chunks that hold it: one, or more where neighbours overlap. */
export interface Segment extends Span {
  chunks: number[];
}

/**
 * The place of each chunk. Where a text repeats itself several places may fit; then the one with the least overlap is taken from which
 * the chunks that follow still reach the end. Null when the chunks don't cover the text in order.
 */
export function chunkSpans(text: string, chunks: readonly string[]): Span[] | null {
  const dead = new Set<string>();
  const spans: Span[] = [];
  const candidates: number[][] = [chunks.length > 0 && text.startsWith(chunks[0] ?? '') ? [0] : []];
  while (candidates.length > 0) {
    const index = candidates.length - 1;
    const start = candidates[index]?.shift();
    if (start === undefined) {
      candidates.pop();
      const left = spans.pop();
      if (left) dead.add(`${index - 1}:${left.start}`);
      continue;
    }
    if (dead.has(`${index}:${start}`)) continue;
    const end = start + (chunks[index]?.length ?? 0);
    if (index === chunks.length - 1) {
      if (end === text.length) return [...spans, { start, end }];
      continue;
    }
    spans.push({ start, end });
    candidates.push(places(text, chunks[index + 1] ?? '', { after: start, until: end }));
  }
  return null;
}

/** Where `chunk` can begin, the latest place first. */
function places(text: string, chunk: string, { after, until }: { after: number; until: number }): number[] {
  const found: number[] = [];
  for (let at = until; at > after; at--) {
    at = text.lastIndexOf(chunk, at);
    if (at <= after) break;
    found.push(at);
  }
  return found;
}

/** The text cut wherever a chunk begins or ends. */
export function segments(spans: readonly Span[]): Segment[] {
  const edges = [...new Set(spans.flatMap(({ start, end }) => [start, end]))].toSorted((a, b) => a - b);
  let first = 0;
  return edges.slice(0, -1).map((start, index) => {
    const end = edges[index + 1] ?? start;
    while ((spans[first]?.end ?? Infinity) <= start) first++;
    const chunks: number[] = [];
    for (let at = first; (spans[at]?.start ?? Infinity) < end; at++) if ((spans[at]?.end ?? 0) > start) chunks.push(at);
    return { start, end, chunks };
  });
}
