// What the plans of many operations share: columns that must be there, conditions, columns replaced in place.
import { TableError } from '../errors.ts';
import type { Params } from './params.ts';
import type { MapPlan, Step } from './plan.ts';
import { findColumn, identifier, nearest } from './sql.ts';
import type { TypedColumn } from './sql.ts';

/** The column of that name. Throws UNKNOWN_COLUMN, with the nearest there is. */
export function columnOf(step: Step, name: string, param: string, columns = step.columns): TypedColumn {
  const found = findColumn(columns, name);
  if (found) return found;
  const place = step.params.at(param);
  const meant = nearest(
    name,
    columns.map(column => column.name),
  );
  const hint = meant === null ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  throw new TableError(
    'UNKNOWN_COLUMN',
    `${place} names a column ${JSON.stringify(name)} that isn't there${hint}`,
    place,
  );
}

export interface Kind {
  test: (type: string) => boolean;
  /** e.g. `numbers` */
  called: string;
}

/** The columns named, each once and of a kind that serves; all of that kind when none are named. */
export function columnsOf(
  step: Step,
  names: readonly string[] | undefined,
  kind?: Kind,
  param = 'columns',
): TypedColumn[] {
  if (names === undefined) return step.columns.filter(column => kind === undefined || kind.test(column.type));
  const found = names.map((name, index) => columnOf(step, name, names.length === 1 ? param : `${param}[${index}]`));
  for (const column of found) if (kind) mustBe(step, column, kind, param);
  return [...new Set(found)];
}

export function mustBe(step: Step, column: TypedColumn, kind: Kind, param: string): void {
  if (kind.test(column.type)) return;
  const place = step.params.at(param);
  throw new TableError(
    'WRONG_TYPE',
    `${place}: column ${JSON.stringify(column.name)} is ${column.type}, and this operation is for ${kind.called}`,
    place,
  );
}

/** A name for a column that is new. Throws when there is one of that name. */
export function newName(step: Step, name: string, param: string): string {
  if (findColumn(step.columns, name)) {
    throw step.params.wrong(param, `names a column ${JSON.stringify(name)} that is there already`);
  }
  return name;
}

export function noDuplicates(step: Step, names: readonly string[], param: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    if (seen.has(folded)) throw step.params.wrong(param, `would give two columns the name ${JSON.stringify(name)}`);
    seen.add(folded);
  }
}

export interface Changes {
  /** New expressions for columns that are there. */
  replace?: { name: string; sql: string }[];
  add?: { name: string; sql: string }[];
  remove?: readonly string[];
  /** A checked condition: rows that don't meet it keep their cells, and get null in new columns. */
  where?: string | undefined;
}

/** A map that leaves all other columns as they are. Counts changes in what it replaces. */
export function change(step: Step, { replace = [], add = [], remove = [], where }: Changes): MapPlan {
  const replaced = new Map(replace.map(({ name, sql }) => [name, sql]));
  const removed = new Set(remove);
  const columns = step.columns
    .filter(column => !removed.has(column.name))
    .map(({ name }) => {
      const sql = replaced.get(name);
      if (sql === undefined) return { name, sql: identifier(name) };
      return { name, sql: where === undefined ? sql : `CASE WHEN ${where} THEN ${sql} ELSE ${identifier(name)} END` };
    });
  for (const { name, sql } of add)
    columns.push({ name, sql: where === undefined ? sql : `CASE WHEN ${where} THEN ${sql} END` });
  return { kind: 'map', columns, changes: replace.map(({ name }) => name) };
}

export async function whereOf(step: Step, text: string | undefined): Promise<string | undefined> {
  return text === undefined ? undefined : step.expression(text, 'where');
}

/** The condition of an operation that makes new columns of old ones, which must stay where rows don't meet it. */
export function keeping(params: Params, keep: boolean): string | undefined {
  const where = params.optionalText('where');
  if (where !== undefined && !keep)
    throw params.wrong('where', 'needs "keep": true: rows that don\'t meet it would lose what they have');
  return where;
}

/** `columns` as they are. */
export const selectAll = (columns: readonly TypedColumn[], prefix = ''): string[] =>
  columns.map(({ name }) => prefix + identifier(name));

/** An item of `by`, `order_by`: `"name"`, `"-name"`, or `{column, descending, nulls}`; as ORDER BY has it. */
export function orderOf(step: Step, items: unknown, param: string): string[] {
  const all: unknown[] = Array.isArray(items) ? items : [items];
  if (all.length > 1000) throw step.params.wrong(param, 'has more than 1,000 items');
  return all.map((item, index) => {
    const at = all.length === 1 ? param : `${param}[${index}]`;
    if (typeof item === 'string') {
      const descending = item.startsWith('-') && !findColumn(step.columns, item);
      const column = columnOf(step, descending ? item.slice(1) : item, at);
      return `${identifier(column.name)} ${descending ? 'DESC' : 'ASC'} NULLS LAST`;
    }
    if (typeof item !== 'object' || item === null || Array.isArray(item))
      throw step.params.wrong(at, 'must be a column');
    const { column: name, descending = false, nulls = 'last', ...rest } = item as Record<string, unknown>;
    if (typeof name !== 'string' || typeof descending !== 'boolean' || Object.keys(rest).length > 0) {
      throw step.params.wrong(at, 'must be a column, or {column, descending, nulls}');
    }
    if (nulls !== 'first' && nulls !== 'last') throw step.params.wrong(`${at}.nulls`, 'must be first or last');
    const column = columnOf(step, name, at);
    return `${identifier(column.name)} ${descending ? 'DESC' : 'ASC'} NULLS ${nulls === 'first' ? 'FIRST' : 'LAST'}`;
  });
}
