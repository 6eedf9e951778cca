// JSON: an array of objects, or an object a line. Nested objects become STRUCT, arrays LIST.
//
// Types are taken from the whole file: a key that first comes in the last line is a column too. What DuckDB would
// read as DOUBLE or as JSON (numbers too large for BIGINT, or values of several kinds) is taken as text, and typed like
// the text of CSV, so that no digit is lost.
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { identifier, literal } from '../sql.ts';
import type { Rejected } from '../types.ts';
import type { Written } from './delimited.ts';
import { lookAtHead } from './look.ts';
import { uniqueNames } from './names.ts';
import { writeParquet } from './parquet.ts';
import { plainText } from './plain-text.ts';
import { maxSamples, shorten } from './rejects.ts';
import { refuseEmpty, writeTextTable } from './text-table.ts';
import { inferTypes, strictSelect } from './typing.ts';

/** One object, nested ones included. */
const maxObjectBytes = 16 * 2 ** 20;
const plainStyle = { decimal: '.', thousands: '' };
const none: Rejected = { count: 0, samples: [] };

export async function ingestJson(
  source: string,
  encoding: string | undefined,
  context: JobContext,
  target: string,
): Promise<Written> {
  const { path, notes } = await plainText(source, encoding, context);
  const { head } = await lookAtHead(path);
  const start = head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  if (start.startsWith('[')) {
    await refuseOpenArray(path);
    const rows = await writeJson(path, 'array', null, context, target);
    refuseEmpty(rows, 0);
    return { rows, rejected: none, notes };
  }
  return { ...(await ingestLines(path, context, target)), notes };
}

/** DuckDB takes an array that ends after any of its objects. */
async function refuseOpenArray(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 2 ** 16);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const end = buffer.toString('latin1').trimEnd();
    // More white space than that is left to DuckDB.
    if (end === '' || end.endsWith(']')) return;
    throw new TableError('BAD_ROWS', 'The JSON array is cut off: it has no closing bracket', { place: `byte ${size}` });
  } finally {
    await file.close();
  }
}

async function ingestLines(path: string, context: JobContext, target: string): Promise<Omit<Written, 'notes'>> {
  try {
    const rows = await writeJson(path, 'newline_delimited', null, context, target);
    refuseEmpty(rows, 0);
    return { rows, rejected: none };
  } catch (error) {
    // Objects over several lines, one after the other, are no lines that are wrong.
    if (!isBadJson(error)) throw error;
  }
  const good = join(context.scratch, 'good-lines');
  const rejected = await sortOut(path, good, context);
  const kept = (await lookAtHead(good)).sizeBytes;
  if (kept === 0) refuseEmpty(0, rejected.count);
  const rows = await writeJson(good, 'newline_delimited', null, context, target);
  return { rows, rejected };
}

function isBadJson(error: unknown): boolean {
  return error instanceof TableError && error.code === 'BAD_ROWS';
}

/** Writes the rows of a JSON file; `types` are those of all columns where they are known, else they are found. */
export async function writeJson(
  path: string,
  format: 'array' | 'newline_delimited',
  types: Record<string, string> | null,
  context: JobContext,
  target: string,
): Promise<number> {
  try {
    return await write(path, format, types, context, target);
  } catch (error) {
    throw context.signal.aborted ? error : refusal(error);
  }
}

async function write(
  path: string,
  format: 'array' | 'newline_delimited',
  types: Record<string, string> | null,
  context: JobContext,
  target: string,
): Promise<number> {
  const read = (more: string) =>
    `read_json(${literal(path)}, format = '${format}', maximum_object_size = ${maxObjectBytes}, ${more})`;
  let found = Object.entries(types ?? {});
  if (types === null) {
    const described = await context.query(`DESCRIBE FROM ${read('sample_size = -1')}`);
    found = described.getRows().map(row => [String(row[0]), String(row[1])]);
    if (found.some(([name]) => /_\d+$/.test(name))) {
      const keys = await collidingKeys(path, format, context);
      if (keys) return writeKeys(path, format, keys, context, target);
    }
  }
  const scalars = new Set(types === null ? found.filter(([, type]) => isUncertain(type)).map(([name]) => name) : []);
  const columns = found.map(([name, type]): [string, string] => [
    name,
    scalars.has(name) ? 'JSON' : type === 'BLOB' ? 'VARCHAR' : type,
  ]);
  const relation = read(
    `columns = {${columns.map(([name, type]) => `${literal(name)}: ${literal(type)}`).join(', ')}}`,
  );
  const uncertain = [...scalars];
  const inferred = await inferTypes(context, relation, uncertain.map(text), plainStyle);
  const { names } = uniqueNames(columns.map(([name]) => name));
  const selected = columns.map(([column], index) => {
    const name = names[index] ?? column;
    const scalar = uncertain.indexOf(column);
    if (scalar >= 0) return { name, value: text(column), found: inferred.types[scalar] ?? null };
    const value = identifier(column);
    return { name, value: types?.[column] === 'BLOB' ? `from_base64(${value})` : value, found: null };
  });
  const { sizeBytes, head } = await lookAtHead(path);
  const lines = head.toString('latin1').split('\n').length;
  const rowBytes = Math.min(sizeBytes, head.length) / lines;
  return writeParquet(context, strictSelect(selected, relation, plainStyle), target, {
    columns: columns.length,
    rowBytes,
  });
}

