// What samples hold and what they need of memory.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { chatTemplate } from '@vectorium/nets';
import { expect, onTestFinished, test } from 'vitest';
import type { Row } from './columns.ts';
import { decoderOf, memoryOf, planLanguage, scratchConfig } from './plan.ts';
import { SampleList } from './sample-list.ts';
import { questionsOf, samplesOf } from './samples.ts';
import { learntVocabulary, type Vocabulary, vocabularyOf } from './vocabulary.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heap = () => {
  collect();
  return process.memoryUsage().heapUsed;
};

async function* each<Value>(values: Iterable<Value>): AsyncGenerator<Value> {
  yield* values;
}

function* conversations(count: number): Generator<Row> {
  for (let i = 0; i < count; i++)
    yield {
      messages: [
        { role: 'user', content: `${i % 10} boats` },
        { role: 'assistant', content: `${i % 10} sails` },
      ],
    };
}

async function learnt() {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-samples-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return learntVocabulary(folder, () => each(['boats and sails', 'user assistant']), 300);
}

test('a sample takes nothing of the heap', async () => {
  const vocabulary = await learnt();
  await samplesOf(each(conversations(100)), vocabulary, { maxLength: 64 });
  const before = heap();
  const { samples } = await samplesOf(each(conversations(10_000)), vocabulary, { maxLength: 64 });
  expect((heap() - before) / 10_000).toBeLessThan(100);
  expect(samples.length).toBe(10_000);
});

test('the memory of a run counts its samples', () => {
  const decoder = decoderOf(scratchConfig(0, 64));
  const memory = (tokens: number) => {
    const limits = { memoryBytes: 2 ** 30, threads: 1 };
    const plan = planLanguage({}, { samples: tokens / 50, tokens, maxLength: 64, decoder, precision: null, limits });
    return memoryOf(decoder, { ...plan, keep: true }, null);
  };
  expect(memory(1e9) - memory(1e6)).toBeGreaterThan(5 * (1e9 - 1e6));
});

test("a base's template may lie in a file of its own", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-template-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await learntVocabulary(folder, () => each(['boats']), 300);
  const path = join(folder, 'tokenizer');
  const settings = { eos_token: '<|im_end|>', chat_template: null };
  await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify(settings));
  const base = { name: 'base', model: 'me/base', revision: '1', path, precision: 'f32' } as const;
  expect((await vocabularyOf(base)).write).toBeNull();
  await writeFile(
    join(path, 'chat_template.jinja'),
    "{% for m in messages %}{{ m['content'] }}{{ eos_token }}{% endfor %}",
  );
  const { write } = await vocabularyOf(base);
  expect(write?.([{ role: 'user', content: 'sails' }], true)).toBe('sails<|im_end|>');
});

test('a conversation that the template refuses is named by its row', async () => {
  const template =
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{{ m['content'] }};{% endfor %}";
  const write = chatTemplate(template);
  const vocabulary: Vocabulary = { ...(await learnt()), write: (messages, prompt) => write(messages, { prompt }) };
  const rows: Row[] = [...conversations(2), { messages: [{ role: 'assistant', content: 'sails' }] }];
  await expect(samplesOf(each(rows), vocabulary, { maxLength: 64 })).rejects.toMatchObject({
    code: 'NOT_TRAINABLE',
    message: "Row 3: the base model's template refuses the conversation: roles must alternate",
  });
});

const sampleOf = (i: number) => ({
  ids: Int32Array.from({ length: 40_000 - i }, (_, at) => i * at),
  learnt: new Uint8Array(40_000 - i).fill(i % 2),
});

test('samples come back as they were, over blocks too', () => {
  const list = new SampleList();
  for (let i = 0; i < 60; i++) list.push(sampleOf(i), i >> 1);
  for (const i of [0, 25, 26, 27, 59]) expect(list.at(i)).toEqual(sampleOf(i));
  expect(list.rows).toEqual(Uint32Array.from({ length: 60 }, (_, i) => i >> 1));
  expect(list.tokens).toBe(60 * 40_000 - (59 * 60) / 2);
  // All of an odd one is to be learnt, but for its first token, which nothing comes before.
  expect(list.tokensOf(Uint32Array.of(2, 7))).toEqual({ all: 2 * 40_000 - 9, learnt: 40_000 - 8 });
  expect(() => list.at(60)).toThrow('no sample 60');
});

test('chosen samples are asked what their rows ask, in the order of the choice', async () => {
  const vocabulary = await learnt();
  const rows: Row[] = [null, ...conversations(9)];
  const { samples } = await samplesOf(each(rows), vocabulary, { maxLength: 64 });
  const found = await questionsOf(each(rows), vocabulary, { samples, chosen: [7, 2] });
  expect(found.map(({ expected }) => expected)).toEqual(['7 sails', '2 sails']);
  expect(found[0]?.prompt).toBe('<|im_start|>user\n7 boats<|im_end|>\n<|im_start|>assistant\n');

  const text = 'boats and sails and boats and more sails';
  const pieces = await samplesOf(each([{ text }]), vocabulary, { maxLength: 12 });
  const asked = await questionsOf(each([{ text }]), vocabulary, { samples: pieces.samples, chosen: [0, 1] });
  expect(text.startsWith(asked.map(({ prompt, expected }) => prompt + expected).join(''))).toBe(true);
  expect(asked).toHaveLength(2);
});
