// Pulling, against a hub that breaks off, lies, and is asked by several processes at once.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openModels, type Models } from './models.ts';
import { sha256, standInHub, type StandInHub } from './stand-in-hub.ts';

const MODEL = 'someone/tiny';
const REVISION = '0123456789abcdef0123456789abcdef01234567';
const files = {
  'config.json': Buffer.from('{"model_type":"bert"}'),
  'tokenizer.json': randomBytes(20_000),
  'model.safetensors': randomBytes(3_000_000),
};

let hub: StandInHub;
let root: string;
let folder: string;

beforeEach(async () => {
  hub = await standInHub(MODEL, REVISION, files);
  root = mkdtempSync(join(tmpdir(), 'models-'));
  folder = join(root, 'models');
});
afterEach(() => hub.close());

const pinned = Object.entries(files).map(([path, bytes]) => ({ path, bytes: bytes.length, sha256: sha256(bytes) }));
const unpinned = Object.keys(files).map(path => ({ path }));

function catalog(fields: object = {}): string {
  const path = join(root, 'catalog.json');
  const tiny = {
    model: MODEL,
    revision: REVISION,
    dimension: 32,
    maxTokens: 64,
    tier: 'budget',
    pricePicodollarsPerToken: 2000,
    pooling: 'mean',
    languages: 'en',
    license: 'MIT',
    defaultRank: 1,
    files: pinned,
    sources: [{ kind: 'hub' }],
    ...fields,
  };
  writeFileSync(path, JSON.stringify({ models: { tiny } }));
  return path;
}

const open = (fields: object = {}, options: object = {}): Promise<Models> =>
  openModels({ folder, catalogFiles: [catalog(fields)], hubEndpoint: hub.endpoint, log: () => {}, ...options });

function expectWhole(models: Models) {
  const made = models.folder('tiny');
  expect(made).toBe(join(folder, 'tiny', REVISION));
  for (const [path, bytes] of Object.entries(files))
    expect(readFileSync(join(made ?? '', path)).equals(bytes)).toBe(true);
  expect(readdirSync(join(folder, 'tiny')).toSorted()).toEqual(['.lock', REVISION]);
  expect(models.state('tiny')).toEqual({ state: 'ready', precision: 'f32' });
}

test('a pulled model is whole, recorded with its hashes, and found by the next process', async () => {
  const models = await open();
  expect(models.state('tiny')).toEqual({ state: 'absent' });
  const seen: number[] = [];
  await models.pull('tiny', progress => seen.push(progress.doneBytes / progress.totalBytes));
  expectWhole(models);
  expect(seen.at(-1)).toBe(1);
  expect(models.record('tiny')?.files['model.safetensors']).toEqual({
    sha256: sha256(files['model.safetensors']),
    bytes: 3_000_000,
    verified: 'catalog',
  });
  const asked = hub.requests.length;
  const next = await open();
  expect(await next.ensure('tiny')).toBe(models.folder('tiny'));
  expect(hub.requests.length).toBe(asked);
  expect(next.modelHandle('tiny')).toMatchObject({ id: `tiny@${REVISION}`, dimension: 32, normalize: true });
});

test('a download that breaks off goes on where it was', async () => {
  hub.misbehave.drops = 3;
  const models = await open();
  await models.pull('tiny');
  expectWhole(models);
  const ranges = hub.requests.filter(one => one.storage).map(one => one.range);
  expect(ranges).toHaveLength(4);
  expect(ranges.slice(1).every(range => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]) >= 100_000)).toBe(true);
});

test('a server without ranges is read from the beginning again', async () => {
  hub.misbehave.drops = 1;
  hub.misbehave.ignoreRanges = true;
  const models = await open();
  await models.pull('tiny');
  expectWhole(models);
});

