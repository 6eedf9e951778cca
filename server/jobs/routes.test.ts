// The routes about jobs and webhooks, over HTTP.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Webhook } from 'standardwebhooks';
import { routes } from '@vectorium/contract';
import type { Database } from '../database/index.ts';
import { mount } from '../http/index.ts';
import { openParts, startServer, type TestParts, type TestServer } from '../http/testing.ts';
import { answerWithEvents } from './event-answers.ts';
import { createJobs, type ServedJobs } from './jobs.ts';
import { mountJobRoutes } from './routes.ts';
import { mountWebhookRoutes } from './webhook-routes.ts';
import { createWebhooks, type Webhooks } from './webhooks.ts';

type Json = Record<string, unknown>;

let parts: TestParts;
let server: TestServer;
let jobs: ServedJobs;
let webhooks: Webhooks;
let stranger: string;
let statements = 0;
const gates = new Map<string, PromiseWithResolvers<void>>();

beforeAll(async () => {
  parts = await openParts();
  const { database, accounts, keys } = parts;
  webhooks = createWebhooks({ database, targets: 'loopback', delaysSeconds: [0.05, 0.05, 0.05], timeoutMs: 500 });
  const counted: Database = { ...database, query: (sql, values) => ((statements += 1), database.query(sql, values)) };
  jobs = await createJobs({
    database: counted,
    jobsAtOnce: async () => null,
    mostAtOnce: 20,
    ended: () => webhooks.wake(),
  });
  jobs.handle('gated', async ({ id, event, signal }) => {
    event('begun', { text: 'a\nb' });
    const gate = gates.get(id) ?? Promise.withResolvers<void>();
    gates.set(id, gate);
    signal.addEventListener('abort', () => gate.reject(signal.reason));
    await gate.promise;
    return { rows: 3 };
  });
  await jobs.start();
  const { id } = await accounts.create({ email: 'stranger@example.com', plan: 'enterprise' });
  stranger = (await keys.make(id, { name: 'key' }))?.secret ?? '';
  server = await startServer(parts, app => {
    mountJobRoutes(app, jobs);
    mountWebhookRoutes(app, webhooks);
  });
});
afterAll(async () => {
  await server.close();
  await webhooks.close();
  await jobs.close();
  await parts.close();
});

async function begin(): Promise<{ id: string; finish: () => void }> {
  const { id } = await jobs.enqueue({ accountId: parts.accountId, keyId: 'key', kind: 'gated', input: null });
  for (let tries = 0; !gates.has(id) && tries < 1000; tries++) await sleep(5);
  return { id, finish: () => gates.get(id)?.resolve() };
}

async function get(path: string, headers: Record<string, string> = {}, key?: string) {
  const response = await server.fetch(path, { headers, ...(key && { key }) });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Json };
}

test.each([
  ['GET', '/api/v2/jobs'],
  ['GET', '/v2/jobs/job_1'],
  ['GET', '/v2/jobs/job_1/events'],
  ['POST', '/v2/jobs/job_1/cancel'],
  ['GET', '/v2/webhook'],
  ['PUT', '/v2/webhook'],
  ['DELETE', '/v2/webhook'],
])('%s %s is refused to a key without the scope of data', async (method, path) => {
  const response = await server.fetch(path, {
    method,
    key: parts.key.usageOnly,
    ...(method === 'PUT' && {
      body: JSON.stringify({ url: 'http://127.0.0.1:9/' }),
      headers: { 'content-type': 'application/json' },
    }),
  });
  expect([response.status, await response.json()]).toMatchObject([403, { code: 'SCOPE_NOT_ALLOWED' }]);
});

