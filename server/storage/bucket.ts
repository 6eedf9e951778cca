// Storage under a prefix of an S3 bucket; objects are staged as local files for those who need a path.
import { createReadStream } from 'node:fs';
import { rm, stat, unlink } from 'node:fs/promises';
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import { connectS3, parseS3Url, type S3Place } from '../files/s3.ts';
import { checkKey, checkPrefix, ObjectNotFound } from './keys.ts';
import type { Scratch } from './scratch.ts';
import { createStaging } from './staging.ts';
import type { Storage } from './types.ts';
import { untilAborted, writeFile } from './write-file.ts';

export interface BucketOptions extends S3Place {
  /** `s3://bucket/prefix` */
  url: string;
  /** Bytes of the local copies that nobody holds. */
  stagedBytes?: number;
}

const defaultStagedBytes = 20e9;
/** S3 takes 10,000 parts: enough for 160 GB. Three are on their way at a time. */
const partBytes = 16 * 1024 * 1024;
const partsAtOnce = 3;
/** What one call deletes at most. */
const deletedTogether = 1000;
/** An object may be replaced between looking at it and reading it; nobody replaces one so often. */
const attempts = 5;

export async function bucketStorage(options: BucketOptions, scratch: Scratch): Promise<Storage> {
  const { bucket: Bucket, prefix } = parseS3Url(options.url);
  const { client, sdk } = await connectS3(options);
  const { Upload } = await import('@aws-sdk/lib-storage');
  const staging = createStaging(options.stagedBytes ?? defaultStagedBytes);
  const root = prefix === '' ? '' : `${prefix}/`;
  const place = (key: string) => {
    checkKey(key);
    return { Bucket, Key: root + key };
  };

  const write: Storage['write'] = async (key, source, { signal } = {}) => {
    signal?.throwIfAborted();
    let bytes = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const piece of signal ? untilAborted(source, signal) : source) {
        bytes += piece.length;
        yield piece;
      }
    }
    const Body = Readable.from(counted(), { objectMode: false });
    const upload = new Upload({ client, params: { ...place(key), Body }, partSize: partBytes, queueSize: partsAtOnce });
    try {
      await upload.done();
    } finally {
      Body.destroy();
    }
    return { bytes };
  };

  async function head(key: string, signal?: AbortSignal): Promise<{ bytes: number; etag: string } | null> {
    try {
      const found = await client.send(new sdk.HeadObjectCommand(place(key)), signal ? { abortSignal: signal } : {});
      return { bytes: found.ContentLength ?? 0, etag: found.ETag ?? '' };
    } catch (error) {
      if (isMissing(error)) return null;
      signal?.throwIfAborted();
      throw error;
    }
  }

  async function open(
    key: string,
    wanted: { Range?: string; IfMatch?: string },
    signal?: AbortSignal,
  ): Promise<Readable> {
    const command = new sdk.GetObjectCommand({ ...place(key), ...wanted });
    const { Body } = await client.send(command, signal ? { abortSignal: signal } : {});
    if (!(Body instanceof Readable)) throw new Error(`An answer without a body for ${key}`);
    return Body;
  }

  async function* list(below: string): AsyncGenerator<{ key: string; bytes: number }> {
    checkPrefix(below);
    let next: string | undefined;
    do {
      const page = await client.send(
        new sdk.ListObjectsV2Command({ Bucket, Prefix: root + below, ...(next && { ContinuationToken: next }) }),
      );
      for (const { Key = '', Size = 0 } of page.Contents ?? [])
        if (!Key.endsWith('/')) yield { key: Key.slice(root.length), bytes: Size };
      next = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (next);
  }

  async function removeAll(keys: string[]): Promise<void> {
    if (keys.length === 0) return;
    const Objects = keys.map(key => ({ Key: root + key }));
    const { Errors = [] } = await client.send(
      new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
    );
    const [first] = Errors;
    if (first) throw new Error(`${first.Key} was not deleted: ${first.Message}`);
  }

  return {
    write,
    async adopt(key, path) {
      place(key);
      const { size } = await stat(path);
      await write(key, createReadStream(path, { highWaterMark: 1024 * 1024 }));
      await unlink(path);
      return { bytes: size };
    },
    async read(key, range) {
      const { start, end = Infinity } = range ?? { start: 0 };
      place(key);
      if (end <= start) {
        if (!(await head(key))) throw new ObjectNotFound(key);
        return Readable.from([]);
      }
      const last = end === Infinity ? '' : end - 1;
      try {
        return await open(key, start === 0 && end === Infinity ? {} : { Range: `bytes=${start}-${last}` });
      } catch (error) {
        if (statusOf(error) === 416) return Readable.from([]);
        throw isMissing(error) ? new ObjectNotFound(key) : error;
      }
    },
    size: async key => (await head(key))?.bytes ?? null,
    async local(key, { signal } = {}) {
      for (let attempt = 1; ; attempt++) {
        const found = await head(key, signal);
        if (!found) throw new ObjectNotFound(key);
        const { bytes, etag } = found;
        const object = {
          version: `${key} ${etag} ${bytes}`,
          bytes,
          async download(path: string, downloading: AbortSignal) {
            const body = await open(key, etag ? { IfMatch: etag } : {}, downloading);
            const written = await writeFile(path, body, downloading).catch(async (error: unknown) => {
              await rm(path, { force: true });
              throw error;
            });
            if (written !== bytes) throw new Error(`${written} bytes came of the ${bytes} of ${key}`);
          },
        };
        try {
          return await staging.hold(object, { newPath: () => scratch.path(extname(key)), signal });
        } catch (error) {
          const replaced = statusOf(error) === 412 || isMissing(error);
          if (!replaced || attempt === attempts) throw error;
        }
      }
    },
    async remove(keyOrPrefix) {
      if (!keyOrPrefix.endsWith('/')) return void (await client.send(new sdk.DeleteObjectCommand(place(keyOrPrefix))));
      place(keyOrPrefix.slice(0, -1));
      let keys: string[] = [];
      for await (const { key } of list(keyOrPrefix)) {
        keys.push(key);
        if (keys.length < deletedTogether) continue;
        await removeAll(keys);
        keys = [];
      }
      await removeAll(keys);
    },
    list,
    freeBytes: async () => null,
    async scratch() {
      const path = await scratch.folder();
      return { path, remove: () => rm(path, { recursive: true, force: true }) };
    },
    async close() {
      client.destroy();
      await scratch.close();
    },
  };
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  return (error.$metadata as { httpStatusCode?: number }).httpStatusCode;
}

function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && !(error instanceof Error && error.name === 'NoSuchBucket');
}
