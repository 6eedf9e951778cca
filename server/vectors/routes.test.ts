// The vector routes through HTTP on real parts: accounts, keys, limits, money, engine; only the weights are stand-ins.
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from 'gpt-tokenizer/encoding/cl100k_base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testFolder } from '../database/testing.ts';
import { type TestServer, startTestServer } from './testing.ts';

let server: TestServer;
let pro: string;

beforeAll(async () => {
  server = await startTestServer({
    data: await testFolder(),
    standIns: ['gte_base', 'e5_base', 'e5_small'],
    later: ['mpnet_base'],
  });
  ({ key: pro } = await server.account({ plan: 'pro', creditUsd: 5 }));
});
afterAll(() => server.close());

/** 21 tokens under the stand-ins' tokenizer: every letter and sign is one. */
const text = 'Hello you. This is a test.';
const tokens = 21;

interface Answered {
  vector: number[];
  vectors: number[][];
  chunks: string[];
  chunks_processed: number;
  usage: { prompt_tokens: number; total_tokens: number };
  [field: string]: unknown;
}

test('/vectorize answers as documented, with the extras', async () => {
  const { status, body } = await ask('/vectorize', { text });
  expect(status).toBe(200);
  expect(body.vector).toHaveLength(768);
  expect(Math.hypot(...body.vector)).toBeCloseTo(1, 5);
  expect(body).toMatchObject({
    dimension: 768,
    chunks_processed: 1,
    chunking_method: 'sentence_aware',
    model: 'gte_base',
    model_used: 'gte_base',
    processing_time_ms: expect.any(Number),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
});

test('null means absent and unknown fields are ignored', async () => {
  const { status } = await ask('/vectorize', { text, model: null, chunk_size: null, chunk_overlap: null, other: 1 });
  expect(status).toBe(200);
});

test('a long text is averaged over its chunks; each token is counted once whatever the overlap', async () => {
  const long = text.repeat(20);
  const { body: none } = await ask('/vectorize', { text: long, chunk_size: 50, chunk_overlap: 0 });
  const { body: half } = await ask('/vectorize', { text: long, chunk_size: 50, chunk_overlap: 0.5 });
  expect(none.chunks_processed).toBeGreaterThan(5);
  expect(half.chunks_processed).toBeGreaterThan(none.chunks_processed);
  expect(none.usage.prompt_tokens).toBe(20 * tokens);
  expect(half.usage.prompt_tokens).toBe(20 * tokens);
});

test('the vector of a long text is the token-weighted mean of its chunk vectors, scaled to length 1', async () => {
  const request = {
    text: 'Short one. A rather longer sentence, with more of everything in it. End.',
    chunk_size: 30,
    chunk_overlap: 0,
  };
  const { body: chunked } = await ask('/vectorize/chunked', request);
  const { body: whole } = await ask('/vectorize', request);
  expect(chunked.chunks.join('')).toBe(request.text);
  const weights = await Promise.all(
    chunked.chunks.map(async chunk => Number((await ask('/tokenize', { text: chunk })).body['tokens'])),
  );
  const sums = whole.vector.map((_, at) =>
    chunked.vectors.reduce((sum, vector, index) => sum + (vector[at] ?? 0) * (weights[index] ?? 0), 0),
  );
  const length = Math.hypot(...sums);
  for (const [at, value] of whole.vector.entries()) expect(value).toBeCloseTo((sums[at] ?? 0) / length, 5);
});

test('/vectorize/chunked gives exact substrings that cover the text, one vector each', async () => {
  const long = 'İlk cümle. 世界 second one! And a third? '.repeat(10);
  const { body } = await ask('/vectorize/chunked', { text: long, chunk_size: 40, chunk_overlap: 0 });
  expect(body.chunks.join('')).toBe(long);
  expect(body.vectors).toHaveLength(body.chunks.length);
  expect(body).toMatchObject({ chunks_count: body.chunks.length, dimension: 768 });
});

test('the same text has the same vector alone, in a batch, as OpenAI and in base64', async () => {
  const texts = [text, 'x', text.repeat(30), 'another one, of middle length'];
  const { body: batch } = await ask('/vectorize/batch', { texts, chunk_size: 8192 });
  const { body: alone } = await ask('/vectorize', { text, chunk_size: 8192 });
  const { body: openai } = await ask('/v1/embeddings', { input: texts });
  const { body: base64 } = await ask('/v1/embeddings', { input: texts, encoding_format: 'base64' });
  const ofOpenai = embeddings(openai);
  const ofBase64 = (base64['data'] as { embedding: string }[]).map(({ embedding }) => floats(embedding));
  expect(batch).toMatchObject({ count: 4, chunk_counts: [1, 1, 1, 1], total_chunks_processed: 4 });
  expect(batch['token_counts']).toEqual([tokens, 1, 30 * tokens, expect.any(Number)]);
  expect(distance(alone.vector, batch.vectors[0])).toBeLessThan(1e-5);
  for (const index of texts.keys()) {
    expect(distance(batch.vectors[index], ofOpenai[index])).toBeLessThan(1e-5);
    expect(distance(ofOpenai[index], ofBase64[index])).toBeLessThan(1e-5);
  }
});

test('token ids are read as cl100k: one list is one input, several are several', async () => {
  const { body: words } = await ask('/v1/embeddings', { input: [text, 'Merhaba'] });
  const { body: ids } = await ask('/v1/embeddings', { input: [encode(text), encode('Merhaba')] });
  const { body: one } = await ask('/v1/embeddings', { input: encode(text) });
  expect(distance(embeddings(ids)[0], embeddings(words)[0])).toBeLessThan(1e-6);
  expect(distance(embeddings(ids)[1], embeddings(words)[1])).toBeLessThan(1e-6);
  expect(ids.usage).toEqual(words.usage);
  expect(embeddings(one)).toHaveLength(1);
  expect(one.usage.prompt_tokens).toBe(tokens);
});

test('a text longer than the model is never cut off on /v1/embeddings: its end counts', async () => {
  const long = 'abcdefghij '.repeat(80);
  const [one, other] = await Promise.all(
    [`${long}end`, `${long}?!;`].map(input => ask('/v1/embeddings', { input, model: 'e5_base' })),
  );
  expect(one?.body.usage.prompt_tokens).toBeGreaterThan(512);
  expect(distance(embeddings(one?.body)[0], embeddings(other?.body)[0])).toBeGreaterThan(1e-3);
});

test('dimensions: cut and scaled where the model was trained for it, else 400', async () => {
  const { body: whole } = await ask('/vectorize', { text });
  const { body: cut } = await ask('/vectorize', { text, dimensions: 128 });
  expect(cut.vector).toHaveLength(128);
  expect(cut['dimension']).toBe(128);
  expect(Math.hypot(...cut.vector)).toBeCloseTo(1, 5);
  expect((cut.vector[3] ?? 0) / (cut.vector[5] ?? 1)).toBeCloseTo((whole.vector[3] ?? 0) / (whole.vector[5] ?? 1), 4);
  expect(await ask('/vectorize', { text, dimensions: 100 })).toMatchObject({ status: 400 });
  expect(await ask('/vectorize', { text, dimensions: 384, model: 'e5_base' })).toMatchObject({ status: 400 });
  expect(await ask('/v1/embeddings', { input: text, dimensions: 768, model: 'e5_base' })).toMatchObject({
    status: 200,
  });
});

test('late chunking works where the model averages its tokens, else 400', async () => {
  const request = { text: text.repeat(5), chunk_size: 40, chunking_method: 'late' };
  const { status, body } = await ask('/vectorize/chunked', { ...request, model: 'e5_base' });
  expect(status).toBe(200);
  expect(body['chunking_method']).toBe('late');
  expect(body.vectors.every(vector => Math.abs(Math.hypot(...vector) - 1) < 1e-4)).toBe(true);
  expect(await ask('/vectorize/chunked', { ...request, model: 'gte_base' })).toMatchObject({
    status: 400,
    body: { code: 'INVALID_PARAMETER' },
  });
});

test('input_type chooses the prefix, which is not charged', async () => {
  const answers = await Promise.all(
    [undefined, 'query', 'document'].map(input_type => ask('/vectorize', { text, model: 'e5_base', input_type })),
  );
  expect(answers.map(({ body }) => body.usage.prompt_tokens)).toEqual([tokens, tokens, tokens]);
  expect(distance(answers[1]?.body.vector, answers[2]?.body.vector)).toBeGreaterThan(1e-3);
});

test('/similarity of a text with itself is 1, and has usage', async () => {
  const { body } = await ask('/similarity', { text1: text, text2: text });
  expect(body['similarity']).toBeCloseTo(1, 6);
  expect(body.usage.prompt_tokens).toBe(2 * tokens);
});

test('/tokenize counts and prices as the bill will, for nothing', async () => {
  const { id, key } = await server.account({ plan: 'pro', creditUsd: 0 });
  const { status, body } = await ask('/tokenize', { text: 'Hi 👋 you', return_tokens: true, model: 'e5_small' }, key);
  expect(status).toBe(200);
  expect(body).toMatchObject({ tokens: 6, characters: 8, price_usd: 1.2e-8, price_per_1M_tokens: 0.002 });
  expect(body['ids']).toHaveLength(6);
  expect((await server.accounts.get(id))?.balancePicodollars).toBe(0n);
});

test('more chunks than a request may have are refused before they are made', async () => {
  const texts = [text, 'a '.repeat(40_000)];
  expect(await ask('/vectorize/batch', { texts, chunk_size: 1 })).toMatchObject({
    status: 400,
    body: { code: 'INVALID_PARAMETER', detail: expect.stringContaining('chunk_size 1 would cut') },
  });
});

test('chunk_size above what the model takes names the most; batches above the plan are refused', async () => {
  expect(await ask('/vectorize', { text, model: 'e5_base', chunk_size: 513 })).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining('512') },
  });
  const { key } = await server.account({ plan: 'free' });
  expect(await ask('/vectorize/batch', { texts: Array.from({ length: 6 }, () => 'x') }, key)).toMatchObject({
    status: 400,
    body: { code: 'BATCH_TOO_LARGE' },
  });
  expect(await ask('/v1/embeddings', { input: Array.from({ length: 6 }, () => 'x') }, key)).toMatchObject({
    status: 400,
    body: { error: { code: 'batch_too_large' } },
  });
});

