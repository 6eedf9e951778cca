// The requests that the two official clients make, with their User-Agents, and the fields that they read.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testFolder } from '../database/testing.ts';
import { type TestServer, startTestServer } from './testing.ts';

const python = { 'user-agent': 'Hashub-vector-sdk/1.0.0' };
const javascript = { 'user-agent': 'hashub-vector-js/1.0.0' };
let server: TestServer;
let key: string;

beforeAll(async () => {
  server = await startTestServer({ data: await testFolder(), standIns: ['e5_base', 'e5_small'] });
  ({ key } = await server.account({ plan: 'starter', creditUsd: 1 }));
});
afterAll(() => server.close());

test('Python: what it sends is understood, and model_used is there', async () => {
  const sent = { model: 'e5_base', chunk_size: null, chunk_overlap: null, normalize: true };
  expect(await post('/vectorize', { ...sent, text: 'Merhaba' }, python)).toMatchObject({
    model_used: 'e5_base',
    dimension: 768,
    chunks_processed: 1,
    processing_time_ms: expect.any(Number),
    usage: { total_tokens: 7 },
  });
  expect(await post('/vectorize/batch', { ...sent, texts: ['ab', 'cde'] }, python)).toMatchObject({
    model_used: 'e5_base',
    token_counts: [2, 3],
    chunk_counts: [1, 1],
    usage: { total_tokens: 5 },
  });
});

test('both: /models is a list, with the names that each reads', async () => {
  for (const headers of [python, javascript]) {
    const { models } = await get<{ models: object[] }>('/models', headers);
    expect(models).toContainEqual({
      alias: 'e5_base',
      full_name: 'intfloat/multilingual-e5-base',
      name: 'intfloat/multilingual-e5-base',
      description: expect.any(String),
      dimension: 768,
      max_tokens: 512,
      maxTokens: 512,
      price_per_1m_tokens: 0.003,
      pricePerMTokens: 0.003,
      tier: 'standard',
      languages: expect.arrayContaining(['tr']),
      turkishSupport: 5,
    });
  }
});

test('JavaScript: counts in camel case, and its own paths', async () => {
  expect(await post('/vectorize', { text: 'Merhaba', model: 'e5_base' }, javascript)).toMatchObject({
    model: 'e5_base',
    dimension: 768,
    tokens: 7,
    chunkCount: 1,
  });
  expect(await post('/vectorize-batch', { texts: ['ab', 'cde'], model: 'e5_base' }, javascript)).toMatchObject({
    model: 'e5_base',
    count: 2,
    totalTokens: 5,
  });
  expect(await post('/similarity', { text1: 'ab', text2: 'ab', model: 'e5_base' }, javascript)).toMatchObject({
    similarity: expect.closeTo(1, 5),
    model: 'e5_base',
  });
  expect(await post('/embeddings', { input: 'ab', model: 'e5_base' }, javascript)).toMatchObject({
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: expect.any(Array) }],
  });
});

test('Python: usage with the models of each day counted', async () => {
  const { key: own, id } = await server.account({ plan: 'starter', creditUsd: 1 });
  await post('/vectorize', { text: 'ab', model: 'e5_base' }, python, own);
  await post('/vectorize', { text: 'abc', model: 'e5_small' }, python, own);
  const path = '/usage?period=last_30_days&include_daily_breakdown=True';
  expect(await get(path, python, own)).toMatchObject({
    summary: {
      user_id: id,
      user_email: expect.stringContaining('@'),
      total_requests: 2,
      total_tokens: 5,
      total_cost: expect.any(Number),
      current_balance: expect.any(Number),
      period_start: expect.any(String),
      period_end: expect.any(String),
    },
    daily_breakdown: [{ requests: 2, tokens: 5, models_used: { e5_base: 1, e5_small: 1 } }],
    top_models: [
      { model: expect.any(String), requests: 1, percentage: 50 },
      { model: expect.any(String), requests: 1, percentage: 50 },
    ],
  });
  const unbilled = await get<{ summary: object }>(path, python, server.adminKey);
  expect(unbilled.summary).toMatchObject({ current_balance: 0 });
});

test('JavaScript: usage as tokens used and left, by day', async () => {
  const { key: own } = await server.account({ plan: 'free', creditUsd: 1 });
  await post('/vectorize', { text: 'abcd' }, javascript, own);
  const counts = { tokensUsed: 4, tokensRemaining: 500_000_000 - 4, tokensLimit: 500_000_000 };
  const today = new Date().toISOString().slice(0, 10);
  expect(await get(`/usage?from=${today}`, javascript, own)).toMatchObject({
    ...counts,
    tokensPercentageUsed: expect.closeTo(8e-7, 10),
    usage: counts,
    dailyUsage: [{ date: today, tokensUsed: 4, requestCount: 1, modelUsage: { e5_small: 1 } }],
    period: { from: today, to: today },
  });
  expect(await get('/usage', javascript, server.adminKey)).toMatchObject({ tokensLimit: Number.MAX_SAFE_INTEGER });
});

test('others get the documented shapes', async () => {
  expect(await get('/models', {})).toMatchObject({ models: { e5_base: { price_per_1M_tokens: 0.003 } } });
  const answer = await post('/vectorize', { text: 'ab', model: 'e5_base' }, {});
  expect(answer).not.toHaveProperty('tokens');
});

async function post(path: string, body: object, headers: Record<string, string>, of = key): Promise<object> {
  const answer = await server.post(path, of, body, { headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as object;
}

async function get<T extends object>(path: string, headers: Record<string, string>, of = key): Promise<T> {
  const answer = await server.get(path, of, headers);
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
}
