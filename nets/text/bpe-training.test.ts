// What a learnt tokenizer promises: texts come back whole, frequent words become few tokens, and the same texts give the same tokenizer.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, property, string } from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { trainBpe } from './bpe-training.ts';
import { loadTokenizer } from './tokenizer.ts';

const special = ['<|endoftext|>', '<|im_end|>'];
const texts = ['the lower house', 'the newest house is the lowest', 'a wider, newer house'];

async function learnt(size: number) {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-bpe-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(trainBpe(texts, { size, special })));
  return loadTokenizer(folder);
}

test('any text comes back from its tokens', async () => {
  const tokenizer = await learnt(280);
  assert(
    property(string({ unit: 'grapheme' }), text => {
      expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text.toWellFormed());
    }),
  );
});

test('what is frequent is joined first, and special tokens are whole', async () => {
  const tokenizer = await learnt(300);
  expect(tokenizer.encode(' house').ids).toHaveLength(1);
  expect(tokenizer.encode(' zebra').ids).toHaveLength(6);
  expect([...tokenizer.encode('<|im_end|>').ids]).toEqual([1]);
  expect(tokenizer.vocabularySize).toBeLessThanOrEqual(300);
});

test('pairs are learnt in the order of how often they are there, ties by their ids', () => {
  const { model } = trainBpe(['aaab aaab', 'aab'], { size: 259, special });
  expect(model.merges).toEqual([['a', 'a']]);
  expect(trainBpe(texts, { size: 300, special })).toEqual(trainBpe(texts, { size: 300, special }));
});