test('models: unknown 404 (400 on /v1), above the plan 403, not allowed to the key 403, not here 503 with the command', async () => {
  const { key: free } = await server.account({ plan: 'free' });
  const { key: narrow } = await server.account({ plan: 'pro', models: ['e5_small'] });
  expect(await ask('/vectorize', { text, model: 'nope' })).toMatchObject({ status: 404, body: { model: 'nope' } });
  expect(await ask('/v1/embeddings', { input: text, model: 'nope' })).toMatchObject({ status: 400 });
  expect(await ask('/vectorize', { text, model: 'gte_base' }, free)).toMatchObject({ status: 403 });
  expect(await ask('/vectorize', { text, model: 'e5_base' }, narrow)).toMatchObject({ status: 403 });
  expect(await ask('/vectorize', { text, model: 'e5_small' }, narrow)).toMatchObject({ status: 200 });
  const absent = await server.post('/vectorize', pro, { text, model: 'minilm_base' });
  expect(absent.status).toBe(503);
  expect(Number(absent.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await absent.json()).toMatchObject({
    code: 'MODEL_UNAVAILABLE',
    detail: expect.stringContaining('vectorium models pull minilm_base'),
  });
});

test('a model that can be had is fetched by the first request, which is told to come back', async () => {
  const first = await server.post('/vectorize', pro, { text, model: 'mpnet_base' });
  expect(first.status).toBe(503);
  expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await first.json()).toMatchObject({ code: expect.any(String), detail: expect.stringContaining('fetched') });
  await expect
    .poll(async () => (await ask('/vectorize', { text, model: 'mpnet_base' })).status, { timeout: 20_000 })
    .toBe(200);
});

