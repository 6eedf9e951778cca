// Takes files from requests into scratch files: the doors, the common path behind them, and the bounds.
import type { Storage } from '../storage/index.ts';
import { ApiError } from '../http/index.ts';
import { doorOf } from './doors.ts';
import { paced } from './pace.ts';
import { defaultLimits, fileTooLarge, type Limits, receiveBytes } from './receipt.ts';
import { createResumable } from './resumable.ts';
import type { Uploads } from './types.ts';

export interface UploadsOptions {
  storage: Pick<Storage, 'scratch'>;
  /** Where unfinished resumable uploads are kept, on the file system of the storage's scratch folders. */
  folder: string;
  /** An upload that was begun but not finished goes after this. */
  expiresAfterMs?: number;
  /** The longest pause between two pieces of a body. There is no bound on the whole: a slow line may take hours. */
  idleMs?: number;
  limits?: Partial<Limits>;
}

/** Base64 takes 4/3 of the file; a body that is longer than twice the largest file has something else in it. */
const longestBody = 2;
const besideTheFile = 16 * 1024 * 1024;

export function createUploads({
  storage,
  folder,
  idleMs = 30_000,
  expiresAfterMs = 24 * 3_600_000,
  limits: given = {},
}: UploadsOptions): Uploads {
  const limits = { ...defaultLimits, ...given };
  const maxBodyBytes = longestBody * limits.maxBytes + besideTheFile;
  const resumable = createResumable({ folder, storage, limits, idleMs, expiresAfterMs });
  return {
    resume: resumable.answer,
    forget: resumable.forget,
    close: resumable.close,
    async receive(request, room) {
      const announced = Number(request.request.headers['content-length'] ?? 0);
      if (announced > (request.request.method === 'PUT' ? limits.maxBytes : maxBodyBytes)) throw fileTooLarge(limits);
      const door = doorOf(request, bounded(paced(request.request, idleMs), maxBodyBytes));
      const receipt = await receiveBytes(door.bytes, { storage, room, limits });
      try {
        return { ...receipt, ...door.fields() };
      } catch (error) {
        await receipt.discard();
        throw error;
      }
    },
  };
}

async function* bounded(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > maxBytes)
      throw new ApiError('PAYLOAD_TOO_LARGE', { message: `The body is larger than ${maxBytes} bytes` });
    yield piece;
  }
}