test('wrong bytes are refused, by the catalog’s hash as by the hub’s own, and nothing is installed', async () => {
  for (const list of [pinned, unpinned]) {
    for (const corrupt of ['model.safetensors', 'tokenizer.json']) {
      hub.misbehave.corrupt = corrupt;
      // A fresh place: what an earlier pull brought right would be used again.
      folder = mkdtempSync(join(root, 'models-'));
      const models = await open({ files: list });
      await expect(models.pull('tiny')).rejects.toThrow(new RegExp(`${corrupt}: wrong bytes`));
      expect(models.folder('tiny')).toBeNull();
      expect(models.state('tiny').state).toBe('unavailable');
    }
  }
  hub.misbehave.corrupt = null;
  const models = await open({ files: unpinned });
  await models.pull('tiny');
  expectWhole(models);
  expect(Object.values(models.record('tiny')?.files ?? {}).map(file => file.verified)).toEqual(['hub', 'hub', 'hub']);
});

test('a hub that answers with another commit is refused', async () => {
  hub.misbehave.commit = 'f'.repeat(40);
  const models = await open({ files: unpinned });
  await expect(models.pull('tiny')).rejects.toThrow(/commit f{40}/);
});

test('the token goes to the hub and never to the storage behind it', async () => {
  const models = await open({}, { hubToken: 'hf_secret' });
  await models.pull('tiny');
  expect(hub.requests.filter(one => !one.storage).every(one => one.token === 'Bearer hf_secret')).toBe(true);
  expect(hub.requests.filter(one => one.storage).every(one => one.token === undefined)).toBe(true);
});

test('when a source fails the next one is used; when all fail the error names each and the command', async () => {
  const store = join(root, 'store');
  mkdirSync(store);
  for (const [path, bytes] of Object.entries(files)) writeFileSync(join(store, path), bytes);
  hub.misbehave.status = 404;
  const models = await open({ sources: [{ kind: 'hub' }, { kind: 'folder', path: store }] });
  await models.pull('tiny');
  expectWhole(models);
  expect(models.record('tiny')?.source).toBe(`folder ${store}`);

  await models.remove('tiny');
  expect(models.state('tiny')).toEqual({ state: 'absent' });
  writeFileSync(join(store, 'tokenizer.json'), 'something else');
  const error = await models.ensure('tiny').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'MODEL_UNAVAILABLE', alias: 'tiny' });
  expect(String(error)).toMatch(
    /Hugging Face hub: HTTP 404.*folder .*: tokenizer.json has SHA-256.*vectorium models pull tiny/,
  );
  // The next request is told at once; an explicit pull tries again.
  const asked = hub.requests.length;
  await expect(models.ensure('tiny')).rejects.toThrow(/vectorium models pull tiny/);
  expect(hub.requests.length).toBe(asked);
  hub.misbehave.status = null;
  await models.pull('tiny');
  expectWhole(models);
});

