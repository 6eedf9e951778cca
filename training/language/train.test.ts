// A language model from table to folder, in a process of its own: what it learns, what it refuses, and that a kill changes nothing.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { workshop } from '../testing.ts';
import type { TrainEvents } from '../types.ts';
import type { LanguageConfig, LanguageJob } from './types.ts';

// Runs have the lowest priority, and other tests come first.
vi.setConfig({ testTimeout: 240_000 });

const shop = await workshop({ threads: 2, checkpointSeconds: 0 });
const colours = ['red', 'green', 'blue', 'white'];
const things = ['house', 'car', 'door', 'tree', 'boat', 'coat'];
const pairs = colours.flatMap(colour =>
  things.map(thing => ({ prompt: `a ${colour} ${thing}`, completion: `${thing}: ${colour}` })),
);
const source = await shop.table(pairs);
const small = { epochs: 20, learningRate: 5e-3, seed: 3 } as const;
let made = 0;

function jobOf(from: string, config: LanguageConfig, base: LanguageJob['base'] = null): LanguageJob {
  const number = ++made;
  const [folder, target] = [join(shop.folder, `language-${number}`), join(shop.folder, `language-model-${number}`)];
  return { source: from, config, folder, target, dataset: { id: 'ds_test', version: 1 }, base };
}

const inFormat = ({ answer }: { answer: string }) => /^[a-z]+: [a-z]+$/.test(answer);
const bytes = (folder: string) => readFile(join(folder, 'adapter_model.safetensors'));
const check = (from: string, config: LanguageConfig) =>
  shop.training.checkLanguage({ source: from, config, base: null });
const repeated = (row: Record<string, unknown>) => Array.from({ length: 8 }, () => row);

const untouched = jobOf(source, small);
const events: { type: keyof TrainEvents; data: object }[] = [];
const card = await shop.training.trainLanguage(untouched, { onEvent: (type, data) => events.push({ type, data }) });

test('a model from nothing learns what answers a prompt', async () => {
  const { training_loss: first } = card.curves[0] ?? { training_loss: 0 };
  expect(card.curves.at(-1)?.training_loss).toBeLessThan(first / 4);
  expect(card).toMatchObject({
    kind: 'llm',
    algorithm: 'scratch',
    rows: { total: 24, training: 24, validation: 0 },
    config: { baseModel: 'scratch', epochs: 20, batchSize: 4, learningRate: 5e-3 },
    language: { columns: { prompt: 'prompt', completion: 'completion' }, samples: { longer: 0, empty: 0 } },
  });
  const { answers = [] } = card.language ?? {};
  const last = answers.filter(({ epoch }) => epoch === card.best_epoch);
  expect(last.filter(inFormat)).toHaveLength(3);
  expect(answers.filter(({ epoch }) => epoch === 0).some(inFormat)).toBe(false);
  expect(await readdir(untouched.target)).toEqual([
    'README.md',
    'card.json',
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ]);
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['started', 'answer', 'epoch']));
  const readme = await readFile(join(untouched.target, 'README.md'), 'utf8');
  expect(readme).toContain('trained from nothing on 24 samples of `prompt` and `completion`');
});

