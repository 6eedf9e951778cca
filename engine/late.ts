// Late chunking: which passes a document takes, and which token vectors of each pass belong to which chunk.
//
// The document is tokenised whole and goes through the model in one pass; a chunk's vector is the mean of its tokens'
// vectors, which have seen the whole document (Günther et al. 2024, "Late Chunking"). A document longer than the model takes
// goes through in windows; the first tokens of each further window repeat the end of the one before, give context and are
// dropped.

/** The special tokens and the prefix around the tokens of a text. */
export interface Frame {
  /** Special tokens before, then the prefix. */
  before: Int32Array;
  after: Int32Array;
}

export interface Window {
  ids: Int32Array;
  /** The first chunk that has a share in this window. */
  first: number;
  /** [from, to) of positions in `ids`, one pair a chunk from `first` on, as far as they have a share. */
  spans: Int32Array;
}

/** Share of a window that repeats the window before. */
const windowOverlap = 0.25;

/**
 * The passes of a document of `ids`, cut in chunks of tokens [from, to), for a model that takes `maxTokens` with the frame.
 * Neither the starts nor the ends of chunks decrease, so that the work is linear in the document.
 * The frame before the text counts to the first chunk and the frame after it to the last, so that a document of one chunk
 * gets the vector that it gets without late chunking.
 */
export function lateWindows(
  ids: Int32Array,
  chunks: { from: number; to: number }[],
  { frame, maxTokens }: { frame: Frame; maxTokens: number },
): Window[] {
  const capacity = Math.max(1, maxTokens - frame.before.length - frame.after.length);
  const overlap = Math.floor(capacity * windowOverlap);
  const windows: Window[] = [];
  let next = 0;
  for (let start = 0; ; start += capacity - overlap) {
    const end = Math.min(ids.length, start + capacity);
    const last = end === ids.length;
    const keep = start === 0 ? 0 : start + overlap;
    const shift = frame.before.length - start;
    const first = next;
    const spans: number[] = [];
    for (let index = first; index < chunks.length; index++) {
      const chunk = chunks[index];
      if (!chunk || (chunk.from >= end && !last)) break;
      const from = start === 0 && index === 0 ? 0 : Math.max(chunk.from, keep) + shift;
      const whole = last && index === chunks.length - 1;
      const to = whole ? end + shift + frame.after.length : Math.min(chunk.to, end) + shift;
      spans.push(from, Math.max(from, to));
      // Of what ends here, the next window has no share.
      if (chunk.to <= end) next = index + 1;
    }
    windows.push({ ids: framed(ids.subarray(start, end), frame), first, spans: Int32Array.from(spans) });
    if (last) return windows;
  }
}

export function framed(ids: Int32Array, frame: Frame): Int32Array {
  const whole = new Int32Array(frame.before.length + ids.length + frame.after.length);
  whole.set(frame.before);
  whole.set(ids, frame.before.length);
  whole.set(frame.after, frame.before.length + ids.length);
  return whole;
}

/** Sums of token vectors `[tokens, dimension]` over each span: `[spans, dimension]`. */
export function sumSpans(hidden: Float32Array, dimension: number, spans: Int32Array): Float32Array<ArrayBuffer> {
  const sums = new Float32Array((spans.length / 2) * dimension);
  const sum = new Float64Array(dimension);
  for (let span = 0; span < spans.length / 2; span++) {
    sum.fill(0);
    for (let token = spans[span * 2] ?? 0; token < (spans[span * 2 + 1] ?? 0); token++)
      for (let i = 0; i < dimension; i++) sum[i] = (sum[i] ?? 0) + (hidden[token * dimension + i] ?? 0);
    sums.set(sum, span * dimension);
  }
  return sums;
}

/** Divides by the Euclidean length, in place; a zero vector stays zero. */
export function normalize(vector: Float32Array): void {
  let square = 0;
  for (const value of vector) square += value * value;
  if (square === 0) return;
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
}
