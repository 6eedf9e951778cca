import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { lateWindows, normalize, sumSpans } from './late.ts';

const frame = { before: Int32Array.of(101, 7), after: Int32Array.of(102) };
const idsOf = (length: number) => Int32Array.from({ length }, (_, index) => 1000 + index);

test('a document that fits takes one pass, and one chunk gets every position of it', () => {
  const [window, ...more] = lateWindows(idsOf(10), [{ from: 0, to: 10 }], { frame, maxTokens: 13 });
  expect(more).toEqual([]);
  expect([...(window?.ids ?? [])]).toEqual([101, 7, ...idsOf(10), 102]);
  expect([...(window?.spans ?? [])]).toEqual([0, 13]);
});

test('every token of every chunk counts exactly once, no window is longer than the model, and dropped overlap is context', () => {
  const document = fc.record({
    length: fc.integer({ min: 1, max: 300 }),
    maxTokens: fc.integer({ min: 8, max: 64 }),
    size: fc.integer({ min: 1, max: 40 }),
    overlap: fc.integer({ min: 0, max: 20 }),
  });
  fc.assert(
    fc.property(document, ({ length, maxTokens, size, overlap }) => {
      const chunks = Array.from({ length: Math.ceil(length / size) }, (_, index) => ({
        from: Math.max(0, index * size - overlap),
        to: Math.min(length, (index + 1) * size),
      }));
      const windows = lateWindows(idsOf(length), chunks, { frame, maxTokens });
      const seen = chunks.map(() => [] as number[]);
      for (const { ids, first, spans } of windows) {
        expect(ids.length).toBeLessThanOrEqual(maxTokens);
        for (let span = 0; span < spans.length / 2; span++)
          seen[first + span]?.push(...ids.subarray(spans[span * 2], spans[span * 2 + 1]));
      }
      for (const [index, tokens] of seen.entries()) {
        const chunk = chunks[index];
        const own = [...idsOf(length).subarray(chunk?.from, chunk?.to)];
        const expected = [
          ...(index === 0 ? frame.before : []),
          ...own,
          ...(index === chunks.length - 1 ? frame.after : []),
        ];
        expect(tokens).toEqual(expected);
      }
      if (windows.length > 1)
        expect(windows.length).toBeLessThanOrEqual(Math.ceil(length / ((maxTokens - 3) * 0.75)) + 1);
    }),
  );
});

test('a window has only the chunks that touch it', () => {
  const chunks = Array.from({ length: 10_000 }, (_, index) => ({ from: index * 10, to: index * 10 + 10 }));
  const windows = lateWindows(idsOf(100_000), chunks, { frame, maxTokens: 64 });
  const pairs = windows.reduce((sum, { spans }) => sum + spans.length / 2, 0);
  // One more a window, for the chunk that goes on in the next.
  expect(pairs).toBeLessThanOrEqual(chunks.length + windows.length);
  for (const { spans } of windows)
    for (let span = 0; span < spans.length; span += 2) expect(spans[span]).toBeLessThan(spans[span + 1] ?? 0);
});

test('a document without tokens has its frame', () => {
  const [window] = lateWindows(idsOf(0), [{ from: 0, to: 0 }], { frame, maxTokens: 64 });
  expect(window).toMatchObject({ first: 0, spans: Int32Array.of(0, 3) });
});

test('sums of token vectors a span', () => {
  const hidden = Float32Array.of(1, 2, 3, 4, 5, 6);
  expect([...sumSpans(hidden, 2, Int32Array.of(0, 2, 1, 3, 0, 0))]).toEqual([4, 6, 8, 10, 0, 0]);
});

test('a zero vector stays zero when it is normalised', () => {
  const zero = new Float32Array(3);
  normalize(zero);
  expect([...zero]).toEqual([0, 0, 0]);
  const vector = Float32Array.of(3, 4);
  normalize(vector);
  expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
});
