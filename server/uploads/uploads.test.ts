// Files through every door of a real server: whole and exact, or refused with a place and nothing left.
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { filesBelow } from '../files/testing.ts';
import { openParts, type TestParts, type TestServer } from '../http/testing.ts';
import type { Room, UploadsOptions } from './index.ts';
import { type Doors, openDoors, roomOf } from './testing.ts';

const path = '/api/v2/data/upload';
const boundary = 'a boundary';
const hostileBodies = 600;
let parts: TestParts;
let folder: string;
let opened: Doors;
let server: TestServer;

beforeAll(async () => {
  parts = await openParts();
});
afterAll(() => parts.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-uploads-'));
  await start();
});
afterEach(async () => {
  await opened.stop();
  await rm(folder, { recursive: true });
});

async function start(options: Partial<UploadsOptions> = {}, room?: Room, place = folder): Promise<void> {
  opened = await openDoors({ parts, folder: place }, options, { room });
  ({ server } = opened);
}

async function restart(options: Partial<UploadsOptions>, room?: Room, place?: string): Promise<void> {
  await opened.stop();
  await start(options, room, place);
}

const leftovers = () => filesBelow(folder);

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

function jsonOf(file: Buffer, rest: object = { format: 'csv' }): string {
  return JSON.stringify({ file: file.toString('base64'), ...rest });
}

