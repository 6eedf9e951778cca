// `clean` without `op`: trims, takes tokens for nulls, gives text columns the types that all their values have, and drops empty rows
// and exact duplicates.
//
// A column decides as a whole. What stands for null in a column of numbers or dates may be a value in one of words: there "NA" may be
// Namibia and "none" an answer. So words as tokens go only where all other values have one type; in texts only what can't be read
// otherwise goes ("n/a", "null"), and "?" or "-" where every other value has a letter or digit.
import { change } from './steps.ts';
import { trimmed } from './cells.ts';
import { nullTokens } from './clean.ts';
import { deduplicateBy } from './rows.ts';
import type { Definition, Plan, Step } from './plan.ts';
import type { Value } from '../types.ts';
import { identifier, isText, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';

const sure = ['', 'n/a', '#n/a', 'null', '(null)', '<na>'];
const signs = ['-', '--', '?'];
const anyToken = `(${list(nullTokens.map(token => literal(token)))})`;

/** A type of a text column, when all values that are no tokens meet the condition; the first that does is taken. */
const kinds: { type: string; holds: (v: string) => string; sql: (v: string) => string }[] = [
  {
    type: 'BOOLEAN',
    holds: v => `lower(${v}) IN ('true', 'false', 'yes', 'no')`,
    sql: v => `(lower(${v}) IN ('true', 'yes'))`,
  },
  {
    type: 'BIGINT',
    holds: v => `regexp_full_match(${v}, '[+-]?(0|[1-9][0-9]*)') AND TRY_CAST(${v} AS BIGINT) IS NOT NULL`,
    sql: v => `CAST(${v} AS BIGINT)`,
  },
  {
    type: 'DOUBLE',
    // Up to 15 digits come back out of a DOUBLE as they went in.
    holds: v =>
      `regexp_full_match(${v}, '[+-]?((0|[1-9][0-9]*)(\\.[0-9]+)?|\\.[0-9]+)([eE][+-]?[0-9]{1,3})?') AND length(regexp_replace(${v}, '[^0-9]', '', 'g')) <= 15`,
    sql: v => `CAST(${v} AS DOUBLE)`,
  },
  {
    type: 'DATE',
    holds: v => `regexp_full_match(${v}, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST(${v} AS DATE) IS NOT NULL`,
    sql: v => `CAST(${v} AS DATE)`,
  },
  {
    type: 'TIMESTAMP',
    holds: v =>
      `regexp_full_match(${v}, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?') AND TRY_CAST(${v} AS TIMESTAMP) IS NOT NULL`,
    sql: v => `CAST(${v} AS TIMESTAMP)`,
  },
];
const slashed = (v: string): string =>
  `CASE WHEN regexp_full_match(${v}, '[0-9]{1,2}([/.-])[0-9]{1,2}[/.-][0-9]{4}') THEN translate(${v}, '.-', '//') END`;
const dayFirst = { type: 'DATE', sql: (v: string) => `CAST(strptime(${slashed(v)}, '%d/%m/%Y') AS DATE)` };
const monthFirst = { type: 'DATE', sql: (v: string) => `CAST(strptime(${slashed(v)}, '%m/%d/%Y') AS DATE)` };

/** What is known of a column: its values that are no tokens, those of them without letter or digit, and those that each kind holds for. */
interface Looks {
  values: number;
  marks: number;
  kinds: number[];
}

/** Every kind, the two readings of dates with slashes among them. */
const candidates: { type: string; holds: (v: string) => string; sql: (v: string) => string }[] = [
  ...kinds,
  { ...dayFirst, holds: v => `try_strptime(${slashed(v)}, '%d/%m/%Y') IS NOT NULL` },
  { ...monthFirst, holds: v => `try_strptime(${slashed(v)}, '%m/%d/%Y') IS NOT NULL` },
];

const sampleRows = 10_000;

/**
 * A kind that doesn't hold for the first rows doesn't hold for all. So only what held there is asked of every row: most texts drop out,
 * for which each failed cast would cost more than reading the value.
 */
async function lookAt(step: Step, columns: readonly TypedColumn[]): Promise<Looks[]> {
  const all = candidates.map((_, kind) => kind);
  const first = await count(
    step,
    columns.map(column => ({ column, kinds: all, marks: true })),
    sampleRows,
  );
  return count(
    step,
    columns.map((column, index) => ({
      column,
      kinds: all.filter(kind => first[index]?.kinds[kind] === first[index]?.values),
      marks: first[index]?.marks === 0,
    })),
  );
}

/** Counts what is asked for; a kind that isn't holds for no value. */
async function count(
  step: Step,
  asked: { column: TypedColumn; kinds: number[]; marks: boolean }[],
  limit?: number,
): Promise<Looks[]> {
  const counts = asked.flatMap(({ kinds: some, marks }, index) => {
    const v = `v${index}`;
    const value = `${v} IS NOT NULL AND NOT lower(${v}) IN ${anyToken}`;
    const counted = (condition: string, name: string): string =>
      `count(*) FILTER (WHERE ${condition})::DOUBLE AS ${name}${index}`;
    return [
      ...(some.length > 0 ? [counted(value, 'n')] : []),
      ...(marks ? [counted(`${value} AND NOT regexp_matches(${v}, '[\\p{L}\\p{N}]')`, 'marks')] : []),
      ...some.map(kind => counted(`${value} AND ${candidates[kind]?.holds(v) ?? 'false'}`, `k${kind}_`)),
    ];
  });
  const values = asked.map(({ column }, index) => `${trimmed(identifier(column.name))} AS v${index}`);
  const rows = limit === undefined ? '' : ` LIMIT ${limit}`;
  const [row = {}] =
    counts.length === 0
      ? []
      : await step.ask(({ from }) => `SELECT ${list(counts)} FROM (SELECT ${list(values)} FROM ${from}${rows})`);
  return asked.map(({ marks }, index) => ({
    values: Number(row[`n${index}`] ?? 0),
    marks: marks ? Number(row[`marks${index}`] ?? 0) : 1,
    kinds: candidates.map((_, kind) => Number(row[`k${kind}_${index}`] ?? -1)),
  }));
}

/** The first kind that holds for all values. Dates that can be read with the day first or the month first stay texts. */
function kindOf({ values, kinds: held }: Looks): (typeof candidates)[number] | undefined {
  if (values === 0) return undefined;
  const fits = candidates.filter((_, kind) => held[kind] === values);
  const [first] = fits;
  return first && !kinds.includes(first) && fits.length > 1 ? undefined : first;
}

/** Whether any two rows are alike, by hashes of the rows as they will be: with none, nobody need sort them to find out. */
async function anyAlike(step: Step, { tidy, typed }: { tidy: Replaced[]; typed: Replaced[] }): Promise<boolean> {
  const select = (replaced: Replaced[], from: string): string => {
    const sql = new Map(replaced.map(each => [each.name, each.sql]));
    const columns = step.columns.map(({ name }) => `${sql.get(name) ?? identifier(name)} AS ${identifier(name)}`);
    return `SELECT ${list(columns)} FROM ${from}`;
  };
  const hash = `hash(${list(step.columns.map(({ name }) => identifier(name)))})`;
  const [row] = await step.ask(
    ({ from }) =>
      `SELECT count(*)::DOUBLE AS n FROM (SELECT 1 FROM (${select(typed, `(${select(tidy, from)})`)}) GROUP BY ${hash} HAVING count(*) > 1)`,
  );
  return Number(row?.['n'] ?? 0) > 0;
}

interface Replaced {
  name: string;
  sql: string;
}

export const automatic: Definition = {
  family: 'clean',
  asks: () => true,
  opens: () => true,
  read: () => async step => {
    const columns = step.columns.filter(({ type }) => isText(type));
    const looks = await lookAt(step, columns);
    const types: Record<string, Value> = {};
    const tidy: Replaced[] = [];
    const typed: Replaced[] = [];
    columns.forEach(({ name }, index) => {
      const looked = looks[index];
      const kind = looked && kindOf(looked);
      const tokens = kind ? nullTokens : [...sure, ...(looked?.marks === 0 ? signs : [])];
      const v = trimmed(identifier(name));
      tidy.push({
        name,
        sql: `CASE WHEN lower(${v}) NOT IN (${list(tokens.map(token => literal(token)))}) THEN ${v} END`,
      });
      if (!kind) return;
      typed.push({ name, sql: kind.sql(identifier(name)) });
      types[name] = { type: kind.type, cells: looked.values };
    });
    const someCell = `(${step.columns.map(({ name }) => `${identifier(name)} IS NOT NULL`).join(' OR ')})`;
    const alike = await anyAlike(step, { tidy, typed });
    const details = { types, ...(!alike && { duplicate_rows: 0 }) };
    const steps: Plan[] = [
      change(step, { replace: tidy }),
      { ...change(step, { replace: typed }), changes: [], details },
      { kind: 'filter', where: someCell, counts: { empty_rows: `NOT ${someCell}` } },
      ...(alike ? [deduplicateBy(step.columns, { droppedAs: 'duplicate_rows' })] : []),
    ];
    return { kind: 'sequence', steps };
  },
};
