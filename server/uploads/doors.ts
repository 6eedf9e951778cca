// The doors of one request: JSON with base64, a form, and the body itself. Each gives the file's bytes as they come, and the
// fields once the bytes are through.
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../http/index.ts';
import { checkFields, checkTexts } from './fields.ts';
import { fileOfForm } from './form.ts';
import { UploadScanner } from './json/scanner.ts';
import type { UploadFields, UploadRequest } from './types.ts';

export interface Door {
  bytes: AsyncIterable<Uint8Array>;
  /** After all bytes. Throws ApiError. */
  fields(): UploadFields;
}

type Pieces = AsyncIterable<Buffer>;

/** The door that the request's method and Content-Type name. Throws ApiError. */
export function doorOf({ request, query }: UploadRequest, pieces: Pieces): Door {
  if (!/^(identity)?$/i.test(request.headers['content-encoding'] ?? ''))
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', { message: 'Compressed bodies are not taken' });
  if (request.method === 'PUT') return rawDoor(query, pieces);
  const type = request.headers['content-type'] ?? 'application/json';
  if (/^\s*multipart\/form-data\s*(;|$)/i.test(type)) return formDoor(request, pieces);
  if (/^\s*application\/(json|[\w.+-]+\+json)\s*(;\s*charset="?(utf-?8|us-ascii)"?\s*)?$/i.test(type))
    return jsonDoor(pieces);
  throw new ApiError('UNSUPPORTED_MEDIA_TYPE', {
    message: 'The Content-Type must be application/json in UTF-8 or multipart/form-data; PUT takes the file as it is',
  });
}

function jsonDoor(pieces: Pieces): Door {
  const scanner = new UploadScanner();
  let fields: Record<string, unknown> = {};
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      const decoded = scanner.push(piece);
      if (decoded.length > 0) yield decoded;
    }
    fields = scanner.end();
  }
  return { bytes: bytes(), fields: () => checkFields(fields) };
}

function rawDoor(query: unknown, pieces: Pieces): Door {
  const given = Object.entries(query as Record<string, string | undefined>);
  const texts = new Map(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  // Known before the first byte, so refused before it.
  const fields = checkTexts(texts);
  return { bytes: pieces, fields: () => fields };
}

function formDoor(request: IncomingMessage, pieces: Pieces): Door {
  const texts = new Map<string, string>();
  return { bytes: fileOfForm(request.headers, pieces, texts), fields: () => checkTexts(texts) };
}
