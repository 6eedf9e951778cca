/** The character map: what is written is what is read. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCharsmap, writeCharsmap } from './charsmap.ts';

const text = fc.string({ unit: 'binary', maxLength: 6 }).map(string => string.replaceAll('\0', ''));

test('any rules are read as they were written', () => {
  const rules = fc.array(fc.tuple(text.filter(Boolean), text), { maxLength: 200 }).map(pairs => new Map(pairs));
  fc.assert(
    fc.property(rules, map => {
      expect(Object.fromEntries(readCharsmap(writeCharsmap(map)))).toEqual(Object.fromEntries(map));
    }),
  );
});

test('bytes that are no character map are refused', () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(3), Uint8Array.of(255, 255, 255, 255)]) {
    expect(() => readCharsmap(bytes)).toThrow('character map');
  }
});
