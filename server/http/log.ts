// The structured log: one line a request, errors under their request id, and never a text, a key or a vector.
import pino, { type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

/** A logger of JSON lines. `level` as pino's: fatal, error, warn, info, debug, silent. */
export function createLogger({ level = 'info', stream }: { level?: string; stream?: DestinationStream } = {}): Logger {
  const options = { level, base: null, serializers: { err: plainError } };
  return stream ? pino(options, stream) : pino(options);
}

/** Drivers hang statements, values and rows on their errors: only the kind, the message and the place are kept. */
function plainError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    ...('code' in error && { code: error.code }),
    message: error.message.slice(0, 300),
    stack: (error.stack ?? '')
      .split('\n')
      .filter(each => /^\s+at /.test(each))
      .join('\n'),
    ...(error.cause !== undefined && depth < 3 && { cause: plainError(error.cause, depth + 1) }),
  };
}
