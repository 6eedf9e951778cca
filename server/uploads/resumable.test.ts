// Resumable uploads (tus 1.0) over a real server: resumed after breaks, restarts and kills; nobody else's; gone when they expire.
import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { filesBelow } from '../files/testing.ts';
import { ApiError } from '../http/index.ts';
import { openParts, type TestParts, type TestServer } from '../http/testing.ts';
import type { Uploads, UploadsOptions } from './index.ts';
import { type Doors, openDoors, roomOf } from './testing.ts';

const path = '/api/v2/data/uploads';
const file = randomBytes(2_500_000);
const sha256 = createHash('sha256').update(file).digest('hex');
const version = { 'tus-resumable': '1.0.0' };
const bytesType = { 'content-type': 'application/offset+octet-stream' };
let parts: TestParts;
let folder: string;
let opened: Doors;
let server: TestServer;

beforeAll(async () => {
  parts = await openParts();
});
afterAll(() => parts.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-resumable-'));
  await start();
});
afterEach(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

async function start(options: Partial<UploadsOptions> = {}, more: Parameters<typeof openDoors>[2] = {}): Promise<void> {
  opened = await openDoors({ parts, folder }, options, more);
  ({ server } = opened);
}

const stop = () => opened.stop();
const leftovers = () => filesBelow(folder);

function metadataOf(fields: Record<string, string>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
    .join(',');
}

function create(
  fields: Record<string, string> = { format: 'csv' },
  length = file.length,
  more: RequestInit = {},
): Promise<Response> {
  const headers = { ...version, 'upload-length': String(length), 'upload-metadata': metadataOf(fields) };
  return server.fetch(path, { method: 'POST', ...more, headers: { ...headers, ...(more.headers as object) } });
}

async function begin(): Promise<string> {
  return (await create()).headers.get('location') ?? '';
}

function patch(place: string, offset: number, bytes: Buffer): Promise<Response> {
  const headers = { ...version, ...bytesType, 'upload-offset': String(offset) };
  return server.fetch(place, { method: 'PATCH', body: bytes, headers });
}

async function offsetOf(place: string): Promise<number> {
  const answer = await server.fetch(place, { method: 'HEAD', headers: version });
  return answer.status === 200 ? Number(answer.headers.get('upload-offset')) : -answer.status;
}

it('takes a file in pieces, with its fields', async () => {
  const made = await create({ format: 'custom', name: 'Ünï', description: 'd', options: '{"kind":"pattern"}' });
  expect(made.status).toBe(201);
  expect(made.headers.get('tus-resumable')).toBe('1.0.0');
  expect(Date.parse(made.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now());
  const place = made.headers.get('location') ?? '';
  expect(place).toMatch(/^\/api\/v2\/data\/uploads\/[\da-f-]{36}$/);
  const first = await patch(place, 0, file.subarray(0, 1_000_000));
  expect([first.status, first.headers.get('upload-offset')]).toEqual([204, '1000000']);
  expect(await offsetOf(place)).toBe(1_000_000);
  expect((await patch(place, 5, file.subarray(5))).status).toBe(409);
  const last = await patch(place, 1_000_000, file.subarray(1_000_000));
  expect(last.status).toBe(200);
  expect(await last.json()).toEqual({
    bytes: file.length,
    sha256,
    sha256OfFile: sha256,
    format: 'custom',
    options: { kind: 'pattern' },
    metadata: { name: 'Ünï', description: 'd' },
    name: 'Ünï',
    description: 'd',
  });
  expect(await offsetOf(place)).toBe(file.length);
  expect(await leftovers()).toEqual(['upload.json']);
  expect((await server.fetch(place, { method: 'DELETE', headers: version })).status).toBe(204);
  expect(await leftovers()).toEqual([]);
});

const digest = (algorithm: string, bytes: Buffer) =>
  `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;

it('keeps only bytes that have the checksum which their request says', async () => {
  const place = await begin();
  const send = (offset: number, bytes: Buffer, checksum: string) =>
    server.fetch(place, {
      method: 'PATCH',
      body: bytes,
      headers: { ...version, ...bytesType, 'upload-offset': String(offset), 'upload-checksum': checksum },
    });
  const [first, rest] = [file.subarray(0, 1_000_000), file.subarray(1_000_000)];
  expect((await send(0, first, digest('sha1', first))).status).toBe(204);
  expect((await send(1_000_000, rest, digest('sha1', first))).status).toBe(460);
  expect((await send(1_000_000, rest.subarray(0, 10), 'crc32 AAAA')).status).toBe(400);
  expect(await offsetOf(place)).toBe(1_000_000);
  const last = await send(1_000_000, rest, digest('sha256', rest));
  expect(await last.json()).toMatchObject({ sha256OfFile: sha256 });
});

it('takes the bytes with the creation, also under /v2', async () => {
  const headers = {
    ...version,
    ...bytesType,
    'upload-length': String(file.length),
    'upload-metadata': metadataOf({ format: 'csv' }),
  };
  const answer = await server.fetch('/v2/data/uploads', { method: 'POST', headers, body: file });
  expect(await answer.json()).toMatchObject({ sha256OfFile: sha256 });
});

it('keeps what came before a connection broke, and goes on from there after a restart', async () => {
  const place = await begin();
  const headers = {
    ...version,
    ...bytesType,
    'upload-offset': '0',
    'content-length': file.length,
    authorization: `Bearer ${parts.key.ordinary}`,
  };
  const sending = request(server.url + place, { method: 'PATCH', headers });
  sending.on('error', () => {});
  sending.write(file.subarray(0, 1_300_000));
  await sleep(300);
  sending.destroy();
  let offset = 0;
  for (let tries = 0; tries < 100 && offset <= 0; tries++) {
    await sleep(50);
    offset = await offsetOf(place);
  }
  expect(offset).toBe(1_300_000);
  await stop();
  await start();
  expect(await offsetOf(place)).toBe(offset);
  expect(await (await patch(place, offset, file.subarray(offset))).json()).toMatchObject({ sha256OfFile: sha256 });
});

it('shows nobody the upload of another account', async () => {
  const place = await begin();
  const other = await parts.accounts.create({ email: `${Math.random()}@example.com`, plan: 'pro' });
  const key = (await parts.keys.make(other.id, { name: 'other' }))?.secret ?? '';
  const headers = { ...version, ...bytesType, 'upload-offset': '0' };
  for (const method of ['HEAD', 'PATCH', 'DELETE']) {
    const body = method === 'PATCH' ? file : null;
    expect((await server.fetch(place, { method, headers, key, body })).status).toBe(404);
    expect((await server.fetch(place, { method, headers, key: null, body })).status).toBe(401);
  }
  expect(await offsetOf(place)).toBe(0);
  for (const id of ['x', '..%2F..%2Fetc', '00000000-0000-0000-0000-000000000000'])
    expect(await offsetOf(`${path}/${id}`)).toBe(-404);
});

it('refuses at the beginning what would be refused at the end', async () => {
  const refused: [() => Promise<Response>, number, RegExp][] = [
    [() => create({ name: 'x' }), 400, /format is required/],
    [() => create({ format: 'doc' }), 400, /format must be one of/],
    [() => create({ format: 'csv', options: '{' }), 400, /options is not JSON/],
    [() => create({ format: 'csv' }, 0), 400, /file is empty/],
    [() => create({ format: 'csv' }, 6 * 1024 ** 3), 413, /larger/],
    [() => create({ format: 'csv' }, -1), 400, /upload-length/i],
    [() => create({ format: 'csv' }, 5, { headers: { 'tus-resumable': '0.9' } }), 400, /tus-resumable/i],
    [() => create({ format: 'csv' }, 5, { headers: { 'upload-metadata': '%%%' } }), 400, /format is required/],
  ];
  for (const [answer, status, message] of refused) {
    const got = await answer();
    expect([got.status, ((await got.json()) as { message: string }).message]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
  }
  expect(await leftovers()).toEqual([]);
});

it('counts unfinished uploads against the room of the account', async () => {
  await stop();
  await start({}, { room: roomOf(4_000_000) });
  const place = await begin();
  const second = await create();
  expect(second.status).toBe(413);
  expect(await second.json()).toMatchObject({ code: 'STORAGE_QUOTA_EXCEEDED' });
  expect((await patch(place, 0, file)).status).toBe(200);
  expect((await create()).status).toBe(201);
});

it('removes what expired', async () => {
  const place = await begin();
  await stop();
  await start({ expiresAfterMs: 1 });
  await expect.poll(() => offsetOf(place)).toBe(-404);
  expect(await leftovers()).toEqual([]);
});

it('forgets what an account has begun, and nothing of another', async () => {
  const place = await begin();
  await opened.uploads.forget('acc_another');
  expect(await offsetOf(place)).toBe(0);
  await opened.uploads.forget(parts.accountId);
  expect(await offsetOf(place)).toBe(-404);
  expect(await leftovers()).toEqual([]);
});

it('drops a file that is refused for what it is, and keeps one that the server could not take', async () => {
  for (const [code, left] of [
    ['INVALID_FILE', -404],
    ['SERVICE_UNAVAILABLE', file.length - 1],
  ] as const) {
    await stop();
    const change = (real: Uploads): Uploads => ({
      ...real,
      resume: (exchange, room) =>
        real.resume(exchange, room, async () => Promise.reject(new ApiError(code, { message: 'no' }))),
    });
    await start({}, { change });
    const place = await begin();
    expect(await (await patch(place, 0, file)).json()).toMatchObject({ code, message: 'no' });
    expect(await offsetOf(place)).toBe(left);
  }
});

it('outlives a kill, while an upload through JSON leaves nothing', { timeout: 60_000 }, async () => {
  const program = fileURLToPath(new URL('server-until-killed.ts', import.meta.url));
  const child = fork(program, [folder], { stdio: 'inherit' });
  const [{ url, key }] = (await once(child, 'message')) as [{ url: string; key: string }];
  const authorization = `Bearer ${key}`;
  const headers = {
    ...version,
    authorization,
    'upload-length': String(file.length),
    'upload-metadata': metadataOf({ format: 'csv' }),
  };
  const place = (await fetch(url + path, { method: 'POST', headers })).headers.get('location') ?? '';
  const half = { ...version, ...bytesType, authorization, 'upload-offset': '0', 'content-length': file.length };
  const sendings = [
    request(url + place, { method: 'PATCH', headers: half }),
    request(`${url}/api/v2/data/upload`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
    }),
  ];
  for (const sending of sendings) sending.on('error', () => {});
  sendings[0]?.write(file.subarray(0, 2_000_000));
  sendings[1]?.write(`{"format":"csv","file":"${file.toString('base64')}`);
  await expect.poll(leftovers, { timeout: 10_000 }).toContain('upload');
  const kept = join(folder, 'resumable', place.slice(path.length + 1), 'file');
  await expect.poll(async () => (await stat(kept)).size, { timeout: 10_000 }).toBeGreaterThanOrEqual(1_000_000);
  child.kill('SIGKILL');
  await once(child, 'exit');

  await stop();
  await start();
  expect((await leftovers()).toSorted()).toEqual(['file', 'upload.json']);
  // The account of the killed server lives in another database: the upload is handed to this one's.
  const record = join(folder, 'resumable', place.slice(path.length + 1), 'upload.json');
  await writeFile(
    record,
    (await readFile(record, 'utf8')).replace(/"accountId":"[^"]*"/, `"accountId":"${parts.accountId}"`),
  );
  const offset = await offsetOf(place);
  expect(offset).toBeGreaterThanOrEqual(1_000_000);
  expect(await (await patch(place, offset, file.subarray(offset))).json()).toMatchObject({ sha256OfFile: sha256 });
});
