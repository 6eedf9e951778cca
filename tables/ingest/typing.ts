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
  /** SQL: whether a text that can be cast to the type is written as the type's values are. */
  fits(text: string, style: NumberStyle): string;
}

const matches = (text: string, expression: string) => `regexp_full_match(${text}, '${expression}')`;

const time = '\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?';
const moment = '\\d{4}-\\d{2}-\\d{2}[ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?';
/** Integers of up to 15 digits, which a double holds exactly, or with a fraction, or with an exponent. */
const double = '-?((0|[1-9]\\d{0,14})|(0|[1-9]\\d*)?\\.\\d+|(0|[1-9]\\d*)(\\.\\d*)?[eE][+-]?\\d+|\\.\\d+[eE][+-]?\\d+)';

/** The first that fits is taken. Plain comparisons stand in for patterns where they say the same: they cost a half. */
const textTypes: TextType[] = [
  { type: 'BOOLEAN', fits: text => `${text} IN ('true', 'false', 'TRUE', 'FALSE', 'True', 'False')` },
  { type: 'BIGINT', fits: text => `CAST(TRY_CAST(${text} AS BIGINT) AS VARCHAR) = ${text}` },
  { type: 'DECIMAL(38,0)', fits: text => matches(text, '0|-?[1-9]\\d{0,37}') },
  { type: 'DOUBLE', fits: (text, style) => matches(numberText(text, style), double) },
  { type: 'DATE', fits: text => `strlen(${text}) = 10` },
  {
    type: 'TIMESTAMP',
    // A cast would drop an offset; one can't stand where the seconds are.
    fits: text => `CASE WHEN strlen(${text}) = 19 AND ${text}[17] = ':' THEN true ELSE ${matches(text, moment)} END`,
  },
  { type: 'TIMESTAMP WITH TIME ZONE', fits: text => matches(text, `${moment}(Z|[+-]\\d{2}(:?\\d{2})?)`) },
  { type: 'TIME', fits: text => matches(text, time) },
];

const byType = new Map(textTypes.map(each => [each.type, each]));
/** Planning takes time with the square of a statement's expressions. */
const columnsAtOnce = 64;
export const sampleRows = 10_000;

export interface TextColumnType {
  type: string;
  /** Blanks stand around cells. */
  padded: boolean;
}

export interface Inferred {
  types: TextColumnType[];
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
  const types: TextColumnType[] = [];
  let bytes = 0;
  let rows = 0;
  for (let start = 0; start < columns.length; start += columnsAtOnce) {
    const group = columns.slice(start, start + columnsAtOnce);
    const texts = group.map((column, index) => `${column} AS raw${index}, trim(${column}) AS text${index}`);
    const counts = group.flatMap((_, index) => [
      `count(raw${index})`,
      `coalesce(sum(strlen(raw${index})), 0)::DOUBLE`,
      `count_if(raw${index} <> text${index})`,
      ...textTypes.map(({ type, fits }) => {
        const text = `text${index}`;
        return `count_if(${fits(text, style)} AND TRY_CAST(${castText(text, type, style)} AS ${type}) IS NOT NULL)`;
      }),
    ]);
    const sql = `SELECT count(*), ${counts.join(', ')} FROM (SELECT ${texts.join(', ')} FROM ${relation})`;
    const numbers = ((await query(sql)).getRows()[0] ?? []).map(Number);
    rows = numbers[0] ?? 0;
    const width = textTypes.length + 3;
    for (const index of group.keys()) {
      const [filled = 0, length = 0, padded = 0, ...fitting] = numbers.slice(
        1 + index * width,
        1 + (index + 1) * width,
      );
      bytes += length;
      const type = filled === 0 ? undefined : textTypes[fitting.indexOf(filled)]?.type;
      types.push({ type: type ?? 'VARCHAR', padded: padded > 0 });
    }
  }
  return { types, bytes, rows };
}

const retype = 'cell of another type';

/** Whether a statement failed because a `strictCast` met a cell of another type. */
export function isRetype(error: unknown): boolean {
  return error instanceof Error && (error.message.includes(retype) || error.message.startsWith('Conversion Error'));
}

/** SQL: a column of text as its type; the statement fails on a cell of another (see `isRetype`). */
export function strictCast(column: string, { type, padded }: TextColumnType, style: NumberStyle): string {
  const fits = byType.get(type)?.fits;
  if (!fits) return column;
  const text = padded ? `trim(${column})` : column;
  return `CASE WHEN ${column} IS NULL OR ${fits(text, style)} THEN CAST(${castText(text, type, style)} AS ${type})
    ELSE error(${literal(retype)}) END`;
}

/** SQL: a column of text as a type that the request declares, null where it is not of the type. */
export function declaredCast(column: string, type: string, style: NumberStyle): string {
  return /^VARCHAR$/i.test(type) ? column : `TRY_CAST(${castText(`trim(${column})`, type, style)} AS ${type})`;
}

/** SQL: the text of a cell as DuckDB's casts want it. */
function castText(text: string, type: string, style: NumberStyle): string {
  return /FLOAT|DOUBLE|REAL|DECIMAL/i.test(type) && type !== 'DECIMAL(38,0)' ? numberText(text, style) : text;
}

function numberText(text: string, { decimal, thousands }: NumberStyle): string {
  const joined = thousands === '' ? text : `replace(${text}, ${literal(thousands)}, '')`;
  return decimal === '.' ? joined : `replace(${joined}, ${literal(decimal)}, '.')`;
}
