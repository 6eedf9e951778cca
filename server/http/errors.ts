// What a handler throws, and how every other error becomes an answer that says nothing of the inside.
import { type Dialect, type ErrorCode, errorBody, errorKinds, statusOf } from '@vectorium/contract';
import { DatabaseError } from '../database/index.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';

interface ApiErrorFields {
  /** One sentence for the caller. */
  message: string;
  /** The field at fault, e.g. `texts[3]`. */
  param?: string | undefined;
  /** All fields at fault, for VALIDATION_ERROR. */
  errors?: { path: string; message: string }[] | undefined;
  /** Further fields of the body. */
  details?: Record<string, unknown> | undefined;
  retryAfterSeconds?: number | undefined;
  /** Why, for the log. */
  cause?: unknown;
}

/** An error that the caller is told about, by its code of the contract. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly fields: ApiErrorFields;

  constructor(code: ErrorCode, fields: ApiErrorFields) {
    super(fields.message, { cause: fields.cause });
    this.name = 'ApiError';
    this.code = code;
    this.fields = fields;
  }
}

/** The error as the caller may see it; whatever isn't known is an INTERNAL_ERROR. */
function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (isFastifyError(error)) return fromFastify(error);
  if (error instanceof DatabaseError && error.code === 'CONNECTION_LOST')
    return new ApiError('SERVICE_UNAVAILABLE', { message: 'The database does not answer', cause: error });
  return new ApiError('INTERNAL_ERROR', { message: 'Something failed inside the server', cause: error });
}

/** Sends an error in the dialect of its route; logs it when it is ours. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { told, status, body } = answerOf(error, request);
  const { retryAfterSeconds } = told.fields;
  const wait = retryAfterSeconds ?? errorKinds[told.code].retryAfterSeconds;
  if (wait !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(wait)));
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body));
}

/** The body of an error that comes when the answer has begun; logged as `sendError` does. */
export function errorAnswer(error: unknown, { request }: FastifyReply): Record<string, unknown> {
  return answerOf(error, request).body;
}

function answerOf(error: unknown, request: FastifyRequest) {
  const told = toApiError(error);
  const dialect = dialectOf(request);
  const status = statusOf(told.code, dialect);
  // A 503 tells the caller to come back: worth a line, but nobody has to be woken.
  if (status === 500) request.log.error({ code: told.code, err: told.cause ?? told }, 'failed');
  if (status > 500) request.log.warn({ code: told.code, reason: told.message }, 'unavailable');
  request.errorCode = told.code;
  const { message, param, errors, details } = told.fields;
  const fields = { code: told.code, message, requestId: request.id, param, errors, extra: details };
  return { told, status, body: errorBody(fields, dialect) };
}

function dialectOf(request: FastifyRequest): Dialect {
  const route = request.routeOptions.config.route;
  if (route) return route.dialect;
  if (request.url.startsWith('/v1/')) return 'openai';
  return /^\/(api\/)?v2\//.test(request.url) ? 'vectorial' : 'native';
}

interface FastifyError extends Error {
  code: string;
  statusCode?: number;
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_');
}

function fromFastify(error: FastifyError): ApiError {
  const status = error.statusCode ?? 500;
  if (status === 415)
    return new ApiError('UNSUPPORTED_MEDIA_TYPE', { message: 'The Content-Type is not application/json' });
  if (status === 413) return new ApiError('PAYLOAD_TOO_LARGE', { message: 'The body is larger than this route takes' });
  if (status === 414) return new ApiError('BAD_REQUEST', { message: 'The address is too long' });
  if (status < 500) return new ApiError('BAD_REQUEST', { message: 'The address or a header is malformed' });
  return new ApiError('INTERNAL_ERROR', { message: 'Something failed inside the server', cause: error });
}
