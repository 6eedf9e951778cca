// The failures that the engine's callers can tell apart; the server maps each code to a status.

export type EngineErrorCode =
  | 'PROMPT_REFUSED'
  | 'FORM_REFUSED'
  | 'QUEUE_FULL'
  | 'WORKER_LOST'
  | 'MODEL_FAILED'
  | 'MODEL_TOO_LARGE'
  | 'CANCELLED';

export class EngineError extends Error {
  readonly code: EngineErrorCode;
  /** Seconds after which another try makes sense, where the engine can tell. */
  readonly retryAfterSeconds?: number;

  constructor(code: EngineErrorCode, message: string, retryAfterSeconds?: number) {
    super(message);
    this.name = 'EngineError';
    this.code = code;
    if (retryAfterSeconds !== undefined) this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Whatever a thread failed with, as the engine's error. */
export function engineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  return new EngineError('MODEL_FAILED', error instanceof Error ? error.message : String(error));
}
