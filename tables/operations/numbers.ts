// The cleaning operations on numbers beyond bounds.
import { columnsOf, change, whereOf } from './steps.ts';
import type { Definition, Step } from './plan.ts';
import { identifier, list } from './sql.ts';
import type { Scalar } from './params.ts';
import { numbers, ordered, double, finite, cells, dropRows } from './cells.ts';

export const outliers: Definition = {
  family: 'clean',
  asks: () => true,
  read: params => {
    const names = params.optionalTexts('columns');
    const method = params.choice('method', ['iqr', 'zscore', 'quantile'], 'iqr');
    const usual = { iqr: 1.5, zscore: 3, quantile: 0.01 }[method];
    const threshold =
      params.optionalNumber('threshold', { least: 0, most: method === 'quantile' ? 0.5 : 1e9 }) ?? usual;
    const action = params.choice('action', ['null', 'drop', 'clip'], 'null');
    const where = params.optionalText('where');
    return async step => {
      const columns = columnsOf(step, names, numbers);
      const condition = await whereOf(step, where);
      if (columns.length === 0) return change(step, {});
      const selected = columns.flatMap(({ name }, index) => {
        const x = finite(name);
        const [low, high] = {
          iqr: [quartile(x, 0.25, -threshold), quartile(x, 0.75, threshold)],
          zscore: [`avg(${x}) - ${threshold} * stddev_samp(${x})`, `avg(${x}) + ${threshold} * stddev_samp(${x})`],
          quantile: [`quantile_cont(${x}, ${threshold})`, `quantile_cont(${x}, ${1 - threshold})`],
        }[method];
        return [`${low} AS low${index}`, `${high} AS high${index}`];
      });
      const [row = {}] = await step.ask(({ from }) => `SELECT ${list(selected)} FROM ${from}`);
      const bounds = columns.flatMap((column, index) => {
        const [low, high] = [row[`low${index}`], row[`high${index}`]];
        return typeof low === 'number' && typeof high === 'number' ? [{ column, low, high }] : [];
      });
      const outside = ({ column, low, high }: (typeof bounds)[number]): string =>
        `(${identifier(column.name)} < ${double(low)} OR ${identifier(column.name)} > ${double(high)})`;
      if (action === 'drop') {
        return bounds.length === 0 ? change(step, {}) : dropRows(`(${bounds.map(outside).join(' OR ')})`, condition);
      }
      const replace = bounds.map(bound => {
        const { column, low, high } = bound;
        const quoted = identifier(column.name);
        const clipped = `CAST(CASE WHEN ${quoted} < ${double(low)} THEN ${double(low)} ELSE ${double(high)} END AS ${column.type})`;
        return {
          name: column.name,
          sql: `CASE WHEN ${outside(bound)} THEN ${action === 'clip' ? clipped : 'NULL'} ELSE ${quoted} END`,
        };
      });
      return change(step, { replace, where: condition });
    };
  },
};

async function inOrder(step: Step, { min, max, type }: { min: Scalar; max: Scalar; type: string }): Promise<void> {
  const low = await step.constant(min, type, 'min');
  const high = await step.constant(max, type, 'max');
  if ((await step.evaluate(`${low} > ${high}`, 'min')) === 'true') throw step.params.wrong('min', 'is more than max');
}

const quartile = (x: string, at: number, times: number): string =>
  `quantile_cont(${x}, ${at}) + (${times}) * (quantile_cont(${x}, 0.75) - quantile_cont(${x}, 0.25))`;
export const clip = cells(ordered, params => {
  const [min, max] = [params.optionalScalar('min'), params.optionalScalar('max')];
  if (min === undefined && max === undefined) params.missing('min');
  return async ({ name, type }, step) => {
    const column = identifier(name);
    let sql = column;
    if (min !== undefined && max !== undefined) await inOrder(step, { min, max, type });
    if (min !== undefined) sql = `greatest(${sql}, ${await step.constant(min, type, 'min')})`;
    if (max !== undefined) sql = `least(${sql}, ${await step.constant(max, type, 'max')})`;
    // greatest and least skip nulls.
    return `CASE WHEN ${column} IS NOT NULL THEN ${sql} END`;
  };
});
