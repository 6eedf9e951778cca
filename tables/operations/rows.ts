// The cleaning operations that look at rows beside each other: nulls dropped and filled, duplicates.
import { columnsOf, change, orderOf, whereOf } from './steps.ts';
import type { Definition, Plan, Step } from './plan.ts';
import { identifier, isNumeric, list, literal } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import { numbers, ordered, dropRows } from './cells.ts';

export const dropNulls: Definition = {
  family: 'clean',
  read: params => {
    const names = params.optionalTexts('columns');
    const how = params.choice('how', ['any', 'all'], 'any');
    const where = params.optionalText('where');
    return async step => {
      const columns = columnsOf(step, names).map(({ name }) => identifier(name));
      if (columns.length === 0) return { kind: 'filter', where: 'true' };
      if (where === undefined) {
        // Written so, DuckDB skips what the file's statistics tell.
        const present = columns.map(column => `${column} IS NOT NULL`);
        return { kind: 'filter', where: `(${present.join(how === 'any' ? ' AND ' : ' OR ')})` };
      }
      const nulls = columns.map(column => `${column} IS NULL`);
      return dropRows(`(${nulls.join(how === 'any' ? ' OR ' : ' AND ')})`, await whereOf(step, where));
    };
  },
};

export const fillNulls: Definition = {
  family: 'clean',
  asks: params => ['mean', 'median', 'mode'].includes(String(params.raw('strategy'))),
  read: params => {
    const names = params.optionalTexts('columns');
    const value = params.optionalScalar('value');
    const strategies = ['constant', 'mean', 'median', 'mode', 'forward', 'backward'] as const;
    const strategy = params.choice('strategy', strategies, value === undefined ? undefined : 'constant');
    const order = params.raw('order_by');
    const where = params.optionalText('where');
    if ((strategy === 'constant') !== (value !== undefined))
      throw params.wrong('value', 'belongs to the strategy constant');
    if (order !== undefined && strategy !== 'forward' && strategy !== 'backward') {
      throw params.wrong('order_by', 'belongs to the strategies forward and backward');
    }
    return async step => {
      const kind = strategy === 'mean' ? numbers : strategy === 'median' ? ordered : undefined;
      const columns = columnsOf(step, names, kind);
      const condition = await whereOf(step, where);
      if (strategy === 'forward' || strategy === 'backward') {
        return fillFromNeighbours(step, columns, strategy, order, condition);
      }
      const values: (string | null)[] = [];
      if (strategy === 'constant') {
        for (const { type } of columns) values.push(await step.constant(value ?? null, type, 'value'));
      } else {
        for (const { name, type } of columns) {
          const x = identifier(name);
          // Of values that are as frequent the least is taken, so that a recipe gives the same again.
          const middle = isNumeric(type) ? `median(${x})` : `quantile_disc(${x}, 0.5)`;
          const statistic = { mean: `avg(${x})`, median: middle, mode: x }[strategy];
          const most =
            strategy === 'mode' ? ` WHERE ${x} IS NOT NULL GROUP BY ${x} ORDER BY count(*) DESC, ${x} LIMIT 1` : '';
          const [row] = await step.ask(
            ({ from }) => `SELECT CAST(CAST(${statistic} AS ${type}) AS VARCHAR) AS v FROM ${from}${most}`,
          );
          const found = row?.['v'];
          values.push(typeof found === 'string' ? `CAST(${literal(found)} AS ${type})` : null);
        }
      }
      const replace = columns.flatMap(({ name }, index) => {
        const filler = values[index];
        return filler ? [{ name, sql: `coalesce(${identifier(name)}, ${filler})` }] : [];
      });
      return change(step, { replace, where: condition });
    };
  },
};

const neighbour = (index: number): string => `\u0001fill${index}`;

