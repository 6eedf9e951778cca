/** Tokenizers of language models against Hugging Face's own results (fixtures/tokenizers/make_bpe.py). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readGguf } from '../weights/gguf.ts';
import { chatTemplateOfGguf, tokenizerJsonOfGguf, tokenizerOfGguf } from './gguf.ts';
import { type DecodingTokenizer, loadTokenizer } from './tokenizer.ts';

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers');
type Name = 'smollm' | 'qwen2' | 'llama3' | 'llama2';
const expected = JSON.parse(await readFile(join(fixtures, 'encodings-bpe.json'), 'utf8')) as {
  texts: string[];
} & Record<Name, { ids: number[][]; decoded: string[] }>;
const ofGguf = async (name: string): Promise<DecodingTokenizer> =>
  tokenizerOfGguf(await readGguf(join(fixtures, `${name}.gguf`)));

describe.each([
  ['smollm', 'smollm', await loadTokenizer(join(fixtures, 'smollm'))],
  ['qwen2', 'qwen2', await loadTokenizer(join(fixtures, 'qwen2'))],
  ['llama3', 'llama3', await loadTokenizer(join(fixtures, 'llama3'))],
  ['llama2', 'llama2', await loadTokenizer(join(fixtures, 'llama2'))],
  ['smollm.gguf', 'smollm', await ofGguf('smollm')],
  ['llama2.gguf', 'llama2', await ofGguf('llama2')],
] as const)('the tokenizer of %s', (_, name, tokenizer) => {
  test(`gives Hugging Face's ids on ${expected.texts.length} texts`, () => {
    expected.texts.forEach((text, i) => {
      expect([text, ...tokenizer.encode(text).ids]).toEqual([text, ...(expected[name].ids[i] ?? [])]);
    });
  });

  test("gives Hugging Face's text of tokens", () => {
    expected[name].ids.forEach((ids, i) => expect(tokenizer.decode(ids)).toBe(expected[name].decoded[i]));
  });

  test('puts a first token in front where the model wants one', () => {
    const first = { smollm: [], qwen2: [], llama3: [0], llama2: [1] };
    expect([...tokenizer.before]).toEqual(first[name]);
    expect([...tokenizer.after]).toEqual([]);
  });

  test('gives offsets that stay within the text, never decrease and hold what they name', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.array(fc.constantFrom(...expected.texts), { maxLength: 6 }).map(texts => texts.join(' ')),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 50 }).map(units => String.fromCharCode(...units)),
    );
    fc.assert(
      fc.property(anyText, text => {
        const { ids, starts, ends } = tokenizer.encode(text);
        ids.forEach((__, i) => {
          expect(starts[i]).toBeGreaterThanOrEqual(starts[i - 1] ?? 0);
          expect(ends[i]).toBeGreaterThanOrEqual(ends[i - 1] ?? 0);
          expect(ends[i]).toBeGreaterThan(starts[i] ?? Infinity);
        });
        expect(ends.at(-1) ?? 0).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 200 },
    );
  });

  test('takes ten times as long for ten times the text, and pauses', () => {
    seconds(tokenizer, 50_000);
    expect(seconds(tokenizer, 500_000) / seconds(tokenizer, 50_000)).toBeLessThan(30);
    let pauses = 0;
    for (const steps = tokenizer.encodeSteps('some words '.repeat(50_000)); !steps.next().done;) pauses++;
    expect(pauses).toBeGreaterThan(0);
  });
});

test('a GGUF file gives its template, and one without a tokenizer is refused by name', async () => {
  expect(chatTemplateOfGguf(await readGguf(join(fixtures, 'smollm.gguf')))).toContain('add_generation_prompt');
  const other = await readGguf(join(fixtures, '../decoders/smollm.gguf'));
  expect(chatTemplateOfGguf(other)).toBe(null);
  expect(() => tokenizerOfGguf(other)).toThrow('tokenizer.ggml.tokens must be a list of strings');
});

test('a file of Llama 3 puts its first token in front without saying so, and in its tokenizer.json', async () => {
  const smollm = await readGguf(join(fixtures, 'smollm.gguf'));
  const metadata = new Map(smollm.metadata);
  metadata.delete('tokenizer.ggml.add_bos_token');
  metadata.set('tokenizer.ggml.pre', 'llama-bpe').set('tokenizer.ggml.bos_token_id', 1);
  const gguf = { ...smollm, metadata };
  expect([...tokenizerOfGguf(gguf).before]).toEqual([1]);
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tokenizer-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJsonOfGguf(gguf)));
  expect([...(await loadTokenizer(folder)).before]).toEqual([1]);
});

/** The least processor time of three that a text of about this length takes: others may have the processor meanwhile. */
function seconds(tokenizer: DecodingTokenizer, length: number): number {
  const long = 'The rice 12 is “not” sticky — 米饭. '.repeat(Math.ceil(length / 34));
  const times = [1, 2, 3].map(() => {
    const start = process.threadCpuUsage();
    tokenizer.encode(long);
    return process.threadCpuUsage(start).user;
  });
  return Math.min(...times);
}
