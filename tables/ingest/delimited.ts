// Files of delimited text: csv, tsv, and dialects that the request describes.
import { fromAny, TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { list, literal } from '../sql.ts';
import type { Rejected } from '../types.ts';
import { uniqueNames } from './names.ts';
import { columnType } from './options.ts';
import type { Options } from './options.ts';
import { plainText, withOneLineEnding } from './plain-text.ts';
import { readRejects } from './rejects.ts';
import { lineOptions, sniff } from './sniff.ts';
import type { Found } from './sniff.ts';
import { refuseEmpty, writeTextTable } from './text-table.ts';
import type { TextTable } from './text-table.ts';

export interface Dialect {
  delimiter: string | undefined;
  quote: string;
  escape: string | undefined;
  header: boolean | undefined;
  skip: number | undefined;
  comment: string | undefined;
  encoding: string | undefined;
  types: Record<string, unknown>;
  nulls: string[];
  decimal: string;
  thousands: string;
}

export interface Written {
  rows: number;
  rejected: Rejected;
  notes: string[];
}

export function readDialect(options: Options, delimiter: string | undefined): Dialect {
  return {
    delimiter: character(options, 'delimiter', 4) ?? delimiter,
    quote: character(options, 'quote', 1) ?? '"',
    escape: character(options, 'escape', 1),
    header: options.flag('header'),
    skip: options.count('skip'),
    comment: character(options, 'comment', 1),
    encoding: options.text('encoding'),
    types: options.record('types') ?? {},
    nulls: ['', ...(options.texts('null_tokens') ?? [])],
    decimal: character(options, 'decimal_separator', 1) ?? '.',
    thousands: character(options, 'thousands_separator', 1) ?? '',
  };
}

function character(options: Options, name: string, most: number): string | undefined {
  const text = options.text(name);
  // An empty quote or comment means that there is none.
  if (text === undefined || (text === '' && (name === 'quote' || name === 'comment' || name === 'escape'))) return text;
  if (Buffer.byteLength(text) > most || text === '' || /[\r\n\0]/.test(text))
    throw options.refuse(name, most === 1 ? 'one character' : `1 to ${most} bytes without line breaks`);
  return text;
}

export async function ingestDelimited(
  source: string,
  dialect: Dialect,
  context: JobContext,
  target: string,
): Promise<Written> {
  const { path, notes } = await plainText(source, dialect.encoding, context);
  try {
    const written = await ingestLines(path, dialect, context, target);
    return { ...written, notes: [...notes, ...written.notes] };
  } catch (error) {
    if (context.signal.aborted || !endsLinesInManyWays(error)) throw error;
  }
  await context.query('DROP TABLE IF EXISTS first_errors; DROP TABLE IF EXISTS first_scans');
  const written = await ingestLines(await withOneLineEnding(path, context), dialect, context, target);
  return {
    ...written,
    notes: [...notes, 'Lines end in different ways; each \\r\\n was read as \\n', ...written.notes],
  };
}

/** DuckDB's reader takes the first line's ending for that of all, and has only this to say when another comes. */
function endsLinesInManyWays(error: unknown): boolean {
  return error instanceof Error && /state machine reached an invalid state/i.test(error.message);
}

async function ingestLines(path: string, dialect: Dialect, context: JobContext, target: string): Promise<Written> {
  const found = await sniff(path, dialect, context);
  try {
    return await ingestFound(path, { dialect, found }, context, target);
  } catch (error) {
    if (found.columns < wideColumns || fromAny(error).code !== 'OUT_OF_MEMORY') throw error;
    const megabytes = Math.floor(context.settings.memoryBytes / 2 ** 20);
    throw new TableError(
      'OUT_OF_MEMORY',
      `A table of ${found.columns} columns needs more than the ${megabytes} MiB that a job has here`,
    );
  }
}

/** DuckDB holds some 2,000 rows of all columns at once, several times. */
const wideColumns = 500;

async function ingestFound(
  path: string,
  { dialect, found }: { dialect: Dialect; found: Found },
  context: JobContext,
  target: string,
): Promise<Written> {
  const { names, notes: renamed } = uniqueNames(
    found.header
      ? await headerNames(path, found, context)
      : Array.from({ length: found.columns }, (_, index) => `column${index + 1}`),
  );
  const declared = declaredTypes(dialect.types, names);
  const columns = names.map((name, index) => ({ name, text: `c${index}`, declared: declared.get(name) ?? null }));
  const table: TextTable = {
    columns,
    style: { decimal: dialect.decimal, thousands: dialect.thousands },
    casts: true,
    relation: (types, rejects) => scan(path, found, types, rejects),
  };
  const { rows, rejects } = await writeTextTable(table, context, target);
  const rejected = await readRejects(context, rejects, path, names);
  refuseEmpty(rows, rejected.count);
  return { rows, rejected, notes: renamed };
}

function scan(path: string, found: Found, types: string[], rejects: string | null): string {
  const columns = types.map((type, index) => `'c${index}': ${literal(type)}`).join(', ');
  const errors =
    rejects === null
      ? 'ignore_errors = true'
      : `store_rejects = true, rejects_limit = 0, rejects_table = ${literal(`${rejects}_errors`)}, rejects_scan = ${literal(`${rejects}_scans`)}`;
  const thousands = found.thousands === '' ? '' : `thousands = ${literal(found.thousands)},`;
  return `read_csv(${literal(path)}, auto_detect = false, delim = ${literal(found.delimiter)}, quote = ${literal(found.quote)},
    escape = ${literal(found.escape)}, comment = ${literal(found.comment)}, skip = ${found.skip}, header = ${found.header},
    nullstr = ${list(found.nulls)}, decimal_separator = ${literal(found.decimal)}, ${thousands} ${lineOptions},
    columns = {${columns}}, ${errors})`;
}

async function headerNames(path: string, found: Found, { query }: JobContext): Promise<(string | null)[]> {
  const types = Array<string>(found.columns).fill('VARCHAR');
  const row = (
    await query(`SELECT * FROM ${scan(path, { ...found, header: false }, types, null)} LIMIT 1`)
  ).getRows()[0];
  return (row ?? []).map(value => (value === null ? null : String(value)));
}

function declaredTypes(types: Record<string, unknown>, names: string[]): Map<string, string> {
  return new Map(
    Object.entries(types).map(([name, type]) => {
      const param = `options.types.${name}`;
      if (!names.includes(name))
        throw new TableError('INVALID_OPTIONS', `${param}: there is no column ${JSON.stringify(name)}`, { param });
      return [name, columnType(type, param)];
    }),
  );
}
