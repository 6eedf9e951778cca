// Pages of a dataset's rows, in the order of the file.
import { TableError } from './errors.ts';
import type { JobContext } from './job.ts';
import type { Jobs } from './protocol.ts';
import { identifier, literal } from './sql.ts';
import type { Row } from './types.ts';
import { toRows } from './values.ts';

export async function readRows(
  { source, offset, limit, columns }: Jobs['rows']['input'],
  { query }: JobContext,
): Promise<Row[]> {
  if (!Number.isSafeInteger(offset) || offset < 0)
    throw new TableError('INVALID_OPTIONS', 'offset is a count of rows', { param: 'offset' });
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new TableError('INVALID_OPTIONS', 'limit is a count of rows', { param: 'limit' });
  const file = `read_parquet(${literal(source)})`;
  const known = (await query(`DESCRIBE FROM ${file}`)).getRows().map(row => String(row[0]));
  const unknown = columns?.find(name => !known.includes(name));
  if (unknown !== undefined)
    throw new TableError('INVALID_OPTIONS', `There is no column ${JSON.stringify(unknown)}`, { param: 'columns' });
  const names = (columns ?? known).map(identifier).join(', ');
  if (names === '') return [];
  // By row numbers whole groups are passed over; an offset would read them.
  if (known.some(name => name.toLowerCase() === 'file_row_number'))
    return toRows(await query(`SELECT ${names} FROM ${file} LIMIT ${limit} OFFSET ${offset}`));
  return toRows(
    await query(`SELECT ${names} FROM read_parquet(${literal(source)}, file_row_number = true)
      WHERE file_row_number >= ${offset} AND file_row_number < ${offset + limit}`),
  );
}
