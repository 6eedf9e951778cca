// What DuckDB says against operations, as errors for whoever asked for them.
import { fromAny, TableError } from '../errors.ts';
import { firstLine } from './compile.ts';

/**
 * What DuckDB says while it computes is the user's to know, but for trouble with files and with itself; a place of ours in it becomes the
 * place of the error.
 */
export function tableError(error: unknown): unknown {
  if (error instanceof TableError || !(error instanceof Error)) return error;
  const kind = /^([A-Z][A-Za-z ]+) Error: /.exec(error.message);
  if (!kind || ['IO', 'INTERNAL', 'FATAL', 'Permission'].includes(kind[1] ?? '')) return error;
  if (kind[1] === 'Out of Memory') return fromAny(error);
  const message = error.message.slice(kind[0].length);
  const place = /^operations\[\d+\]\.params[^:]*/.exec(message)?.[0];
  return new TableError('OPERATION_FAILED', place === undefined ? firstLine(error) : message, place);
}
