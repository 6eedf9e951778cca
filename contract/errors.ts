// Every error code of the API in one table, with its status and type, and the body that each family of routes gives it.
import { z } from 'zod';

/** Whose conventions a route follows: HashHub's documents, OpenAI's clients, or Vectorial's documents. */
export type Dialect = 'native' | 'openai' | 'vectorial';

interface ErrorKind {
  status: number;
  type: string;
  about: string;
  /** The status where a dialect's users expect another. */
  statusIn?: Partial<Record<Dialect, number>>;
  /** What Retry-After says when the thrower doesn't know better. */
  retryAfterSeconds?: number;
}

const kinds = {
  INVALID_JSON: {
    status: 400,
    type: 'invalid_request_error',
    about: 'The body is not JSON in UTF-8, or is nested too deeply.',
  },
  INVALID_PARAMETER: {
    status: 400,
    type: 'invalid_request_error',
    about: 'A field has the right type but a value that is not allowed.',
  },
  EMPTY_TEXT: { status: 400, type: 'invalid_request_error', about: 'A text is empty or only white space.' },
  TEXT_TOO_LONG: { status: 400, type: 'invalid_request_error', about: 'A text has more than 1,000,000 characters.' },
  BATCH_TOO_LARGE: {
    status: 400,
    type: 'invalid_request_error',
    about: "The batch has more texts than the account's plan allows.",
  },
  INVALID_FILE: {
    status: 400,
    type: 'invalid_request_error',
    about: 'The file is empty, broken off or not of the format that it is said to be; the message names the place.',
  },
  INVALID_OPERATION: {
    status: 400,
    type: 'invalid_request_error',
    about: 'An operation can not be run on this dataset; `param` names it, e.g. `operations[2].params.columns`.',
  },
  BAD_REQUEST: {
    status: 400,
    type: 'invalid_request_error',
    about: 'The request is not proper HTTP, or its address or a header is malformed.',
  },
  MISSING_API_KEY: {
    status: 401,
    type: 'authentication_error',
    about: 'There is no `Authorization: Bearer sk-…` header.',
  },
  INVALID_API_KEY: { status: 401, type: 'authentication_error', about: 'The key is unknown, revoked or expired.' },
  SIGN_IN_REQUIRED: {
    status: 401,
    type: 'authentication_error',
    about: 'The route is for people: nobody is signed in, or the session has ended.',
  },
  SIGN_IN_FAILED: { status: 401, type: 'authentication_error', about: 'The e-mail address or the password is wrong.' },
  INSUFFICIENT_BALANCE: {
    status: 402,
    type: 'insufficient_balance',
    about:
      'The balance does not cover the request; `balance` and `required` are in dollars. Nothing was computed or charged.',
  },
  KEY_BUDGET_EXCEEDED: {
    status: 402,
    type: 'insufficient_balance',
    about: "The request would pass the key's monthly budget. Nothing was computed or charged.",
  },
  BUDGET_EXCEEDED: {
    status: 402,
    type: 'insufficient_balance',
    about:
      "The request would pass the account's monthly budget, which its owners made a hard one. Nothing was computed or charged.",
  },
  MODEL_NOT_ALLOWED: {
    status: 403,
    type: 'permission_error',
    about: "The account's plan or the key does not include the model.",
  },
  ADMIN_REQUIRED: { status: 403, type: 'permission_error', about: "The route is the administrator's." },
  SCOPE_NOT_ALLOWED: { status: 403, type: 'permission_error', about: "The key's scopes do not include the route." },
  ROLE_NOT_ALLOWED: {
    status: 403,
    type: 'permission_error',
    about: "The person's role in the account does not include it.",
  },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    type: 'permission_error',
    about: 'A request with a session comes from a page of another server.',
  },
  EMAIL_NOT_CONFIRMED: {
    status: 403,
    type: 'permission_error',
    about: 'Until the person has confirmed the e-mail address by the link in the mail, the console only reads.',
  },
  SIGN_UP_NOT_ALLOWED: {
    status: 403,
    type: 'permission_error',
    about: 'Nobody can sign up here, or only with an invitation.',
  },
  NOT_FOUND: { status: 404, type: 'not_found_error', about: 'Nothing is at this address.' },
  MODEL_NOT_FOUND: {
    status: 404,
    type: 'not_found_error',
    about: 'No model has this name (400 on `/v1`).',
    statusIn: { openai: 400 },
  },
  DATASET_NOT_FOUND: {
    status: 404,
    type: 'not_found_error',
    about: 'The account has no dataset, or no version of it, with this name.',
  },
  JOB_NOT_FOUND: { status: 404, type: 'not_found_error', about: 'The account has no job with this id.' },
  METHOD_NOT_ALLOWED: {
    status: 405,
    type: 'invalid_request_error',
    about: 'The address exists but not with this method; `Allow` names those that do.',
  },
  REQUEST_TIMEOUT: { status: 408, type: 'timeout_error', about: 'The body did not arrive in time.' },
  CONFLICT: {
    status: 409,
    type: 'conflict_error',
    about: 'The request contradicts what is there, e.g. an e-mail address that already has an account.',
  },
  MODEL_NOT_READY: {
    status: 409,
    type: 'conflict_error',
    about: 'The model is still being trained, or its training failed or was cancelled.',
  },
  KEY_LIMIT_REACHED: {
    status: 409,
    type: 'conflict_error',
    about: 'The account has as many active keys as its plan allows.',
  },
  IDEMPOTENCY_UNFINISHED: {
    status: 409,
    type: 'conflict_error',
    about: 'A request with this Idempotency-Key is still running, or broke off; see whether it took effect.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    type: 'invalid_request_error',
    about: 'The body, or all texts together, are larger than the route takes.',
  },
  STORAGE_QUOTA_EXCEEDED: {
    status: 413,
    type: 'invalid_request_error',
    about:
      "The account's plan has no room for it; `limit_bytes` and `used_bytes` tell how much there is. Nothing was kept.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    type: 'invalid_request_error',
    about: 'The body is not `application/json`, or is compressed.',
  },
  VALIDATION_ERROR: {
    status: 422,
    type: 'validation_error',
    about: 'A field is missing or has the wrong JSON type; `errors` lists all (400 on `/v1` and the data platform).',
    statusIn: { openai: 400, vectorial: 400 },
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    type: 'invalid_request_error',
    about: 'The Idempotency-Key was used before with another body.',
  },
  RATE_LIMIT_EXCEEDED: {
    status: 429,
    type: 'rate_limit_error',
    about: 'A limit of the plan is used up until `reset_time`.',
  },
  TOO_MANY_ATTEMPTS: {
    status: 429,
    type: 'rate_limit_error',
    about:
      'Somebody tried to sign in, to sign up or to make keys too often; `Retry-After` says when the next try counts.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    type: 'invalid_request_error',
    about: 'The headers are larger than the server takes.',
  },
  CLIENT_CLOSED_REQUEST: {
    status: 499,
    type: 'invalid_request_error',
    about: 'The client left before the answer (seen in logs only).',
  },
  INTERNAL_ERROR: {
    status: 500,
    type: 'server_error',
    about: 'Something failed inside; the log has it under `request_id`.',
  },
  JOB_INTERRUPTED: {
    status: 500,
    type: 'server_error',
    about: 'The server died several times while it ran the job (seen as the `error` of a job only).',
  },
  MODEL_UNAVAILABLE: {
    status: 503,
    type: 'server_error',
    about: 'The model is in the catalog but the server cannot have it now; the message says how to get it.',
    retryAfterSeconds: 60,
  },
  QUEUE_FULL: {
    status: 503,
    type: 'server_error',
    about: 'Too much work is waiting for this model.',
    retryAfterSeconds: 2,
  },
  WORKER_LOST: {
    status: 503,
    type: 'server_error',
    about: 'The worker that had this request died; it is being started again.',
    retryAfterSeconds: 2,
  },
  SERVICE_UNAVAILABLE: {
    status: 503,
    type: 'server_error',
    about: 'The server is starting, closing, or a part of it does not answer.',
    retryAfterSeconds: 5,
  },
  STORAGE_FULL: {
    status: 507,
    type: 'server_error',
    about: "The server's disk has no room for the file. Nothing was kept.",
    retryAfterSeconds: 300,
  },
} satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof kinds;

