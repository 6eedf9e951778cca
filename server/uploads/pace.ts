// The pieces of a body as they come, with a bound on the pause between two of them instead of one on the whole.
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../http/index.ts';

/** Bytes that wait here before the sender is told to wait. */
const mostWaiting = 512 * 1024;

/** Throws REQUEST_TIMEOUT after `idleMs` without a byte, CLIENT_CLOSED_REQUEST when the body breaks off. The connection stays, for the answer. */
export async function* paced(request: IncomingMessage, idleMs: number): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  let fault: ApiError | null = null;
  let wake: (() => void) | undefined;
  const idle = setTimeout(
    () => fail('REQUEST_TIMEOUT', `No byte of the body came for ${idleMs / 1000} seconds`),
    idleMs,
  );

  function take(piece: Buffer): void {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes >= mostWaiting) request.pause();
    idle.refresh();
    wake?.();
  }
  function finish(): void {
    ended = true;
    wake?.();
  }
  function leave(): void {
    if (!ended) fail('CLIENT_CLOSED_REQUEST', 'The body broke off');
  }
  function fail(code: 'REQUEST_TIMEOUT' | 'CLIENT_CLOSED_REQUEST', message: string): void {
    fault ??= new ApiError(code, { message });
    wake?.();
  }

  request.on('data', take).on('end', finish).on('close', leave).on('error', leave);
  if (request.destroyed && !request.readableEnded) leave();
  try {
    for (;;) {
      if (waiting.length > 0) {
        const pieces = waiting;
        waiting = [];
        bytes = 0;
        yield* pieces;
        // The pause of whoever takes the pieces is not the sender's.
        idle.refresh();
        request.resume();
      } else if (fault) throw fault as ApiError;
      else if (ended) return;
      else await new Promise<void>(resolve => (wake = resolve));
    }
  } finally {
    clearTimeout(idle);
    request.off('data', take).off('end', finish).off('close', leave);
    request.resume();
  }
}
