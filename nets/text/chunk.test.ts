/** The rules of chunking, on any text, with a stand-in for a tokenizer whose tokens can be as odd as real ones. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunk, chunkSteps, type Chunk, type ChunkOptions } from './chunk.ts';
import type { Encoding } from './tokenizer.ts';

/** Tokens of up to three characters; white space goes with the token behind it or with none; some characters have
 *  several tokens, as "½" has. */
function tokens(text: string, seed: number): Encoding {
  const starts: number[] = [];
  const ends: number[] = [];
  let state = seed;
  const random = (below: number): number => (state = (state * 1103515245 + 12345) % 2147483648) % below;
  const characters = Array.from(text);
  for (let i = 0, at = 0; i < characters.length;) {
    const token = characters.slice(i, i + 1 + random(3)).join('');
    const copies = random(7) === 0 && token === characters[i] ? 3 : 1;
    if (token.trim() || random(2))
      for (let copy = 0; copy < copies; copy++) {
        starts.push(at);
        ends.push(at + token.length);
      }
    i += Array.from(token).length;
    at += token.length;
  }
  return { ids: new Int32Array(starts.length), starts: Int32Array.from(starts), ends: Int32Array.from(ends) };
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc
    .array(
      fc.constantFrom('One. ', 'Two words here! ', '三つの文。', 'é́', '👩‍👩‍👧', ' \n', '½', 'नमस्ते ', '\r\n\r\n', 'long'),
      {
        maxLength: 150,
      },
    )
    .map(parts => parts.join('')),
);
const anyCase = fc.record({
  text: anyText,
  seed: fc.nat(),
  options: fc.record({
    maxTokens: fc.integer({ min: 1, max: 40 }),
    overlap: fc.constantFrom(0, 0.1, 0.33, 0.5, 0.8),
    method: fc.constantFrom<ChunkOptions['method']>('sentence_aware', 'fixed'),
  }),
});

function always(check: (chunks: Chunk[], text: string, encoding: Encoding, options: ChunkOptions) => void): void {
  fc.assert(
    fc.property(anyCase, ({ text, seed, options }) => {
      const encoding = tokens(text, seed);
      check(chunk(text, encoding, options), text, encoding, options);
    }),
    { numRuns: 2000 },
  );
}

/** Tokens as words with the space in front of them. */
function words(text: string): Encoding {
  const found = [...text.matchAll(/\s*\S+/g)];
  return {
    ids: new Int32Array(found.length),
    starts: Int32Array.from(found, word => word.index),
    ends: Int32Array.from(found, word => word.index + word[0].length),
  };
}
/** A token for every UTF-16 unit. */
function units(text: string): Encoding {
  const starts = Int32Array.from({ length: text.length }, (_, i) => i);
  return { ids: new Int32Array(text.length), starts, ends: starts.map(start => start + 1) };
}
const textsOf = (text: string, options: ChunkOptions): string[] =>
  chunk(text, words(text), options).map(({ start, end }) => text.slice(start, end));
/** Chunks of a text whose every unit is a token. */
const parts = (text: string, maxTokens: number): string[] =>
  chunk(text, units(text), { maxTokens, overlap: 0, method: 'sentence_aware' }).map(({ start, end }) =>
    text.slice(start, end),
  );

