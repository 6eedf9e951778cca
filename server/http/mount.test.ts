import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnswerOf, routes } from '@vectorium/contract';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ApiError, type App, type AppOptions, Raw, mount, mountProbes } from './index.ts';
import { type TestParts, type TestServer, openParts, sendRaw, startServer } from './testing.ts';

const answer: AnswerOf<typeof routes.vectorize> = {
  vector: [1],
  dimension: 1,
  chunks_processed: 1,
  chunking_method: 'sentence_aware',
  model: 'm',
  model_used: 'm',
  processing_time_ms: 1,
  usage: { prompt_tokens: 1, total_tokens: 1 },
};

let parts: TestParts;
beforeAll(async () => {
  parts = await openParts();
});
afterAll(() => parts.close());

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(routesOf: (app: App) => void, options: Partial<AppOptions> = {}): Promise<TestServer> {
  server = await startServer(parts, routesOf, options);
  return server;
}

test('the handler gets the checked body with its defaults, and its answer goes out as JSON', async () => {
  let got: unknown;
  const { post } = await start(app =>
    mount(app, routes.vectorize, ({ body }) => {
      got = body;
      return answer;
    }),
  );
  const response = await post('/vectorize', { text: 'a', chunk_overlap: null, more: 1 });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(await response.json()).toEqual(answer);
  expect(got).toEqual({
    text: 'a',
    normalize: true,
    encoding_format: 'float',
    chunk_overlap: 0.1,
    chunking_method: 'sentence_aware',
  });
});

test('401 without a key, with an unknown one and with an expired one', async () => {
  const { fetch, post } = await start(app => mount(app, routes.vectorize, () => answer));
  const expired = await parts.keys.make(parts.accountId, { name: 'old', expiresAt: new Date(Date.now() - 1000) });
  for (const [key, code] of [
    [null, 'MISSING_API_KEY'],
    ['sk-unknown', 'INVALID_API_KEY'],
    [expired?.secret, 'INVALID_API_KEY'],
  ] as const) {
    const response = await post('/vectorize', { text: 'a' }, { key: key ?? null });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.json()).toMatchObject({ code, type: 'authentication_error' });
  }
  const basic = await fetch('/vectorize', { method: 'POST', key: null, headers: { authorization: 'Basic abc' } });
  expect(await basic.json()).toMatchObject({ code: 'MISSING_API_KEY' });
});

test('403 without the scope, and on the routes of the administrator', async () => {
  const { fetch, post } = await start(app => {
    mount(app, routes.vectorize, () => answer);
    mount(app, routes.getHealth, () => ({
      status: 'healthy',
      uptime_seconds: 1,
      system: { cpu_percent: 0, memory_percent: 0, disk_percent: 0 },
      models_loaded: 0,
      last_model_load: null,
    }));
  });
  const scoped = await post('/vectorize', { text: 'a' }, { key: parts.key.usageOnly });
  expect([scoped.status, await scoped.json()]).toMatchObject([403, { code: 'SCOPE_NOT_ALLOWED' }]);
  const ordinary = await fetch('/health');
  expect([ordinary.status, await ordinary.json()]).toMatchObject([403, { code: 'ADMIN_REQUIRED' }]);
  expect((await fetch('/health', { key: parts.key.admin })).status).toBe(200);
});