test('the model that is taken when none is named is the account’s own', async () => {
  const { key } = await server.account({ plan: 'free' });
  const { body } = await ask('/vectorize', { text }, key);
  expect(body['model']).toBe('e5_small');
  const models = (await (await server.get('/models', key)).json()) as Answered;
  expect(models['default_model']).toBe('e5_small');
});

test('every token is charged, exactly; too little money computes and charges nothing', async () => {
  const { id, key } = await server.account({ plan: 'pro', creditUsd: 0.000001 }); // 1,000,000 picodollars
  expect(await ask('/vectorize', { text }, key)).toMatchObject({ status: 200 });
  const left = 1_000_000n - BigInt(tokens) * 10_000n;
  expect((await server.accounts.get(id))?.balancePicodollars).toBe(left);
  const refused = await ask('/vectorize', { text: text.repeat(4) }, key);
  expect(refused).toMatchObject({
    status: 402,
    body: { code: 'INSUFFICIENT_BALANCE', balance: Number(left) / 1e12, required: (4 * tokens * 10_000) / 1e12 },
  });
  expect((await server.accounts.get(id))?.balancePicodollars).toBe(left);
  const { key: capped } = await server.account({ plan: 'pro', budgetUsd: 0.0000001 });
  expect(await ask('/vectorize', { text }, capped)).toMatchObject({
    status: 402,
    body: { code: 'KEY_BUDGET_EXCEEDED' },
  });
});

test('identical requests in flight are answered alike and charged once', async () => {
  const { id, key } = await server.account({ plan: 'pro' });
  const before = (await server.accounts.get(id))?.balancePicodollars ?? 0n;
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask('/vectorize', { text: text.repeat(50) }, key)));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body.vector))).size).toBe(1);
  const after = (await server.accounts.get(id))?.balancePicodollars ?? 0n;
  expect(before - after).toBe(BigInt(50 * tokens) * 10_000n);
  expect((await usage(key)).summary.total_requests).toBe(1);
});

