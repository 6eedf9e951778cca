// One suite for what every storage promises, over a local folder and over a bucket of a real S3 server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { S3Connection } from '../files/s3.ts';
import { filesBelow } from '../files/testing.ts';
import { ObjectNotFound, openStorage, type Storage } from './index.ts';
import { startS3 } from './testing.ts';

const s3 = await startS3();
afterAll(() => s3?.stop());

const text = 'The quick brown fox jumps over the lazy dog';

async function* pieces(...parts: (string | Buffer | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}

async function* endless(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('first');
  await sleep(60_000, undefined, { ref: false });
}

async function contents(storage: Storage, key: string, range?: { start: number; end?: number }): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of await storage.read(key, range)) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function keysOf(storage: Storage, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys.toSorted();
}

for (const kind of ['folder', 'bucket'] as const) {
  const missing = kind === 'bucket' && !s3;
  describe.skipIf(missing)(
    `storage in a ${kind}${missing ? ': SKIPPED, install Python 3 with pip, or versitygw' : ''}`,
    () => {
      let folder: string;
      let storage: Storage;
      const scratchFiles = () => filesBelow(join(folder, 'scratch'));

      beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), 'vectorium-storage-'));
        const Bucket = `b${Math.random().toString(36).slice(2)}`;
        if (kind === 'bucket') await s3?.connection.client.send(new s3.connection.sdk.CreateBucketCommand({ Bucket }));
        const place = { url: `s3://${Bucket}/some/prefix/`, endpoint: s3?.endpoint, region: 'us-east-1' };
        storage = await openStorage({ folder, ...(kind === 'bucket' && { s3: place }) });
      });
      afterEach(async () => {
        await storage.close();
        await rm(folder, { recursive: true });
      });

      it('gives back what was written, whole and in ranges', async () => {
        expect(await storage.write('a/b.txt', pieces(text.slice(0, 10), '', text.slice(10)))).toEqual({
          bytes: text.length,
        });
        expect(await contents(storage, 'a/b.txt')).toBe(text);
        expect(await contents(storage, 'a/b.txt', { start: 4, end: 9 })).toBe('quick');
        expect(await contents(storage, 'a/b.txt', { start: 40 })).toBe('dog');
        expect(await contents(storage, 'a/b.txt', { start: 40, end: 1000 })).toBe('dog');
        expect(await contents(storage, 'a/b.txt', { start: text.length })).toBe('');
        expect(await contents(storage, 'a/b.txt', { start: 1000, end: 2000 })).toBe('');
        expect(await contents(storage, 'a/b.txt', { start: 5, end: 5 })).toBe('');
        expect(await storage.size('a/b.txt')).toBe(text.length);
      });

      it('keeps objects without bytes, and large ones', async () => {
        const block = Buffer.alloc(1024 * 1024, 'vectorium');
        expect(await storage.write('empty', pieces())).toEqual({ bytes: 0 });
        expect(await contents(storage, 'empty')).toBe('');
        const blocks = Array.from({ length: 20 }, () => block);
        expect(await storage.write('large', pieces(...blocks, 'end'))).toEqual({ bytes: 20 * block.length + 3 });
        expect(await contents(storage, 'large', { start: 20 * block.length })).toBe('end');
        expect(await storage.size('large')).toBe(20 * block.length + 3);
      });

      it('replaces an object as a whole', async () => {
        await storage.write('a', pieces('old and longer'));
        const reader = await storage.local('a');
        await storage.write('a', pieces('new'));
        expect(await contents(storage, 'a')).toBe('new');
        expect(await readFile(reader.path, 'utf8')).toBe('old and longer');
        reader.release();
        const again = await storage.local('a');
        expect(await readFile(again.path, 'utf8')).toBe('new');
        again.release();
      });

      it('leaves nothing of a write that fails, and the object that was there', async () => {
        await storage.write('a', pieces('before'));
        await expect(storage.write('a', pieces('half', new Error('broken off')))).rejects.toThrow('broken off');
        await expect(storage.write('b', pieces('half', new Error('broken off')))).rejects.toThrow('broken off');
        expect(await contents(storage, 'a')).toBe('before');
        expect(await keysOf(storage)).toEqual(['a']);
        expect(await scratchFiles()).toEqual([]);
      });

      it('gives up a write when told so, also while it waits for bytes', async () => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(new Error('told so')), 50);
        await expect(storage.write('a', endless(), { signal: controller.signal })).rejects.toThrow('told so');
        await expect(storage.write('a', pieces(text), { signal: controller.signal })).rejects.toThrow('told so');
        expect(await keysOf(storage)).toEqual([]);
        expect(await scratchFiles()).toEqual([]);
      });

      it('takes over a file', async () => {
        const scratch = await storage.scratch();
        const path = join(scratch.path, 'made.txt');
        await writeFile(path, text);
        expect(await storage.adopt('x/made.txt', path)).toEqual({ bytes: text.length });
        expect(await contents(storage, 'x/made.txt')).toBe(text);
        await expect(storage.adopt('x/none', join(scratch.path, 'none'))).rejects.toThrow('ENOENT');
        await scratch.remove();
      });

      it('says ObjectNotFound, or null, for what is not there', async () => {
        await storage.write('a/b', pieces(text));
        for (const key of ['none', 'a', 'a/none', 'a/b/c']) {
          expect(await storage.size(key)).toBeNull();
          await expect(storage.read(key)).rejects.toBeInstanceOf(ObjectNotFound);
          await expect(storage.local(key)).rejects.toBeInstanceOf(ObjectNotFound);
        }
        for (const key of ['none', 'a', 'a/none/', 'none/', 'a/b/c']) await storage.remove(key);
        expect(await keysOf(storage)).toEqual(['a/b']);
      });

      it('lists and removes what is below a prefix, and nothing beside it', async () => {
        for (const key of ['ds_1/1/data', 'ds_1/2/data', 'ds_1/raw', 'ds_10/1/data', 'ds_2'])
          await storage.write(key, pieces(key));
        expect(await keysOf(storage, 'ds_1/')).toEqual(['ds_1/1/data', 'ds_1/2/data', 'ds_1/raw']);
        expect(await keysOf(storage, 'ds_1')).toEqual(['ds_1/1/data', 'ds_1/2/data', 'ds_1/raw', 'ds_10/1/data']);
        expect(await keysOf(storage, 'none/')).toEqual([]);
        for await (const { key, bytes } of storage.list('')) expect(bytes).toBe(key.length);
        await storage.remove('ds_1/');
        await storage.remove('ds_2');
        expect(await keysOf(storage)).toEqual(['ds_10/1/data']);
      });

      it('refuses keys that lead elsewhere', async () => {
        const bad = [
          '',
          '/',
          '/etc/passwd',
          '..',
          '../a',
          'a/../../b',
          'a//b',
          'a/./b',
          'a\\b',
          'a\0b',
          'a b',
          'a/',
          'ä',
        ];
        for (const key of [...bad, 'x'.repeat(1000)]) {
          await expect(storage.write(key, pieces(text))).rejects.toThrow('no key');
          await expect(storage.read(key)).rejects.toThrow('no key');
          await expect(storage.size(key)).rejects.toThrow('no key');
          await expect(storage.local(key)).rejects.toThrow('no key');
          await expect(storage.adopt(key, '/nowhere')).rejects.toThrow('no key');
          if (key !== 'a/') await expect(storage.remove(key)).rejects.toThrow('no key');
        }
        await expect(keysOf(storage, '../')).rejects.toThrow('no key');
      });

      it('keeps a local file until it is released, also when the object is removed', async () => {
        await storage.write('d/data.parquet', pieces(text));
        const files = await Promise.all([storage.local('d/data.parquet'), storage.local('d/data.parquet')]);
        await storage.remove('d/');
        for (const file of files) {
          expect(file.path).toMatch(/\.parquet$/);
          expect(await readFile(file.path, 'utf8')).toBe(text);
        }
        for (const file of files) file.release();
        for (const file of files) file.release();
        await expect(storage.local('d/data.parquet')).rejects.toBeInstanceOf(ObjectNotFound);
      });

      it('serves many at once', async () => {
        const keys = Array.from({ length: 40 }, (_, n) => `many/${n % 7}/${n}`);
        await Promise.all(keys.map(key => storage.write(key, pieces(key, text))));
        expect(await Promise.all(keys.map(key => contents(storage, key)))).toEqual(keys.map(key => key + text));
        // Writers of one key: one of them wins.
        await Promise.all(Array.from({ length: 8 }, (_, n) => storage.write('one', pieces(`writer ${n}`))));
        expect(await contents(storage, 'one')).toMatch(/^writer \d$/);
        // Removing the last object of a folder while others come.
        await Promise.all(
          keys.map(async (key, n) => (n % 2 ? storage.remove(key) : storage.write(key, pieces('again')))),
        );
        expect(await keysOf(storage, 'many/')).toEqual(keys.filter((_, n) => n % 2 === 0).toSorted());
      });

      it('has scratch folders that are empty, apart from each other, and gone when removed', async () => {
        const [one, other] = await Promise.all([storage.scratch(), storage.scratch()]);
        expect(one.path).not.toBe(other.path);
        expect(await readdir(one.path)).toEqual([]);
        await writeFile(join(one.path, 'a'), text);
        await one.remove();
        await one.remove();
        await expect(stat(one.path)).rejects.toThrow('ENOENT');
        await stat(other.path);
      });

      it('knows its free space, or that nobody knows', async () => {
        const free = await storage.freeBytes();
        if (kind === 'folder') expect(free).toBeGreaterThan(1024 * 1024);
        else expect(free).toBeNull();
      });
    },
  );
}

