import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SampleRequest, sample } from './samples.ts';

const seen: {
  method?: string | undefined;
  url?: string | undefined;
  authorization?: string | undefined;
  type?: string | undefined;
  body: string;
}[] = [];
const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += String(part);
  const { method, url, headers } = request;
  seen.push({ method, url, authorization: headers.authorization, type: headers['content-type'], body });
  response.setHeader('content-type', 'application/json').end('{"ok": true}');
});
const folder = mkdtempSync(join(tmpdir(), 'vectorium-samples-'));
let origin = '';

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const body = {
  text: 'It\'s "here": $HOME `id` \\n\nline two · çığ 🐧',
  model: 'e5_small',
  normalize: true,
  input_type: null,
  nested: { list: [1, 2.5, -3e-9, false], empty: {}, none: [] },
};

test.each(['curl', 'typescript'] as const)('the %s sample sends exactly the request', async language => {
  await run(language, { method: 'POST', path: '/vectorize', body });
  const sent = seen.at(-1);
  expect(sent).toMatchObject({
    method: 'POST',
    url: '/vectorize',
    authorization: 'Bearer sk-x',
    type: 'application/json',
  });
  expect(JSON.parse(sent?.body ?? '')).toEqual(body);

  await run(language, { method: 'GET', path: '/api/v2/data/ds_1@2/rows?limit=5&columns=a%20b' });
  expect(seen.at(-1)).toMatchObject({ method: 'GET', url: '/api/v2/data/ds_1@2/rows?limit=5&columns=a%20b', body: '' });

  writeFileSync(join(folder, "my file's.csv"), 'a\n1\n');
  await run(language, { method: 'PUT', path: '/api/v2/data/upload?format=csv', file: "my file's.csv" });
  expect(seen.at(-1)).toMatchObject({ method: 'PUT', url: '/api/v2/data/upload?format=csv', body: 'a\n1\n' });
});

test('the Python sample writes the body as Python does', () => {
  const code = sample(
    { method: 'POST', path: '/vectorize', body },
    { language: 'python', origin: 'https://x.example' },
  );
  const literal = code.slice(code.indexOf('json=') + 5, code.indexOf(',\n)'));
  const asJson = execFileSync('python3', ['-c', 'import json, sys; print(json.dumps(eval(sys.stdin.read())))'], {
    input: literal,
  });
  expect(JSON.parse(asJson.toString())).toEqual(body);
  execFileSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: code });
});

async function run(language: 'curl' | 'typescript', request: SampleRequest): Promise<void> {
  const code = sample(request, { language, origin });
  const environment = { ...process.env, VECTORIUM_API_KEY: 'sk-x' };
  const script = join(folder, language === 'curl' ? 'sample.sh' : 'sample.mts');
  writeFileSync(script, code);
  const child = spawn(language === 'curl' ? 'sh' : process.execPath, [script], {
    cwd: folder,
    env: environment,
    stdio: 'ignore',
  });
  const [exit] = await once(child, 'exit');
  expect(exit).toBe(0);
}
