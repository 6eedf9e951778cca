// Which types columns of text have: a type is a column's when every cell of it is that type's own writing.
//
// 1. Nothing may be lost. "001", "+49 30", "1_000" and "1e3" are no integers: an integer read from text must give that
//    text again. Integers beyond 64 bits are DECIMAL(38, 0), and a column with longer ones, or with fractions beside
//    integers that a double can't hold, stays text.
// 2. Nothing may be guessed. 01/02/2024 is a date in two ways and stays text, as "yes" and "1" do for BOOLEAN.
// 3. Types come from the first rows; the whole file is then written with casts that fail on a cell of another type. Only
//    then all of it is read to decide, and written again. So most files are read once, and none is typed by a sample.
import type { JobContext } from '../job.ts';
import { literal } from '../sql.ts';

export interface NumberStyle {
  decimal: string;
  thousands: string;
}

interface TextType {
  type: string;
  /** SQL: the value of a trimmed text, null where it is not of the type. */
  value(text: string, style: NumberStyle): string;
}

const pattern = (text: string, expression: string, value: string) =>
  `CASE WHEN regexp_full_match(${text}, '${expression}') THEN ${value} END`;
/** Where the type's own writing of the value is the text. */
const asWritten = (text: string, type: string) =>
  `CASE WHEN CAST(TRY_CAST(${text} AS ${type}) AS VARCHAR) = ${text} THEN TRY_CAST(${text} AS ${type}) END`;

const time = '\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?';
const moment = '\\d{4}-\\d{2}-\\d{2}[ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?';

/** The first that fits is taken. */
const textTypes: TextType[] = [
  {
    type: 'BOOLEAN',
    value: text => `CASE WHEN lower(${text}) = 'true' THEN true WHEN lower(${text}) = 'false' THEN false END`,
  },
  { type: 'BIGINT', value: text => asWritten(text, 'BIGINT') },
  { type: 'DECIMAL(38,0)', value: text => pattern(text, '0|-?[1-9]\\d*', `TRY_CAST(${text} AS DECIMAL(38,0))`) },
  {
    type: 'DOUBLE',
    value(text, style) {
      const number = numberText(text, style);
      // Integers of up to 15 digits, or a fraction, or an exponent.
      const written =
        '-?((0|[1-9]\\d{0,14})|(0|[1-9]\\d*)?\\.\\d+|(0|[1-9]\\d*)(\\.\\d*)?[eE][+-]?\\d+|\\.\\d+[eE][+-]?\\d+)';
      return pattern(number, written, `TRY_CAST(${number} AS DOUBLE)`);
    },
  },
  { type: 'DATE', value: text => asWritten(text, 'DATE') },
  { type: 'TIMESTAMP', value: text => pattern(text, moment, `TRY_CAST(${text} AS TIMESTAMP)`) },
  {
    type: 'TIMESTAMP WITH TIME ZONE',
    value: text => pattern(text, `${moment}(Z|[+-]\\d{2}(:?\\d{2})?)`, `TRY_CAST(${text} AS TIMESTAMPTZ)`),
  },
  { type: 'TIME', value: text => pattern(text, time, `TRY_CAST(${text} AS TIME)`) },
];

const byType = new Map(textTypes.map(each => [each.type, each]));
/** Planning a statement of thousands of aggregates takes longer than another look at the sample. */
const columnsAtOnce = 256;
export const sampleRows = 10_000;

export interface Inferred {
  types: string[];
  /** Of all texts in the rows that were looked at. */
  bytes: number;
  rows: number;
}

/** Decides the types of `columns` (SQL of texts) over `relation`. */
export async function inferTypes(
  { query }: Pick<JobContext, 'query'>,
  relation: string,
  columns: string[],
  style: NumberStyle,
): Promise<Inferred> {
  const types: string[] = [];
  let bytes = 0;
  let rows = 0;
  for (let start = 0; start < columns.length; start += columnsAtOnce) {
    const group = columns.slice(start, start + columnsAtOnce);
    const counts = group.flatMap(column => [
      `count(${column})`,
      `coalesce(sum(strlen(${column})), 0)::DOUBLE`,
      ...textTypes.map(({ value }) => `count(${value(`trim(${column})`, style)})`),
    ]);
    const row = (await query(`SELECT count(*), ${counts.join(', ')} FROM ${relation}`)).getRows()[0] ?? [];
    const numbers = row.map(Number);
    rows = numbers[0] ?? 0;
    const width = textTypes.length + 2;
    group.forEach((_, index) => {
      const [filled = 0, length = 0, ...fitting] = numbers.slice(1 + index * width, 1 + (index + 1) * width);
      bytes += length;
      types.push(filled === 0 ? 'VARCHAR' : (textTypes[fitting.indexOf(filled)]?.type ?? 'VARCHAR'));
    });
  }
  return { types, bytes, rows };
}

export const retype = 'cell of another type';

/** SQL: a column of text as its type; the statement fails with `retype` on a cell of another. */
export function strictCast(column: string, type: string, style: NumberStyle): string {
  const value = byType.get(type)?.value(`trim(${column})`, style);
  return value === undefined
    ? column
    : `CASE WHEN ${column} IS NOT NULL THEN coalesce(${value}, error(${literal(retype)})) END`;
}

/** SQL: a column of text as a type that the request declares, null where it is not of the type. */
export function declaredCast(column: string, type: string, style: NumberStyle): string {
  if (/^VARCHAR$/i.test(type)) return column;
  const number = /INT|DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC/i.test(type);
  return `TRY_CAST(${number ? numberText(`trim(${column})`, style) : `trim(${column})`} AS ${type})`;
}

function numberText(text: string, { decimal, thousands }: NumberStyle): string {
  const joined = thousands === '' ? text : `replace(${text}, ${literal(thousands)}, '')`;
  return decimal === '.' ? joined : `replace(${joined}, ${literal(decimal)}, '.')`;
}
