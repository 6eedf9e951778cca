import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunkSpans, segments } from './spans.ts';

test('chunks are found where they lie, overlaps included', () => {
  const text = 'One two. Three four. Five six.';
  const spans = chunkSpans(text, ['One two. Three four. ', 'Three four. Five six.']);
  expect(spans).toEqual([
    { start: 0, end: 21 },
    { start: 9, end: 30 },
  ]);
  expect(segments(spans ?? [])).toEqual([
    { start: 0, end: 9, chunks: [0] },
    { start: 9, end: 21, chunks: [0, 1] },
    { start: 21, end: 30, chunks: [1] },
  ]);
});

test('what does not cover the text in order has no spans', () => {
  expect(chunkSpans('abc def', ['abc'])).toBeNull();
  expect(chunkSpans('abc def', ['abc', 'def'])).toBeNull();
  expect(chunkSpans('abc', [])).toBeNull();
});

test('a text that repeats itself is covered to its end, whatever the chunks were', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b'), { minLength: 2, maxLength: 60 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 8 })), {
        minLength: 60,
        maxLength: 60,
      }),
      (letters, cuts) => {
        const text = letters.join('');
        const chunks: string[] = [];
        let start = 0;
        for (const [length, overlap] of cuts) {
          const end = Math.min(text.length, start + length);
          chunks.push(text.slice(start, end));
          if (end === text.length) break;
          start = Math.max(start + 1, end - overlap);
        }
        const spans = chunkSpans(text, chunks);
        expect(spans?.map(({ start: from, end }) => text.slice(from, end))).toEqual(chunks);
        expect(
          segments(spans ?? [])
            .map(({ start: from, end }) => text.slice(from, end))
            .join(''),
        ).toBe(text);
      },
    ),
  );
});
