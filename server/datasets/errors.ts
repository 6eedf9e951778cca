// What goes wrong with a dataset, in the API's words.
import type { ErrorCode } from '@vectorium/contract';
import { TableError, type TableErrorCode } from '@vectorium/tables';
import { ApiError } from '../http/index.ts';

/** The same sentence for one that never was, one that was deleted, and one of another account. */
export function noDataset(name: string, param?: string): ApiError {
  const message = `There is no dataset ${JSON.stringify(name.slice(0, 100))}`;
  return new ApiError('DATASET_NOT_FOUND', { message, param });
}

/** What a file was refused for; whatever isn't known stays as it is. */
export function fileRefused(error: unknown): unknown {
  return translated(error, {
    WRONG_FORMAT: 'INVALID_FILE',
    BAD_ROWS: 'INVALID_FILE',
    EMPTY_FILE: 'INVALID_FILE',
    TOO_LARGE: 'PAYLOAD_TOO_LARGE',
    OUT_OF_MEMORY: 'PAYLOAD_TOO_LARGE',
    TIME_LIMIT: 'PAYLOAD_TOO_LARGE',
    INVALID_OPTIONS: 'INVALID_PARAMETER',
    CANCELLED: 'CLIENT_CLOSED_REQUEST',
  });
}

/** What operations were refused for; whatever isn't known stays as it is. */
export function operationRefused(error: unknown): unknown {
  return translated(error, {
    INVALID_PARAMS: 'INVALID_OPERATION',
    INVALID_EXPRESSION: 'INVALID_OPERATION',
    UNKNOWN_OPERATION: 'INVALID_OPERATION',
    UNKNOWN_COLUMN: 'INVALID_OPERATION',
    UNKNOWN_DATASET: 'INVALID_OPERATION',
    WRONG_FAMILY: 'INVALID_OPERATION',
    WRONG_TYPE: 'INVALID_OPERATION',
    OPERATION_FAILED: 'INVALID_OPERATION',
    OUT_OF_MEMORY: 'INVALID_OPERATION',
    TIME_LIMIT: 'INVALID_OPERATION',
    CANCELLED: 'CLIENT_CLOSED_REQUEST',
  });
}

function translated(error: unknown, codes: Partial<Record<TableErrorCode, ErrorCode>>): unknown {
  if (!(error instanceof TableError)) return error;
  const code = codes[error.code];
  if (!code) return error;
  const { message, param, place } = error;
  return new ApiError(code, { message, param, details: place === undefined ? undefined : { place }, cause: error });
}
