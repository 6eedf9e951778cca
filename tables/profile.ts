// What each column of a dataset holds.
import { TableError } from './errors.ts';
import type { JobContext } from './job.ts';
import type { Jobs } from './protocol.ts';
import type { ColumnProfile } from './types.ts';

export async function profile(_input: Jobs['profile']['input'], _context: JobContext): Promise<ColumnProfile[]> {
  throw new TableError('FAILED', 'not yet');
}