describe('a storage folder', () => {
  it('loses what a killed writer left at the next start, and nothing of a living one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vectorium-storage-'));
    const program = fileURLToPath(new URL('write-until-killed.ts', import.meta.url));
    const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data', { signal: AbortSignal.timeout(30_000) });
    const living = await openStorage({ folder });
    const scratch = await living.scratch();
    await writeFile(join(scratch.path, 'mine'), text);
    expect(await filesBelow(join(folder, 'scratch'))).toHaveLength(3);
    child.kill('SIGKILL');
    await once(child, 'close');

    const next = await openStorage({ folder });
    expect(await filesBelow(join(folder, 'scratch'))).toEqual(['mine']);
    expect(await keysOf(next)).toEqual(['whole']);
    await next.close();
    await living.close();
    expect(await filesBelow(join(folder, 'scratch'))).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe.skipIf(!s3)('a bucket', () => {
  it('has no parts of a write that failed', async () => {
    await inBucket({}, async (storage, { client, sdk, Bucket }) => {
      const block = Buffer.alloc(16 * 1024 * 1024);
      await expect(storage.write('a', pieces(block, block, block, new Error('broken off')))).rejects.toThrow(
        'broken off',
      );
      const controller = new AbortController();
      const writing = storage.write('b', andThenNothing(block, block), { signal: controller.signal });
      setTimeout(() => controller.abort(new Error('told so')), 300);
      await expect(writing).rejects.toThrow('told so');
      const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket }));
      expect(Uploads).toEqual([]);
      expect(await keysOf(storage)).toEqual([]);
    });
  });

  it('is fetched once for those who come together, and kept within bounds but for what is held', async () => {
    await inBucket({ stagedBytes: 250 }, async (storage, { folder }) => {
      for (const key of ['a', 'b', 'c', 'd']) await storage.write(key, pieces(key.repeat(100)));
      const staged = () => filesBelow(join(folder, 'scratch')).then(files => files.length);
      const together = await Promise.all(Array.from({ length: 10 }, () => storage.local('a')));
      expect(new Set(together.map(({ path }) => path)).size).toBe(1);
      const b = await storage.local('b');
      for (const each of together.slice(1)) each.release();
      (await storage.local('c')).release();
      // a and b are held: c had to go.
      await expect.poll(staged).toBe(2);
      together[0]?.release();
      (await storage.local('d')).release();
      const again = await storage.local('d');
      await expect.poll(staged).toBe(2);
      expect(await readFile(b.path, 'utf8')).toBe('b'.repeat(100));
      expect(await readFile(again.path, 'utf8')).toBe('d'.repeat(100));
      await storage.write('d', pieces('new'));
      const replaced = await storage.local('d');
      expect(await readFile(replaced.path, 'utf8')).toBe('new');
      expect(await readFile(again.path, 'utf8')).toBe('d'.repeat(100));
    });
  });

  it('goes on with a fetch while somebody still waits for it', async () => {
    await inBucket({}, async storage => {
      await storage.write('a', pieces(Buffer.alloc(30_000_000, 'x')));
      const controller = new AbortController();
      const leaving = storage.local('a', { signal: controller.signal });
      const staying = storage.local('a');
      setTimeout(() => controller.abort(new Error('told so')), 10);
      await leaving.then(file => file.release()).catch((error: Error) => expect(error.message).toBe('told so'));
      expect((await stat((await staying).path)).size).toBe(30_000_000);
    });
  });
});

async function inBucket(
  options: { stagedBytes?: number },
  use: (storage: Storage, parts: S3Connection & { Bucket: string; folder: string }) => Promise<void>,
): Promise<void> {
  if (!s3) return;
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-storage-'));
  const Bucket = `b${Math.random().toString(36).slice(2)}`;
  const { client, sdk } = s3.connection;
  await client.send(new sdk.CreateBucketCommand({ Bucket }));
  const place = { url: `s3://${Bucket}`, endpoint: s3.endpoint, region: 'us-east-1', ...options };
  const storage = await openStorage({ folder, s3: place });
  await use(storage, { client, sdk, Bucket, folder });
  await storage.close();
  await rm(folder, { recursive: true });
}

async function* andThenNothing(...parts: Buffer[]): AsyncGenerator<Uint8Array> {
  yield* parts;
  yield* endless();
}