const child = (file: string) =>
  spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { openModels } from ${JSON.stringify(new URL('./models.ts', import.meta.url).href)};
       const models = await openModels({ folder: ${JSON.stringify(folder)}, catalogFiles: [${JSON.stringify(file)}],
         hubEndpoint: ${JSON.stringify(hub.endpoint)}, log: () => {} });
       console.log(await models.pull('tiny'));`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

test('kill -9 in the middle of a download leaves no model, and what came is used again', async () => {
  hub.misbehave.pauseMs = 40;
  const killed = child(catalog());
  const partial = join(folder, 'tiny', `.pull-${REVISION}`, 'files', 'model.safetensors.partial');
  while (!existsSync(partial) || readFileSync(partial).length < 500_000) await sleep(20);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  const models = await open();
  expect(models.folder('tiny')).toBeNull();
  hub.misbehave.pauseMs = 0;
  hub.requests.length = 0;
  await models.pull('tiny');
  expectWhole(models);
  const gets = hub.requests.filter(one => one.method === 'GET' && one.storage);
  expect(gets).toHaveLength(1);
  expect(Number(/^bytes=(\d+)-$/.exec(gets[0]?.range ?? '')?.[1])).toBeGreaterThanOrEqual(500_000);
  // The small files had come whole.
  expect(hub.requests.filter(one => one.method === 'GET' && !one.storage).map(one => one.path)).toEqual([
    'model.safetensors',
  ]);
});

test('two processes that pull together fetch every file once and both find the model ready', async () => {
  hub.misbehave.pauseMs = 5;
  const file = catalog();
  const said = await Promise.all(
    [child(file), child(file)].map(async one => {
      const [[text], [code]] = await Promise.all([once(one.stdout, 'data'), once(one, 'exit')]);
      expect(code).toBe(0);
      return String(text).trim();
    }),
  );
  expect(said).toEqual([join(folder, 'tiny', REVISION), join(folder, 'tiny', REVISION)]);
  expect(hub.requests.filter(one => one.method === 'GET' && one.storage)).toHaveLength(1);
  expectWhole(await open());
});

test('callers of one process share a pull, and one that leaves does not end it', async () => {
  hub.misbehave.pauseMs = 5;
  const models = await open();
  const leaving = new AbortController();
  const left = models.ensure('tiny', leaving.signal);
  const stayed = models.ensure('tiny');
  while (models.state('tiny').progress === undefined) await sleep(5);
  expect(models.state('tiny')).toMatchObject({ state: 'pulling', progress: { source: 'Hugging Face hub' } });
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await stayed;
  expectWhole(models);
  expect(hub.requests.filter(one => one.method === 'GET' && one.storage)).toHaveLength(1);
});

test('closing breaks a pull off and keeps what came', async () => {
  hub.misbehave.pauseMs = 40;
  const models = await open();
  const pulling = models.ensure('tiny').catch((error: unknown) => String(error));
  while ((models.state('tiny').progress?.doneBytes ?? 0) < 500_000) await sleep(5);
  await models.close();
  expect(await pulling).toMatch(/stopping/);
  hub.misbehave.pauseMs = 0;
  const next = await open();
  await next.pull('tiny');
  expectWhole(next);
  expect(hub.requests.at(-1)?.range).toMatch(/^bytes=[5-9]\d{5}-$|^bytes=\d{7}-$/);
});

test('verify names the damaged file, and the model is fetched again instead of being used', async () => {
  const models = await open();
  await models.pull('tiny');
  expect(await models.verify('tiny')).toMatchObject({ ok: true });
  const path = join(folder, 'tiny', REVISION, 'tokenizer.json');
  const bytes = readFileSync(path);
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { ok, files: checked } = await models.verify('tiny');
  expect(ok).toBe(false);
  expect(checked).toMatchObject({ 'config.json': null, 'model.safetensors': null });
  expect(checked['tokenizer.json']).toMatch(/SHA-256 .* expected/);
  expect(models.folder('tiny')).toBeNull();
  await models.pull('tiny');
  expectWhole(models);
});

test('a folder that lost a file does not count as a model', async () => {
  const models = await open();
  await models.pull('tiny');
  writeFileSync(join(folder, 'tiny', REVISION, 'model.safetensors'), 'short');
  expect((await open()).folder('tiny')).toBeNull();
});

test('a full disk is said before anything is fetched', async () => {
  const huge = pinned.map(file => (file.path === 'model.safetensors' ? { ...file, bytes: 1e15 } : file));
  const models = await open({ files: huge });
  await expect(models.pull('tiny')).rejects.toThrow(/the disk has [\d,]+ MB free, 1,000,000,0\d\d MB are needed/);
  expect(hub.requests.every(one => one.method === 'HEAD')).toBe(true);
});

function leftover(name: string, at: Date): string {
  const path = join(folder, 'tiny', name);
  mkdirSync(join(path, 'files'), { recursive: true });
  writeFileSync(join(path, 'files', 'x.partial'), 'x');
  for (const one of [join(path, 'files', 'x.partial'), join(path, 'files'), path]) utimesSync(one, at, at);
  return path;
}

test('leftovers of pulls are removed after a week, newer ones are kept', async () => {
  const old = leftover('.pull-old', new Date(Date.now() - 8 * 24 * 3_600_000));
  const recent = leftover('.pull-recent', new Date());
  await open();
  expect(existsSync(old)).toBe(false);
  expect(existsSync(recent)).toBe(true);
});

test('a model is obtainable when it is ready or a source answers, and the answer is remembered', async () => {
  const models = await open();
  expect(await models.obtainable('tiny')).toBe(true);
  await hub.close();
  expect(await models.obtainable('tiny')).toBe(true);
  const dark = await open();
  expect(await dark.obtainable('tiny')).toBe(false);
  expect(await dark.obtainable('unheard_of')).toBe(false);
  hub = await standInHub(MODEL, REVISION, files);
});
