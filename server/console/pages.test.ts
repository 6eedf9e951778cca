import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestParts, type TestServer, openParts, startServer } from '../http/testing.ts';
import { mountConsole } from './pages.ts';

const script = `export const numbers = [${Array.from({ length: 2000 }, (_, index) => index).join(',')}];`;
let parts: TestParts;
let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-console-'));
  await mkdir(join(folder, 'console', 'assets'), { recursive: true });
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Console</title>');
  await writeFile(join(folder, 'console', 'assets', 'main-a1b2.js'), script);
  await writeFile(join(folder, '.sources'), 'not for the public');
  parts = await openParts();
  server = await startServer(parts, app => mountConsole(app, folder));
});
afterAll(async () => {
  await server.close();
  await parts.close();
  await rm(folder, { recursive: true });
});

test.each(['/', '/console', '/console/datasets/ds_1?tab=rows', '/console/sign-in'])(
  '%s is the page, under a strict policy',
  async path => {
    const answer = await server.fetch(path, { key: null });
    expect([answer.status, await answer.text()]).toEqual([200, '<!doctype html><title>Console</title>']);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(answer.headers.get('cache-control')).toBe('no-cache');
  },
);

test('an asset is packed, and kept by browsers for ever', async () => {
  for (const packing of ['br', 'gzip', null]) {
    const headers = { 'accept-encoding': packing ?? 'identity' };
    const answer = await server.fetch('/console/assets/main-a1b2.js', { key: null, headers });
    expect(answer.headers.get('content-encoding')).toBe(packing);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await answer.text()).toBe(script);
  }
});

test.each([
  '/console/assets/gone-0000.js',
  '/console/api/nothing',
  '/console/auth/nothing',
  '/nothing',
  '/v1/nothing',
  '/.sources',
])('%s is no page but a 404', async path => {
  const answer = await server.fetch(path, { key: null, headers: { accept: 'text/html' } });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/json; charset=utf-8']);
});

test.each(['/console/../package.json', '/console/%2e%2e/%2e%2e/package.json', '/console/assets/..%2f..%2f.sources'])(
  '%s leads to no file outside',
  async path => {
    expect(await (await server.fetch(path, { key: null })).text()).not.toMatch(/not for the public|"vectorium"/);
  },
);