describe('chunks', () => {
  test('rule 1: cover the text and its tokens with exact substrings', () => {
    always((chunks, text, encoding) => {
      expect([chunks[0]?.start, chunks[0]?.from]).toEqual([0, 0]);
      expect([chunks.at(-1)?.end, chunks.at(-1)?.to]).toEqual([text.length, encoding.ids.length]);
      chunks.slice(1).forEach((next, i) => {
        expect(next.start).toBeLessThanOrEqual(chunks[i]?.end ?? -1);
        expect(next.from).toBeLessThanOrEqual(chunks[i]?.to ?? -1);
      });
      for (const { start, end, from, to } of chunks) {
        for (let token = from; token < to; token++) {
          expect(encoding.starts[token]).toBeGreaterThanOrEqual(start);
          expect(encoding.ends[token]).toBeLessThanOrEqual(end);
        }
      }
    });
  });

  test('rule 2: are never too long', () => {
    always((chunks, _text, _encoding, { maxTokens }) => {
      for (const { from, to } of chunks) expect(to - from).toBeLessThanOrEqual(maxTokens);
    });
  });

  test('rule 3: a text that fits is one chunk, also an empty one', () => {
    always((chunks, text, encoding, { maxTokens }) => {
      const { length } = encoding.ids;
      if (length <= maxTokens) expect(chunks).toEqual([{ start: 0, end: text.length, from: 0, to: length }]);
      else expect(chunks.length).toBeGreaterThan(1);
    });
  });

  test('rule 4: always advance', () => {
    always(chunks => {
      chunks.slice(1).forEach((next, i) => {
        expect(next.from).toBeGreaterThan(chunks[i]?.from ?? Infinity);
        expect(next.to).toBeGreaterThan(chunks[i]?.to ?? Infinity);
      });
    });
  });

  test('rule 5: end at sentence ends, in any language', () => {
    const options: ChunkOptions = { maxTokens: 6, overlap: 0, method: 'sentence_aware' };
    expect(textsOf('One two three. Four five. Six seven eight nine. Ten.', options)).toEqual([
      'One two three. Four five.',
      ' Six seven eight nine. Ten.',
    ]);
    expect(textsOf('यह एक है। दूसरा वाक्य यहाँ है। तीसरा भी।', options)).toEqual([
      'यह एक है।',
      ' दूसरा वाक्य यहाँ है। तीसरा भी।',
    ]);
    const text = '今日は晴れ。明日は雨です。明後日は雪。';
    const chunks = chunk(text, units(text), { ...options, maxTokens: 14 });
    expect(chunks.map(({ start, end }) => text.slice(start, end))).toEqual([
      '今日は晴れ。明日は雨です。',
      '明後日は雪。',
    ]);
  });

  test('rule 5: else between words, else between graphemes, else between tokens', () => {
    expect(parts('some words without an end', 12)).toEqual(['some words ', 'without an ', 'end']);
    expect(parts('機械学習です', 5)).toEqual(['機械学習', 'です']);
    expect(parts('q\u0301q\u0301q\u0301', 3)).toEqual(['q\u0301', 'q\u0301', 'q\u0301']);
    expect(parts('q\u0301\u0302\u0303', 3).join('')).toBe('q\u0301\u0302\u0303');
  });

  test('rule 5: never end within a surrogate pair', () => {
    always((chunks, text) => {
      for (const { start, end } of chunks) {
        for (const place of [start, end]) {
          const inside = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(place - 1, place + 1));
          expect(inside).toBe(false);
        }
      }
    });
  });

  test('rule 6: neighbours share about the overlap', () => {
    always((chunks, _text, _encoding, { overlap, method }) => {
      chunks.slice(1).forEach((next, i) => {
        const { from, to } = chunks[i] ?? next;
        const wanted = Math.min(Math.round(overlap * (to - from)), to - from - 1);
        const slack = method === 'fixed' ? 0 : Math.floor(wanted / 2);
        expect(Math.abs(to - next.from - wanted)).toBeLessThanOrEqual(slack);
        expect(to - next.from).toBeLessThanOrEqual(Math.max(wanted, (wanted + to - from) / 2));
      });
    });
  });

  test('rule 6: the overlap is whole sentences where possible', () => {
    const text = 'A b c d. E f g. H i j. K l m. N o p. Q r s.';
    expect(textsOf(text, { maxTokens: 10, overlap: 0.3, method: 'sentence_aware' })).toEqual([
      'A b c d. E f g. H i j.',
      ' H i j. K l m. N o p.',
      ' N o p. Q r s.',
    ]);
  });

  test('rule 7: without overlap neighbours share nothing', () => {
    always((chunks, _text, encoding, { overlap }) => {
      if (overlap > 0) return;
      chunks.slice(1).forEach((next, i) => {
        expect(next.from).toBe(chunks[i]?.to);
        const clean = (encoding.starts[next.from] ?? 0) >= (encoding.ends[next.from - 1] ?? 0);
        if (clean) expect(next.start).toBe(chunks[i]?.end);
      });
    });
  });

  test('rule 8: fixed is plain windows', () => {
    always((chunks, _text, _encoding, { method, maxTokens }) => {
      if (method === 'fixed') for (const { from, to } of chunks.slice(0, -1)) expect(to - from).toBe(maxTokens);
    });
  });

  test('rule 9: the same input gives the same chunks, with pauses too', () => {
    fc.assert(
      fc.property(anyCase, ({ text, seed, options }) => {
        const encoding = tokens(text, seed);
        const steps = chunkSteps(text, encoding, options);
        let step = steps.next();
        while (!step.done) step = steps.next();
        expect(step.value).toEqual(chunk(text, encoding, options));
      }),
    );
  });

  test('options out of range are refused', () => {
    const none: Encoding = words('a b');
    expect(() => chunk('a b', none, { maxTokens: 0, overlap: 0, method: 'fixed' })).toThrow(RangeError);
    expect(() => chunk('a b', none, { maxTokens: 1, overlap: 0.9, method: 'fixed' })).toThrow(RangeError);
  });
});
