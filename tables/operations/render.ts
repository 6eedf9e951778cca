// Makes one query of consecutive plans: subqueries in each other, which DuckDB's optimiser melts together.
import type { FilterPlan, Input, MapPlan, QueryPlan } from './plan.ts';
import { identifier, list } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import type { Tally } from './tally.ts';

export type SqlPlan = MapPlan | FilterPlan | QueryPlan;

export interface Planned {
  plan: SqlPlan;
  /** The operation it belongs to. */
  index: number;
  before: readonly TypedColumn[];
  after: readonly TypedColumn[];
}

/** Where a query begins: a file, or files joined. */
export interface Source {
  columns: readonly TypedColumn[];
  /** A SELECT of the columns, and of the row column when asked. */
  sql: (withRow: boolean) => string;
  /** The rows come in no order; the row column restores it. */
  scrambled: boolean;
  rows: number;
}

/** Which slots hold what, for one plan. */
interface Counted {
  slot: number;
  names: string[];
}

export interface Rendered {
  sql: string;
  counted: Map<Planned, Counted>;
  /** Where the rows that come out of a plan were counted. */
  rowsOut: Map<Planned, number>;
}

/** A name that no column of a user may begin with. */
export const rowName = '\u0001row';
export const row = identifier(rowName);
const fresh = (index: number): string => identifier(`\u0001new${index}`);

/** The query; with a tally, one that also counts what can't be known without. */
export function render(source: Source, plans: readonly Planned[], tally: Tally | null): Rendered {
  const counted = new Map<Planned, Counted>();
  const rowsOut = new Map<Planned, number>();
  let hasRow = source.scrambled || needsRow(plans, 0);
  let scrambled = source.scrambled;
  let sql = source.sql(hasRow);
  plans.forEach((planned, index) => {
    const { plan, before, after } = planned;
    if (!hasRow && plan.kind === 'query' && plan.needsRow === true) {
      // Only behind a plan that gave the rows a new order: at the source there is a cheaper one.
      sql = `SELECT *, row_number() OVER () AS ${row} FROM (${sql})`;
      hasRow = true;
    }
    if (scrambled && plan.kind === 'query' && plan.needsOrder === true) {
      sql = `SELECT * FROM (${sql}) ORDER BY ${row}`;
      scrambled = false;
    }
    if (plan.kind === 'filter') {
      const flags = Object.entries(plan.counts ?? {});
      if (tally && flags.length > 0) {
        const result = tally.count(
          sql,
          flags.map(([, flag]) => `coalesce(${flag}, false)`),
        );
        counted.set(planned, { slot: result.slot, names: flags.map(([name]) => name) });
        sql = result.sql;
      }
      sql = `SELECT * FROM (${sql}) WHERE ${plan.where}`;
    } else if (plan.kind === 'map') {
      const kept = hasRow ? [row] : [];
      if (tally && plan.changes.length > 0) {
        const position = new Map(plan.changes.map((name, place) => [name, place]));
        const added = plan.columns.flatMap(({ name, sql: expression }) => {
          const place = position.get(name);
          return place === undefined ? [] : [`${expression} AS ${fresh(place)}`];
        });
        const flags = plan.changes.map((name, place) => changed(name, fresh(place), before, after));
        const outs = plan.columns.map(({ name, sql: expression }) => {
          const place = position.get(name);
          return `${place === undefined ? expression : fresh(place)} AS ${identifier(name)}`;
        });
        const result = tally.count(`SELECT *, ${list(added)} FROM (${sql})`, flags, list([...outs, ...kept]));
        counted.set(planned, { slot: result.slot, names: plan.changes });
        sql = result.sql;
      } else {
        const outs = plan.columns.map(({ name, sql: expression }) => `${expression} AS ${identifier(name)}`);
        sql = `SELECT ${list([...outs, ...kept])} FROM (${sql})`;
      }
    } else {
      const input: Input = { from: `(${sql})`, row: hasRow ? row : null };
      sql = plan.sql(input);
      hasRow = hasRow && plan.row === 'kept';
      scrambled = hasRow && (scrambled || plan.scrambles === true);
    }
    if (tally && mustCount(plans, index)) {
      const result = tally.count(sql, []);
      rowsOut.set(planned, result.slot);
      sql = result.sql;
    }
    if (hasRow && !scrambled && !needsRow(plans, index + 1)) {
      const columns = list(after.map(({ name }) => identifier(name)));
      sql = `SELECT ${columns} FROM (${sql})`;
      hasRow = false;
    }
  });
  if (hasRow) {
    const last = plans.at(-1)?.after ?? source.columns;
    sql = `SELECT ${list(last.map(({ name }) => identifier(name)))} FROM (${sql})${scrambled ? ` ORDER BY ${row}` : ''}`;
  }
  return { sql, counted, rowsOut };
}

export function keepsRows(plan: SqlPlan): boolean {
  return plan.kind === 'map' || (plan.kind === 'query' && plan.rows === 'same');
}

/** Whether a plan from there on wants the row column before one gives the rows a new order. */
function needsRow(plans: readonly Planned[], from: number): boolean {
  for (const { plan } of plans.slice(from)) {
    if (plan.kind !== 'query') continue;
    if (plan.needsRow === true) return true;
    if (plan.row === 'new') return false;
  }
  return false;
}

/** Rows that come out of a plan are counted unless it passes all on, or the end of the query tells. */
function mustCount(plans: readonly Planned[], index: number): boolean {
  const planned = plans[index];
  if (!planned || keepsRows(planned.plan)) return false;
  return plans.slice(index + 1).some(({ plan }) => !keepsRows(plan));
}

/** A change of type alone is none, the loss of a value is. */
function changed(name: string, now: string, before: readonly TypedColumn[], after: readonly TypedColumn[]): string {
  const old = identifier(name);
  const sameType =
    before.find(column => column.name === name)?.type === after.find(column => column.name === name)?.type;
  return sameType ? `${now} IS DISTINCT FROM ${old}` : `${old} IS NOT NULL AND ${now} IS NULL`;
}
