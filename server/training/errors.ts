// What goes wrong with models, in the API's words.
import type { ErrorCode } from '@vectorium/contract';
import { EngineError } from '@vectorium/engine';
import { TrainingError, type TrainingErrorCode } from '@vectorium/training';
import { ApiError } from '../http/index.ts';

/** The same sentence for one that never was, one that was deleted, and one of another account. */
export function noModel(name: string, param?: string): ApiError {
  const message = `There is no trained model ${JSON.stringify(name.slice(0, 200))}`;
  return new ApiError('MODEL_NOT_FOUND', { message, param });
}

export function notReady(name: string, status: string, param?: string): ApiError {
  const message =
    status === 'failed' || status === 'cancelled'
      ? `The training of ${name} ${status === 'failed' ? 'has failed' : 'was cancelled'}: there is no model`
      : `The model ${name} is still being trained (${status})`;
  return new ApiError('MODEL_NOT_READY', { message, param });
}

const codeOf: Partial<Record<TrainingErrorCode, ErrorCode>> = {
  INVALID_CONFIG: 'INVALID_PARAMETER',
  UNKNOWN_COLUMN: 'INVALID_PARAMETER',
  WRONG_TYPE: 'INVALID_PARAMETER',
  NOT_TRAINABLE: 'INVALID_PARAMETER',
  NOT_ENOUGH_MEMORY: 'INVALID_PARAMETER',
  CANCELLED: 'CLIENT_CLOSED_REQUEST',
};

/** Why something can't be trained; whatever isn't known stays as it is. */
export function trainingRefused(error: unknown): unknown {
  const code = error instanceof TrainingError ? codeOf[error.code] : undefined;
  if (!(error instanceof TrainingError) || !code) return error;
  const { message, param } = error;
  return new ApiError(code, { message, param, cause: error });
}

/** The engine's failures; what says something of the inside stays as it is, for the log. */
export function engineRefused(error: unknown): unknown {
  if (!(error instanceof EngineError) || error.code === 'MODEL_FAILED') return error;
  const codes = {
    PROMPT_REFUSED: 'INVALID_PARAMETER',
    FORM_REFUSED: 'INVALID_PARAMETER',
    QUEUE_FULL: 'QUEUE_FULL',
    WORKER_LOST: 'WORKER_LOST',
    MODEL_TOO_LARGE: 'MODEL_UNAVAILABLE',
    CANCELLED: 'CLIENT_CLOSED_REQUEST',
  } as const;
  return new ApiError(codes[error.code], { message: error.message, retryAfterSeconds: error.retryAfterSeconds });
}
