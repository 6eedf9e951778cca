import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { sendRaw } from './testing.ts';

// The server is a process of its own, so that making and sending the bodies doesn't count as its slowness.
const child = spawn(process.execPath, [new URL('./bad-requests.server.ts', import.meta.url).pathname], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const log: Record<string, unknown>[] = [];
const lines = createInterface({ input: child.stdout });
const started = new Promise<{ url: string; key: string }>(resolve => {
  lines.on('line', line => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    log.push(entry);
    if (entry['key']) resolve({ url: String(entry['url']), key: String(entry['key']) });
  });
});
afterAll(async () => {
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

const mebibyte = 1024 * 1024;
const wrongValues = [3, -1, 1e308, true, [], {}, ['a'], { a: 1 }, [[[[]]]], '', ' ', 'x'.repeat(300), 0.5];
const oneText = [
  'text',
  'model',
  'chunk_size',
  'chunk_overlap',
  'chunking_method',
  'normalize',
  'input_type',
  'dimensions',
];

/** What is wrong → the body, on which route. */
const bodies: { path: string; body: string | Buffer }[] = [
  ...oneText.flatMap(field =>
    wrongValues.map(value => ({ path: '/vectorize', body: JSON.stringify({ text: 'a', [field]: value }) })),
  ),
  ...wrongValues.map(value => ({ path: '/vectorize/batch', body: JSON.stringify({ texts: value }) })),
  ...wrongValues.map(value => ({ path: '/vectorize/batch', body: JSON.stringify({ texts: ['a', value] }) })),
  ...wrongValues.map(value => ({ path: '/v1/embeddings', body: JSON.stringify({ input: value }) })),
  ...wrongValues.map(value => ({ path: '/v1/embeddings', body: JSON.stringify({ input: [[1], value] }) })),
  ...wrongValues.map(value => ({ path: '/similarity', body: JSON.stringify({ text1: value, text2: 'a' }) })),
  ...[
    '',
    '{',
    '[',
    'null',
    'undefined',
    'NaN',
    '"',
    '{"text"',
    '{"text":',
    '{"text":"a"',
    '{"text":"a"}}',
    "{'text':'a'}",
    '\0',
  ].map(body => ({ path: '/vectorize', body })),
  ...['1e999', '-1e999', '1e-999', '123456789012345678901234567890', '-0', '0x10', '1_000', '9007199254740993'].map(
    number => ({
      path: '/vectorize',
      body: `{"text":"a","chunk_size":${number}}`,
    }),
  ),
  ...['\\ud800', '\\udc00\\ud800', '\\u0000', '\\uZZZZ', '\\x41'].map(escape => ({
    path: '/vectorize',
    body: `{"text":"${escape}"}`,
  })),
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '\\u005f_proto__', ''].map(name => ({
    path: '/vectorize',
    body: `{"${name}":{"text":"a","model":{}},"text":1,"text":"a"}`,
  })),
  ...[[0xff, 0xfe], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x80], [0x00]].map(bytes => ({
    path: '/vectorize',
    body: Buffer.from([...Buffer.from('{"text":"'), ...bytes, ...Buffer.from('"}')]),
  })),
  { path: '/vectorize', body: Buffer.from('{"text":"a"}', 'utf16le') },
  { path: '/vectorize', body: Buffer.alloc(100_000, '[') },
  { path: '/vectorize', body: '{"a":'.repeat(50_000) },
  { path: '/vectorize/batch', body: Buffer.alloc(40 * mebibyte, '[') },
  { path: '/vectorize/batch', body: `[${'[],'.repeat(10_000_000)}[]]` },
  { path: '/vectorize/batch', body: `{"texts":[${'"",'.repeat(50_000)}""]}` },
  { path: '/vectorize/batch', body: `{"texts":[${'1,'.repeat(9_000_000)}1]}` },
  { path: '/vectorize/batch', body: JSON.stringify({ texts: ['\u5411'.repeat(11_000_000)] }) },
  { path: '/vectorize/batch', body: `{"texts":["${'\\"'.repeat(9_000_000)}"]}` },
  { path: '/v1/embeddings', body: `{"input":[${'1,'.repeat(900_000)}"a"]}` },
  { path: '/v1/embeddings', body: `{"input":[${'[],'.repeat(400_000)}[]]}` },
  { path: '/vectorize', body: `{${Array.from({ length: 9000 }, (_, index) => `"k${index}":0`).join()}}` },
  { path: '/vectorize', body: `{"text":"${'a'.repeat(2_000_000)}"}` },
  { path: '/vectorize', body: ' '.repeat(12 * mebibyte) },
  { path: '/vectorize/batch', body: Buffer.alloc(100 * mebibyte, '[') },
  { path: '/vectorize', body: Buffer.alloc(100 * mebibyte, '[') },
];

