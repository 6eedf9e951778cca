// Uploads that can be broken off and resumed: the tus protocol 1.0 by its own library, behind the server's keys and errors.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, open } from 'node:fs/promises';
import { join } from 'node:path';
import { errorBody } from '@vectorium/contract';
import { MemoryLocker, Server, type Upload } from '@tus/server';
import { newId } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import type { Storage } from '../storage/index.ts';
import { type Checksum, checksumOf } from './checksum.ts';
import { checkTexts } from './fields.ts';
import { paced } from './pace.ts';
import { checkRoom, diskFull, isDiskFull, type Limits, writeAll } from './receipt.ts';
import { AccountStore, ResumableFiles } from './resumable-store.ts';
import type { ReceivedUpload, ResumableAnswer, ResumableRequest, Room } from './types.ts';

export interface ResumableOptions {
  /** Where unfinished uploads are kept, on the file system of the storage's scratch folders. */
  folder: string;
  storage: Pick<Storage, 'scratch'>;
  limits: Limits;
  idleMs: number;
  expiresAfterMs: number;
}

type OnFinished = (upload: ReceivedUpload) => Promise<object>;

const sweepEveryMs = 600_000;

export interface Resumable {
  answer(exchange: ResumableRequest, room: Room, onFinished: OnFinished): Promise<ResumableAnswer>;
  forget(accountId: string): Promise<void>;
  close(): Promise<void>;
}

export function createResumable({ folder, storage, limits, idleMs, expiresAfterMs }: ResumableOptions): Resumable {
  const files = new ResumableFiles(folder, expiresAfterMs);
  const locker = new MemoryLocker();
  const sweep = () => void files.removeExpired().catch(() => {});
  const timer = setInterval(sweep, sweepEveryMs).unref();
  sweep();

  return {
    async answer({ request, accountId, requestId }, room, onFinished) {
      // What the library would turn into a sentence of its own.
      let refusal: unknown = null;
      const noting = async <T>(work: () => Promise<T>): Promise<T> => {
        try {
          return await work();
        } catch (error) {
          refusal ??= error;
          throw error;
        }
      };
      const store = new AccountStore(files, accountId, (path, bytes, offset) =>
        noting(() =>
          append(path, bytes, { offset, room, limits, checksum: checksumOf(request.headers['upload-checksum']) }),
        ),
      );
      const path = (request.url ?? '').replace(/\?.*$/, '').replace(/(\/uploads)\/.*$/, '$1');
      const server = new Server({
        path,
        relativeLocation: true,
        datastore: store,
        locker,
        maxSize: limits.maxBytes,
        namingFunction: () => newId(),
        onUploadCreate: (_request, upload) =>
          noting(async () => {
            checkTexts(textsOf(upload));
            if (upload.size === 0) throw new ApiError('INVALID_FILE', { message: 'file is empty', param: 'file' });
            await room.grow((await files.promisedBytes(accountId)) + (upload.size ?? 0));
            return {};
          }),
        onUploadFinish: (_request, upload) => noting(() => finish(upload, accountId, onFinished)),
      });
      const pieces = paced(request, idleMs);
      const response = await server.handleWeb(webRequest(request, notingFaults(pieces, noting)));
      if (refusal && !isTusError(refusal)) throw refusal;
      return answerOf(response, requestId);
    },
    forget: accountId => files.removeOf(accountId),
    async close() {
      clearInterval(timer);
    },
  };

  async function finish(upload: Upload, accountId: string, onFinished: OnFinished) {
    const { id } = upload;
    const kept = await files.find(id, accountId);
    files.finishing.add(id);
    const scratch = await storage.scratch();
    try {
      const path = join(scratch.path, 'upload');
      // The bytes stay where they are until the answer is written: rule 3.
      await link(files.fileOf(id), path).catch(() => copyFile(files.fileOf(id), path));
      const discard = () => scratch.remove();
      const received = {
        path,
        bytes: kept.size,
        sha256: await sha256Of(path),
        discard,
        ...checkTexts(textsOf(upload)),
      };
      const body = JSON.stringify(await onFinished(received));
      await files.finish(id, kept, body);
      return { status_code: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body };
    } catch (error) {
      // Refused for what it is: sending it again changes nothing.
      if (error instanceof ApiError && !['SERVICE_UNAVAILABLE', 'STORAGE_FULL'].includes(error.code))
        await files.remove(id);
      throw error;
    } finally {
      files.finishing.delete(id);
      await scratch.remove();
    }
  }
}

async function append(
  path: string,
  bytes: AsyncIterable<Buffer>,
  { offset, room, limits, checksum }: { offset: number; room: Room; limits: Limits; checksum: Checksum | null },
): Promise<number> {
  const file = await open(path, 'a');
  const check = (total: number) => checkRoom(offset + total, { folder: path, room, limits });
  try {
    const written = await writeAll(file, checksum ? checksum.through(bytes) : bytes, { check, keepWhatCame: true });
    checksum?.verify();
    await file.sync();
    return written;
  } catch (error) {
    // Of bytes that nobody could check, none are kept.
    if (checksum) await file.truncate(offset);
    throw isDiskFull(error) ? diskFull(error) : error;
  } finally {
    await file.close();
  }
}

function textsOf(upload: Upload): ReadonlyMap<string, string> {
  const given = Object.entries(upload.metadata ?? {});
  return new Map(given.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

async function* notingFaults(
  pieces: AsyncGenerator<Buffer>,
  noting: <T>(work: () => Promise<T>) => Promise<T>,
): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      const next = await noting(() => pieces.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await pieces.return(undefined);
  }
}

function webRequest(request: ResumableRequest['request'], pieces: AsyncIterable<Buffer>): Request {
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  const { method = 'HEAD' } = request;
  const body = ['POST', 'PATCH'].includes(method) ? ReadableStream.from(pieces) : null;
  const init = { method, headers, body, ...(body && { duplex: 'half' }) };
  return new Request(new URL(request.url ?? '/', 'http://server'), init as RequestInit);
}

async function answerOf(response: Response, requestId: string): Promise<ResumableAnswer> {
  const { status } = response;
  const text = await response.text();
  if (status >= 500) throw new Error(`tus: ${status} ${text}`);
  const headers = Object.fromEntries(response.headers);
  for (const name of Object.keys(headers))
    // The server has its own for these.
    if (/^(access-control-|content-length$|connection$)/.test(name)) delete headers[name];
  if (status < 400) return { status, headers, body: text };
  const code =
    status === 404 || status === 410
      ? 'NOT_FOUND'
      : status === 413
        ? 'PAYLOAD_TOO_LARGE'
        : status === 409 || status === 423
          ? 'CONFLICT'
          : 'BAD_REQUEST';
  const message =
    code === 'PAYLOAD_TOO_LARGE'
      ? 'The upload is larger than it was said to be, or than the server takes'
      : text.trim();
  const body = JSON.stringify(errorBody({ code, message, requestId }, 'vectorial'));
  return { status, headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, body };
}

/** The library's own refusals, which it answers well. */
function isTusError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'status_code' in error;
}
