// Takes the bytes of a body off the wire, with bounds on their number, their pace and their total over all requests.
import type { IncomingMessage } from 'node:http';
import type { Checked, Route } from '@vectorium/contract';
import { ApiError } from './errors.ts';
import { readJson } from './json.ts';
import type { JsonThread } from './json-thread.ts';

export interface BodyBounds {
  /** The longest pause between two pieces. */
  idleMs: number;
  /** The longest time for the whole. */
  totalMs: number;
  /** Bytes of all bodies that are being read or parsed. */
  heldBytes: number;
}

export const defaultBodyBounds: BodyBounds = { idleMs: 30_000, totalMs: 600_000, heldBytes: 512 * 1024 * 1024 };

/** Up to here parsing takes less than a millisecond or two, less than the way to another thread and back. */
const parsedHereBytes = 128 * 1024;
const defaultMaxBytes = 1024 * 1024;

export interface BodyReader {
  /** The checked body of a route. Throws ApiError. */
  read(request: IncomingMessage, route: Route): Promise<unknown>;
}

const SMALL_BODY_BYTES = 64 * 1024;

export function createBodyReader(thread: JsonThread, bounds: BodyBounds): BodyReader {
  let heldBytes = 0;

  function receive(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const announced = Number(request.headers['content-length'] ?? 0);
      let whole = Buffer.alloc(0);
      let bytes = 0;
      const idle = setTimeout(late, bounds.idleMs);
      const total = setTimeout(late, bounds.totalMs);
      request.on('data', take).on('end', finish).on('close', leave).on('error', leave);

      function take(piece: Buffer): void {
        idle.refresh();
        if (bytes + piece.length > maxBytes) return fail(tooLarge(maxBytes));
        if (bytes + piece.length > whole.length && !grow(bytes + piece.length))
          return fail(new ApiError('SERVICE_UNAVAILABLE', { message: 'The server is reading too many large bodies' }));
        piece.copy(whole, bytes);
        bytes += piece.length;
      }
      /** Room by what came, not by what was announced: an announcement costs its sender nothing. Small bodies always have room. */
      function grow(needed: number): boolean {
        const most = Math.max(needed, announced || maxBytes);
        const size = Math.max(needed, Math.min(Math.max(2 * whole.length, SMALL_BODY_BYTES), most));
        heldBytes += size - whole.length;
        if (heldBytes > bounds.heldBytes && size > SMALL_BODY_BYTES) {
          heldBytes -= size - whole.length;
          return false;
        }
        const larger = Buffer.allocUnsafeSlow(size);
        whole.copy(larger, 0, 0, bytes);
        whole = larger;
        return true;
      }
      function finish(): void {
        settle();
        resolve(whole.subarray(0, bytes));
      }
      function leave(): void {
        fail(new ApiError('CLIENT_CLOSED_REQUEST', { message: 'The body broke off' }));
      }
      function late(): void {
        fail(new ApiError('REQUEST_TIMEOUT', { message: 'The body did not arrive in time' }));
      }
      function fail(error: ApiError): void {
        settle();
        request.resume();
        reject(error);
      }
      function settle(): void {
        clearTimeout(idle);
        clearTimeout(total);
        heldBytes -= whole.length;
        request.off('data', take).off('end', finish).off('close', leave);
      }
    });
  }

  return {
    async read(request, route) {
      checkHeaders(request);
      const maxBytes = route.maxBodyBytes ?? defaultMaxBytes;
      if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
      const bytes = await receive(request, maxBytes);
      return accept(bytes.length <= parsedHereBytes ? readJson(bytes, route) : await parseElsewhere(bytes, route));
    },
  };

  async function parseElsewhere(bytes: Buffer, route: Route): Promise<Checked> {
    const { length } = bytes;
    heldBytes += length;
    try {
      return await thread.read(bytes, route);
    } finally {
      heldBytes -= length;
    }
  }
}

/** The value, or the refusal thrown. */
export function accept(checked: Checked): unknown {
  if (checked.ok) return checked.value;
  const { code, ...fields } = checked.refusal;
  throw new ApiError(code, fields);
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError('PAYLOAD_TOO_LARGE', { message: `The body is larger than ${maxBytes} bytes` });
}

function checkHeaders({ headers }: IncomingMessage): void {
  const type = headers['content-type'];
  const said = /^\s*application\/(?:json|[\w.+-]+\+json)\s*(?:;\s*charset="?([\w-]+)"?\s*)?$/i.exec(
    type ?? 'application/json',
  );
  if (!said || !/^(utf-?8|us-ascii)$/i.test(said[1] ?? 'utf-8'))
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', { message: 'The Content-Type must be application/json in UTF-8' });
  if (!/^(identity)?$/i.test(headers['content-encoding'] ?? ''))
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', { message: 'Compressed bodies are not taken' });
}