/** The table: what each code means and answers with. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = kinds;

/** The HTTP status of a code on a route of this dialect. */
export function statusOf(code: ErrorCode, dialect: Dialect): number {
  return errorKinds[code].statusIn?.[dialect] ?? errorKinds[code].status;
}

/** What went wrong, in whatever dialect it will be told. */
export interface ErrorDetails {
  code: ErrorCode;
  /** One sentence for the caller. */
  message: string;
  requestId: string;
  /** The field at fault, e.g. `texts[3]`. */
  param?: string | undefined;
  /** All fields at fault, for VALIDATION_ERROR. */
  errors?: { path: string; message: string }[] | undefined;
  /** Further fields of the body, e.g. `balance` and `required`. */
  extra?: Record<string, unknown> | undefined;
}

/** The JSON body of an error. `message` and `error` repeat `detail` because the two official clients read those. */
export function errorBody(error: ErrorDetails, dialect: Dialect): Record<string, unknown> {
  const { type } = errorKinds[error.code];
  if (dialect === 'openai') {
    return {
      error: {
        message: error.message,
        // OpenAI has no types of their own for these.
        type: type === 'validation_error' || type === 'not_found_error' ? 'invalid_request_error' : type,
        param: error.param ?? null,
        code: error.code.toLowerCase(),
        ...error.extra,
      },
      request_id: error.requestId,
    };
  }
  return {
    detail: error.message,
    type,
    code: error.code,
    message: error.message,
    error: error.message,
    ...(error.errors && { errors: error.errors }),
    ...error.extra,
    request_id: error.requestId,
  };
}

const nativeError = z.object({
  detail: z.string(),
  type: z.string(),
  code: z.string(),
  message: z.string(),
  error: z.string(),
  request_id: z.string(),
});
const fieldErrors = z.array(z.object({ path: z.string(), message: z.string() }));

/** The shapes of error bodies, for the OpenAPI document and for tests. */
export const errorSchemas = {
  Error: nativeError.extend({
    errors: fieldErrors.optional().meta({ description: 'Every field at fault (VALIDATION_ERROR).' }),
    balance: z.number().optional().meta({ description: 'Dollars left (INSUFFICIENT_BALANCE).' }),
    required: z.number().optional().meta({ description: 'Dollars that the request needs (INSUFFICIENT_BALANCE).' }),
    retry_after: z.int().optional().meta({ description: 'Whole seconds to wait (RATE_LIMIT_EXCEEDED).' }),
    limit: z.int().optional().meta({ description: 'Requests that the refusing window allows (RATE_LIMIT_EXCEEDED).' }),
    offset: z.int().optional().meta({ description: 'Where in the body of an upload the fault is, in bytes from 0.' }),
    reset_time: z.iso.datetime().optional().meta({ description: 'When that window ends (RATE_LIMIT_EXCEEDED).' }),
  }),
  OpenAIError: z.object({
    error: z.looseObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
    }),
    request_id: z.string(),
  }),
};
