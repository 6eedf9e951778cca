// One look at a whole file before DuckDB sees it: its size, its head, and how its text is encoded.
import { isAscii, isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';

const chunkBytes = 4 * 2 ** 20;
/** Good characters that settle it unless the bad are many. */
const enough = 1000;
const headBytes = 64 * 2 ** 10;

/** The first bytes of a file and its size. */
export async function lookAtHead(path: string): Promise<{ sizeBytes: number; head: Buffer }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, headBytes));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return { sizeBytes: size, head: buffer.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

export function byteOrderMark(head: Buffer): string | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return 'utf-8';
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  return null;
}

/** UTF-16 without a mark: every other byte of mostly western text is zero. */
export function looksLikeUtf16(head: Buffer): 'utf-16le' | 'utf-16be' | null {
  let even = 0;
  let odd = 0;
  const length = Math.min(head.length, 4096) & ~1;
  for (let index = 0; index < length; index += 2) {
    if (head[index] === 0) even++;
    if (head[index + 1] === 0) odd++;
  }
  const pairs = length / 2;
  if (pairs === 0) return null;
  if (odd > pairs * 0.7 && even < pairs * 0.1) return 'utf-16le';
  if (even > pairs * 0.7 && odd < pairs * 0.1) return 'utf-16be';
  return null;
}

/**
 * Reads all bytes: text that is not UTF-8 is windows-1252, unless more of its characters are good UTF-8 than bad, which
 * is UTF-8 with some broken lines.
 */
export async function detectEncoding(path: string, signal: AbortSignal): Promise<'utf-8' | 'windows-1252'> {
  let good = 0;
  let bad = 0;
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    let kept = 0;
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, kept, buffer.length - kept, null);
      const filled = kept + bytesRead;
      const end = bytesRead === 0 ? filled : wholeCharacters(buffer, filled);
      const text = buffer.subarray(0, end);
      if (!isUtf8(text)) {
        for (const character of text.toString('utf8').matchAll(/[\u0080-\u{10ffff}]/gu))
          if (character[0] === '\ufffd') bad++;
          else good++;
      } else if (good < enough && !isAscii(text)) good += text.length - text.toString('utf8').length;
      if (bytesRead === 0) break;
      buffer.copyWithin(0, end, filled);
      kept = filled - end;
    }
  } finally {
    await file.close();
  }
  return bad > good ? 'windows-1252' : 'utf-8';
}

/** Where the last character begins that may be cut, else the length. */
function wholeCharacters(buffer: Buffer, length: number): number {
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = buffer[length - back] ?? 0;
    if (byte < 0x80) return length;
    if (byte >= 0xc0) return length - back;
  }
  return length;
}