/** All keys of the objects, if some are the same but for case: DuckDB's reader would rename them and find nothing. */
async function collidingKeys(path: string, format: string, { query }: JobContext): Promise<string[] | null> {
  const rows = await query(`SELECT DISTINCT unnest(json_keys(json)) AS key FROM ${objects(path, format)} ORDER BY key`);
  const keys = rows.getRows().map(row => String(row[0]));
  return new Set(keys.map(key => key.toLowerCase())).size < keys.length ? keys : null;
}

/** Takes every key's value as text; nested ones stay JSON. */
async function writeKeys(
  path: string,
  format: string,
  keys: string[],
  context: JobContext,
  target: string,
): Promise<number> {
  const { names } = uniqueNames(keys);
  const cells = keys.map((key, index) => `json ->> ${literal(`$.${JSON.stringify(key)}`)} AS c${index}`);
  const relation = `(SELECT ${cells.join(', ')} FROM ${objects(path, format)})`;
  const columns = names.map((name, index) => ({ name, text: `c${index}`, declared: null }));
  const table = { columns, style: plainStyle, casts: false, relation: () => relation };
  return (await writeTextTable(table, context, target)).rows;
}

function objects(path: string, format: string): string {
  return `read_json_objects(${literal(path)}, format = '${format}', maximum_object_size = ${maxObjectBytes})`;
}

/** SQL: a value of JSON as text, without quotes. */
const text = (name: string) => `(${identifier(name)} ->> '$')`;

/** Types in which DuckDB would lose digits or quote texts. */
function isUncertain(type: string): boolean {
  return type === 'DOUBLE' || type === 'HUGEINT' || type === 'UBIGINT' || type === 'JSON';
}

/** DuckDB's errors about the file, told apart from those about the job. */
function refusal(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof TableError) return error;
  const message = (error.message.split('\n', 1)[0] ?? '').replaceAll(/ in file "[^"]*"/g, '');
  if (!/JSON|json/.test(message)) return error;
  const place = /at byte \d+ in (?:line|record\/value) \d+|in (?:line|record\/value) \d+/.exec(message)?.[0];
  if (/maximum_object_size/.test(message))
    return new TableError('TOO_LARGE', `An object is larger than ${maxObjectBytes / 2 ** 20} MiB`);
  return new TableError(
    'BAD_ROWS',
    message.replace(/^Invalid Input Error: /, ''),
    place === undefined ? {} : { place },
  );
}

/** Copies the lines that are JSON objects, and counts and samples the others. */
async function sortOut(path: string, target: string, context: JobContext): Promise<Rejected> {
  const rejected: Rejected = { count: 0, samples: [] };
  async function* good(): AsyncGenerator<string> {
    let number = 0;
    for await (const line of linesOf(path)) {
      number++;
      if (line.trim() === '') continue;
      const reason = wrong(line);
      if (reason === null) yield `${line}\n`;
      else {
        rejected.count++;
        if (rejected.samples.length < maxSamples)
          rejected.samples.push({ line: number, column: null, reason, text: shorten(line) });
      }
    }
  }
  await pipeline(good, createWriteStream(target), { signal: context.signal });
  return rejected;
}

function wrong(line: string): string | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? null : 'The line is no JSON object';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The lines of a text. A line that never ends is cut into pieces rather than kept in memory. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 2 ** 20 })) {
    const parts = `${rest}${String(chunk)}`.split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    if (rest.length > maxObjectBytes) {
      yield rest;
      rest = '';
    }
  }
  if (rest !== '') yield rest;
}
