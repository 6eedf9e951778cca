// The path that every door leads to: bytes are counted, hashed, checked against what there is room for, and written to a
// scratch file, while they come.
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError } from '../http/index.ts';
import type { Storage } from '../storage/index.ts';
import type { ReceivedUpload, Room } from './types.ts';

export interface Limits {
  /** Bytes of one file at most. */
  maxBytes: number;
  /** Bytes of the disk that uploads leave free. */
  minFreeBytes: number;
  /** Bytes that can still be written into a folder. */
  freeBytes(folder: string): Promise<number>;
}

export const defaultLimits: Limits = {
  maxBytes: 5 * 1024 ** 3,
  minFreeBytes: 512 * 1024 ** 2,
  async freeBytes(folder) {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

/** Pieces are written together, so that there are few writes. */
const writtenTogether = 1024 * 1024;
/** Room is asked for in such steps. */
const roomStep = 32 * 1024 * 1024;

export type Receipt = Pick<ReceivedUpload, 'path' | 'bytes' | 'sha256' | 'discard'>;

/** Throws ApiError, or what `bytes` throws; then nothing is left. */
export async function receiveBytes(
  bytes: AsyncIterable<Uint8Array>,
  { storage, room, limits }: { storage: Pick<Storage, 'scratch'>; room: Room; limits: Limits },
): Promise<Receipt> {
  const folder = await storage.scratch();
  const path = join(folder.path, 'upload');
  try {
    const file = await open(path, 'wx');
    try {
      const hash = createHash('sha256');
      const check = (total: number) => checkRoom(total, { folder: folder.path, room, limits });
      const total = await writeAll(file, bytes, { check, hash });
      if (total === 0) throw new ApiError('INVALID_FILE', { message: 'file is empty', param: 'file' });
      return { path, bytes: total, sha256: hash.digest('hex'), discard: () => folder.remove() };
    } finally {
      await file.close();
    }
  } catch (error) {
    await folder.remove();
    throw isDiskFull(error) ? diskFull(error) : error;
  }
}

interface Writing {
  /** Asked from time to time with the bytes so far, and at the end. */
  check(total: number): Promise<void>;
  hash?: Hash;
  /** When the bytes break off, those that came are written all the same. */
  keepWhatCame?: boolean;
}

/** The number of bytes. Throws what `bytes` or `check` throws. */
export async function writeAll(
  file: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  { check, hash, keepWhatCame = false }: Writing,
): Promise<number> {
  let total = 0;
  let checkedAt = 0;
  let block: Uint8Array[] = [];
  let blockBytes = 0;
  let writing = Promise.resolve();
  const begin = () => {
    writing = writeBlock(file, block, blockBytes);
    // A failure is seen where it is waited for.
    writing.catch(() => {});
    block = [];
    blockBytes = 0;
  };
  try {
    for await (const piece of bytes) {
      hash?.update(piece);
      total += piece.length;
      block.push(piece);
      blockBytes += piece.length;
      if (blockBytes < writtenTogether) continue;
      await writing;
      if (total >= checkedAt + roomStep) {
        await check(total);
        checkedAt = total;
      }
      begin();
    }
    await writing;
    await check(total);
    await writeBlock(file, block, blockBytes);
    return total;
  } catch (error) {
    await writing;
    if (keepWhatCame) await writeBlock(file, block, blockBytes);
    throw error;
  }
}

async function writeBlock(file: FileHandle, block: Uint8Array[], blockBytes: number): Promise<void> {
  if (blockBytes === 0) return;
  const { bytesWritten } = await file.writev(block);
  if (bytesWritten === blockBytes) return;
  // What a full disk does before it says so.
  const rest = Buffer.concat(block).subarray(bytesWritten);
  await file.writeFile(rest);
}

export async function checkRoom(
  total: number,
  { folder, room, limits }: { folder: string; room: Room; limits: Limits },
): Promise<void> {
  if (total > limits.maxBytes) throw fileTooLarge(limits);
  await room.grow(total);
  if ((await limits.freeBytes(folder)) < limits.minFreeBytes) throw diskFull();
}

export function fileTooLarge({ maxBytes }: Pick<Limits, 'maxBytes'>): ApiError {
  return new ApiError('PAYLOAD_TOO_LARGE', { message: `The file is larger than ${maxBytes} bytes`, param: 'file' });
}

export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

export function diskFull(cause?: unknown): ApiError {
  return new ApiError('STORAGE_FULL', { message: "The server's disk has no room for the file", cause });
}
