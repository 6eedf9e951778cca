// Bytes behind the end of a file, which are found from its last ones: where they begin, and a mark.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

const mark = Buffer.from('vectorium-append');
const trailerBytes = 8 + mark.length;

/** Appends the pieces, and what lets them be found; the file must not have an appendix yet. */
export async function append(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'a');
  try {
    const { size } = await file.stat();
    for await (const piece of pieces) await file.writeFile(piece);
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(size));
    await file.writeFile(Buffer.concat([start, mark]));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Where a file's appendix begins and ends; null when it has none. */
export async function appendixOf(path: string): Promise<{ start: number; end: number } | null> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size < trailerBytes) return null;
    const { buffer } = await file.read(Buffer.alloc(trailerBytes), 0, trailerBytes, size - trailerBytes);
    if (!buffer.subarray(8).equals(mark)) return null;
    const start = Number(buffer.readBigUInt64LE());
    const end = size - trailerBytes;
    if (start > end) throw new Error(`${path} is damaged`);
    return { start, end };
  } finally {
    await file.close();
  }
}

/** The bytes of a file from `start` up to `end`. */
export function readPart(path: string, { start, end }: { start: number; end: number }): Readable {
  return createReadStream(path, { start, end: Math.max(start, end) - 1 });
}
