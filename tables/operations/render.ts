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

export interface Rendered {
  sql: string;
  /** The counters of each plan, by the names of what is counted. */
  counted: Map<Planned, { name: string; counter: number }[]>;
  /** The counter of the rows that come out of a plan. */
  rowsOut: Map<Planned, number>;
}

/** A name that no column of a user may begin with. */
export const rowName = '\u0001row';
export const row = identifier(rowName);
const fresh = (index: number): string => identifier(`\u0001new${index}`);
const mark = (index: number): string => identifier(`\u0001changed${index}`);
const guard = identifier('\u0001guard');
/** All rows in their order, which no condition behind is asked before; but one thread alone passes them on. */
const barrier = 'TABLESAMPLE SYSTEM(100 PERCENT)';

/** The query; with a tally, one that also counts what can't be known without. */
export function render(source: Source, plans: readonly Planned[], tally: Tally | null): Rendered {
  const counted: Rendered['counted'] = new Map();
  const rowsOut: Rendered['rowsOut'] = new Map();
  /** What the next tally shall count. Flags stay columns until then, so that there are few barriers. */
  let flagged: { planned: Planned; name: string; flag: string }[] = [];
  let counting: Planned[] = [];
  let hasRow = source.scrambled || needsRow(plans, 0);
  let scrambled = source.scrambled;
  /** Rows are counted somewhere before. */
  let counts = false;
  /** The column is there, which conditions ask first so that they aren't asked before rows are counted. */
  let guarded = false;
  let sql = source.sql(hasRow);
  const flags = (): string[] => flagged.map(({ flag }) => flag);

  /** Counts what waits for it, before rows go or move. */
  function count(columns: readonly TypedColumn[], more: typeof flagged = []) {
    const all = [...flagged, ...more];
    if (!tally || all.length + counting.length === 0) return;
    const kept = list([...columns.map(({ name }) => identifier(name)), ...(hasRow ? [row] : [])]);
    const result = tally.count(guarded ? `SELECT * FROM (${sql}) WHERE ${guard}` : sql, {
      columns: kept,
      flags: all.map(({ flag }) => flag),
      guard,
    });
    for (const [index, { planned, name }] of all.entries()) {
      const counter = result.flags[index] ?? 0;
      counted.set(planned, [...(counted.get(planned) ?? []), { name, counter }]);
    }
    for (const planned of counting) rowsOut.set(planned, result.rows);
    [flagged, counting] = [[], []];
    [counts, guarded] = [true, true];
    sql = result.sql;
  }

  /** Before a query of its own. The guard is asked in any case: a column that nobody needs isn't computed. */
  function dropGuard(columns: readonly TypedColumn[], { takesAll = false }: QueryPlan): void {
    if (!counts || (takesAll && !guarded)) return;
    const kept = list([...columns.map(({ name }) => identifier(name)), ...(hasRow ? [row] : [])]);
    sql = `SELECT ${kept} FROM (${sql})${takesAll ? '' : ` ${barrier}`}${guarded ? ` WHERE ${guard}` : ''}`;
    guarded = false;
  }

  plans.forEach((planned, index) => {
    const { plan, before, after } = planned;
    if (plan.kind !== 'map') {
      const more = plan.kind === 'filter' ? Object.entries(plan.counts ?? {}) : [];
      count(
        before,
        more.map(([name, condition]) => ({ planned, name, flag: `coalesce(${condition}, false)` })),
      );
    }
    if (plan.kind === 'query') dropGuard(before, plan);
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
      if (counts && !guarded) {
        sql = `SELECT *, random() >= 0 AS ${guard} FROM (${sql})`;
        guarded = true;
      }
      sql = `SELECT * FROM (${sql}) WHERE ${guarded ? `CASE WHEN ${guard} THEN ${plan.where} ELSE false END` : plan.where}`;
    } else if (plan.kind === 'map') {
      const changes = tally ? plan.changes : [];
      const position = new Map(changes.map((name, place) => [name, place]));
      const cells = plan.columns.map(({ name, sql: expression }) => {
        const place = position.get(name);
        return { name, expression, made: place === undefined ? null : fresh(place) };
      });
      const made = cells.flatMap(({ expression, made: as }) => (as === null ? [] : [`${expression} AS ${as}`]));
      const outs = cells.map(({ name, expression, made: as }) => `${as ?? expression} AS ${identifier(name)}`);
      const marks = changes.map((name, place) => ({
        planned,
        name,
        flag: mark(flagged.length + place),
        sql: changed(name, fresh(place), before, after),
      }));
      const marked = marks.map(({ sql: expression, flag: as }) => `${expression} AS ${as}`);
      const from = made.length === 0 ? `(${sql})` : `(SELECT *, ${list(made)} FROM (${sql}))`;
      sql = `SELECT ${list([...outs, ...(hasRow ? [row] : []), ...(guarded ? [guard] : []), ...flags(), ...marked])} FROM ${from}`;
      flagged = [...flagged, ...marks];
    } else {
      const input: Input = { from: `(${sql})`, row: hasRow ? row : null };
      sql = plan.sql(input);
      hasRow = hasRow && plan.row === 'kept';
      scrambled = hasRow && (scrambled || plan.scrambles === true);
    }
    if (tally && mustCount(plans, index)) counting.push(planned);
    if (hasRow && !scrambled && !needsRow(plans, index + 1)) {
      const columns = list([...after.map(({ name }) => identifier(name)), ...(guarded ? [guard] : []), ...flags()]);
      sql = `SELECT ${columns} FROM (${sql})`;
      hasRow = false;
    }
  });
  const last = plans.at(-1)?.after ?? source.columns;
  count(last);
  if (hasRow || guarded) {
    const kept = list(last.map(({ name }) => identifier(name)));
    sql = `SELECT ${kept} FROM (${sql})${guarded ? ` WHERE ${guard}` : ''}${scrambled ? ` ORDER BY ${row}` : ''}`;
  }
  return { sql, counted, rowsOut };
}

export function keepsRows(plan: SqlPlan): boolean {
  return plan.kind === 'map' || (plan.kind === 'query' && plan.rows === 'same');
}

/** Whether a plan from there on wants the row column before one gives the rows a new order. */
function needsRow(plans: readonly Planned[], from: number): boolean {
  for (const { plan } of plans.slice(from)) {
    if (plan.kind === 'map') continue;
    if (plan.needsRow === true) return true;
    if (plan.kind === 'query' && plan.row === 'new') return false;
  }
  return false;
}

/** Rows that come out of a plan are counted unless it passes all on, or tells itself how many, or the end of the query does. */
function mustCount(plans: readonly Planned[], index: number): boolean {
  const planned = plans[index];
  if (!planned || keepsRows(planned.plan)) return false;
  if (planned.plan.kind === 'filter' && planned.plan.rowsOut !== undefined) return false;
  return plans.slice(index + 1).some(({ plan }) => !keepsRows(plan));
}

/** A change of type alone is none, the loss of a value is. */
function changed(name: string, now: string, before: readonly TypedColumn[], after: readonly TypedColumn[]): string {
  const old = identifier(name);
  const sameType =
    before.find(column => column.name === name)?.type === after.find(column => column.name === name)?.type;
  return sameType ? `${now} IS DISTINCT FROM ${old}` : `${old} IS NOT NULL AND ${now} IS NULL`;
}
