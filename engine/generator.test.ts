// Language models through the engine's door, against what transformers and peft say with the same small random weights.
import { expect, onTestFinished, test } from 'vitest';
import { createEngine } from './engine.ts';
import { tinyAdapter, tinyExpected, tinyLanguage, tinyWords } from './tiny-language.ts';
import type { AdapterHandle, DecoderHandle, Engine, GeneratedPiece, GenerateOptions } from './types.ts';

const greedy: GenerateOptions = {
  maxTokens: 8,
  temperature: 0,
  topP: 1,
  topK: null,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 1,
  stop: [],
  logprobs: null,
  form: null,
};

function opened(): Engine {
  const engine = createEngine({ workers: 1 });
  onTestFinished(() => engine.close());
  return engine;
}

interface Say {
  ids: readonly number[];
  adapter?: AdapterHandle | null | undefined;
  options?: Partial<GenerateOptions>;
  signal?: AbortSignal;
}

async function say(engine: Engine, model: DecoderHandle, { ids, adapter = null, options, signal }: Say) {
  const pieces: GeneratedPiece[] = [];
  const request = { prompt: Int32Array.from(ids), adapter, options: { ...greedy, ...options } };
  for await (const piece of engine.generate(model, request, signal)) pieces.push(piece);
  const last = pieces.at(-1);
  return { text: pieces.map(({ text }) => text).join(''), tokens: last?.tokens, ended: last?.ended, pieces };
}

test.each(['smollm', 'qwen2'] as const)(
  '%s: callers of one base, each with its own adapter or none, all get what the reference says',
  async name => {
    const engine = opened();
    const model = await tinyLanguage(name);
    const asked = (
      await Promise.all(
        [undefined, 'all', 'few'].map(async adapter => {
          const which = adapter as 'all' | 'few' | undefined;
          return (await tinyExpected(name, which)).map(each => ({
            ...each,
            adapter: which && tinyAdapter(name, which),
          }));
        }),
      )
    ).flat();
    const alone: string[] = [];
    for (const each of asked) alone.push((await say(engine, model, each)).text);
    expect(alone).toEqual(asked.map(({ continued }) => tinyWords(continued)));
    // More than there are places, in another order, and beside what is kept of the first ones.
    const together = await Promise.all(asked.toReversed().map(each => say(engine, model, each)));
    expect(together.map(({ text }) => text)).toEqual(alone.toReversed());
    expect(together.every(({ ended, tokens }) => ended === 'length' && tokens === 8)).toBe(true);
  },
);

test('what a prompt shares with another is copied, whether that goes on or has ended, and changes nothing', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm');
  const [long] = (await tinyExpected('smollm')).toSorted((a, b) => b.ids.length - a.ids.length);
  const ids = long?.ids ?? [];
  const other = [...ids.slice(0, 40), 7, 9];
  const fresh = opened();
  const expected = [await say(fresh, model, { ids: other }), await say(opened(), model, { ids })];
  const first = await say(engine, model, { ids });
  const [branch, same, continued] = await Promise.all([
    say(engine, model, { ids: other }),
    say(engine, model, { ids }),
    say(engine, model, { ids: ids.slice(0, -3) }),
  ]);
  expect(branch.text).toBe(expected[0]?.text);
  expect([first.text, same.text]).toEqual([expected[1]?.text, expected[1]?.text]);
  expect(continued.tokens).toBe(8);
});

test('the same seed draws alike, whatever else goes on, and another seed otherwise', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm');
  const draw = (seed: number) =>
    say(engine, model, { ids: [5, 17, 3], options: { temperature: 1.5, topP: 0.95, topK: 50, seed, maxTokens: 30 } });
  const alone = await draw(11);
  const [again, other] = await Promise.all([draw(11), draw(12), say(engine, model, { ids: [1, 2, 3, 4] })]);
  expect(again.text).toBe(alone.text);
  expect(other.text).not.toBe(alone.text);
});

test('an answer ends before a stop text, at the end that the model gives, or with the context', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm');
  const [, text] = await tinyExpected('smollm');
  const { ids, continued } = text ?? { ids: [], continued: [] };
  const words = tinyWords(continued);
  const stop = [words.slice(3, 5)];
  expect(await say(engine, model, { ids, options: { stop } })).toMatchObject({
    text: words.slice(0, words.indexOf(stop[0] ?? '')),
    ended: 'stop',
  });
  const ending = await tinyLanguage('smollm', { ends: continued[4] ?? 0 });
  const ended = await say(engine, ending, { ids });
  expect(ended.ended).toBe('stop');
  expect(ended.tokens).toBe(continued.indexOf(continued[4] ?? 0));
  const logprobs = (await say(engine, model, { ids, options: { logprobs: 3, maxTokens: 2 } })).pieces[0]?.logprobs[0];
  expect(logprobs?.likeliest).toHaveLength(3);
  expect(Buffer.from(logprobs?.bytes ?? []).toString()).toBe(logprobs?.text);
  expect(logprobs?.logprob).toBe(logprobs?.likeliest[0]?.logprob);
});

