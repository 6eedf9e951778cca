// An answer of the API that is an error, with all that it says, and what can be done about it.

export interface FieldFault {
  path: string;
  message: string;
}

/** What the API said went wrong; `message` is its own sentence. */
export class ApiProblem extends Error {
  readonly status: number;
  /** A code of the API's table, e.g. INSUFFICIENT_BALANCE; NETWORK when no answer came. */
  readonly code: string;
  readonly requestId: string | null;
  readonly faults: readonly FieldFault[];
  /** The field at fault, where there is one. */
  readonly param: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(
    message: string,
    about: {
      status: number;
      code: string;
      requestId?: string | null;
      faults?: readonly FieldFault[];
      param?: string | null;
      retryAfterSeconds?: number | null;
      cause?: unknown;
    },
  ) {
    super(message, { cause: about.cause });
    this.name = 'ApiProblem';
    this.status = about.status;
    this.code = about.code;
    this.requestId = about.requestId ?? null;
    this.faults = about.faults ?? [];
    this.param = about.param ?? null;
    this.retryAfterSeconds = about.retryAfterSeconds ?? null;
  }
}

/** Reads the error out of an answer, in whichever of the API's dialects it is written. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text().catch(() => '');
  const body = parsed(text);
  const inner = record(body['error']) ?? body;
  const wait = Number(response.headers.get('retry-after'));
  return new ApiProblem(
    string(inner['message']) ?? string(body['detail']) ?? `${response.status} ${response.statusText}`,
    {
      status: response.status,
      code: (string(inner['code']) ?? string(body['code']) ?? 'UNKNOWN').toUpperCase(),
      requestId: string(body['request_id']) ?? response.headers.get('x-request-id'),
      faults: Array.isArray(body['errors']) ? body['errors'].filter(isFault) : [],
      param: string(inner['param']),
      retryAfterSeconds: Number.isFinite(wait) && wait > 0 ? wait : null,
    },
  );
}

function parsed(text: string): Record<string, unknown> {
  try {
    return record(JSON.parse(text)) ?? {};
  } catch {
    return {};
  }
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function string(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function isFault(value: unknown): value is FieldFault {
  const fault = record(value);
  return typeof fault?.['path'] === 'string' && typeof fault['message'] === 'string';
}
