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
import type { Row, Value } from '../types.ts';
import { identifier, isText, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';

const sure = ['', 'n/a', '#n/a', 'null', '(null)', '<na>'];
const marks = ['-', '--', '?'];
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

async function lookAt(step: Step, columns: readonly TypedColumn[]): Promise<Row> {
  if (columns.length === 0) return {};
  const counts = columns.flatMap((_, index) => {
    const v = `v${index}`;
    const isToken = `lower(${v}) IN ${anyToken}`;
    const count = (condition: string, name: string): string =>
      `count(*) FILTER (WHERE ${condition})::DOUBLE AS ${name}${index}`;
    const value = `${v} IS NOT NULL AND NOT ${isToken}`;
    return [
      count(value, 'n'),
      count(`${value} AND NOT regexp_matches(${v}, '[\\p{L}\\p{N}]')`, 'marks'),
      ...kinds.map(({ holds }, kind) => count(`${value} AND ${holds(v)}`, `k${kind}_`)),
      count(`${value} AND try_strptime(${slashed(v)}, '%d/%m/%Y') IS NOT NULL`, 'd'),
      count(`${value} AND try_strptime(${slashed(v)}, '%m/%d/%Y') IS NOT NULL`, 'm'),
    ];
  });
  const values = columns.map(({ name }, index) => `${trimmed(identifier(name))} AS v${index}`);
  const [row = {}] = await step.ask(({ from }) => `SELECT ${list(counts)} FROM (SELECT ${list(values)} FROM ${from})`);
  return row;
}

export const automatic: Definition = {
  family: 'clean',
  asks: () => true,
  opens: () => true,
  read: () => async step => {
    const columns = step.columns.filter(({ type }) => isText(type));
    const counts = await lookAt(step, columns);
    const types: Record<string, Value> = {};
    const tidy: { name: string; sql: string }[] = [];
    const typed: { name: string; sql: string }[] = [];
    columns.forEach(({ name }, index) => {
      const count = (of: string): number => Number(counts[`${of}${index}`] ?? 0);
      const n = count('n');
      const [days, months] = [count('d') === n, count('m') === n];
      const kind =
        n === 0
          ? undefined
          : (kinds.find((_, which) => count(`k${which}_`) === n) ??
            (days === months ? undefined : days ? dayFirst : monthFirst));
      const tokens = kind ? nullTokens : [...sure, ...(count('marks') === 0 ? marks : [])];
      const v = trimmed(identifier(name));
      tidy.push({
        name,
        sql: `CASE WHEN lower(${v}) NOT IN (${list(tokens.map(token => literal(token)))}) THEN ${v} END`,
      });
      if (!kind) return;
      typed.push({ name, sql: kind.sql(identifier(name)) });
      types[name] = { type: kind.type, cells: n };
    });
    const someCell = `(${step.columns.map(({ name }) => `${identifier(name)} IS NOT NULL`).join(' OR ')})`;
    const steps: Plan[] = [
      change(step, { replace: tidy }),
      { ...change(step, { replace: typed }), changes: [], details: { types } },
      { kind: 'filter', where: someCell, counts: { empty_rows: `NOT ${someCell}` } },
      deduplicateBy(step.columns, { droppedAs: 'duplicate_rows' }),
    ];
    return { kind: 'sequence', steps };
  },
};
