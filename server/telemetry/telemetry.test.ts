import { afterAll, beforeAll, expect, test } from 'vitest';
import { testFolder } from '../database/testing.ts';
import { type TestServer, startTestServer } from '../vectors/testing.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ data: await testFolder(), standIns: ['e5_small'] });
});
afterAll(() => server.close());

test('health before and after the first model was loaded', async () => {
  const percent = expect.toSatisfy((value: number) => value >= 0 && value <= 100);
  expect(await json('/health')).toEqual({
    status: 'healthy',
    uptime_seconds: expect.any(Number),
    system: { cpu_percent: percent, memory_percent: percent, disk_percent: percent },
    models_loaded: 0,
    last_model_load: null,
  });
  await embed('a');
  const after = await json('/health');
  expect(after).toMatchObject({ models_loaded: 1 });
  expect(Date.parse(after['last_model_load'] as string)).toBeGreaterThan(Date.now() - 60_000);
});

test('metrics as JSON count durable requests by model', async () => {
  const before = await json('/metrics');
  await embed('b');
  await embed('c');
  const { requests, models, system } = await json('/metrics');
  const total = (before['requests'] as { total: number }).total + 2;
  expect(requests).toMatchObject({ total, last_24h: total, average_response_time_ms: expect.any(Number) });
  expect(models).toEqual({ e5_small: { requests: total, avg_latency_ms: expect.any(Number) } });
  expect(system).toMatchObject({
    cpu_cores: expect.any(Number),
    memory_total_gb: expect.any(Number),
    memory_available_gb: expect.any(Number),
  });
});

test('metrics as Prometheus text, every sample of a declared family', async () => {
  await embed('d');
  const answer = await server.get('/metrics', server.adminKey, {
    accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  });
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  const declared = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
  for (const line of text
    .trim()
    .split('\n')
    .filter(each => !each.startsWith('#'))) {
    const [, name = '', value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    expect(declared.has(name) || declared.has(name.replace(/_(bucket|sum|count)$/, '')), line).toBe(true);
    expect(Number.isFinite(Number(value)), line).toBe(true);
  }
  expect(text).toMatch(/^vectorium_http_requests_total\{route="\/vectorize",method="POST",status="200"\} \d+$/m);
  expect(text).toMatch(/^vectorium_vectors_duration_seconds_count\{route="\/vectorize",model="e5_small"\} \d+$/m);
  expect(text).toMatch(/^vectorium_tokens_total\{model="e5_small"\} \d+$/m);
  expect(text).toMatch(/^vectorium_model_loaded\{model="e5_small@\w+"\} 1$/m);
  expect(text).toMatch(/^vectorium_queue_tokens\{model="e5_small@\w+"\} 0$/m);
  expect(text).toMatch(/^vectorium_event_loop_lag_seconds\{stat="p99"\} /m);
});

test('an address that a caller makes up does not become a label', async () => {
  await server.get('/made-up-by-a-caller', server.adminKey);
  const answer = await server.get('/metrics', server.adminKey, { accept: 'text/plain' });
  expect(await answer.text()).not.toContain('made-up');
});

test('both are the administrator’s', async () => {
  const { key } = await server.account({ plan: 'pro' });
  for (const path of ['/health', '/metrics']) expect((await server.get(path, key)).status).toBe(403);
});

async function json(path: string): Promise<Record<string, unknown>> {
  const answer = await server.get(path, server.adminKey);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

async function embed(text: string): Promise<void> {
  const answer = await server.post('/vectorize', server.adminKey, { text, model: 'e5_small' });
  expect(answer.status).toBe(200);
}
