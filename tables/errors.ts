// The one error of tables: what is wrong, and where.

/** What a request can be refused for (400s of the server) and what can happen to a job. */
export type TableErrorCode =
  | 'WRONG_FORMAT'
  | 'BAD_ROWS'
  | 'EMPTY_FILE'
  | 'TOO_LARGE'
  | 'INVALID_OPTIONS'
  | 'INVALID_PARAMS'
  | 'INVALID_EXPRESSION'
  | 'UNKNOWN_OPERATION'
  | 'UNKNOWN_COLUMN'
  | 'UNKNOWN_DATASET'
  | 'WRONG_FAMILY'
  | 'WRONG_TYPE'
  | 'OPERATION_FAILED'
  | 'OUT_OF_MEMORY'
  | 'TIME_LIMIT'
  | 'CANCELLED'
  | 'FAILED';

export interface TableErrorPlace {
  /** The option or parameter that is wrong, as the request writes it, e.g. `operations[2].params.column`. */
  param?: string;
  /** Where in the file, e.g. `line 12`. */
  place?: string;
}

export class TableError extends Error {
  override readonly name = 'TableError';
  readonly code: TableErrorCode;
  readonly param?: string;
  readonly place?: string;

  /** `at` is the place, or only its `param`. */
  constructor(code: TableErrorCode, message: string, at: TableErrorPlace | string = {}) {
    super(message);
    const { param, place } = typeof at === 'string' ? { param: at, place: undefined } : at;
    this.code = code;
    if (param !== undefined) this.param = param;
    if (place !== undefined) this.place = place;
  }
}

/** A TableError as it crosses the boundary of a process. */
export interface PlainTableError extends TableErrorPlace {
  code: TableErrorCode;
  message: string;
}

export function toPlain(error: unknown): PlainTableError {
  const { code, message, param, place } = fromAny(error);
  return { code, message, ...(param !== undefined && { param }), ...(place !== undefined && { place }) };
}

export function fromPlain({ code, message, ...place }: PlainTableError): TableError {
  return new TableError(code, message, place);
}

/** What DuckDB throws, as a TableError. */
export function fromAny(error: unknown): TableError {
  if (error instanceof TableError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/^Out of Memory Error|Cannot allocate memory|Array buffer allocation failed/.test(message))
    return new TableError(
      'OUT_OF_MEMORY',
      `The job needs more memory or spill space than it may have: ${firstLine(message)}`,
    );
  if (message.startsWith('INTERRUPT Error')) return new TableError('CANCELLED', 'The job was cancelled');
  return new TableError('FAILED', firstLine(message));
}

/** DuckDB puts the statement below its message; it is ours, and nothing for a reader. */
function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
