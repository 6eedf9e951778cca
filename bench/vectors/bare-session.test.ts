// The ceiling computes every text once, in batches that a server could have formed.
import { array, assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { formBatches } from './bare-session.ts';

test('every text is in one batch, and no batch passes its limits unless it is a single text', () => {
  const lengths = array(integer({ min: 1, max: 512 }), { maxLength: 200 });
  assert(
    property(lengths, integer({ min: 1, max: 64 }), integer({ min: 16, max: 4096 }), (tokens, texts, budget) => {
      const ids = tokens.map(length => new Int32Array(length));
      const batches = formBatches(ids, { maxBatchTexts: texts, maxBatchTokens: budget });
      expect(batches.flat().toSorted((a, b) => a - b)).toEqual(tokens.map((_, index) => index));
      for (const batch of batches) {
        const longest = Math.max(...batch.map(index => tokens[index] ?? 0));
        expect(batch.length).toBeLessThanOrEqual(texts);
        expect(batch.length === 1 || longest * batch.length <= budget).toBe(true);
      }
    }),
  );
});