test('a caller who leaves stops costing, and others go on', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm');
  const leaving = new AbortController();
  const gone = say(engine, model, { ids: [5, 6, 7], options: { maxTokens: 100 }, signal: leaving.signal });
  const staying = say(engine, model, { ids: [8, 9], options: { maxTokens: 20 } });
  leaving.abort();
  await expect(gone).rejects.toThrow();
  expect((await staying).tokens).toBe(20);
  const pieces = engine.generate(model, {
    prompt: Int32Array.of(1, 2),
    adapter: null,
    options: { ...greedy, maxTokens: 100 },
  });
  await pieces.next();
  await pieces.return(undefined);
  expect(engine.status().generators).toMatchObject([{ texts: 0 }]);
});

test('an adapter that is let go answers those who have it to the end, and is read again for others', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm');
  let opens = 0;
  const adapter = { ...tinyAdapter('smollm', 'all'), open: () => (opens++, tinyAdapter('smollm', 'all').open()) };
  const options = { maxTokens: 100 };
  const alone = await say(engine, model, { ids: [5, 6], adapter, options });
  const pieces = engine.generate(model, { prompt: Int32Array.of(5, 6), adapter, options: { ...greedy, ...options } });
  const { value: first } = await pieces.next();
  const beside = say(engine, model, { ids: [7, 8], options });
  engine.forget('all');
  const others = await Array.fromAsync(pieces);
  expect([first, ...others].map(piece => (piece as GeneratedPiece).text).join('')).toBe(alone.text);
  expect((await beside).tokens).toBe(100);
  expect((await say(engine, model, { ids: [5, 6], adapter, options })).text).toBe(alone.text);
  expect(opens).toBe(2);
});

test('adapters that nobody uses go where memory is short, the oldest first', async () => {
  const engine = createEngine({ workers: 1, memoryBudgetBytes: 3 * 2 ** 20 });
  onTestFinished(() => engine.close());
  const model = await tinyLanguage('smollm');
  const read: number[] = [];
  const answered = async (number: number) => {
    const open = () => (read.push(number), tinyAdapter('smollm', 'all').open());
    const adapter = { id: `adapter ${number}`, open };
    return (await say(engine, model, { ids: [5, 6], adapter })).text;
  };
  const texts = new Set<string>();
  for (let i = 0; i < 40; i++) texts.add(await answered(i));
  await answered(39);
  await answered(0);
  expect(texts.size).toBe(1);
  expect(read).toEqual([...Array.from({ length: 40 }, (_, i) => i), 0]);
});

test('a template writes the conversation; what can not be loaded says why and may be tried again', async () => {
  const engine = opened();
  const model = await tinyLanguage('qwen2');
  const ids = await engine.encodePrompt(model, { messages: [{ role: 'user', content: 'Hi' }] });
  expect(tinyWords([...ids])).toBe('user:Hi;');
  expect([...(await engine.encodePrompt(model, { text: 'a b' }))]).toHaveLength(3);
  const nowhere = { ...model, id: 'nowhere', path: '/nowhere' };
  await expect(engine.encodePrompt(nowhere, { text: 'a' })).rejects.toMatchObject({ code: 'MODEL_FAILED' });
  const foreign = {
    ...tinyAdapter('smollm', 'all'),
    id: 'foreign',
    open: async () => ({ weights: '/nowhere', config: '/nowhere', release: () => {} }),
  };
  await expect(say(engine, model, { ids: [1], adapter: foreign })).rejects.toMatchObject({ code: 'MODEL_FAILED' });
  expect((await say(engine, model, { ids: [1] })).tokens).toBe(8);
});

test('answers keep to a form, at any temperature and beside others; one that has none is refused', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm', { ends: 95 });
  const form = JSON.stringify({
    type: 'object',
    properties: { kind: { enum: ['cat', 'dog'] }, age: { type: 'integer', minimum: 0, maximum: 30 } },
    required: ['kind', 'age'],
  });
  await engine.checkForm(model, form);
  const asked = [0, 1, 2].flatMap(temperature => [1, 2].map(seed => ({ temperature, seed, maxTokens: 40 })));
  const [plain, ...formed] = await Promise.all([
    say(engine, model, { ids: [5, 6], options: { temperature: 1 } }),
    ...asked.map(options => say(engine, model, { ids: [5, 6], options: { ...options, form } })),
  ]);
  for (const { text, ended } of formed) {
    expect(ended).toBe('stop');
    expect(text).toMatch(/^\{"kind": "(cat|dog)", "age": \d+\}$/);
    expect((JSON.parse(text) as { age: number }).age).toBeLessThanOrEqual(30);
  }
  expect(new Set(formed.map(({ text }) => text)).size).toBeGreaterThan(2);
  expect(plain?.text).not.toContain('kind');
  await expect(engine.checkForm(model, '{"multipleOf": 3}')).rejects.toMatchObject({
    code: 'FORM_REFUSED',
    message: 'The schema has multipleOf, which is not supported',
  });
});

