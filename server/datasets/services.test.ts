// Vectors for datasets: metered in parts that are charged once, on a real engine, a real ledger and a stand-in model.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testFolder } from '../database/testing.ts';
import { type TestServer, startTestServer } from '../vectors/testing.ts';
import { checkModels, lendServices } from './services.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ data: await testFolder(), standIns: ['e5_small'] });
}, 60_000);

afterAll(() => server.close());

async function borrower({ creditUsd = 1, jobId = crypto.randomUUID() as string } = {}) {
  const { key } = await server.account({ plan: 'free', creditUsd });
  const caller = await server.keys.authenticate(key);
  if (!caller) throw new Error('no caller');
  const lent = () =>
    lendServices(
      { vectors: server.vectors, predictions: nobody },
      {
        caller,
        jobId,
        requestId: jobId,
        route: '/api/v2/process',
        signal: new AbortController().signal,
      },
    );
  const used = async () => {
    const { summary } = (await (await server.get('/usage', key)).json()) as {
      summary: { total_requests: number; total_tokens: number; current_balance: number };
    };
    return summary;
  };
  return { key, caller, lent, used };
}

const nobody = {
  rows: () => Promise.reject(new Error('not called')),
  find: () => Promise.reject(new Error('not called')),
};
const call = { operation: 0, part: 0 };

test('each text has the vector that /vectorize gives; nulls and blanks have none and cost nothing', async () => {
  const { key, lent, used } = await borrower();
  const texts = ['one text', null, ' \n ', 'another', 'one text'];
  const vectors = await lent().embed(texts, {}, call);
  expect(vectors.map(vector => vector?.length ?? null)).toEqual([384, null, null, 384, 384]);
  const { total_tokens: tokens } = await used();
  const { vector, usage } = (await (await server.post('/vectorize', key, { text: 'one text' })).json()) as {
    vector: number[];
    usage: { total_tokens: number };
  };
  for (const [at, value] of vector.entries()) expect(vectors[0]?.[at]).toBeCloseTo(value, 5);
  expect(vectors[4]).toEqual(vectors[0]);
  const { usage: ofOther } = (await (await server.post('/vectorize', key, { text: 'another' })).json()) as {
    usage: { total_tokens: number };
  };
  expect(tokens).toBe(2 * usage.total_tokens + ofOther.total_tokens);
});

test('a job that is done again is charged once for each part, also when the money is gone by then', async () => {
  const texts = Array.from({ length: 600 }, (_, index) => `row number ${index}`);
  const { lent, used } = await borrower();
  const first = await lent().embed(texts, {}, call);
  const once = await used();
  expect(once.total_requests).toBe(3);
  expect(await lent().embed(texts, {}, call)).toEqual(first);
  expect(await used()).toEqual(once);
  await lent().embed(texts.slice(0, 10), {}, { operation: 0, part: 1 });
  expect((await used()).total_requests).toBe(4);
  const cost = once.total_tokens * 0.002e-6;

  const poor = await borrower({ creditUsd: Number(cost.toFixed(12)) });
  const before = await poor.lent().embed(texts, {}, call);
  expect((await poor.used()).current_balance).toBe(0);
  expect(await poor.lent().embed(texts, {}, call)).toEqual(before);
});

test('without money it fails with the code of the API, and says so after tables have lost it', async () => {
  const { lent, used } = await borrower({ creditUsd: 0 });
  const services = lent();
  await expect(services.embed(['a text'], {}, call)).rejects.toMatchObject({ code: 'INSUFFICIENT_BALANCE' });
  expect(services.failure).toMatchObject({ code: 'INSUFFICIENT_BALANCE' });
  expect((await used()).total_requests).toBe(0);
});

test('chunks are exact substrings that cover the text', async () => {
  const { lent } = await borrower();
  const text = 'The first sentence is here. The second one follows it. And a third.';
  const [chunks, none] = await lent().chunk([text, null], { chunk_size: 30, chunk_overlap: 0 });
  expect(chunks?.length).toBeGreaterThan(1);
  expect(chunks?.join('')).toBe(text);
  expect(none).toEqual([]);
});

test('models are looked at before a job is made', async () => {
  const { caller } = await borrower();
  const checked = (params: Record<string, unknown>) =>
    checkModels([{ type: 'enrich', params }], server.vectors, caller);
  await checked({ op: 'embed_text', column: 'a' });
  await checked({ op: 'text_stats', column: 'a', model: 'no_such' });
  await expect(checked({ op: 'embed_text', model: 'no_such' })).rejects.toMatchObject({
    code: 'MODEL_NOT_FOUND',
    fields: { param: 'operations[0].params.model' },
  });
  await expect(checked({ op: 'embed_text', model: 'gte_base' })).rejects.toMatchObject({ code: 'MODEL_NOT_ALLOWED' });
  await expect(checked({ op: 'embed_text', chunk_size: 9999 })).rejects.toMatchObject({
    fields: { param: 'operations[0].params.chunk_size' },
  });
});
