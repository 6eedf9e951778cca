import { afterAll, beforeAll, expect, test } from 'vitest';
import { mountReference } from './index.ts';
import { type TestParts, type TestServer, openParts, startServer } from './testing.ts';

let parts: TestParts;
let server: TestServer;
beforeAll(async () => {
  parts = await openParts();
  server = await startServer(parts, app => mountReference(app, { version: '1.2.3' }));
});
afterAll(async () => {
  await server.close();
  await parts.close();
});

test('/openapi.json is the document, for everybody', async () => {
  const response = await server.fetch('/openapi.json', { key: null });
  expect(response.headers.get('content-type')).toContain('application/json');
  expect(await response.json()).toMatchObject({
    openapi: '3.1.0',
    info: { version: '1.2.3' },
    paths: { '/vectorize': {} },
  });
});

test('/docs loads nothing from elsewhere and has no inline script', async () => {
  const response = await server.fetch('/docs', { key: null });
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self';");
  expect(policy.replaceAll(/style-src-attr [^;]*/g, '')).not.toMatch(/unsafe|https?:|\*/);
  const page = await response.text();
  expect(page).not.toMatch(/<script(?![^>]* src="\/)|<style|\son\w+=|https?:\/\//);
  const scripts = [...page.matchAll(/src="([^"]+)"/g)].map(match => match[1] ?? '');
  expect(scripts).toHaveLength(3);
  for (const script of scripts) {
    const loaded = await server.fetch(script, { key: null });
    expect([script, loaded.status, loaded.headers.get('content-type')]).toEqual([
      script,
      200,
      'text/javascript; charset=utf-8',
    ]);
    expect((await loaded.text()).length).toBeGreaterThan(100);
  }
});

test('the nonce of the page is the one of its policy, and another each time', async () => {
  const nonces = [];
  for (let time = 0; time < 2; time++) {
    const response = await server.fetch('/docs', { key: null });
    const nonce = /nonce-([\w+/=]+)/.exec(response.headers.get('content-security-policy') ?? '')?.[1] ?? '?';
    expect(await response.text()).toContain(`content="${nonce}"`);
    nonces.push(nonce);
  }
  expect(nonces[0]).not.toBe(nonces[1]);
});