/** Becomes the header with the server's own key. */
const key = 'authorization: Bearer KEY';
const length = 'content-length: 12';
const json = '{"text":"a"}';
/** Bytes that no client library would send. */
const wires: string[] = [
  'GET\r\n\r\n',
  '\r\n\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET / HTTP/9.9\r\n\r\n',
  'FOO /vectorize HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET /livez HTTP/1.1\r\n\r\n',
  'GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
  'GET /livez HTTP/1.1\r\nhost : a\r\n\r\n',
  `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
  `GET /livez HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`,
  `GET /livez HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(5000)}\r\n`,
  'GET /livez\0 HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET /livez HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n',
  'GET /%00%ff%zz HTTP/1.1\r\nhost: a\r\n\r\n',
  `GET /v1/models/${'a'.repeat(5000)} HTTP/1.1\r\nhost: a\r\n${key}\r\n\r\n`,
  `GET /v1/models/%E0%A4%A HTTP/1.1\r\nhost: a\r\n${key}\r\n\r\n`,
  `GET /v1/models/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nhost: a\r\n${key}\r\n\r\n`,
  `GET /usage?from=${'9'.repeat(1000)} HTTP/1.1\r\nhost: a\r\n${key}\r\n\r\n`,
  `GET /usage?period=x&period=y&__proto__=1 HTTP/1.1\r\nhost: a\r\n${key}\r\n\r\n`,
  `GET /usage?${'a&'.repeat(5000)} HTTP/1.1\r\nhost: a\r\n${key}\r\n\r\n`,
  'GET //livez/../../ HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET http://other.example/livez HTTP/1.1\r\nhost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
  'CONNECT other.example:443 HTTP/1.1\r\nhost: other.example\r\n\r\n',
  'TRACE /livez HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET /livez HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
  'GET /livez HTTP/1.1\r\nhost: a\r\nexpect: the-moon\r\n\r\n',
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: abc\r\n\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: -1\r\n\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: 99999999999999999999\r\n\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: 999999999999\r\n\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\n${length}\r\ncontent-length: 13\r\n\r\n${json}`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\n${length}\r\ntransfer-encoding: chunked\r\n\r\n${json}`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ntransfer-encoding: gzip\r\n\r\n${json}`,
  ...[
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    ';;;',
    'application/json; charset=latin1',
    '\xff',
  ].map(type => `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-type: ${type}\r\n${length}\r\n\r\n${json}`),
  ...['gzip', 'br', 'compress', 'gzip, gzip'].map(
    encoding =>
      `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-encoding: ${encoding}\r\n${length}\r\n\r\n${json}`,
  ),
  ...[
    '',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'bearer \xff',
    `Bearer ${'a'.repeat(10_000)}`,
    'Basic YTpi',
    'Bearer __proto__',
  ].map(value => `POST /vectorize HTTP/1.1\r\nhost: a\r\nauthorization: ${value}\r\n${length}\r\n\r\n${json}`),
  ...['PUT', 'PATCH', 'DELETE', 'GET'].map(
    method => `${method} /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\n${length}\r\n\r\n${json}`,
  ),
];
/** Bodies that break off. */
const cut = [
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: 100\r\n\r\n{"text":`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: 100\r\n\r\n`,
  `POST /vectorize HTTP/1.1\r\nhost: a\r\n${key}\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"te`,
  `POST /vectorize/batch HTTP/1.1\r\nhost: a\r\n${key}\r\ncontent-length: 9000000\r\n\r\n${'['.repeat(1_000_000)}`,
  'POST /vectorize HTTP/1.1\r\nhost: a\r\ncontent-le',
];

/** Asks /livez every few milliseconds from a thread of its own; gives the waiting times in milliseconds, sorted. */
function watch(base: string): () => Promise<number[]> {
  const program = `const { parentPort } = require('node:worker_threads');
    const times = [];
    let watching = true;
    parentPort.once('message', () => (watching = false));
    (async () => {
      while (watching) {
        const startedAt = performance.now();
        await (await fetch('${base}/livez')).text();
        times.push(performance.now() - startedAt);
        await new Promise(resolve => setTimeout(resolve, 2));
      }
      parentPort.postMessage(times.sort((one, other) => one - other));
    })();`;
  const worker = new Worker(program, { eval: true });
  return async () => {
    const answer = once(worker, 'message');
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage('stop');
    const [times] = (await answer) as [number[]];
    return times;
  };
}

test('two hundred bad requests of every kind: never a 500, and the others stay fast', async () => {
  expect(bodies.length + wires.length + cut.length).toBeGreaterThan(200);
  const { url: base, key: secret } = await started;
  const stop = watch(base);
  const statuses = new Map<number, number>();
  const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  for (const { path, body } of bodies) {
    // A client that still sends when the 413 comes may see the connection close instead of the answer.
    const response = await fetch(base + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: body as string,
    }).catch(() => null);
    if (!response) {
      expect(body.length).toBeGreaterThan(10 * mebibyte);
      continue;
    }
    const told = (await response.json()) as { code?: string; error?: { code?: string } | string };
    if (response.status >= 400) expect(told, path).toHaveProperty(path.startsWith('/v1') ? 'error.code' : 'code');
    count(response.status);
  }
  for (const wire of wires) {
    const answer = await sendRaw(base, [Buffer.from(wire.replace('KEY', secret), 'latin1')], { quietMs: 20 });
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
    if (answer !== '') count(status);
  }
  for (const wire of cut) await sendRaw(base, [wire.replace('KEY', secret)], { hangUp: true });
  await sleep(100);
  const times = await stop();
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  console.log(
    `${bodies.length + wires.length + cut.length} bad requests: ${JSON.stringify(Object.fromEntries(statuses))}; /livez beside them ` +
      `${times.length} times: p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms, longest ${at(0.9999).toFixed(1)} ms`,
  );
  for (const status of statuses.keys()) expect(status).toBeLessThan(500);
  const logged = log.map(line => Number(line['status'] ?? 0));
  expect(logged.filter(status => status >= 500)).toEqual([]);
  expect(at(0.5)).toBeLessThan(50);
}, 180_000);
