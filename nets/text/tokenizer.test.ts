/** Tokenizers against Hugging Face's own results (fixtures/tokenizers/make.py), and what they promise on any text. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, openTokenizer, type Encoding } from './tokenizer.ts';

interface Expected {
  texts: string[];
  e5: { ids: number[][]; decoded: string[] };
  minilm: { ids: number[][]; decoded: string[] };
}
const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');
const expected = JSON.parse(await readFile(join(fixtures, 'encodings.json'), 'utf8')) as Expected;
const tokenizers = {
  e5: await loadTokenizer(join(fixtures, 'e5')),
  minilm: await loadTokenizer(join(fixtures, 'minilm')),
};
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.array(fc.constantFrom(...expected.texts), { maxLength: 6 }).map(texts => texts.join(' ')),
  // Lone surrogates too.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 50 }).map(units => String.fromCharCode(...units)),
);

describe.each(['e5', 'minilm'] as const)('the tokenizer of %s', name => {
  const tokenizer = tokenizers[name];

  test(`gives Hugging Face's ids on ${expected.texts.length} texts`, () => {
    expected.texts.forEach((text, i) => {
      expect([text, ...tokenizer.encode(text).ids]).toEqual([text, ...(expected[name].ids[i] ?? [])]);
    });
  });

  test('is the same in another thread, which shares its tables', () => {
    const copied = structuredClone(tokenizer.tables);
    if (!copied) throw new Error('the tokenizer has no tables');
    expect(copied.model.trie.parents.buffer).toBeInstanceOf(SharedArrayBuffer);
    const other = openTokenizer(copied);
    for (const text of expected.texts) expect(other.encode(text)).toEqual(tokenizer.encode(text));
  });

  test("gives Hugging Face's text of tokens", () => {
    expected[name].ids.forEach((ids, i) => expect(tokenizer.decode(ids)).toBe(expected[name].decoded[i]));
  });

  test('puts special tokens around an input', () => {
    const [before, after] = name === 'e5' ? ['<s>', '</s>'] : ['[CLS]', '[SEP]'];
    expect([...tokenizer.before]).toEqual([...tokenizer.encode(before).ids]);
    expect([...tokenizer.after]).toEqual([...tokenizer.encode(after).ids]);
  });

  test('gives offsets that stay within the text, never decrease and hold what they name', () => {
    fc.assert(
      fc.property(anyText, text => {
        const { ids, starts, ends } = tokenizer.encode(text);
        ids.forEach((_, i) => {
          expect(starts[i]).toBeGreaterThanOrEqual(starts[i - 1] ?? 0);
          expect(ends[i]).toBeGreaterThanOrEqual(ends[i - 1] ?? 0);
          expect(ends[i]).toBeGreaterThan(starts[i] ?? Infinity);
        });
        expect(ends.at(-1) ?? 0).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 500 },
    );
    const { starts, ends } = tokenizer.encode('👍🏽 rice');
    expect('👍🏽 rice'.slice(starts.at(-1), ends.at(-1)).trim()).toBe('rice');
  });

  test('takes a lone surrogate for U+FFFD', () => {
    expect(tokenizer.encode('a \ud800 b\udc00')).toEqual(tokenizer.encode('a \ufffd b\ufffd'));
  });

  test('gives the same ids however long the text is', () => {
    // Long enough for many blocks, with and without white space, and with pauses.
    const text = expected.texts.join('\n');
    for (const long of [`${text} `.repeat(8), 'sticky'.repeat(5000), '机器学习'.repeat(5000), 'é'.repeat(9000)]) {
      const steps = tokenizer.encodeSteps(long);
      let step = steps.next();
      while (!step.done) step = steps.next();
      const whole: Encoding = tokenizer.encode(long);
      expect(step.value).toEqual(whole);
    }
    const one = tokenizer.encode(`${text} `).ids;
    const twice = tokenizer.encode(`${text} ${text} `).ids;
    if (name === 'minilm') expect([...twice]).toEqual([...one, ...one]);
  });

  test('pauses within a text of nothing but added tokens', () => {
    const long = (name === 'e5' ? '</s>' : '[SEP]').repeat(100_000);
    const steps = tokenizer.encodeSteps(long);
    let pauses = 0;
    for (let step = steps.next(); !step.done; step = steps.next()) pauses++;
    expect(pauses).toBeGreaterThan(0);
  });

  test('takes ten times as long for ten times the text', () => {
    for (const text of [`${expected.texts.slice(0, 14).join(' ')} `, '机器学习是人工智能的一个分支', 'sticky']) {
      const seconds = (length: number): number => {
        const long = text.repeat(Math.ceil(length / text.length));
        const times = [1, 2, 3].map(() => {
          // Of this thread: others may have the processor meanwhile.
          const start = process.threadCpuUsage();
          tokenizer.encode(long);
          return process.threadCpuUsage(start).user;
        });
        return Math.min(...times);
      };
      seconds(100_000);
      expect(seconds(1_000_000) / seconds(100_000)).toBeLessThan(30);
    }
  });
});

test('a tokenizer of a kind that is not supported is refused by name', async () => {
  await expect(loadTokenizer(join(fixtures, 'bpe'))).rejects.toThrow('BertPreTokenizer');
});
