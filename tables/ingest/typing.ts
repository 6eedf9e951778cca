// Which types columns of text have: a type is a column's when every cell of it is that type's own writing.
//
// 1. Nothing may be lost. "001", "+49 30", "1_000" and "1e3" are no integers: an integer read from text must give that
//    text again. Integers beyond 64 bits are DECIMAL(38, 0), and a column with longer ones, or with fractions beside
//    integers that a double can't hold, stays text.
// 2. Nothing may be guessed. 01/02/2024 is a date in two ways and stays text, as "yes" and "1" do for BOOLEAN.
// 3. Types come from the first rows; the whole file is then written with casts that fail on a cell of another type. Only
//    then all of it is read to decide, and written again. So most files are read once, and none is typed by a sample.
import type { JobContext } from '../job.ts';
import { identifier, literal } from '../sql.ts';

export interface NumberStyle {
  decimal: string;
  thousands: string;
}

interface TextType {
  type: string;
  /** RE2: how a text is written that is of the type, provided that the cast succeeds. */
  pattern: string;
  /** SQL that is true only for such texts, at a part of the pattern's cost; `value` is the text's cast. */
  quick?(text: string, value: string): string;
}

const matches = (text: string, pattern: string) => `regexp_full_match(${text}, '${pattern}')`;

const time = '\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?';
const moment = '\\d{4}-\\d{2}-\\d{2}[ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?';

/** The first that fits is taken. */
const textTypes: TextType[] = [
  // Of what DuckDB casts, the shorter writings are "t", "1", "no" and their like.
  { type: 'BOOLEAN', pattern: '(?i:true|false)', quick: text => `strlen(${text}) > 3` },
  { type: 'BIGINT', pattern: '0|-?[1-9]\\d{0,18}', quick: (text, value) => `CAST(${value} AS VARCHAR) = ${text}` },
  { type: 'DECIMAL(38,0)', pattern: '0|-?[1-9]\\d{0,37}' },
  {
    type: 'DOUBLE',
    // Integers of up to 15 digits, which a double holds exactly, or with a fraction, or with an exponent.
    pattern: '-?([1-9]\\d{0,14}|0|((0|[1-9]\\d*)\\.\\d*|\\.\\d+)([eE][+-]?\\d+)?|(0|[1-9]\\d*)[eE][+-]?\\d+)',
    quick: text => `${text} >= '1' AND ${text} < ':' AND strlen(${text}) <= 15 AND NOT contains(${text}, '_')`,
  },
  { type: 'DATE', pattern: '\\d[-/ \\d]{8}\\d', quick: text => `strlen(${text}) = 10` },
  {
    type: 'TIMESTAMP',
    pattern: moment,
    // A cast would drop an offset; one can't stand where the seconds are.
    quick: text => `strlen(${text}) = 19 AND ${text}[17] = ':'`,
  },
  { type: 'TIMESTAMP WITH TIME ZONE', pattern: `${moment}(Z|[+-]\\d{2}(:?\\d{2})?)` },
  { type: 'TIME', pattern: time },
];

const byType = new Map(textTypes.map(each => [each.type, each]));
/** Bounds what the cells of a vector of rows take. */
const columnsAtOnce = 500;
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
  // Cells of all columns in one: a statement with expressions for each column takes longer to plan than to run.
  const counts = textTypes.map(({ type, pattern }) => {
    const text = castText('text', type, style);
    // A cast that fails costs several times as much as the pattern.
    return `count_if(CASE WHEN ${matches(text, pattern)} THEN ${tryCast(text, type)} IS NOT NULL END)`;
  });
  for (let start = 0; start < columns.length; start += columnsAtOnce) {
    const group = columns.slice(start, start + columnsAtOnce);
    const cells = `(SELECT unnest([${group.join(', ')}]) AS cell, unnest(range(${group.length})) AS number FROM ${relation})`;
    const answer = await query(`SELECT number, count(*), count(cell), coalesce(sum(strlen(cell)), 0)::DOUBLE,
      count_if(cell <> text), ${counts.join(', ')}
      FROM (SELECT number, cell, trim(cell) AS text FROM ${cells}) GROUP BY number`);
    const found = new Map(answer.getRows().map(([number, ...numbers]) => [Number(number), numbers.map(Number)]));
    for (const index of group.keys()) {
      const [all = 0, filled = 0, length = 0, padded = 0, ...fitting] = found.get(index) ?? [];
      rows = all;
      bytes += length;
      const type = filled === 0 ? undefined : textTypes[fitting.indexOf(filled)]?.type;
      types.push({ type: type ?? 'VARCHAR', padded: padded > 0 });
    }
  }
  return { types, bytes, rows };
}

const retype = 'cell of another type';

/** Whether a statement failed because `strictSelect` met a cell of another type. */
export function isRetype(error: unknown): boolean {
  return error instanceof Error && (error.message.includes(retype) || error.message.startsWith('Conversion Error'));
}

export interface StrictColumn {
  name: string;
  /** SQL: a text, where `found` is its type, or else the value itself. */
  value: string;
  found: TextColumnType | null;
}

/** SQL: columns of text as their types; the statement fails on a cell of another type (see `isRetype`). */
export function strictSelect(columns: StrictColumn[], relation: string, style: NumberStyle): string {
  const inner: string[] = [];
  // The value is made below the check: within one CASE, DuckDB would cast twice.
  const outer = columns.map(({ name, value, found }, index) => {
    const type = found && byType.get(found.type);
    if (!type) {
      inner.push(`${value} AS v${index}`);
      return `v${index} AS ${identifier(name)}`;
    }
    const text = castText(found.padded ? `trim(${value})` : value, type.type, style);
    inner.push(`${text} AS t${index}`, `${tryCast(text, type.type)} AS v${index}`);
    const written = matches(`t${index}`, type.pattern);
    const quick = type.quick?.(`t${index}`, `v${index}`);
    const fits = quick === undefined ? written : `CASE WHEN ${quick} THEN true ELSE ${written} END`;
    return `CASE WHEN t${index} IS NULL OR (v${index} IS NOT NULL AND ${fits}) THEN v${index}
      ELSE error(${literal(retype)}) END AS ${identifier(name)}`;
  });
  return `SELECT ${outer.join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${relation})`;
}

/** SQL: a column of text as a type that the request declares, null where it is not of the type. */
export function declaredCast(column: string, type: string, style: NumberStyle): string {
  return /^VARCHAR$/i.test(type) ? column : `TRY_CAST(${castText(`trim(${column})`, type, style)} AS ${type})`;
}

/** SQL: null where a text is not of the type. To a wide decimal, DuckDB casts from an integer at a tenth of the cost. */
function tryCast(text: string, type: string): string {
  return type === 'DECIMAL(38,0)'
    ? `TRY_CAST(TRY_CAST(${text} AS HUGEINT) AS ${type})`
    : `TRY_CAST(${text} AS ${type})`;
}

/** SQL: the text of a cell as DuckDB's casts want it. */
function castText(text: string, type: string, style: NumberStyle): string {
  return /FLOAT|DOUBLE|REAL|DECIMAL/i.test(type) && type !== 'DECIMAL(38,0)' ? numberText(text, style) : text;
}

function numberText(text: string, { decimal, thousands }: NumberStyle): string {
  const joined = thousands === '' ? text : `replace(${text}, ${literal(thousands)}, '')`;
  return decimal === '.' ? joined : `replace(${joined}, ${literal(decimal)}, '.')`;
}