test('a job is shown while it runs and when it has ended, at both paths, to its account alone', async () => {
  const { id, finish } = await begin();
  for (const path of [`/api/v2/jobs/${id}`, `/v2/jobs/${id}`]) {
    const { status, body } = await get(path);
    expect([status, body]).toEqual([
      200,
      {
        job_id: id,
        kind: 'gated',
        status: 'running',
        progress: 0,
        created_at: expect.any(String),
        started_at: expect.any(String),
        finished_at: null,
      },
    ]);
    for (const suffix of ['', '/events']) {
      const other = await get(path + suffix, {}, stranger);
      expect([other.status, other.body['code']]).toEqual([404, 'JOB_NOT_FOUND']);
    }
  }
  expect((await server.post(`/v2/jobs/${id}/cancel`, '', { key: stranger })).status).toBe(404);
  finish();
  const { headers, body } = await get(`/v2/jobs/${id}`, { prefer: 'respond-async, wait=20' });
  expect(headers.get('preference-applied')).toBe('wait=20');
  expect(body).toMatchObject({ status: 'succeeded', progress: 1, result: { rows: 3 } });
  expect(body).not.toHaveProperty('error');
});

test('Prefer: wait holds the answer no longer than it says, and 60 seconds at most', async () => {
  const { id, finish } = await begin();
  const from = performance.now();
  const { headers, body } = await get(`/v2/jobs/${id}`, { prefer: 'wait=1' });
  expect(performance.now() - from).toBeGreaterThan(900);
  expect([headers.get('preference-applied'), body['status']]).toEqual(['wait=1', 'running']);
  const long = get(`/v2/jobs/${id}`, { prefer: 'Wait="999999"' });
  finish();
  expect((await long).headers.get('preference-applied')).toBe('wait=60');
  expect((await get(`/v2/jobs/${id}`, { prefer: 'wait=soon' })).headers.get('preference-applied')).toBeNull();
});

test('jobs are listed newest first in pages, by status and kind', async () => {
  const made = [await begin(), await begin(), await begin()];
  const ids = made.map(({ id }) => id).toReversed();
  const first = await get('/api/v2/jobs?limit=2');
  expect((first.body['data'] as Json[]).map(job => job['job_id'])).toEqual(ids.slice(0, 2));
  expect(first.body['has_more']).toBe(true);
  const next = await get(`/api/v2/jobs?limit=1&after=${ids[1]}&status=running&kind=gated`);
  expect((next.body['data'] as Json[]).map(job => job['job_id'])).toEqual(ids.slice(2));
  expect((await get('/api/v2/jobs?kind=other')).body).toEqual({ data: [], has_more: false });
  expect((await get('/api/v2/jobs?status=strange')).status).toBe(400);
  expect((await get('/api/v2/jobs', {}, stranger)).body['data']).toEqual([]);
  for (const { finish } of made) finish();
});

test('events come as they happen and go on after Last-Event-ID; after the end there are none', async () => {
  const { id, finish } = await begin();
  const response = await server.fetch(`/api/v2/jobs/${id}/events`);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('begun')) text += (await reader?.read())?.value ?? '';
  finish();
  for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) text += piece.value;
  expect(text).toBe(
    'retry: 2000\n\n' +
      'id: 1\nevent: status\ndata: {"status":"running"}\n\n' +
      'id: 2\nevent: begun\ndata: {"text":"a\\nb"}\n\n' +
      'id: 3\nevent: status\ndata: {"status":"succeeded"}\n\n',
  );
  const rest = await server.fetch(`/v2/jobs/${id}/events`, { headers: { 'last-event-id': '2' } });
  expect(await rest.text()).toBe('retry: 2000\n\nid: 3\nevent: status\ndata: {"status":"succeeded"}\n\n');
  const none = await server.fetch(`/v2/jobs/${id}/events`, { headers: { 'last-event-id': '3' } });
  expect([none.status, await none.text()]).toEqual([204, '']);
  const wrong = await get(`/v2/jobs/${id}/events`, { 'last-event-id': 'x' });
  expect([wrong.status, wrong.body['param']]).toEqual([400, undefined]);
  const { body } = await get(`/v2/jobs/${id}/events?after=1&limit=1`, { accept: 'application/json' });
  expect(body).toEqual({
    data: [{ id: 2, event: 'begun', data: { text: 'a\nb' }, created_at: expect.any(String) }],
    has_more: true,
  });
});

