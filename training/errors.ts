// The one error of training: what is wrong, and where.

export type TrainingErrorCode =
  /** The settings or the table can't be trained with: `param` says which setting. */
  | 'INVALID_CONFIG'
  | 'UNKNOWN_COLUMN'
  | 'WRONG_TYPE'
  | 'NOT_TRAINABLE'
  | 'NOT_ENOUGH_MEMORY'
  /** What can happen to a run. */
  | 'EMBEDDING_FAILED'
  | 'CANCELLED'
  | 'FAILED';

export class TrainingError extends Error {
  override readonly name = 'TrainingError';
  readonly code: TrainingErrorCode;
  /** The place as the request writes it, e.g. `config.target`. */
  readonly param?: string;

  constructor(code: TrainingErrorCode, message: string, param?: string) {
    super(message);
    this.code = code;
    if (param !== undefined) this.param = param;
  }
}

/** A TrainingError as it crosses the boundary of a process. */
export interface PlainTrainingError {
  code: TrainingErrorCode;
  message: string;
  param?: string;
}

export function toPlain(error: unknown): PlainTrainingError {
  const { code, message, param } = fromAny(error);
  return { code, message, ...(param !== undefined && { param }) };
}

export function fromPlain({ code, message, param }: PlainTrainingError): TrainingError {
  return new TrainingError(code, message, param);
}

export function fromAny(error: unknown): TrainingError {
  if (error instanceof TrainingError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/^Out of Memory Error|Cannot allocate memory|Array buffer allocation failed|bad_alloc/.test(message))
    return new TrainingError('NOT_ENOUGH_MEMORY', `The run needs more memory than it may have: ${firstLine(message)}`);
  if (message.startsWith('INTERRUPT Error')) return cancelled();
  return new TrainingError('FAILED', firstLine(message));
}

export const cancelled = (): TrainingError => new TrainingError('CANCELLED', 'The training was cancelled');

/** DuckDB puts the statement below its message; it is ours, and nothing for a reader. */
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? message;