test('an adapter for what was made here, and kill -9 in the middle leads to the same bytes', async () => {
  const base = { name: 'small', model: 'here/small', revision: '0', path: untouched.target, precision: 'q4' } as const;
  const others = await shop.table(
    pairs.map(({ prompt, completion }) => ({
      messages: [
        { role: 'user', content: prompt },
        { role: 'assistant', content: completion.toUpperCase() },
      ],
    })),
  );
  const config = { epochs: 6, learningRate: 1e-2, validationSplit: 0.25, earlyStopping: false };
  const whole = jobOf(others, config, base);
  const { curves, rows, language } = await shop.training.trainLanguage(whole);
  expect(rows).toMatchObject({ training: 18, validation: 6 });
  expect(curves.at(-1)?.validation_loss).toBeLessThan((curves[0]?.validation_loss ?? 0) * 0.9);
  expect(language?.lora).toMatchObject({ rank: 16, alpha: 32 });
  const files = await readdir(whole.target);
  expect(files).toEqual(expect.arrayContaining(['adapter_model.safetensors', 'adapter_config.json', 'adapter.gguf']));

  const broken = jobOf(others, config, base);
  for (const fraction of [0.1, 0.4, 0.7]) {
    const run = shop.training.trainLanguage(broken, {
      onProgress: done => {
        if (done >= fraction) for (const id of shop.training.processIds) process.kill(id, 'SIGKILL');
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'FAILED' });
  }
  const resumed = await shop.training.trainLanguage(broken);
  expect(resumed.curves.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
  expect((await bytes(broken.target)).equals(await bytes(whole.target))).toBe(true);
});

test('plain text is learnt whole, in pieces where it is long', async () => {
  const text = 'the quick brown fox jumps over the lazy dog and runs away. '.repeat(20);
  const job = jobOf(await shop.table([{ text }, { text }, { text: '' }]), { epochs: 3, maxLength: 64 });
  const { language, curves } = await shop.training.trainLanguage(job);
  expect(language?.samples).toEqual({ longer: 2, without_answer: 0, empty: 1 });
  expect(curves.at(-1)?.training_loss).toBeLessThan(curves[0]?.training_loss ?? 0);
});

test('an estimate before the start, and refusals with their place', async () => {
  const estimate = await check(source, small);
  expect(estimate).toMatchObject({ samples: 24, longer: 0 });
  expect(estimate.seconds).toBeGreaterThan(0);
  expect(estimate.memoryBytes).toBeGreaterThan(100e6);

  const refused = async (rows: Record<string, unknown>[], config: LanguageConfig = {}) =>
    check(await shop.table(rows), config).then(
      () => 'not refused',
      ({ message, param }: { message: string; param?: string }) => `${param}: ${message}`,
    );
  expect(await refused(repeated({ a: 'x', b: 'y' }))).toMatch(/^config: .*the columns are "a", "b"/);
  expect(await refused(repeated({ a: 'x', b: 'y' }), { prompt: 'a', completion: 'c' })).toBe(
    'config.completion: There is no column "c"',
  );
  expect(await refused(repeated({ prompt: 'x', completion: ' ' }))).toMatch(/0 samples .*8 rows are empty/);
  expect(await refused(pairs.slice(0, 2))).toMatch(/2 samples .*at least 4/);
  expect(await refused(repeated({ prompt: 'long words '.repeat(80), completion: 'y' }), { maxLength: 16 })).toMatch(
    /in 8 rows nothing of an answer is within max_length \(16 tokens\).*8 rows have more than 16 tokens/,
  );
  expect(await refused(repeated({ messages: '[{"role": "user"}]' }))).toMatch(
    /^config.messages: Row 1: "messages" has no/,
  );
  expect(await refused(repeated({ messages: '[{"role": "user", "content": "hi"}]' }))).toMatch(
    /no message of the role/,
  );
  expect(await refused(pairs, { lora: { rank: 8 } })).toMatch(/^config.lora: /);
  expect(await refused(pairs, { maxLength: 3 })).toMatch(/^config.max_length: /);
});

test('a table that begins with many rows of nothing is read on', async () => {
  const nothing = Array.from({ length: 2100 }, () => ({ prompt: 'a', completion: '' }));
  expect(await check(await shop.table([...nothing, ...pairs]), {})).toMatchObject({ samples: 4, longer: 0 });
  await expect(check(await shop.table([...nothing, ...pairs.slice(0, 3)]), {})).rejects.toMatchObject({
    message: expect.stringMatching(/There are 3 samples .*2100 rows are empty/),
  });
});

test('of plain texts whole rows are held out, with all their pieces', async () => {
  const text = 'one fox and two dogs, three birds and a cat. '.repeat(20);
  const texts = Array.from({ length: 8 }, () => ({ text }));
  const job = jobOf(await shop.table(texts), { epochs: 1, maxLength: 64, validationSplit: 0.3 });
  const { rows } = await shop.training.trainLanguage(job);
  const pieces = rows.total / texts.length;
  expect(pieces).toBeGreaterThan(2);
  expect(rows).toMatchObject({ training: 6 * pieces, validation: 2 * pieces });
});
