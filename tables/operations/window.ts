// Window functions as an operation.
import { columnOf, columnsOf, newName, orderOf } from './steps.ts';
import type { Definition, Plan } from './plan.ts';
import { identifier, list } from './sql.ts';

const windowFunctions = {
  row_number: 0,
  rank: 0,
  dense_rank: 0,
  percent_rank: 0,
  cume_dist: 0,
  sum: 1,
  mean: 1,
  avg: 1,
  min: 1,
  max: 1,
  count: 1,
  lag: 1,
  lead: 1,
  first: 1,
  last: 1,
  cumsum: 1,
  cummax: 1,
  cummin: 1,
} as const;

export const window: Definition = {
  family: 'transform',
  read: params => {
    const fn = params.choice('fn', Object.keys(windowFunctions));
    const name = params.optionalText('column');
    const partition = params.optionalTexts('partition_by') ?? [];
    const order = params.raw('order_by');
    const offset = params.optionalNumber('offset', { least: 0, most: 1e9, whole: true }) ?? 1;
    const rows = params.optionalNumber('rows', { least: 1, most: 1e6, whole: true });
    const into = params.name('into', name === undefined ? fn : `${name}_${fn}`);
    const takesColumn = Object.entries(windowFunctions).find(([known]) => known === fn)?.[1] === 1;
    if (takesColumn && name === undefined && fn !== 'count') params.missing('column');
    return step => {
      const x = name === undefined ? '*' : identifier(columnOf(step, name, 'column').name);
      const keys = order === undefined ? [] : orderOf(step, order, 'order_by');
      const by = columnsOf(step, partition, undefined, 'partition_by').map(column => identifier(column.name));
      newName(step, into, 'into');
      return {
        kind: 'query',
        rows: 'same',
        row: 'kept',
        needsRow: true,
        scrambles: true,
        sql: ({ from, row }) => {
          // Ranks compare the keys alone; all else goes by the rows' own order where the keys are equal.
          const isRank = ['rank', 'dense_rank', 'percent_rank', 'cume_dist'].includes(fn) && keys.length > 0;
          const running = fn.startsWith('cum') && fn !== 'cume_dist';
          const isWhole =
            takesColumn &&
            !running &&
            rows === undefined &&
            keys.length === 0 &&
            !['lag', 'lead', 'first', 'last'].includes(fn);
          const ordering = isWhole ? '' : ` ORDER BY ${list(isRank ? keys : [...keys, String(row)])}`;
          const frame =
            rows !== undefined
              ? ` ROWS BETWEEN ${rows - 1} PRECEDING AND CURRENT ROW`
              : fn === 'first' || fn === 'last'
                ? ' ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING'
                : running || (takesColumn && !isWhole && fn !== 'lag' && fn !== 'lead')
                  ? ' ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW'
                  : '';
          const sqlName =
            { mean: 'avg', first: 'first_value', last: 'last_value', cumsum: 'sum', cummax: 'max', cummin: 'min' }[
              fn
            ] ?? fn;
          const call = fn === 'lag' || fn === 'lead' ? `${fn}(${x}, ${offset})` : `${sqlName}(${takesColumn ? x : ''})`;
          const partitioned = by.length === 0 ? '' : `PARTITION BY ${list(by)}`;
          return `SELECT *, ${call} OVER (${partitioned}${ordering}${frame}) AS ${identifier(into)} FROM ${from}`;
        },
      } satisfies Plan;
    };
  },
};