function fillFromNeighbours(
  step: Step,
  columns: readonly TypedColumn[],
  strategy: 'forward' | 'backward',
  order: unknown,
  where?: string,
): Plan {
  const keys = order === undefined ? [] : orderOf(step, order, 'order_by');
  const [choice, frame] =
    strategy === 'forward'
      ? ['last_value', 'ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW']
      : ['first_value', 'ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING'];
  const filled = change(step, {
    replace: columns.map(({ name }, index) => ({
      name,
      sql: `coalesce(${identifier(name)}, ${identifier(neighbour(index))})`,
    })),
    where,
  });
  return {
    kind: 'sequence',
    steps: [
      {
        kind: 'query',
        rows: 'same',
        row: 'kept',
        needsRow: true,
        scrambles: true,
        takesAll: true,
        sql: ({ from, row }) => {
          const added = columns.map(
            ({ name }, index) =>
              `${choice}(${identifier(name)} IGNORE NULLS) OVER (ORDER BY ${list([...keys, String(row)])} ${frame}) AS ${identifier(neighbour(index))}`,
          );
          return `SELECT ${list(['*', ...added])} FROM ${from}`;
        },
      },
      filled,
    ],
  };
}

export const deduplicate: Definition = {
  family: 'clean',
  read: params => {
    const names = params.optionalTexts('columns');
    const keep = params.choice('keep', ['first', 'last'], 'first');
    const order = params.raw('order_by');
    const where = params.optionalText('where');
    return async step => {
      const keys = columnsOf(step, names);
      const orders = order === undefined ? [] : orderOf(step, order, 'order_by');
      return deduplicateBy(keys, { keep, orders, where: await whereOf(step, where) });
    };
  },
};

export function deduplicateBy(
  keys: readonly TypedColumn[],
  {
    keep = 'first',
    orders = [],
    where,
    droppedAs,
  }: { keep?: 'first' | 'last'; orders?: string[]; where?: string | undefined; droppedAs?: string } = {},
): Plan {
  const among = where === undefined ? '' : `, coalesce(${where}, false)`;
  const others = where === undefined ? '' : ` OR NOT coalesce(${where}, false)`;
  const alone = (row: string): string =>
    where === undefined ? '' : `, CASE WHEN coalesce(${where}, false) THEN NULL ELSE ${row} END`;
  const names = list(keys.map(({ name }) => identifier(name)));
  // The last of an order is the first of its reverse; with ties the later row is the last.
  const inOrder = (row: string): string =>
    keep === 'first' ? list([...orders, row]) : list([...orders.map(reversed), `${row} DESC`]);
  return {
    kind: 'query',
    rows: 'any',
    row: 'kept',
    needsRow: true,
    scrambles: true,
    takesAll: true,
    ...(droppedAs === undefined ? {} : { droppedAs }),
    // Whoever has nobody before is the first. With row_number() = 1 DuckDB would make an aggregate of it that holds whole rows in memory
    // and can't spill them.
    sql: ({ from, row }) =>
      `SELECT * FROM ${from} QUALIFY NOT lag(true, 1, false) OVER (PARTITION BY ${names}${among} ORDER BY ${inOrder(String(row))})${others}`,
    choice: ({ from, row }) =>
      orders.length > 0
        ? `SELECT ${row} FROM ${from} QUALIFY NOT lag(true, 1, false) OVER (PARTITION BY ${names}${among} ORDER BY ${inOrder(String(row))})${others}`
        : `SELECT ${keep === 'first' ? 'min' : 'max'}(${row}) FROM ${from} GROUP BY ${names}${alone(String(row))}`,
  };
}

function reversed(order: string): string {
  return order.endsWith('FIRST') ? flip(order).replace(/FIRST$/, 'LAST') : flip(order).replace(/LAST$/, 'FIRST');
}
const flip = (order: string): string =>
  order.replace(
    / (ASC|DESC) NULLS (FIRST|LAST)$/,
    (_, way: string, nulls: string) => ` ${way === 'ASC' ? 'DESC' : 'ASC'} NULLS ${nulls}`,
  );