function formOf(members: { name: string; fileName?: string; value: string | Buffer }[]): Buffer {
  const heads = members.map(({ name, fileName, value }) =>
    Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${fileName ? `; filename="${fileName}"` : ''}\r\n\r\n`,
      ),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ]),
  );
  return Buffer.concat([...heads, Buffer.from(`--${boundary}--\r\n`)]);
}

const formHeaders = { 'content-type': `multipart/form-data; boundary="${boundary}"` };

function head(length: number | null): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${parts.key.ordinary}\r\nContent-Type: application/json\r\n` +
    (length === null ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${length}\r\n\r\n`)
  );
}

function open(): { socket: ReturnType<typeof connect>; answer: Promise<string> } {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', piece => (text += piece.toString()));
  return { socket, answer: new Promise(resolve => socket.on('close', () => resolve(text)).on('error', () => {})) };
}

describe('a file', () => {
  const file = randomBytes(3_000_001);
  const whole = { bytes: file.length, sha256: sha256(file), sha256OfFile: sha256(file) };

  it('comes through JSON, with its fields', async () => {
    const metadata = { name: 'Café', description: 'of numbers', other: 1 };
    const options = { kind: 'delimited', delimiter: ';' };
    const answer = await server.post(path, jsonOf(file, { format: 'custom', options, metadata }));
    expect(await answer.json()).toEqual({
      ...whole,
      format: 'custom',
      options,
      metadata: { name: 'Café', description: 'of numbers' },
      name: 'Café',
      description: 'of numbers',
    });
    expect((await server.post('/v2/data/upload', jsonOf(file))).status).toBe(200);
    expect(await leftovers()).toEqual([]);
  });

  it('comes through JSON before its format, and in a body of unknown length', async () => {
    const body = Buffer.from(`\n{ "file" : "${file.toString('base64').replaceAll('/', '\\/')}",\t"format":"tsv"}  `);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < body.length; at += 100_003) yield body.subarray(at, at + 100_003);
    }
    const answer = await server.fetch(path, {
      method: 'POST',
      body: pieces() as unknown as ReadableStream,
      headers: { 'content-type': 'application/json' },
      duplex: 'half',
    } as RequestInit);
    expect(await answer.json()).toMatchObject({ ...whole, format: 'tsv', options: {}, name: null });
  });

  it('comes through a form, with its fields on either side', async () => {
    const body = formOf([
      { name: 'format', value: 'csv' },
      { name: 'options', value: '{"on_error":"fail"}' },
      { name: 'file', fileName: 'a.csv', value: file },
      { name: 'name', value: 'Ünïcode' },
      { name: 'metadata', value: '{"name":"other","description":"d"}' },
      { name: 'unknown', value: 'x' },
    ]);
    const answer = await server.fetch(path, { method: 'POST', body, headers: formHeaders });
    expect(await answer.json()).toMatchObject({
      ...whole,
      format: 'csv',
      options: { on_error: 'fail' },
      name: 'Ünïcode',
      description: 'd',
    });
    const standard = new FormData();
    standard.set('format', 'csv');
    standard.set('file', new Blob([file]), 'a.csv');
    expect(await (await server.fetch(path, { method: 'POST', body: standard })).json()).toMatchObject(whole);
    expect(await leftovers()).toEqual([]);
  });

  it('comes as the body itself', async () => {
    const query = `?format=json&name=${encodeURIComponent('a b')}&options=${encodeURIComponent('{"a":1}')}`;
    const answer = await server.fetch(path + query, {
      method: 'PUT',
      body: file,
      headers: { 'content-type': 'text/csv' },
    });
    expect(await answer.json()).toMatchObject({ ...whole, format: 'json', name: 'a b', options: { a: 1 } });
    expect(await leftovers()).toEqual([]);
  });

  it('comes beside others, each its own', async () => {
    const files = Array.from({ length: 12 }, (_, n) => randomBytes(400_000 + n));
    const answers = await Promise.all(
      files.map(async (each, n) => {
        if (n % 3 === 0) return server.post(path, jsonOf(each));
        if (n % 3 === 1) return server.fetch(`${path}?format=csv`, { method: 'PUT', body: each });
        const body = formOf([
          { name: 'format', value: 'csv' },
          { name: 'file', value: each },
        ]);
        return server.fetch(path, { method: 'POST', body, headers: formHeaders });
      }),
    );
    const hashes = await Promise.all(
      answers.map(async answer => ((await answer.json()) as { sha256OfFile: string }).sha256OfFile),
    );
    expect(hashes).toEqual(files.map(sha256));
  });
});

describe('an upload is refused, with the place, and nothing is left', () => {
  const refused: [string, string | Buffer, number, RegExp][] = [
    ['an empty body', '', 400, /empty/],
    ['no object', '[]', 400, /"\[" at byte 0/],
    ['no file', '{"format":"csv"}', 400, /file is required/],
    ['no format', '{"file":"QQ=="}', 400, /format is required/],
    ['an unknown format', '{"file":"QQ==","format":"doc"}', 400, /format must be one of csv/],
    ['an empty file', '{"file":"","format":"csv"}', 400, /file is empty/],
    ['a file of null', '{"file":null,"format":"csv"}', 400, /file must be a string of base64 \(at byte 8\)/],
    ['a file that is a number', '{"file":12,"format":"csv"}', 400, /at byte 8/],
    ['a letter that is not of the alphabet', '{"file":"QUJ*QUJD","format":"csv"}', 400, /"\*" at byte 12/],
    ['padding that is missing', '{"file":"QUI","format":"csv"}', 400, /not whole base64.*at byte 12/],
    ['too much padding', '{"file":"QUI==","format":"csv"}', 400, /not whole base64/],
    ['one letter too many', '{"file":"QUJDQ","format":"csv"}', 400, /not whole base64/],
    ['letters after the padding', '{"file":"QQ==QQ==","format":"csv"}', 400, /"Q" at byte 13, after the padding/],
    ['a data URL without base64', '{"file":"data:text/csv,QQ==","format":"csv"}', 400, /without ";base64" at byte 22/],
    ['a body that is cut', '{"format":"csv","file":"QUJD', 400, /too early, at byte 28, inside "file"/],
    ['something after the body', '{"file":"QQ==","format":"csv"}x', 400, /"x" at byte 30/],
    ['two files', '{"file":"QQ==","format":"csv","file":"QQ=="}', 400, /"file" comes twice/],
    ['two files, one in escapes', '{"file":"QQ==","format":"csv","f\\u0069le":"QQ=="}', 400, /"file" comes twice/],
    ['no UTF-8', Buffer.from('{"file":"QQ==","x":"\xff"}', 'latin1'), 400, /not UTF-8 at byte 20/],
    ['a line break in the base64', '{"file":"QQ\n==","format":"csv"}', 400, /0x0a at byte 11/],
    ['endless nesting', `{"a":${'['.repeat(100_000)}`, 400, /deeper than 64 levels/],
    ['large metadata', `{"metadata":{"name":"${'x'.repeat(2_000_000)}"},"file":"QQ=="}`, 400, /metadata has more than/],
    ['metadata that is a list', '{"file":"QQ==","format":"csv","metadata":[]}', 400, /metadata must be an object/],
    ['a name of NUL', '{"file":"QQ==","format":"csv","metadata":{"name":"\\u0000"}}', 400, /metadata.name/],
    ['an option of half a pair', '{"file":"QQ==","format":"csv","options":{"a":["\\ud800"]}}', 400, /options/],
  ];
  it.each(refused)('%s', async (_name, body, status, message) => {
    const answer = await server.fetch(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect(((await answer.json()) as { message: string }).message).toMatch(message);
    expect(answer.status).toBe(status);
    expect(await leftovers()).toEqual([]);
  });

  const forms: [string, Buffer, RegExp][] = [
    ['a form without a file', formOf([{ name: 'format', value: 'csv' }]), /file is required/],
    ['a form without parts', Buffer.from(`--${boundary}--\r\n`), /file is required|can be read/],
    ['an empty form', Buffer.from(''), /can be read|file is required/],
    ['a form of something else', Buffer.from('x'.repeat(1000)), /can be read|file is required/],
    [
      'a form with an empty file',
      formOf([
        { name: 'format', value: 'csv' },
        { name: 'file', value: '' },
      ]),
      /file is empty/,
    ],
    ['a form without a format', formOf([{ name: 'file', value: 'a' }]), /format is required/],
    [
      'a form of two files',
      formOf([
        { name: 'file', value: 'a' },
        { name: 'file', value: 'b' },
        { name: 'format', value: 'csv' },
      ]),
      /more than one file/,
    ],
    ['a file under another name', formOf([{ name: 'f', fileName: 'f', value: 'a' }]), /must be in one named "file"/],
    [
      'a field twice',
      formOf([
        { name: 'format', value: 'csv' },
        { name: 'format', value: 'csv' },
        { name: 'file', value: 'a' },
      ]),
      /"format" comes twice/,
    ],
    [
      'a form that is cut',
      formOf([
        { name: 'format', value: 'csv' },
        { name: 'file', value: 'abc' },
      ]).subarray(0, -12),
      /can be read/,
    ],
    [
      'a form cut in its file',
      formOf([
        { name: 'format', value: 'csv' },
        { name: 'file', value: 'abc'.repeat(100_000) },
      ]).subarray(0, -10_000),
      /can be read/,
    ],
    ['many fields', formOf(Array.from({ length: 50 }, (_, n) => ({ name: `f${n}`, value: 'x' }))), /more than 20/],
    [
      'options that are no JSON',
      formOf([
        { name: 'options', value: '{' },
        { name: 'format', value: 'csv' },
        { name: 'file', value: 'a' },
      ]),
      /options is not JSON/,
    ],
  ];
  it.each(forms)('%s', async (_name, body, message) => {
    const answer = await server.fetch(path, { method: 'POST', body, headers: formHeaders });
    expect(((await answer.json()) as { message: string }).message).toMatch(message);
    expect(answer.status).toBe(400);
    expect(await leftovers()).toEqual([]);
  });

  it('other kinds of body', async () => {
    for (const [type, status] of [
      ['text/csv', 415],
      ['application/json; charset=latin1', 415],
      ['multipart/form-data', 400],
    ] as const)
      expect((await server.fetch(path, { method: 'POST', body: 'x', headers: { 'content-type': type } })).status).toBe(
        status,
      );
    const packed = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect((await server.fetch(path, { method: 'POST', body: 'x', headers: packed })).status).toBe(415);
    expect((await server.fetch(path, { method: 'PUT', body: 'x' })).status).toBe(400);
    expect((await server.fetch(`${path}?format=csv`, { method: 'PUT', body: '' })).status).toBe(400);
    expect((await server.fetch(`${path}?format=csv`, { method: 'PUT', body: 'x', key: null })).status).toBe(401);
    expect(await leftovers()).toEqual([]);
  });
});

it('answers hostile bodies without a 500, and keeps nothing of them', async () => {
  const good = [
    {
      type: 'application/json',
      body: Buffer.from(jsonOf(randomBytes(300), { format: 'csv', options: { a: [1] }, metadata: { name: 'n' } })),
    },
    {
      type: formHeaders['content-type'],
      body: formOf([
        { name: 'format', value: 'csv' },
        { name: 'file', fileName: 'a', value: randomBytes(300) },
        { name: 'name', value: 'n' },
      ]),
    },
  ];
  const refused = new Set<number>();
  for (let n = 0; n < hostileBodies; n++) {
    const { type, body } = good[n % 2] ?? { type: '', body: Buffer.alloc(0) };
    const bad = Buffer.from(body);
    for (let change = 0; change <= n % 5; change++) bad[randomInt(bad.length)] = randomInt(256);
    const cut = n % 3 === 0 ? bad.subarray(0, randomInt(bad.length)) : bad;
    const answer = await server.fetch(path, { method: 'POST', body: cut, headers: { 'content-type': type } });
    await answer.text();
    refused.add(answer.status);
    expect([200, 400, 413], JSON.stringify(server.log.at(-2))).toContain(answer.status);
  }
  expect(refused).toContain(400);
  expect(await leftovers()).toEqual([]);
  expect(server.log.filter(line => Number(line['level']) >= 50)).toEqual([]);
});

describe('bounds hold while bytes come', () => {
  const file = Buffer.alloc(40_000_000, 'abc');
  const doors = {
    json: () => server.post(path, jsonOf(file)),
    form: () =>
      server.fetch(path, {
        method: 'POST',
        body: formOf([
          { name: 'format', value: 'csv' },
          { name: 'file', value: file },
        ]),
        headers: formHeaders,
      }),
    raw: () => server.fetch(`${path}?format=csv`, { method: 'PUT', body: file }),
  };

  it.each(Object.entries(doors))('of the account (%s)', async (_name, send) => {
    await restart({}, roomOf(30_000_000));
    const answer = await send();
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: 'STORAGE_QUOTA_EXCEEDED' });
    expect(await leftovers()).toEqual([]);
  });

  it.each(Object.entries(doors))('of a file (%s)', async (_name, send) => {
    await restart({ limits: { maxBytes: 39_999_999 } });
    const answer = await send();
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await leftovers()).toEqual([]);
    await restart({ limits: { maxBytes: 40_000_000 } });
    expect((await send()).status).toBe(200);
  });

  it.each(Object.entries(doors))('of the disk (%s)', async (_name, send) => {
    let asked = 0;
    await restart({ limits: { freeBytes: async () => (asked++ === 0 ? 2 ** 40 : 1000) } });
    const answer = await send();
    expect(answer.status).toBe(507);
    expect(answer.headers.get('retry-after')).toBe('300');
    expect(await answer.json()).toMatchObject({ code: 'STORAGE_FULL' });
    expect(await leftovers()).toEqual([]);
  });
});

const tiny = await mkdtemp(join(tmpdir(), 'vectorium-tiny-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', tiny]).status === 0;
afterAll(async () => {
  if (mounted) spawnSync('umount', ['-l', tiny]);
  await rm(tiny, { recursive: true });
});

describe.skipIf(!mounted)(`a disk${mounted ? '' : ': SKIPPED, only root may mount one'}`, () => {
  it('that is really full is told of, and has room again at once', async () => {
    await restart({ limits: { minFreeBytes: 0 } }, undefined, tiny);
    for (const file of [randomBytes(20_000_000), randomBytes(9_000_000)]) {
      const answer = await server.post(path, jsonOf(file));
      expect(await answer.json()).toMatchObject({ code: 'STORAGE_FULL' });
      expect(answer.status).toBe(507);
    }
    expect((await server.post(path, jsonOf(randomBytes(5_000_000)))).status).toBe(200);
  });
});

describe('a connection', () => {
  it('that breaks off leaves nothing', async () => {
    for (const length of [1_000_000, null]) {
      const { socket, answer } = open();
      socket.write(head(length));
      socket.write(
        length === null ? '30\r\n{"format":"csv","file":"QUJDQUJDQUJDQUJDQUJDQUJD\r\n' : '{"format":"csv","file":"QUJD',
      );
      await sleep(50);
      socket.destroy();
      await answer;
      for (let tries = 0; tries < 50 && (await leftovers()).length > 0; tries++) await sleep(20);
      expect(await leftovers()).toEqual([]);
    }
    expect(server.log.some(line => line['code'] === 'INTERNAL_ERROR')).toBe(false);
  });

  it('that is silent gets 408 after a while, and one that is slow is waited for', async () => {
    await restart({ idleMs: 300 });
    const silent = open();
    silent.socket.write(`${head(1000)}{"format":"csv","file":"QUJD`);
    const body = jsonOf(Buffer.from('slow but steady'));
    const slow = open();
    slow.socket.write(head(body.length));
    for (const char of body) {
      slow.socket.write(char);
      await sleep(15);
    }
    await sleep(100);
    slow.socket.end();
    expect(await slow.answer).toContain(sha256(Buffer.from('slow but steady')));
    silent.socket.end();
    expect(await silent.answer).toMatch(/^HTTP\/1.1 408 /);
    expect(await leftovers()).toEqual([]);
  });
});
