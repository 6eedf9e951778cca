// The server over time, over real HTTP and PGlite: counted as it was, and still there after a restart.
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestParts, type TestServer, openParts, startServer } from '../http/testing.ts';
import { ApiError, mount } from '../http/index.ts';
import { type Series, type SeriesOptions, createSeries } from './series.ts';

let parts: TestParts;
let server: TestServer;
let series: Series;
let nowMs = Date.parse('2026-01-31T12:00:00Z');
let tokens = 0;
const engine = {
  status: () => ({ models: [{ tokens, queuedTokens: 3 }], residentBytes: 7 }),
} as unknown as SeriesOptions['engine'];
const machine = { cpuPercent: () => 50, memory: () => ({ totalBytes: 100, availableBytes: 75 }) };
const start = () => createSeries({ engine, machine, database: parts.database, now: () => nowMs });
beforeAll(async () => {
  parts = await openParts();
  series = await start();
  server = await startServer(parts, app => {
    series.watch(app);
    mount(app, routes.getWebhook, ({ headers }) => {
      if (headers['x-fail']) throw new ApiError('INTERNAL_ERROR', { message: 'x' });
      return { url: '', created_at: '' };
    });
  });
});
afterAll(async () => {
  await series.close();
  await server.close();
  await parts.close();
});

async function pass(seconds: number): Promise<void> {
  for (let at = 0; at < seconds; at += 10) {
    nowMs += 10_000;
    await series.take();
  }
}

test('requests, errors, latency and tokens of an interval are its point', async () => {
  for (let times = 0; times < 4; times++) await server.fetch('/api/v2/webhook');
  await server.fetch('/api/v2/webhook', { headers: { 'x-fail': '1' } });
  tokens = 40;
  await pass(10);
  const [point] = series.points(60);
  expect(point).toMatchObject({ seconds: 10, requests: 5, errors: 1, tokens: 40, queuedTokens: 3, residentBytes: 7 });
  expect(point).toMatchObject({ cpuPercent: 50, memoryPercent: 25 });
  expect(point?.p99Ms).toBeGreaterThanOrEqual(point?.p50Ms ?? Infinity);
});

test('a start has the minutes of before, of all processes together, for a day', async () => {
  await pass(50);
  const other = await start();
  expect(other.points(60)).toMatchObject([{ seconds: 60, requests: 5, errors: 1, tokens: 40, cpuPercent: 50 }]);
  for (let at = 0; at < 6; at++) await other.take();
  await other.close();
  const third = await start();
  expect(third.points(60)).toMatchObject([{ seconds: 60, requests: 5, queuedTokens: 6, residentBytes: 14 }]);
  await pass(60);
  expect((await start()).points(60)).toHaveLength(2);
  nowMs += 86_400_000;
  expect((await start()).points(1440)).toEqual([]);
});