test('every answer tells the counters, and the 429 is as documented', async () => {
  const { post: postAs } = await start(app => {
    mount(app, routes.vectorize, () => answer);
    mount(app, routes.embeddings, () => ({ object: 'list' as const, data: [], model: 'm', usage: answer.usage }));
  });
  const { accounts, keys } = parts;
  const limits = { vectors: { minute: 2, hour: 1 } };
  const account = await accounts.create({ email: 'limited@example.com', plan: 'enterprise', limits });
  const key = (await keys.make(account.id, { name: 'limited' }))?.secret ?? '';
  const post = (path: string, body: object) => postAs(path, body, { key });
  const first = await post('/vectorize', { text: 'a' });
  expect(first.status).toBe(200);
  expect(first.headers.get('ratelimit-policy')).toBe('"minute";q=2;w=60, "hour";q=1;w=3600');
  expect(first.headers.get('ratelimit')).toMatch(/^"minute";r=1;t=(60|59), "hour";r=0;t=(3600|3599)$/);
  expect(first.headers.get('x-ratelimit-limit-requests')).toBe('1');
  expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('0');
  expect(first.headers.get('x-ratelimit-reset-requests')).toMatch(/^(3600|3599)s$/);
  const refused = await post('/vectorize', { text: 'a' });
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toMatch(/^(3600|3599)$/);
  expect(refused.headers.get('ratelimit')).toContain('"hour";r=0;');
  const body = (await refused.json()) as Record<string, unknown>;
  expect(body).toMatchObject({ detail: 'Rate limit exceeded', limit: 1, code: 'RATE_LIMIT_EXCEEDED' });
  expect(body['retry_after']).toBe(Number(refused.headers.get('retry-after')));
  expect(body['reset_time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const openai = await post('/v1/embeddings', { input: 'a' });
  expect(openai.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await openai.json()).toMatchObject({
    error: { type: 'rate_limit_error', code: 'rate_limit_exceeded', param: null },
  });
});

test("a wrong body is 422 natively and 400 in OpenAI's dialect", async () => {
  const { post } = await start(app => {
    mount(app, routes.vectorize, () => answer);
    mount(app, routes.embeddings, () => ({ object: 'list' as const, data: [], model: 'm', usage: answer.usage }));
  });
  const native = await post('/vectorize', {});
  expect(native.status).toBe(422);
  expect(await native.json()).toMatchObject({
    detail: 'text is required',
    type: 'validation_error',
    code: 'VALIDATION_ERROR',
    errors: [{ path: 'text', message: 'text is required' }],
  });
  const openai = await post('/v1/embeddings', {});
  expect(openai.status).toBe(400);
  expect(await openai.json()).toMatchObject({
    error: { message: 'input is required', type: 'invalid_request_error', param: 'input', code: 'validation_error' },
  });
});

test('what a handler throws is told by its code; anything else says nothing of the inside and is in the log', async () => {
  const { log, post } = await start(app => {
    mount(app, routes.vectorize, () => {
      throw new ApiError('INSUFFICIENT_BALANCE', { message: 'Not enough', details: { balance: 0.5, required: 1 } });
    });
    mount(app, routes.similarity, () => {
      throw new ApiError('QUEUE_FULL', { message: 'Busy', retryAfterSeconds: 3.2 });
    });
    mount(app, routes.tokenize, () => {
      throw Object.assign(new Error('select * from secrets'), { parameters: ['the text'] });
    });
  });
  const poor = await post('/vectorize', { text: 'a' });
  expect([poor.status, await poor.json()]).toMatchObject([
    402,
    { code: 'INSUFFICIENT_BALANCE', balance: 0.5, required: 1 },
  ]);
  const busy = await post('/similarity', { text1: 'a', text2: 'b' });
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '4']);
  const broken = await post('/tokenize', { text: 'a' }, { headers: { 'x-request-id': 'mine-1' } });
  expect(broken.status).toBe(500);
  expect(await broken.json()).toMatchObject({
    detail: 'Something failed inside the server',
    code: 'INTERNAL_ERROR',
    request_id: 'mine-1',
  });
  expect(log).toContainEqual(
    expect.objectContaining({
      request_id: 'mine-1',
      err: expect.objectContaining({ message: 'select * from secrets' }),
    }),
  );
  expect(JSON.stringify(log)).not.toContain('the text');
});

test('a sane x-request-id is kept, another is replaced, on every kind of answer', async () => {
  const { fetch, url } = await start(app => mountProbes(app, () => ({ status: 'ready' })));
  for (const path of ['/livez', '/readyz', '/nothing', '/%zz']) {
    const kept = await fetch(path, { headers: { 'x-request-id': 'abc-123' } });
    expect(kept.headers.get('x-request-id')).toBe('abc-123');
    const made = await fetch(path, { headers: { 'x-request-id': 'a"<b>' } });
    expect(made.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
    expect(made.headers.get('x-content-type-options')).toBe('nosniff');
    expect(made.headers.get('content-security-policy')).toContain("default-src 'none'");
  }
  expect(await sendRaw(url, ['nonsense\r\n\r\n'])).toMatch(
    /^HTTP\/1.1 400 [^]*x-request-id: req_[^]*"code":"BAD_REQUEST"/,
  );
});

test('404 for an unknown address, 405 with Allow for another method, in the dialect of the address', async () => {
  const { fetch } = await start(app =>
    mount(app, routes.getOpenAIModel, () => ({
      id: 'm',
      object: 'model' as const,
      created: 0,
      owned_by: '',
      kind: 'encoder' as const,
    })),
  );
  expect(await (await fetch('/nothing')).json()).toMatchObject({
    detail: 'Nothing is at this address',
    code: 'NOT_FOUND',
  });
  expect(await (await fetch('/v1/nothing')).json()).toMatchObject({ error: { code: 'not_found' } });
  const wrong = await fetch('/v1/models/x', { method: 'DELETE' });
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET']);
  expect((await fetch('/v1/models/x', { method: 'HEAD' })).status).toBe(200);
  expect((await fetch('/v1/models/x/')).status).toBe(200);
});

test('aliases are the same route', async () => {
  const { post } = await start(app => mount(app, routes.vectorizeBatch, () => new Raw('[]')));
  expect((await post('/vectorize-batch', { texts: ['a'] })).status).toBe(200);
});

test('large answers are compressed when asked, also streams; small ones are not', async () => {
  const text = 'word '.repeat(5000);
  const { fetch } = await start(app => {
    mount(app, routes.getDocs, () => new Raw(text, 'text/plain'));
    mount(app, routes.getOpenApi, () => new Raw(Readable.from([Buffer.from(text)]), 'text/plain'));
    mountProbes(app, () => ({ status: 'ready' }));
  });
  for (const encoding of ['gzip', 'br']) {
    for (const path of ['/docs', '/openapi.json']) {
      const response = await fetch(path, { headers: { 'accept-encoding': encoding } });
      expect(response.headers.get('content-encoding')).toBe(encoding);
      expect(await response.text()).toBe(text);
    }
  }
  const plain = await fetch('/docs', { headers: { 'accept-encoding': 'identity' } });
  expect(plain.headers.get('content-encoding')).toBeNull();
  const small = await fetch('/livez', { headers: { 'accept-encoding': 'gzip' } });
  expect(small.headers.get('content-encoding')).toBeNull();
});

test.each([
  { what: 'the signal', error: (signal: AbortSignal): unknown => signal.reason },
  { what: 'what was cancelled', error: () => Object.assign(new Error('The job was cancelled'), { code: 'CANCELLED' }) },
])('the signal is aborted when the client leaves, and the log says 499: $what', async ({ error }) => {
  const aborted = Promise.withResolvers<void>();
  const { log, url } = await start(app =>
    mount(app, routes.vectorize, async ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve());
      await aborted.promise;
      throw error(signal);
    }),
  );
  const body = '{"text":"a"}';
  const head = `POST /vectorize HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${parts.key.ordinary}\r\ncontent-length: ${body.length}\r\n\r\n`;
  await sendRaw(url, [head + body], { hangUp: true });
  await aborted.promise;
  await sleep(50);
  expect(log.filter(each => each['msg'] === 'request').map(each => each['status'])).toEqual([499]);
});

