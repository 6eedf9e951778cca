// Which rows the samples of a step come into.
import { array, assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { packed } from './packing.ts';

test('each sample is in one row, none longer than it may be, and no learner is without one that could have it', () => {
  assert(
    property(
      array(integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 30 }),
      integer({ min: 1, max: 4 }),
      (lengths, learners) => {
        // Sample i is made of tokens i.
        const samples = lengths.map((length, i) => ({
          ids: new Int32Array(length).fill(i),
          learnt: new Uint8Array(length).fill(1),
        }));
        const parts = packed(samples, { longestRow: 64, learners });
        const found = lengths.map(() => 0);
        for (const { batch, tokens, ids, texts } of parts) {
          expect(tokens).toBeLessThanOrEqual(Math.ceil(Math.max(64, ...lengths) / 16) * 16);
          expect(batch).toBeLessThanOrEqual(learners);
          for (const [place, text] of texts.entries()) {
            const sample = Number(ids[place]);
            if (text >= 0n) found[sample] = (found[sample] ?? 0) + 1;
          }
        }
        expect(found).toEqual(lengths);
        expect(parts[0]?.batch).toBe(Math.min(learners, lengths.length));
      },
    ),
  );
});