test('a caller who leaves before the end pays nothing', async () => {
  const { id, key } = await server.account({ plan: 'pro' });
  const before = (await server.accounts.get(id))?.balancePicodollars;
  const leave = new AbortController();
  const texts = Array.from({ length: 200 }, (_, index) => `${index} ${text.repeat(20)}`);
  const request = server.post('/vectorize/batch', key, { texts }, { signal: leave.signal });
  setTimeout(() => leave.abort(), 60);
  await expect(request).rejects.toThrow();
  await sleep(1500);
  expect((await server.accounts.get(id))?.balancePicodollars).toBe(before);
  expect((await usage(key)).summary.total_requests).toBe(0);
});

test('/usage: totals, days, models and balance in dollars; CSV when asked', async () => {
  const { key } = await server.account({ plan: 'pro', creditUsd: 1 });
  await ask('/vectorize', { text }, key);
  await ask('/vectorize', { text, model: 'e5_base' }, key);
  await ask('/vectorize', { text: 'x', model: 'e5_base' }, key);
  const report = await usage(key);
  const cost = (tokens * 10_000 + (tokens + 1) * 3_000) / 1e12;
  expect(report.summary).toMatchObject({ total_requests: 3, total_tokens: 2 * tokens + 1, total_cost: cost });
  expect(report.summary.current_balance).toBeCloseTo(1 - cost, 12);
  expect(report.daily_breakdown).toMatchObject([{ requests: 3, models_used: ['e5_base', 'gte_base'] }]);
  expect(report.top_models).toMatchObject([
    { model: 'e5_base', requests: 2, percentage: 66.67 },
    { model: 'gte_base', requests: 1, percentage: 33.33 },
  ]);
  expect((await usage(key, '&include_daily_breakdown=false')).daily_breakdown).toEqual([]);
  expect((await usage(key, '&from=2020-01-01&to=2020-01-31')).summary.total_requests).toBe(0);
  const csv = await server.get('/usage?format=csv', key);
  expect(csv.headers.get('content-type')).toMatch(/^text\/csv/);
  expect((await csv.text()).trim().split('\n')).toHaveLength(4);
  expect((await server.get('/usage?from=2024-02-02&to=2024-02-01', key)).status).toBe(400);
});

test('/models and /v1/models list the encoders with their price and whether the caller may use them', async () => {
  const { key } = await server.account({ plan: 'free' });
  const { models } = (await (await server.get('/models', key)).json()) as { models: Record<string, object> };
  expect(models['gte_base']).toMatchObject({
    name: 'Alibaba-NLP/gte-multilingual-base',
    dimension: 768,
    max_tokens: 8192,
    tier: 'premium',
    price_per_1M_tokens: 0.01,
    state: 'ready',
    precision: 'f32',
    allowed: false,
  });
  expect(models['e5_small']).toMatchObject({ price_per_1M_tokens: 0.002, allowed: true });
  expect(models['minilm_base']).toMatchObject({ price_per_1M_tokens: 0.0025 });
  const listed = (await (await server.get('/v1/models', key)).json()) as { data: { id: string; object: string }[] };
  expect(listed.data).toContainEqual(
    expect.objectContaining({ id: 'e5_small', object: 'model', owned_by: 'intfloat' }),
  );
  expect(await (await server.get('/v1/models/e5_base', key)).json()).toMatchObject({ id: 'e5_base' });
  expect((await server.get('/v1/models/nope', key)).status).toBe(404);
});

async function ask(path: string, body: object, key = pro): Promise<{ status: number; body: Answered }> {
  const answer = await server.post(path, key, body);
  return { status: answer.status, body: (await answer.json()) as Answered };
}

function embeddings(body: Answered | undefined): number[][] {
  if (!body) throw new Error('no answer');
  return (body['data'] as { embedding: number[] }[]).map(({ embedding }) => embedding);
}

interface Report {
  summary: { total_requests: number; total_tokens: number; total_cost: number; current_balance: number };
  daily_breakdown: object[];
  top_models: object[];
}

async function usage(key: string, more = ''): Promise<Report> {
  return (await (await server.get(`/usage?period=today${more}`, key)).json()) as Report;
}

function floats(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

/** The largest difference of two numbers. */
function distance(one: number[] | undefined, other: number[] | undefined): number {
  expect(one?.length).toBe(other?.length);
  return Math.max(...(one ?? []).map((value, at) => Math.abs(value - (other?.[at] ?? Number.NaN))));
}