test('hundreds of followers of a job read the database no more than one does', async () => {
  const alone = await queriesOf(1);
  expect(await queriesOf(300)).toBeLessThanOrEqual(alone + 2);
});

/** Statements between the end of a job and the moment that all its followers know. */
async function queriesOf(followers: number): Promise<number> {
  const { id, finish } = await begin();
  const job = await jobs.get(parts.accountId, id);
  if (!job) throw new Error('no job');
  const signal = AbortSignal.timeout(20_000);
  const all = Array.from({ length: followers }, () => Array.fromAsync(jobs.follow(job, 2, signal)));
  await sleep(400);
  statements = 0;
  finish();
  for (const events of await Promise.all(all)) expect(events.flat()).toHaveLength(1);
  return statements;
}

test('a stream ends when its key is revoked, though its job goes on', async () => {
  const { id, finish } = await begin();
  const own = await parts.keys.make(parts.accountId, { name: 'reader' });
  const short = await startServer(parts, app => {
    mount(app, routes.getJobEvents, async ({ caller, params, query, headers, signal, reply, admitted }) => {
      const job = await jobs.get(caller.account.id, params.id);
      if (!job) throw new Error('no job');
      return answerWithEvents(jobs, { query, headers, signal, reply, admitted }, job, 50);
    });
  });
  const response = await short.fetch(`/api/v2/jobs/${id}/events`, { key: own?.secret ?? '' });
  let text = '';
  let revoked = false;
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    if (!text.includes('event: begun') || text.split(': still here').length < 3 || revoked) continue;
    revoked = true;
    await parts.keys.revoke(own?.key.id ?? '');
  }
  expect(text).toContain('event: begun');
  expect((await get(`/v2/jobs/${id}`)).body).toMatchObject({ status: 'running' });
  finish();
  await short.close();
});

test('a cancel answers with the job as it then is', async () => {
  const { id } = await begin();
  const response = await server.post(`/api/v2/jobs/${id}/cancel`, '');
  expect([response.status, await response.json()]).toMatchObject([200, { job_id: id, status: 'cancelled' }]);
  expect((await server.post('/api/v2/jobs/job_0/cancel', '')).status).toBe(404);
});

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver that answers with these statuses, then with 200. */
async function receiver(statuses: number[] = []) {
  const received: Received[] = [];
  const http = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', piece => (body += piece));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 200, { location: 'http://127.0.0.1:1/' }).end('thanks');
    });
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const arrived = async (count: number) => {
    for (let tries = 0; received.length < count && tries < 1000; tries++) await sleep(5);
    return received;
  };
  return { url: `http://127.0.0.1:${port}/hook`, arrived, close: () => http.close() };
}

async function setWebhook(url: string) {
  const response = await server.fetch('/api/v2/webhook', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url }),
  });
  return { status: response.status, body: (await response.json()) as Json };
}

test('a webhook is told of an event that is no job, signed and as it was written', async () => {
  const hook = await receiver([503]);
  const { body: made } = await setWebhook(hook.url);
  const event = { type: 'budget.alert', timestamp: '2026-01-31T00:00:00.000Z', data: { percent: 80 } };
  await parts.database.query(
    `INSERT INTO webhook_deliveries (id, account_id, event, next_at) VALUES ('msg_1', $1, $2::json, $3)`,
    [parts.accountId, JSON.stringify(event), new Date()],
  );
  webhooks.wake();
  const received = await hook.arrived(2);
  for (const { body, headers } of received) {
    expect(headers['webhook-id']).toBe('msg_1');
    expect(new Webhook(String(made['secret'])).verify(body, headers as Record<string, string>)).toEqual(event);
  }
  await expect.poll(() => parts.database.query('SELECT 1 FROM webhook_deliveries')).toEqual([]);
  await server.fetch('/v2/webhook', { method: 'DELETE' });
  hook.close();
});

