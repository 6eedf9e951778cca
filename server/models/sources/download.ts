// One remote file onto disk: resumed where it broke off, tried again with growing pauses, and kept only when its hash is right.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CatalogFile } from '../catalog.ts';
import type { FetchJob, FileRecord } from './source.ts';

export interface RemoteFile {
  /** Null when the server did not say. */
  bytes: number | null;
  sha256: string | null;
  /** Git's SHA-1 of the file as a blob, where a hub gives no SHA-256. */
  gitBlob: string | null;
  /** Starts reading at `offset`, or at 0 when the server can't; `start` says which. */
  open(offset: number, signal: AbortSignal): Promise<{ start: number; body: AsyncIterable<Uint8Array> }>;
}

/** A refusal that trying again doesn't change, such as 404. */
export class Refused extends Error {}

export interface DownloadOptions {
  signal: AbortSignal;
  /** Bytes of this file on disk so far. */
  report(doneBytes: number): void;
  /** First pause between two tries; it doubles each time. */
  retryMs?: number;
  /** A connection that brings nothing for this long counts as broken. */
  stallMs?: number;
}

const MAX_FRUITLESS_TRIES = 5;

/** Brings all files of a model, in order, into `job.files`. Throws an Error that names the file. */
export async function downloadAll(
  files: readonly { file: CatalogFile; remote: RemoteFile }[],
  job: FetchJob,
): Promise<Record<string, FileRecord>> {
  const total = files.reduce((sum, { remote }) => sum + (remote.bytes ?? 0), 0);
  await job.reserve(total);
  const records: Record<string, FileRecord> = {};
  let before = 0;
  for (const { file, remote } of files) {
    const got = await download(remote, join(job.files, file.path), {
      signal: job.signal,
      report: done => job.report(before + done, Math.max(total, before + done)),
    }).catch((error: unknown) => {
      throw new Error(`${file.path}: ${reason(error)}`, { cause: error });
    });
    before += got.bytes;
    const verified = file.sha256 ? 'catalog' : remote.sha256 || remote.gitBlob ? 'hub' : 'first use';
    records[file.path] = { sha256: got.sha256, bytes: got.bytes, verified };
  }
  return records;
}

/**
 * Brings `remote` to `path`, through `path.partial`. A file that is there already and right is not fetched again.
 * Returns its hash and size. Throws when it can't be had or its bytes are not those that were promised.
 */
export async function download(
  remote: RemoteFile,
  path: string,
  options: DownloadOptions,
): Promise<{ sha256: string; bytes: number }> {
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true });
  if ((await sizeOf(path)) > 0) {
    const there = await hashFile(path);
    if (mismatch(remote, there) === null && promised(remote)) {
      options.report(there.bytes);
      return there;
    }
    await rm(path);
  }
  for (let fresh = (await sizeOf(partial)) === 0; ; fresh = true) {
    await transfer(remote, partial, options);
    const got = await hashFile(partial);
    const problem = mismatch(remote, got);
    if (problem === null) {
      await rename(partial, path);
      return got;
    }
    await rm(partial);
    // A part of an earlier run may have been bad; what came whole just now will not get better.
    if (fresh) throw new Refused(problem);
  }
}

/** SHA-256, git's blob hash and size of a file, streamed. */
export async function hashFile(path: string): Promise<{ sha256: string; gitBlob: string; bytes: number }> {
  const { size } = await stat(path);
  const sha256 = createHash('sha256');
  const sha1 = createHash('sha1').update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    sha256.update(chunk);
    sha1.update(chunk);
  }
  return { sha256: sha256.digest('hex'), gitBlob: sha1.digest('hex'), bytes: size };
}

/** Why the bytes are not those of `remote`, or null. */
function mismatch(remote: RemoteFile, got: { sha256: string; gitBlob: string; bytes: number }): string | null {
  if (remote.sha256 !== null && got.sha256 !== remote.sha256)
    return `wrong bytes: SHA-256 ${got.sha256}, expected ${remote.sha256}`;
  if (remote.gitBlob !== null && got.gitBlob !== remote.gitBlob)
    return `wrong bytes: git blob ${got.gitBlob}, expected ${remote.gitBlob}`;
  if (remote.bytes !== null && got.bytes !== remote.bytes)
    return `wrong size: ${got.bytes} bytes, expected ${remote.bytes}`;
  return null;
}

const promised = (remote: RemoteFile) => remote.sha256 !== null || remote.gitBlob !== null;

/** Appends to `partial` until the whole file is there. Gives up after several tries in a row that brought no byte. */
async function transfer(remote: RemoteFile, partial: string, options: DownloadOptions): Promise<void> {
  // Without a known size nobody could tell a whole file from a part of one.
  if (remote.bytes === null) await rm(partial, { force: true });
  let fruitless = 0;
  for (;;) {
    const before = await sizeOf(partial);
    if (remote.bytes !== null && before >= remote.bytes) {
      options.report(before);
      return;
    }
    try {
      await appendOnce(remote, partial, options);
      const now = await sizeOf(partial);
      if (remote.bytes === null || now >= remote.bytes) return;
      throw new Error(`the connection ended after ${now} of ${remote.bytes} bytes`);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof Refused) throw error;
      fruitless = (await sizeOf(partial)) > before ? 0 : fruitless + 1;
      if (fruitless >= MAX_FRUITLESS_TRIES) throw error;
      await sleep((options.retryMs ?? 500) * 2 ** fruitless, undefined, { signal: options.signal });
    }
  }
}

async function appendOnce(remote: RemoteFile, partial: string, options: DownloadOptions): Promise<void> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new Error('the server stopped sending')), options.stallMs ?? 30_000);
  const file = await open(partial, 'a');
  try {
    const { start, body } = await remote.open(
      (await file.stat()).size,
      AbortSignal.any([options.signal, stalled.signal]),
    );
    await file.truncate(start);
    let done = start;
    for await (const chunk of body) {
      timer.refresh();
      if (remote.bytes !== null && done + chunk.length > remote.bytes) throw new Refused('more bytes than announced');
      await file.writeFile(chunk);
      done += chunk.length;
      options.report(done);
    }
    await file.sync();
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

/** fetch() hides the reason of a broken connection in `cause`. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const cause = error.cause instanceof Error ? error.cause : null;
  const code = cause && 'code' in cause ? String(cause.code) : '';
  if (error.message === 'fetch failed')
    return `not reachable${code || cause?.message ? ` (${code || cause?.message})` : ''}`;
  return error.message;
}
