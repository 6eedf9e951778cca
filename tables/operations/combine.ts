// The operations that make other rows: groups, pivots, and what comes of two datasets.
import { columnOf, columnsOf, newName, noDuplicates, selectAll, whereOf } from './steps.ts';
import type { Definition, Step } from './plan.ts';
import type { Params } from './params.ts';
import { isObject } from './params.ts';
import { findColumn, identifier, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';

/** Over one column; `row` tells the order of the rows. */
const metricFunctions: Record<string, (x: string, row: string) => string> = {
  count: x => `count(${x})`,
  count_distinct: x => `count(DISTINCT ${x})`,
  sum: x => `sum(${x})`,
  mean: x => `avg(${x})`,
  avg: x => `avg(${x})`,
  min: x => `min(${x})`,
  max: x => `max(${x})`,
  median: x => `median(${x})`,
  std: x => `stddev_samp(${x})`,
  var: x => `var_samp(${x})`,
  first: (x, row) => `arg_min(${x}, ${row})`,
  last: (x, row) => `arg_max(${x}, ${row})`,
};

interface Metric {
  name: string;
  expression?: unknown;
  fn?: string;
  column?: string;
  where?: unknown;
  at: string;
}

/** `{"total": "sum(price)"}`, `{"total": {"fn": "sum", "column": "price", "where": …}}`. */
function readMetrics(params: Params): Metric[] {
  return params.mapping('metrics').map(([name, value]) => {
    const at = `metrics.${name}`;
    params.checkName(name, at);
    if (typeof value === 'string') return { name, expression: value, at };
    if (!isObject(value)) throw params.wrong(at, 'must be an expression, or {fn, column, where}');
    const { fn, column, where, ...rest } = value;
    if (typeof fn !== 'string' || !Object.hasOwn(metricFunctions, fn)) {
      throw params.wrong(`${at}.fn`, `must be one of ${Object.keys(metricFunctions).join(', ')}`);
    }
    if (Object.keys(rest).length > 0) throw params.wrong(at, 'has more than fn, column and where');
    if (column !== undefined && typeof column !== 'string') throw params.wrong(`${at}.column`, 'must be a column');
    if (column === undefined && fn !== 'count') throw params.wrong(`${at}.column`, 'is missing');
    return { name, fn, ...(column === undefined ? {} : { column }), where, at };
  });
}

async function metricSql(step: Step, metric: Metric): Promise<(row: string) => string> {
  if (metric.fn === undefined) {
    const sql = await step.expression(metric.expression, metric.at, { aggregates: true });
    return () => sql;
  }
  const x = metric.column === undefined ? '*' : identifier(columnOf(step, metric.column, `${metric.at}.column`).name);
  const condition =
    metric.where === undefined ? '' : ` FILTER (WHERE ${await step.expression(metric.where, `${metric.at}.where`)})`;
  const call = metricFunctions[metric.fn];
  return row => `${call?.(x, row) ?? 'NULL'}${condition}`;
}

const aggregate: Definition = {
  family: 'transform',
  read: params => {
    const groups = params.optionalTexts('group_by') ?? [];
    const metrics = readMetrics(params);
    return async step => {
      const by = columnsOf(step, groups, undefined, 'group_by').map(({ name }) => name);
      noDuplicates(step, [...by, ...metrics.map(({ name }) => name)], 'metrics');
      const made: { name: string; sql: (row: string) => string }[] = [];
      for (const metric of metrics) made.push({ name: metric.name, sql: await metricSql(step, metric) });
      const keys = by.map(identifier);
      return {
        kind: 'query',
        rows: 'any',
        row: 'new',
        needsRow: metrics.some(({ fn }) => fn === 'first' || fn === 'last'),
        takesAll: true,
        sql: ({ from, row }) => {
          const cells = made.map(({ name, sql }) => `${sql(String(row))} AS ${identifier(name)}`);
          // With HAVING it is one group also where no metric is an aggregate, which is then refused.
          if (keys.length === 0) return `SELECT ${list(cells)} FROM ${from} HAVING true`;
          // The groups come sorted: any other order would change from run to run.
          return `SELECT * FROM (SELECT ${list([...keys, ...cells])} FROM ${from} GROUP BY ${list(keys)}) ORDER BY ${list(keys.map(key => `${key} NULLS LAST`))}`;
        },
      };
    };
  },
};

const pivot: Definition = {
  family: 'transform',
  asks: params => !params.has('values'),
  opens: params => !params.has('values'),
  read: params => {
    const on = params.name('on');
    const groups = params.optionalTexts('group_by') ?? [];
    const fixed = params.optionalScalars('values');
    const most = params.optionalNumber('max_columns', { least: 1, most: 10_000, whole: true }) ?? 500;
    const using = params.raw('using') ?? 'count';
    const { fn, column, ...rest } = isObject(using) ? using : { fn: using };
    if (typeof fn !== 'string' || !Object.hasOwn(metricFunctions, fn) || Object.keys(rest).length > 0) {
      throw params.wrong('using', `must be {fn, column}, fn one of ${Object.keys(metricFunctions).join(', ')}`);
    }
    if (column === undefined ? fn !== 'count' : typeof column !== 'string')
      throw params.wrong('using.column', 'must be a column');
    return async step => {
      const key = identifier(columnOf(step, on, 'on').name);
      const by = columnsOf(step, groups, undefined, 'group_by').map(({ name }) => name);
      const x = typeof column === 'string' ? identifier(columnOf(step, column, 'using.column').name) : '*';
      const values =
        fixed?.map(String) ??
        (
          await step.ask(
            ({ from }) =>
              `SELECT DISTINCT CAST(${key} AS VARCHAR) AS v FROM ${from} WHERE ${key} IS NOT NULL ORDER BY v LIMIT ${most + 1}`,
          )
        ).map(row => String(row['v']));
      if (values.length > most)
        throw params.wrong('on', `has more than ${most} values; filter them or raise max_columns`);
      if (by.length + values.length === 0 && !step.blind) throw params.wrong('on', 'has no value at all');
      const nameless = values.find(value => value === '' || value.length > 1000 || value.startsWith('\u0001'));
      if (nameless !== undefined)
        throw params.wrong('on', `has a value that can't name a column: ${JSON.stringify(nameless.slice(0, 100))}`);
      noDuplicates(step, [...by, ...values], 'on');
      const keys = by.map(identifier);
      return {
        kind: 'query',
        rows: 'any',
        row: 'new',
        needsRow: fn === 'first' || fn === 'last',
        takesAll: true,
        sql: ({ from, row }) => {
          const call = metricFunctions[fn]?.(x, String(row)) ?? 'NULL';
          const cells = values.map(
            value => `${call} FILTER (WHERE CAST(${key} AS VARCHAR) = ${literal(value)}) AS ${identifier(value)}`,
          );
          const grouped = keys.length === 0 ? '' : ` GROUP BY ${list(keys)}`;
          const order = keys.length === 0 ? '' : ` ORDER BY ${list(keys.map(one => `${one} NULLS LAST`))}`;
          return `SELECT * FROM (SELECT ${list([...keys, ...cells])} FROM ${from}${grouped})${order}`;
        },
      };
    };
  },
};

const unpivot: Definition = {
  family: 'transform',
  read: params => {
    const names = params.texts('columns');
    const nameInto = params.name('name_into', 'name');
    const valueInto = params.name('value_into', 'value');
    const nulls = params.flag('nulls', false);
    return step => {
      const columns = columnsOf(step, names);
      const rest = step.columns.filter(column => !columns.includes(column));
      noDuplicates(step, [...rest.map(({ name }) => name), nameInto, valueInto], 'name_into');
      const labels = `unnest([${list(columns.map(({ name }) => literal(name)))}]) AS ${identifier(nameInto)}`;
      const values = `unnest([${list(columns.map(({ name }) => identifier(name)))}]) AS ${identifier(valueInto)}`;
      return {
        kind: 'query',
        rows: 'any',
        row: 'new',
        needsOrder: true,
        sql: ({ from }) => {
          const all = `SELECT ${list([...selectAll(rest), labels, values])} FROM ${from}`;
          return nulls ? all : `SELECT * FROM (${all}) WHERE ${identifier(valueInto)} IS NOT NULL`;
        },
      };
    };
  },
};

/** `"id"`, `["a", "b"]`, or `{"mine": "theirs"}`. */
function readOn(params: Params): [string, string][] {
  const on = params.raw('on') ?? params.missing('on');
  if (isObject(on)) return params.textMapping('on');
  return params.texts('on').map(name => [name, name]);
}

function pairsOf(
  step: Step,
  on: [string, string][],
  theirs: readonly TypedColumn[],
): { mine: TypedColumn; other: TypedColumn }[] {
  return on.map(([mine, other]) => ({
    mine: columnOf(step, mine, 'on'),
    other: columnOf(step, other, `on.${mine}`, theirs),
  }));
}

const join: Definition = {
  family: 'transform',
  read: params => {
    const id = params.text('dataset_id');
    const on = readOn(params);
    const how = params.choice('how', ['inner', 'left', 'right', 'full', 'semi', 'anti'], 'inner');
    const suffix = params.name('suffix', '_right');
    return async step => {
      const right = await step.dataset(id);
      const pairs = pairsOf(step, on, right.columns);
      for (const { mine, other } of pairs) await comparable(step, mine, other);
      const condition = pairs
        .map(({ mine, other }) => `l.${identifier(mine.name)} = r.${identifier(other.name)}`)
        .join(' AND ');
      if (how === 'semi' || how === 'anti') {
        const from = (left: string): string =>
          `FROM ${left} l ${how.toUpperCase()} JOIN ${right.sql} r ON ${condition}`;
        return {
          kind: 'query',
          rows: 'any',
          row: 'kept',
          needsRow: true,
          scrambles: true,
          sql: input => `SELECT l.* ${from(input.from)}`,
          choice: input => `SELECT l.${input.row} ${from(input.from)}`,
        };
      }
      const keys = new Map(pairs.map(({ mine, other }) => [mine.name, other.name]));
      const left = step.columns.map(({ name }) => {
        const other = keys.get(name);
        const cell =
          other === undefined || how === 'inner' || how === 'left'
            ? `l.${identifier(name)}`
            : `coalesce(l.${identifier(name)}, r.${identifier(other)})`;
        return { name, sql: cell };
      });
      const joined = new Set(pairs.map(({ other }) => other.name));
      const added = right.columns
        .filter(({ name }) => !joined.has(name))
        .map(({ name }) => ({
          name: findColumn(step.columns, name) ? `${name}${suffix}` : name,
          sql: `r.${identifier(name)}`,
        }));
      noDuplicates(
        step,
        [...left, ...added].map(({ name }) => name),
        'suffix',
      );
      return {
        kind: 'query',
        rows: 'any',
        row: 'new',
        needsRow: true,
        sql: ({ from, row }) =>
          `SELECT ${list([...left, ...added].map(({ name, sql }) => `${sql} AS ${identifier(name)}`))} FROM ${from} l
           ${how.toUpperCase()} JOIN ${right.sql} r ON ${condition} ORDER BY l.${row} NULLS LAST, r.file_row_number NULLS LAST`,
      };
    };
  },
};

async function comparable(step: Step, mine: TypedColumn, other: TypedColumn): Promise<void> {
  await step.typeOf(`${identifier(mine.name)} = CAST(NULL AS ${other.type})`, 'on');
}

const union: Definition = {
  family: 'transform',
  read: params => {
    const id = params.text('dataset_id');
    const how = params.choice('how', ['all', 'distinct'], 'all');
    return async step => {
      const other = await step.dataset(id);
      const columns = list(selectAll(other.columns));
      const all = (from: string): string =>
        `SELECT ${list(selectAll(step.columns))} FROM ${from} UNION ALL BY NAME SELECT ${columns} FROM ${other.sql}`;
      const result = { kind: 'query', rows: 'any', row: 'new', needsOrder: true, takesAll: true } as const;
      if (how === 'all') return { ...result, sql: ({ from }) => all(from) };
      return {
        ...result,
        sql: ({ from }) => {
          const numbered = `SELECT *, row_number() OVER () AS "\u0001n" FROM (${all(from)})`;
          const names = [...step.columns, ...other.columns.filter(({ name }) => !findColumn(step.columns, name))].map(
            ({ name }) => identifier(name),
          );
          return `SELECT ${list(names)} FROM (SELECT ${list(names)}, min("\u0001n") AS "\u0001n" FROM (${numbered}) GROUP BY ${list(names)}) ORDER BY "\u0001n"`;
        },
      };
    };
  },
};

export const lookup: Definition = {
  family: 'enrich',
  read: params => {
    const id = params.text('dataset_id');
    const on = readOn(params);
    const names = params.texts('columns');
    const where = params.optionalText('where');
    return async step => {
      const wished = await whereOf(step, where);
      const other = await step.dataset(id);
      const pairs = pairsOf(step, on, other.columns);
      for (const { mine, other: theirs } of pairs) await comparable(step, mine, theirs);
      const wanted = names.map((name, index) => columnOf(step, name, `columns[${index}]`, other.columns));
      wanted.forEach(({ name }, index) => newName(step, name, `columns[${index}]`));
      noDuplicates(
        step,
        wanted.map(({ name }) => name),
        'columns',
      );
      const asks = identifier('\u0001asks');
      const keys = pairs.map(({ other: theirs }) => identifier(theirs.name));
      const condition = pairs.map(({ mine }, index) => `l.${identifier(mine.name)} = r.k${index}`).join(' AND ');
      const theirs = [
        ...keys.map((key, index) => `${key} AS k${index}`),
        ...wanted.map(({ name }, index) => `${identifier(name)} AS v${index}`),
      ];
      const cells = wanted.map(({ name }, index) => `r.v${index} AS ${identifier(name)}`);
      return {
        kind: 'query',
        rows: 'same',
        row: 'kept',
        needsRow: true,
        scrambles: true,
        sql: ({ from }) => `SELECT ${list([wished === undefined ? 'l.*' : `l.* EXCLUDE (${asks})`, ...cells])}
          FROM ${wished === undefined ? from : `(SELECT *, ${wished} AS ${asks} FROM ${from})`} l LEFT JOIN (
          SELECT ${list(theirs)} FROM ${other.sql} QUALIFY row_number() OVER (PARTITION BY ${list(keys)} ORDER BY file_row_number) = 1
        ) r ON ${condition}${wished === undefined ? '' : ` AND l.${asks}`}`,
      };
    };
  },
};

export const combineOperations: Record<string, Definition> = { aggregate, pivot, unpivot, join, union };
