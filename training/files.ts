// Files of a run: whole or not at all, and on the disk before anybody is told.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file that appears with all its bytes; one that was there is replaced. */
export async function writeWhole(path: string, ...pieces: (string | Uint8Array)[]): Promise<void> {
  // Of this process alone: one that is about to be killed may still write its own.
  const partial = `${path}.${process.pid}.part`;
  const file = await open(partial, 'w');
  try {
    for (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
  await syncFolder(dirname(path));
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The text of a file, or null when there is none. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** The bytes of a file, in memory that threads share. */
export async function readShared(path: string): Promise<Uint8Array<SharedArrayBuffer>> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(new SharedArrayBuffer((await file.stat()).size));
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), done);
      if (bytesRead === 0) throw new Error(`${path} ends before its last byte`);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}