test('eight forms are in use at once, and one more is told to come later', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm', { ends: 95 });
  const check = (size: number) => engine.checkForm(model, JSON.stringify({ type: 'array', minItems: size }));
  await check(1);
  const tried = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => check(i + 2)));
  expect(tried.slice(0, 8).map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 'fulfilled'));
  expect(tried[8]).toMatchObject({ reason: { code: 'QUEUE_FULL', retryAfterSeconds: 5 } });
});

test('a caller who leaves an answer in a form leaves the others going', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm', { ends: 95 });
  const form = JSON.stringify({ type: 'array', items: { type: 'string' }, minItems: 30 });
  await engine.checkForm(model, form);
  for (let seed = 0; seed < 5; seed++) {
    const leaving = new AbortController();
    const options = { ...greedy, temperature: 1, seed, maxTokens: 100, form };
    const pieces = engine.generate(model, { prompt: Int32Array.of(5, 6), adapter: null, options }, leaving.signal);
    await pieces.next();
    leaving.abort();
    await expect(Array.fromAsync(pieces)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await say(engine, model, { ids: [1, 2] })).tokens).toBe(8);
  }
});

test('where no token goes on with a form, its text ends, and others of the form go on', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm', { ends: 95 });
  // None of these tokens has a byte of é.
  const form = JSON.stringify({ anyOf: [{ enum: ['caté'] }, { enum: ['dog'] }] });
  await engine.checkForm(model, form);
  const answers = await Promise.allSettled(
    Array.from({ length: 12 }, (_, seed) =>
      say(engine, model, { ids: [5, 6], options: { form, maxTokens: 20, temperature: 2, seed } }),
    ),
  );
  const failed = answers.flatMap(each => (each.status === 'rejected' ? [each.reason as Error] : []));
  const said = answers.flatMap(each => (each.status === 'fulfilled' ? [each.value.text] : []));
  expect(new Set(said)).toEqual(new Set(['"dog"']));
  expect(new Set(failed.map(({ message }) => message))).toEqual(
    new Set(['no token of the model goes on with the form']),
  );
});

test('a form that is not ready holds nobody up, and its answer comes when it is', async () => {
  const engine = opened();
  const model = await tinyLanguage('smollm', { ends: 95 });
  await say(engine, model, { ids: [1, 2] });
  const ended: string[] = [];
  const told = async (name: string, options: Partial<GenerateOptions>) => {
    const { text } = await say(engine, model, { ids: [5, 6], options });
    ended.push(name);
    return text;
  };
  const form = JSON.stringify({ enum: ['cat', 'dog'] });
  const [formed] = await Promise.all([
    told('formed', { form, maxTokens: 20 }),
    told('first', { maxTokens: 8 }),
    told('second', { maxTokens: 8 }),
  ]);
  expect(formed).toMatch(/^"(cat|dog)"$/);
  expect(ended.at(-1)).toBe('formed');

  // One who leaves before it is ready leaves it to others.
  const leaving = new AbortController();
  const other = JSON.stringify({ enum: ['ant', 'bee'] });
  const left = say(engine, model, { ids: [5, 6], options: { form: other, maxTokens: 20 }, signal: leaving.signal });
  leaving.abort();
  await expect(left).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(await told('after', { form: other, maxTokens: 20 })).toMatch(/^"(ant|bee)"$/);
});

test('room for sessions with adapters is found before they are made', async () => {
  const model = await tinyLanguage('smollm');
  const adapter = tinyAdapter('smollm', 'all');
  const sized = opened();
  await say(sized, model, { ids: [5, 6] });
  const [alone] = sized.status().generators;
  await say(sized, model, { ids: [5, 6], adapter });
  const bytes = sized.status().generators[0]?.residentBytes ?? 0;
  expect(bytes).toBeGreaterThan(1.5 * (alone?.residentBytes ?? Infinity));

  const small = createEngine({ workers: 1, memoryBudgetBytes: bytes * 0.9 });
  onTestFinished(() => small.close());
  expect((await say(small, model, { ids: [5, 6] })).tokens).toBe(8);
  await expect(say(small, model, { ids: [5, 6], adapter })).rejects.toMatchObject({
    code: 'MODEL_TOO_LARGE',
    message: expect.stringContaining('with an adapter needs') as string,
  });
  expect((await say(small, model, { ids: [5, 6] })).tokens).toBe(8);
});
