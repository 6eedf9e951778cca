// Making the bytes of a text file UTF-8 as DuckDB reads it: unpacked, decoded, without a mark.
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { byteOrderMark, detectEncoding, lookAtHead, looksLikeUtf16 } from './look.ts';
import { looksLike } from './recognise.ts';

/** What a compressed file may become. */
const maxUnpackedBytes = 20 * 2 ** 30;

export interface PlainText {
  path: string;
  notes: string[];
}

/** The path of the file as UTF-8: the file itself, or a copy in the job's folder. */
export async function plainText(source: string, encoding: string | undefined, context: JobContext): Promise<PlainText> {
  const notes: string[] = [];
  let path = source;
  let { head } = await lookAtHead(path);
  if (looksLike(head) === 'gzip') {
    path = join(context.scratch, 'unpacked');
    await unpack(source, path, context.signal);
    ({ head } = await lookAtHead(path));
    if (head.length === 0) throw new TableError('EMPTY_FILE', 'The compressed file is empty', { place: 'byte 0' });
  }
  const known = byteOrderMark(head) ?? named(encoding) ?? looksLikeUtf16(head);
  const found = known ?? (await detectEncoding(path, context.signal));
  if (found === 'utf-8') return { path, notes };
  if (known === null) notes.push(`The text is not UTF-8; it was read as ${found}`);
  const decoded = join(context.scratch, 'decoded');
  const decoder = new TextDecoder(found);
  await pipeline(
    createReadStream(path, { highWaterMark: 2 ** 20 }),
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        done(null, Buffer.from(decoder.decode(chunk, { stream: true })));
      },
      flush(done) {
        done(null, Buffer.from(decoder.decode()));
      },
    }),
    createWriteStream(decoded),
    { signal: context.signal },
  );
  return { path: decoded, notes };
}

/** A copy of a text file in the job's folder in which every \r\n is \n, also within quotes. */
export async function withOneLineEnding(path: string, { scratch, signal }: JobContext): Promise<string> {
  const copy = join(scratch, 'one-line-ending');
  let held = '';
  await pipeline(
    // As bytes, which this leaves alone but for the two.
    createReadStream(path, { highWaterMark: 2 ** 20, encoding: 'latin1' }),
    new Transform({
      decodeStrings: false,
      transform(chunk: string, _encoding, done) {
        const text = held + chunk;
        held = text.endsWith('\r') ? '\r' : '';
        done(null, Buffer.from(text.slice(0, text.length - held.length).replaceAll('\r\n', '\n'), 'latin1'));
      },
      flush(done) {
        done(null, Buffer.from(held, 'latin1'));
      },
    }),
    createWriteStream(copy),
    { signal },
  );
  return copy;
}

function named(encoding: string | undefined): string | null {
  if (encoding === undefined) return null;
  try {
    return new TextDecoder(encoding).encoding;
  } catch {
    throw new TableError('INVALID_OPTIONS', `options.encoding: ${JSON.stringify(encoding)} is no encoding known here`, {
      param: 'options.encoding',
    });
  }
}

async function unpack(source: string, target: string, signal: AbortSignal): Promise<void> {
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(
        bytes > maxUnpackedBytes ? new TableError('TOO_LARGE', 'The file unpacks to more than 20 GiB') : null,
        chunk,
      );
    },
  });
  try {
    await pipeline(createReadStream(source), createGunzip(), counted, createWriteStream(target), { signal });
  } catch (error) {
    if (error instanceof TableError || signal.aborted) throw error;
    throw new TableError('WRONG_FORMAT', 'The compressed file is cut off or damaged', {
      place: `byte ${bytes} of what it unpacks to`,
    });
  }
}
