// A form (multipart/form-data): its part `file` as bytes that come, the other parts as texts.
import type { IncomingHttpHeaders } from 'node:http';
import { Busboy, type BusboyFileStream, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import { ApiError } from '../http/index.ts';

const maxFields = 20;
const maxFieldBytes = 1024 * 1024;

/** The other parts go into `texts`, whether they come before the file or after. Throws ApiError, or what `pieces` throws. */
export async function* fileOfForm(
  headers: IncomingHttpHeaders,
  pieces: AsyncIterable<Buffer>,
  texts: Map<string, string>,
): AsyncGenerator<Uint8Array> {
  const form = openForm(headers);
  let file: BusboyFileStream | null = null;
  let fault: Error | null = null;
  const { promise: fileOrEnd, resolve } = Promise.withResolvers<BusboyFileStream | null>();
  const fail = (error: Error) => {
    fault ??= error;
    file?.destroy();
    form.destroy();
  };
  form.on('file', (name, stream) => {
    // The parser goes on to the end of its piece after it was given up; such a file would never end.
    if (fault) return void stream.destroy();
    if (name !== 'file') fail(badForm(`the file in the part "${shown(name)}" must be in one named "file"`));
    else if (file) fail(badForm('it has more than one file'));
    else resolve((file = stream));
    stream.on('error', error => fail(badForm(error.message)));
  });
  form.on('field', (name, value, nameCut, valueCut) => {
    if (typeof name !== 'string') fail(badForm('a part has no name'));
    else if (nameCut || valueCut) fail(badForm(`the part "${shown(name)}" has more than ${maxFieldBytes} bytes`));
    else if (texts.has(name)) fail(badForm(`the part "${shown(name)}" comes twice`));
    else texts.set(name, value);
  });
  form.on('fieldsLimit', () => fail(badForm(`it has more than ${maxFields} fields`)));
  form.on('partsLimit', () => fail(badForm(`it has more than ${maxFields} parts`)));
  form.on('error', error => fail(badForm(error instanceof Error ? error.message : String(error))));
  const ended = new Promise<void>(done => form.on('finish', done).on('close', done));
  void ended.then(() => resolve(null));

  const feeding = feed(form, pieces).catch(fail);
  const ifWell = () => {
    if (fault) throw fault as Error;
  };
  try {
    const stream = await fileOrEnd;
    if (stream) {
      try {
        for await (const piece of stream) yield piece as Buffer;
      } catch (error) {
        // Destroyed by a fault that says more.
        ifWell();
        throw error;
      }
    }
    await feeding;
    await ended;
    ifWell();
    if (!stream) throw new ApiError('VALIDATION_ERROR', { message: 'file is required', param: 'file' });
  } finally {
    form.destroy();
    await feeding;
  }
}

function openForm(headers: IncomingHttpHeaders): BusboyInstance {
  try {
    return new Busboy({
      headers: headers as BusboyHeaders,
      isPartAFile: (name, _type, fileName) => name === 'file' || fileName !== undefined,
      limits: { fields: maxFields, fieldSize: maxFieldBytes, parts: maxFields + 1, headerPairs: 50, headerSize: 8192 },
    });
  } catch (error) {
    throw badForm(error instanceof Error ? error.message : String(error));
  }
}

async function feed(form: BusboyInstance, pieces: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of pieces) {
    if (form.destroyed) return;
    if (!write(form, piece)) await drained(form);
    if (form.destroyed) return;
  }
  form.end();
}

/** What the library throws while it parses is the body's fault. */
function write(form: BusboyInstance, piece: Buffer): boolean {
  try {
    return form.write(piece);
  } catch (error) {
    throw badForm(error instanceof Error ? error.message : String(error));
  }
}

function drained(form: BusboyInstance): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      form.off('drain', done).off('close', done);
      resolve();
    };
    form.on('drain', done).on('close', done);
  });
}

function badForm(what: string): ApiError {
  return new ApiError('BAD_REQUEST', { message: `The body is not a form that can be read: ${what}` });
}

/** The library gives `undefined`, against its types, where a part has no name. */
function shown(name: string | undefined): string {
  return name?.slice(0, 64) ?? '';
}
