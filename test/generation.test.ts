// OpenAI's own client against the whole server with a small random language model: answers, streams, refusals, and who pays.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyExpected, tinyWords } from '../engine/tiny-language.ts';
import { installPython } from './python.ts';
import { type TestServer, adminKey, ask, startTestServer } from './server.ts';
import { tinyBase } from './tiny-base.ts';

const pricePicodollars = 1_000_000;

let folder: string;
let server: TestServer;
let people = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-base-'));
  const entry = await tinyBase(join(folder, 'base'), pricePicodollars);
  server = await startTestServer({
    prepare: data => writeFile(join(data, 'models.json'), JSON.stringify({ models: { tiny: entry } })),
    environment: { VECTORIUM_MODELS: join(folder, 'models') },
  });
  await fetched((await newAccount(1)).client);
});
afterAll(async () => {
  await server.end();
  await rm(folder, { recursive: true });
});

async function newAccount(credit_usd: number): Promise<{ key: string; client: OpenAI }> {
  const body = { email: `person${++people}@example.com`, plan: 'pro', credit_usd };
  const made = await ask<{ api_key: string }>(`${server.url}/admin/accounts`, { key: adminKey, body });
  const key = made.body.api_key;
  return { key, client: new OpenAI({ apiKey: key, baseURL: `${server.url}/v1`, maxRetries: 0 }) };
}

/** The first request begins to fetch the model. */
async function fetched(client: OpenAI): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const error = await client.completions
      .create({ model: 'tiny', prompt: '!', max_tokens: 1 })
      .then(() => null)
      .catch((thrown: unknown) => thrown);
    if (!error) return;
    expect(error).toMatchObject({ status: 503 });
    await new Promise(resolve => setTimeout(resolve, 200));
  }
}

