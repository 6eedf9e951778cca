import * as fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/cl100k_base';
import { expect, test } from 'vitest';
import { cl100kTexts } from './cl100k.ts';

test("what OpenAI's tokenizer encodes comes back as it was", async () => {
  const texts = ['Merhaba dünya', '👩‍👩‍👧 家族', 'a', '\ufeffx', 'שלום', 'x'.repeat(20_001)];
  expect(await cl100kTexts(texts.map(text => encode(text)))).toEqual(texts);
  const written = fc.string({ unit: 'binary', minLength: 1 }).filter(text => text.trim() !== '');
  await fc.assert(
    fc.asyncProperty(written, async text => {
      expect(await cl100kTexts([encode(text)])).toEqual([text]);
    }),
  );
});

test('a character cut apart between tokens is put together, also at the end of a slice', async () => {
  const ids = encode('世👋🏽'.repeat(6_000));
  expect(ids.length).toBeGreaterThan(20_000);
  expect(await cl100kTexts([ids])).toEqual(['世👋🏽'.repeat(6_000)]);
});

test('half a character becomes the replacement character, as in every decoder', async () => {
  expect(await cl100kTexts([encode('👋a').slice(1)])).toEqual([expect.stringMatching(/^�+a$/)]);
});

test('numbers that are no tokens, and tokens that are no text, are refused by their place', async () => {
  await expect(cl100kTexts([[9906], [2 ** 31 - 1]])).rejects.toMatchObject({
    code: 'INVALID_PARAMETER',
    fields: { param: 'input[1]' },
  });
  await expect(cl100kTexts([[100256]])).rejects.toMatchObject({ code: 'INVALID_PARAMETER' });
  await expect(cl100kTexts([[220]])).rejects.toThrow('white space');
  expect(await cl100kTexts([[100257]])).toEqual(['<|endoftext|>']);
});
