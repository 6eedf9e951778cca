// Rows that a JavaScript program gives one by one: written as lines of JSON, and read like a file of those.
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { writeJson } from './json.ts';
import { refuseEmpty } from './text-table.ts';

/** Without `types` they are found. Lines go out in batches: a stream's cost is by the write. */
export async function ingestObjects(
  rows: AsyncIterable<object> | Iterable<object>,
  types: Record<string, string> | null,
  context: JobContext,
  target: string,
): Promise<number> {
  const path = join(context.scratch, 'rows');
  let count = 0;
  async function* lines(): AsyncGenerator<string> {
    let batch = '';
    for await (const row of rows) {
      if (typeof row !== 'object' || row === null || Array.isArray(row))
        throw new TableError('FAILED', `The format gave a row that is no object (row ${count + 1})`);
      count++;
      batch += `${JSON.stringify(row, plain)}\n`;
      if (batch.length < 2 ** 18) continue;
      yield batch;
      batch = '';
    }
    if (batch !== '') yield batch;
  }
  await pipeline(lines, createWriteStream(path), { signal: context.signal });
  refuseEmpty(count, 0);
  return writeJson(path, 'newline_delimited', types, context, target);
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}
