// What cleaning operations share: kinds of columns, white space, an operation that works on each cell.
import { columnsOf, change, whereOf } from './steps.ts';
import type { Definition, Plan, Step } from './plan.ts';
import { identifier, isNumeric, isText, isTime, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import type { Params } from './params.ts';

export const texts = { test: isText, called: 'texts' };
export const numbers = { test: isNumeric, called: 'numbers' };
export const ordered = { test: (type: string) => isNumeric(type) || isTime(type), called: 'numbers and dates' };

const blank = '[\\s\\v\\p{Z}\\x{85}\\x{feff}]+';
/**
 * DuckDB's own trim takes the plain blank alone, or is four times as slow as this with a set of all that is white. A text whose ends are
 * printable ASCII has nothing to lose, which a look at two characters tells; a million of those take 0.07 s instead of 0.25.
 */
export const trimmed = (sql: string): string =>
  `CASE WHEN ord(${sql}) BETWEEN 33 AND 126 AND ord(right(${sql}, 1)) BETWEEN 33 AND 126 THEN ${sql} ` +
  `ELSE regexp_replace(regexp_replace(${sql}, '^${blank}', ''), '${blank}$', '') END`;

/** An operation that gives each cell of some columns a new value, where the condition holds. */
export function cells(
  kind: { test: (type: string) => boolean; called: string } | undefined,
  read: (params: Params) => (column: TypedColumn, step: Step) => string | Promise<string>,
): Definition {
  return {
    family: 'clean',
    rowByRow: true,
    read: params => {
      const names = params.optionalTexts('columns');
      const where = params.optionalText('where');
      const cell = read(params);
      return async step => {
        const replace = [];
        for (const column of columnsOf(step, names, kind)) {
          replace.push({ name: column.name, sql: await cell(column, step) });
        }
        return change(step, { replace, where: await whereOf(step, where) });
      };
    },
  };
}

export const dropRows = (condition: string, where?: string): Plan => ({
  kind: 'filter',
  where: `NOT coalesce(${where === undefined ? condition : `${condition} AND ${where}`}, false)`,
});

/** Of one text that an operation makes longer: what is longer than this is no cell any more. */
const mostBytes = 64 * 2 ** 20;

/**
 * `sql` where `bytes` aren't too many, else an error with the place: of operations that make texts longer, a few after one another would
 * make one that no memory holds. `times`: how many times as long what comes out may be.
 */
export function bounded(sql: string, bytes: string, { place, times = 1 }: { place: string; times?: number }): string {
  const most = Math.min(mostBytes, Math.floor((16 * mostBytes) / times));
  const message = `${place}: a text of more than ${most} bytes would become longer still`;
  return `CASE WHEN ${bytes} > ${most} THEN error(${literal(message)}) ELSE ${sql} END`;
}

/** The values of a column of which statistics can be made: infinities have no mean, and NaN has no place. */
export const finite = (name: string): string => {
  const x = `CAST(${identifier(name)} AS DOUBLE)`;
  return `CASE WHEN isfinite(${x}) THEN ${x} END`;
};

export const double = (value: number): string => `CAST(${literal(String(value))} AS DOUBLE)`;
