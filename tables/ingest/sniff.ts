// How a delimited file is written, where the request does not say it.
//
// DuckDB's sniffer answers for nearly all files. It takes lines of many lengths for one column, or for nothing that it
// knows; then the delimiter that most lines have is taken, and the first line says how many columns there are.
import type { DuckDBResultReader } from '@duckdb/node-api';
import type { JobContext } from '../job.ts';
import { literal } from '../sql.ts';
import type { Dialect } from './delimited.ts';
import { lookAtHead } from './look.ts';

/** A line may be this long, its line breaks within quotes included. */
const maxLineBytes = 16 * 2 ** 20;
/** SQL. DuckDB's own choice would be buffers of 16 lines of the longest kind. */
export const lineOptions = `max_line_size = ${maxLineBytes}, buffer_size = ${maxLineBytes}`;

export interface Found {
  delimiter: string;
  quote: string;
  escape: string;
  comment: string;
  skip: number;
  header: boolean;
  columns: number;
  nulls: string[];
  decimal: string;
  thousands: string;
}

export async function sniff(path: string, dialect: Dialect, context: JobContext): Promise<Found> {
  const found = await sniffWith(path, dialect, context);
  if (found && (dialect.delimiter !== undefined || found.columns > 1)) return found;
  const lines = (await lookAtHead(path)).head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r?\n|\r/, 200);
  const kept = lines.slice(dialect.skip ?? 0).filter(line => line !== '');
  const delimiter = dialect.delimiter ?? commonDelimiter(kept);
  if (found && delimiter === null) return found;
  const first = splitLine(kept[0] ?? '', delimiter ?? ',', dialect.quote);
  return {
    delimiter: delimiter ?? ',',
    quote: dialect.quote,
    escape: dialect.escape ?? dialect.quote,
    comment: dialect.comment ?? '',
    skip: dialect.skip ?? 0,
    header: dialect.header ?? !first.some(cell => /^[-+]?[\d.,]+$/.test(cell.trim())),
    columns: first.length,
    nulls: dialect.nulls,
    decimal: dialect.decimal,
    thousands: dialect.thousands,
  };
}

async function sniffWith(path: string, dialect: Dialect, { query, signal }: JobContext): Promise<Found | null> {
  const given = [
    `quote = ${literal(dialect.quote)}`,
    `escape = ${literal(dialect.escape ?? dialect.quote)}`,
    ...(dialect.delimiter === undefined ? [] : [`delim = ${literal(dialect.delimiter)}`]),
    ...(dialect.header === undefined ? [] : [`header = ${dialect.header}`]),
    ...(dialect.skip === undefined ? [] : [`skip = ${dialect.skip}`]),
    ...(dialect.comment === undefined ? [] : [`comment = ${literal(dialect.comment)}`]),
  ].join(', ');
  const sql = `SELECT Delimiter, SkipRows, HasHeader, len(Columns), Comment
    FROM sniff_csv(${literal(path)}, ignore_errors = true, ${lineOptions}, ${given})`;
  let answer: DuckDBResultReader;
  try {
    answer = await query(sql);
  } catch (error) {
    if (signal.aborted || !(error instanceof Error) || !/sniff/i.test(error.message)) throw error;
    return null;
  }
  const [delimiter, skip, header, columns, comment] = answer.getRows()[0] ?? [];
  return {
    delimiter: dialect.delimiter ?? String(delimiter),
    quote: dialect.quote,
    escape: dialect.escape ?? dialect.quote,
    comment: dialect.comment ?? (comment === '(empty)' ? '' : String(comment)),
    skip: dialect.skip ?? Number(skip),
    header: dialect.header ?? header === true,
    columns: Number(columns),
    nulls: dialect.nulls,
    decimal: dialect.decimal,
    thousands: dialect.thousands,
  };
}

/** The delimiter that stands in the most lines, and in more than half of them. */
function commonDelimiter(lines: string[]): string | null {
  const [best] = [',', ';', '\t', '|']
    .map(delimiter => ({ delimiter, lines: lines.filter(line => line.includes(delimiter)).length }))
    .toSorted((a, b) => b.lines - a.lines);
  return best && best.lines * 2 > lines.length && lines.length > 1 ? best.delimiter : null;
}

function splitLine(line: string, delimiter: string, quote: string): string[] {
  const cells = [''];
  let quoted = false;
  for (let index = 0; index < line.length; index++) {
    if (quote !== '' && line[index] === quote) quoted = !quoted;
    else if (!quoted && line.startsWith(delimiter, index)) {
      cells.push('');
      index += delimiter.length - 1;
    } else cells[cells.length - 1] += line[index] ?? '';
  }
  return cells;
}