test('a webhook is told of the end, signed, again with the same id until it takes it, and redirects are not followed', async () => {
  const hook = await receiver([500, 302]);
  const { status, body: made } = await setWebhook(hook.url);
  expect(status).toBe(200);
  expect((await get('/v2/webhook')).body).toEqual({ url: hook.url, created_at: made['created_at'] });
  const { id, finish } = await begin();
  finish();
  const received = await hook.arrived(3);
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  for (const { body, headers } of received) {
    const told = new Webhook(String(made['secret'])).verify(body, headers as Record<string, string>);
    expect(told).toMatchObject({
      type: 'job.succeeded',
      timestamp: expect.any(String),
      data: { job_id: id, status: 'succeeded', result: { rows: 3 } },
    });
  }
  await sleep(200);
  expect(received).toHaveLength(3);
  expect(await parts.database.query('SELECT 1 FROM webhook_deliveries')).toEqual([]);

  const other = await begin();
  await server.post(`/v2/jobs/${other.id}/cancel`, '');
  expect((await hook.arrived(4))[3]?.body).toContain('"type":"job.cancelled"');
  expect(await (await server.fetch('/v2/webhook', { method: 'DELETE' })).json()).toEqual({ deleted: true });
  expect((await get('/v2/webhook')).status).toBe(404);
  hook.close();
});

test('what was to be told survives a restart, and is given up after the last try', async () => {
  const hook = await receiver([500, 500, 500, 500]);
  await setWebhook(hook.url);
  await webhooks.close();
  const { id, finish } = await begin();
  finish();
  await jobs.wait(parts.accountId, id, { seconds: 5 });
  expect(await parts.database.query('SELECT tries FROM webhook_deliveries')).toEqual([{ tries: 0 }]);
  const lines: string[] = [];
  webhooks = createWebhooks({
    database: parts.database,
    targets: 'loopback',
    delaysSeconds: [0.05, 0.05],
    log: (event, fields) => lines.push(`${event} ${JSON.stringify(fields)}`),
  });
  expect(await hook.arrived(3)).toHaveLength(3);
  await sleep(300);
  expect(await hook.arrived(3)).toHaveLength(3);
  expect(lines.filter(line => line.includes('"last":true'))).toHaveLength(1);
  expect(await parts.database.query('SELECT 1 FROM webhook_deliveries')).toEqual([]);
  hook.close();
});

test.each([
  ['not an address', 'must be an https address'],
  ['ftp://example.com/', 'must be an https address'],
  ['http://example.com/', 'must be an https address'],
  ['https://user:secret@example.com/', 'user name'],
  ['https://10.0.0.1/', 'not public'],
  ['https://169.254.169.254/latest/meta-data', 'not public'],
  ['https://[fd00::1]/', 'not public'],
  ['https://[::ffff:10.0.0.1]/', 'not public'],
  ['https://0/', 'not public'],
  ['https://2130706433.example.invalid:443/', null],
])('the webhook address %s is judged', async (url, why) => {
  const { status, body } = await setWebhook(url);
  if (why === null) expect(status).toBe(200);
  else expect([status, body['detail']]).toEqual([400, expect.stringContaining(why)]);
});

test('a server that stops does not wait for those who follow or wait for a job', async () => {
  const { id } = await begin();
  const [events, waiting] = [
    server.fetch(`/v2/jobs/${id}/events`).then(response => response.text()),
    get(`/v2/jobs/${id}`, { prefer: 'wait=50' }),
  ];
  await sleep(300);
  const from = performance.now();
  await server.app.close(20_000);
  expect((await waiting).body['status']).toBe('running');
  expect(await events).toContain('begun');
  expect(performance.now() - from).toBeLessThan(5000);
});