test('a body that stops arriving is given up with 408, and one that is cut off is no error of the server', async () => {
  const { log, url } = await start(app => mount(app, routes.vectorize, () => answer), {
    bodyBounds: { idleMs: 100 },
  });
  const head = `POST /vectorize HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${parts.key.ordinary}\r\ncontent-length: 50\r\n\r\n{"text"`;
  expect(await sendRaw(url, [head])).toMatch(/^HTTP\/1.1 408 /);
  await sendRaw(url, [head], { hangUp: true });
  await sleep(50);
  expect(log.map(each => each['status']).filter(status => Number(status) >= 500)).toEqual([]);
});

test('the log has one line a request, without texts and keys', async () => {
  const { log, post } = await start(app => mount(app, routes.vectorize, () => answer));
  await post('/vectorize?secret=1', { text: 'very private' });
  await sleep(20);
  const lines = log.filter(each => each['msg'] === 'request');
  expect(lines).toMatchObject([{ method: 'POST', route: '/vectorize', status: 200, account_id: parts.accountId }]);
  expect(lines[0]).toHaveProperty('duration_ms');
  expect(JSON.stringify(log)).not.toMatch(/private|sk-|secret/);
});

test('browsers may call only from the configured origins', async () => {
  const closed = await start(app => mountProbes(app, () => ({ status: 'ready' })));
  const origin = { origin: 'https://page.example' };
  expect((await closed.fetch('/livez', { headers: origin })).headers.get('access-control-allow-origin')).toBeNull();
  await closed.close();
  const open = await start(app => mountProbes(app, () => ({ status: 'ready' })), {
    corsOrigins: ['https://page.example'],
  });
  const allowed = await open.fetch('/livez', { headers: origin });
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://page.example');
  expect(allowed.headers.get('access-control-expose-headers')).toContain('x-request-id');
  const preflight = await open.fetch('/vectorize', {
    method: 'OPTIONS',
    key: null,
    headers: { ...origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  });
  expect(preflight.status).toBe(204);
  const other = await open.fetch('/livez', { headers: { origin: 'https://other.example' } });
  expect(other.headers.get('access-control-allow-origin')).not.toBe('https://other.example');
});

test('closing finishes what is in flight and takes nothing new', async () => {
  const { app, url, post } = await start(each =>
    mount(each, routes.vectorize, async () => {
      await sleep(300);
      return answer;
    }),
  );
  const running = post('/vectorize', { text: 'a' });
  await sleep(100);
  const startedAt = performance.now();
  const closed = app.close();
  await sleep(50);
  const refused = request(url);
  refused.end();
  const [error] = (await once(refused, 'error')) as [Error & { code?: string }];
  expect(error.code).toMatch(/ECONNREFUSED|ECONNRESET/);
  expect((await running).status).toBe(200);
  await closed;
  expect(performance.now() - startedAt).toBeLessThan(5000);
});

test('closing does not wait for a connection that a client opened in advance', async () => {
  const { app, url } = await start(each => mount(each, routes.vectorize, () => answer));
  const unused = connect(Number(new URL(url).port), '127.0.0.1');
  await once(unused, 'connect');
  const left = once(unused.resume(), 'close');
  await Promise.race([app.close(), sleep(5000).then(() => Promise.reject(new Error('it waits')))]);
  await left;
});

test('/readyz is 503 while the server cannot take work', async () => {
  const { fetch } = await start(app =>
    mountProbes(app, () => ({ status: 'starting', models: { e5_small: 'pulling' } })),
  );
  const response = await fetch('/readyz', { key: null });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('5');
  expect(await response.json()).toEqual({ status: 'starting', models: { e5_small: 'pulling' } });
});