test(
  'a client of OpenAI has answers, whole and streamed, and every refusal by its name',
  { timeout: 120_000 },
  async () => {
    const { client } = await newAccount(1);
    const [, text] = await tinyExpected('smollm');
    const prompt = tinyWords(text?.ids ?? []);
    const said = tinyWords(text?.continued ?? []);
    const whole = await client.completions.create({
      model: 'tiny',
      prompt,
      temperature: 0,
      max_tokens: 8,
      n: 2,
      logprobs: 1,
    });
    expect(whole.choices.map(choice => choice.text)).toEqual([said, said]);
    expect(whole.choices[0]?.logprobs?.tokens?.join('')).toBe(said);
    expect(whole.usage).toEqual({
      prompt_tokens: prompt.length,
      completion_tokens: 16,
      total_tokens: prompt.length + 16,
    });

    const stream = await client.chat.completions.create({
      model: 'tiny',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
      max_completion_tokens: 6,
      seed: 3,
      logprobs: true,
      top_logprobs: 2,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await Array.fromAsync(stream);
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])).toHaveLength(6);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 8, completion_tokens: 6, total_tokens: 14 },
    });
    expect((await Array.fromAsync(client.models.list())).map(({ id }) => id)).toContain('tiny');

    const messages = [{ role: 'user' as const, content: 'Hi' }];
    const create = (body: object) => client.chat.completions.create({ model: 'tiny', messages, ...body });
    await expect(create({ model: 'nope' })).rejects.toMatchObject({
      status: 400,
      code: 'model_not_found',
      param: 'model',
    });
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };
    const formed = (given: object) =>
      create({ response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: given } } });
    expect(Object.keys(JSON.parse((await formed(schema)).choices[0]?.message.content ?? '') as object)).toEqual(['ok']);
    await expect(formed({ oneOf: [schema] })).rejects.toMatchObject({
      status: 400,
      param: 'response_format',
      message: expect.stringContaining('The schema has oneOf') as string,
    });
    const any = await create({ response_format: { type: 'json_object' }, max_tokens: 3 });
    expect(any.choices[0]?.message.content).toMatch(/^\{["}]/);
    await expect(create({ response_format: { type: 'xml' } })).rejects.toMatchObject({ status: 400 });
    await expect(create({ tools: [{ type: 'function', function: { name: 'f' } }] })).rejects.toMatchObject({
      status: 400,
    });
    const long = [{ role: 'user' as const, content: 'x'.repeat(200) }];
    await expect(create({ messages: long })).rejects.toMatchObject({
      param: 'messages',
      message: expect.stringContaining('messages has 206 tokens; tiny takes 128 together with its answer') as string,
    });
    const empty = { tools: [], tool_choice: null, logit_bias: {}, stop: null, response_format: null, top_p: 0 };
    expect((await create({ ...empty, max_tokens: 2 })).choices[0]?.finish_reason).toBe('length');
    const complete = (body: object) =>
      client.completions.create({ model: 'tiny', prompt: 'Hi', max_tokens: 1, ...body });
    expect((await complete({ suffix: '', echo: false, best_of: 1 })).usage?.completion_tokens).toBe(1);
    const several = (prompts: unknown, also: object = {}) =>
      complete({ prompt: prompts, temperature: 0, max_tokens: 8, ...also });
    const both = await several([prompt, 'ab'], { n: 2 });
    expect(both.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(both.choices.slice(0, 2).map(choice => choice.text)).toEqual([said, said]);
    expect(both.choices[2]?.text).toBe((await several('ab')).choices[0]?.text);
    expect(both.usage).toMatchObject({ prompt_tokens: prompt.length + 2, completion_tokens: 32 });
    const ids = text?.ids ?? [];
    const ofIds = await several([ids, ids.slice(0, 3), ...Array.from({ length: 10 }, () => ids)]);
    expect(ofIds.choices).toHaveLength(12);
    expect(ofIds.choices[0]?.text).toBe(said);
    expect(ofIds.choices[11]?.text).toBe(said);
    expect((await several(ids)).choices.map(choice => choice.text)).toEqual([said]);
    const streamed = await Array.fromAsync(
      await client.completions.create({
        model: 'tiny',
        prompt: [prompt, 'ab'],
        temperature: 0,
        max_tokens: 8,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    const of = (index: number) =>
      streamed.flatMap(({ choices }) => choices.filter(choice => choice.index === index).map(each => each.text));
    expect(of(0).join('')).toBe(said);
    expect(of(1).join('')).toBe(both.choices[2]?.text);
    expect(streamed.at(-1)?.usage).toMatchObject({ prompt_tokens: prompt.length + 2, completion_tokens: 16 });
    await expect(several([])).rejects.toThrow('prompt must be a text, a list of token ids, or up to 64 of either');
    await expect(several(['a', [1]])).rejects.toMatchObject({ status: 400, param: 'prompt[1]' });
    await expect(several(['a', ''])).rejects.toThrow('prompt[1] is empty');
    await expect(several([1, 99_999])).rejects.toThrow(/prompt: token 99999 is none of the \d+ that the model has/);
    await expect(several([prompt, 'x'.repeat(200)])).rejects.toMatchObject({ param: 'prompt[1]' });
    await expect(create({ temperature: 3 })).rejects.toMatchObject({ param: 'temperature' });
  },
);

test(
  'an answer is paid by its tokens, one that can not be paid is not begun, and one who leaves pays for what was said',
  { timeout: 120_000 },
  async () => {
    const { client, key } = await newAccount(1);
    const usage = async () =>
      (
        await ask<{ summary: { total_tokens: number; total_cost: number } }>(`${server.url}/usage`, {
          key,
          method: 'GET',
        })
      ).body.summary;
    const before = await usage();
    await client.completions.create({ model: 'tiny', prompt: 'abcd', max_tokens: 10, temperature: 0 });
    const after = await usage();
    expect(after.total_tokens - before.total_tokens).toBe(14);
    expect(after.total_cost - before.total_cost).toBeCloseTo((4 * pricePicodollars) / 1e12, 12);

    // These tokens can't write the name: the answer fails in its middle.
    const schema = { type: 'object', properties: { é: {} }, required: ['é'] };
    const failing = client.chat.completions.create({
      model: 'tiny',
      messages: [{ role: 'user', content: 'Hi' }],
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } },
    });
    await expect(failing).rejects.toMatchObject({ status: 500 });
    expect((await usage()).total_tokens).toBe(after.total_tokens);

    // More texts than may wait, each for long enough that all are there at once: who comes too late is told so by the status, before
    // there is a stream.
    const crowd = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const options = { max_tokens: 100, n: 4, stream: true, stream_options: { include_usage: true } };
        const response = await fetch(`${server.url}/v1/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'tiny', prompt: 'abcd', ...options }),
        });
        return { response, text: await response.text() };
      }),
    );
    const late = crowd.filter(({ response }) => !response.ok);
    expect(late.length).toBeGreaterThan(0);
    for (const { response } of late) {
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('2');
    }
    const served = crowd.filter(({ response }) => response.ok);
    expect(served.length).toBeGreaterThan(0);
    let told = 0;
    for (const { text } of served) {
      const chunks = text.split('\n\n').slice(0, -1);
      expect(chunks.at(-1)).toBe('data: [DONE]');
      for (const chunk of chunks.slice(0, -1)) expect(chunk).toMatch(/^data: \{.*"object":"text_completion"/);
      told += Number(/"total_tokens":(\d+)/.exec(chunks.at(-2) ?? '')?.[1]);
    }
    const inTime = await usage();
    expect(inTime.total_tokens - after.total_tokens).toBe(told);

    const { client: poor } = await newAccount(0.000001);
    const refused = poor.completions.create({ model: 'tiny', prompt: 'abcd', max_tokens: 1 });
    await expect(refused).rejects.toMatchObject({ status: 402, code: 'insufficient_balance' });

    const stream = await client.completions.create({ model: 'tiny', prompt: 'abcd', max_tokens: 120, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.text) break;
    stream.controller.abort();
    for (let tries = 0; tries < 100 && (await usage()).total_tokens === inTime.total_tokens; tries++)
      await new Promise(resolve => setTimeout(resolve, 50));
    expect((await usage()).total_tokens - inTime.total_tokens).toBeGreaterThan(4);
  },
);

test(
  'a model that was trained over the base answers by its id, beside the base, and one of its own does',
  { timeout: 240_000 },
  async () => {
    const { client, key } = await newAccount(1);
    const rows = Array.from({ length: 24 }, (_, i) => `${'abcdef'[i % 6]},${'uvwxyz'[i % 6]}`);
    const file = Buffer.from(['prompt,completion', ...rows].join('\n')).toString('base64');
    const upload = await ask<{ dataset_id: string }>(`${server.url}/api/v2/data/upload`, {
      key,
      body: { file, format: 'csv' },
    });
    for (const base_model of ['tiny', 'scratch']) {
      const { body: made } = await ask<{ model_id: string }>(`${server.url}/api/v2/models/train`, {
        key,
        body: {
          dataset_id: upload.body.dataset_id,
          model_type: 'llm',
          config: { base_model, epochs: 1, batch_size: 4, validation_split: 0 },
        },
      });
      expect(made).toMatchObject({ model_id: expect.any(String) as string });
      for (let status = 'queued'; status !== 'succeeded';) {
        const address = `${server.url}/api/v2/models/${made.model_id}`;
        const { body } = await ask<{ status: string; error: unknown }>(address, { key, method: 'GET' });
        expect(['queued', 'running', 'succeeded'], JSON.stringify(body.error)).toContain(body.status);
        status = body.status;
        await new Promise(resolve => setTimeout(resolve, 300));
      }
      const messages = [{ role: 'user' as const, content: 'a' }];
      const chat = { model: made.model_id, messages, max_tokens: 4, temperature: 0 };
      // The first ones all find a model that nobody has asked yet.
      const first = await Promise.all([1, 2, 3, 4].map(() => client.chat.completions.create(chat)));
      const predicted = await ask<{ predictions: { text: string }[]; usage: object }>(
        `${server.url}/api/v2/models/predict`,
        {
          key,
          body: {
            model_id: made.model_id,
            input: { data: ['a', [{ role: 'user', content: 'a' }]] },
            options: { max_tokens: 4, temperature: 0 },
          },
        },
      );
      expect(predicted).toMatchObject({
        status: 200,
        body: { predictions: [{ text: expect.any(String) as string }, {}], usage: { rows: 2 } },
      });
      const [one, other] = predicted.body.predictions;
      expect(one).toEqual(other);
      for (const same of first) {
        expect(same.choices[0]?.message.content).toBe(one?.text);
        expect(same.model).toBe(made.model_id);
      }
      expect((await Array.fromAsync(client.models.list())).map(({ id }) => id)).toContain(made.model_id);
      const many = ask(`${server.url}/api/v2/models/predict`, {
        key,
        body: {
          model_id: made.model_id,
          input: { data: Array.from({ length: 64 }, () => 'a') },
          options: { max_tokens: 40, temperature: 1 },
        },
      });
      // One request of many prompts leaves room for others.
      for (let i = 0; i < 10; i++) expect((await client.chat.completions.create(chat)).object).toBe('chat.completion');
      expect((await many).status).toBe(200);
      const tokens = async () =>
        (await ask<{ summary: object }>(`${server.url}/usage`, { key, method: 'GET' })).body.summary;
      const before = await tokens();
      const oneTooLong = await ask(`${server.url}/api/v2/models/predict`, {
        key,
        body: { model_id: made.model_id, input: { data: ['a', 'x'.repeat(5000), 'b'] }, options: { max_tokens: 50 } },
      });
      expect(oneTooLong).toMatchObject({
        status: 400,
        body: { message: expect.stringMatching(/^input\.data\[1\] has \d+ tokens/) as string },
      });
      // For as long as the others would go on.
      await new Promise(resolve => setTimeout(resolve, 500));
      expect(await tokens()).toEqual(before);
      const rowsRefused = await ask(`${server.url}/api/v2/models/predict`, {
        key,
        body: { model_id: made.model_id, input: { data: [{ prompt: 'a' }] } },
      });
      expect(rowsRefused).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMETER' } });

      const formats = base_model === 'scratch' ? ['zip', 'onnx'] : ['zip', 'peft', 'gguf', 'onnx'];
      for (const format of formats) {
        const address = `${server.url}/api/v2/models/${made.model_id}/download?format=${format}`;
        const taken = await fetch(address, { headers: { authorization: `Bearer ${key}` } });
        const bytes = Buffer.from(await taken.arrayBuffer());
        expect(taken.status, `${format}: ${bytes.toString('latin1', 0, 300)}`).toBe(200);
        expect(bytes.toString('latin1', 0, 4)).toBe(format === 'gguf' ? 'GGUF' : 'PK\u0003\u0004');
        if (format === 'onnx') expect(bytes.includes('onnx/model.onnx')).toBe(true);
      }
    }
  },
);

test(
  "OpenAI's client for Python reads answers, streams and objects in the form of a class",
  { timeout: 300_000 },
  async ({ skip }) => {
    const packages = await installPython(['openai==3.54.0']);
    if (packages === null) return skip('pip can not install the client here');
    const { key } = await newAccount(1);
    const script = fileURLToPath(new URL('clients/chat.py', import.meta.url));
    const { stdout } = await promisify(execFile)('python3', [script, server.url, key, 'tiny'], {
      env: { ...process.env, PYTHONPATH: packages },
    });
    const seen = JSON.parse(stdout) as { whole: string; streamed: string; parsed: { kind: string; grown: boolean } };
    expect(seen).toMatchObject({ usage: [8, 6], streamed_usage: 6, text: 'length', refused: [400, 'model_not_found'] });
    expect(seen.whole).toHaveLength(6);
    expect(seen.streamed).toBe(seen.whole);
    expect(['cat', 'dog']).toContain(seen.parsed.kind);
    expect(typeof seen.parsed.grown).toBe('boolean');
  },
);
