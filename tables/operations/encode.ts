// The operations that make numbers fit for models: bins, scales, categories as numbers.
import { columnOf, columnsOf, keeping, mustBe, newName, noDuplicates, change, whereOf } from './steps.ts';
import type { Definition } from './plan.ts';
import { identifier, list, literal } from './sql.ts';
import { double, finite, numbers } from './cells.ts';

export const bin: Definition = {
  family: 'transform',
  asks: () => true,
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const method = params.choice('method', ['width', 'quantile', 'edges'], params.has('edges') ? 'edges' : 'width');
    const n = params.optionalNumber('n', { least: 2, most: 1000, whole: true }) ?? 10;
    const edges = params.optionalScalars('edges');
    const labels = params.optionalTexts('labels');
    const into = params.optionalText('into');
    const where = params.optionalText('where');
    return async step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, numbers, 'column');
      const x = `CAST(${identifier(column.name)} AS DOUBLE)`;
      let cutsAt: number[];
      if (method === 'edges') {
        cutsAt = (edges ?? []).map(Number);
        if (cutsAt.length === 0 || cutsAt.some((cut, index) => !(cut > (cutsAt[index - 1] ?? -Infinity)))) {
          throw params.wrong('edges', 'must be numbers that grow');
        }
      } else {
        const steps = Array.from({ length: n - 1 }, (_, index) => (index + 1) / n);
        const selected =
          method === 'width'
            ? `min(${x}) AS a, max(${x}) AS b`
            : `quantile_cont(${x}, [${list(steps.map(String))}]) AS q`;
        const [row = {}] = await step.ask(({ from }) => `SELECT ${selected} FROM ${from} WHERE isfinite(${x})`);
        const [low, high] = [Number(row['a'] ?? 0), Number(row['b'] ?? 0)];
        cutsAt =
          method === 'width'
            ? steps.map(share => low + (high - low) * share)
            : Array.isArray(row['q'])
              ? row['q'].map(Number)
              : [];
        cutsAt = [...new Set(cutsAt)];
      }
      if (labels && !step.blind && labels.length !== cutsAt.length + 1) {
        throw params.wrong('labels', `has ${labels.length} items for ${cutsAt.length + 1} bins`);
      }
      const label = (index: number): string => (labels ? literal(labels[index] ?? '') : String(index));
      const cases = cutsAt.map((cut, index) => `WHEN ${x} < ${double(cut)} THEN ${label(index)}`);
      const sql = `CASE WHEN ${x} IS NULL THEN NULL ${cases.join(' ')} ELSE ${label(cutsAt.length)} END`;
      const add = [{ name: newName(step, into ?? `${column.name}_bin`, 'into'), sql }];
      const plan = change(step, { add, where: await whereOf(step, where) });
      return { ...plan, details: { edges: cutsAt } };
    };
  },
};

export const scale: Definition = {
  family: 'transform',
  asks: () => true,
  rowByRow: true,
  read: params => {
    const names = params.optionalTexts('columns');
    const method = params.choice('method', ['standard', 'minmax', 'robust'], 'standard');
    const where = params.optionalText('where');
    return async step => {
      const columns = columnsOf(step, names, numbers);
      const selected = columns.flatMap(({ name }, index) => {
        const x = finite(name);
        const [middle, width] = {
          standard: [`avg(${x})`, `stddev_pop(${x})`],
          minmax: [`min(${x})`, `max(${x}) - min(${x})`],
          robust: [`median(${x})`, `quantile_cont(${x}, 0.75) - quantile_cont(${x}, 0.25)`],
        }[method];
        return [`${middle} AS m${index}`, `${width} AS w${index}`];
      });
      const [row = {}] =
        columns.length === 0 ? [] : await step.ask(({ from }) => `SELECT ${list(selected)} FROM ${from}`);
      const replace = columns.map(({ name }, index) => {
        const [middle, width] = [Number(row[`m${index}`] ?? 0), Number(row[`w${index}`] ?? 0)];
        // A column of one value becomes zeros, as in scikit-learn.
        const by = width === 0 || !Number.isFinite(width) ? 1 : width;
        return { name, sql: `((CAST(${identifier(name)} AS DOUBLE) - ${double(middle)}) / ${double(by)})` };
      });
      // All cells are new; counting which stayed by chance would say nothing.
      return { ...change(step, { replace, where: await whereOf(step, where) }), changes: [] };
    };
  },
};

export const oneHot: Definition = {
  family: 'transform',
  asks: () => true,
  opens: () => true,
  rowByRow: true,
  read: params => {
    const names = params.texts('columns');
    const most = params.optionalNumber('max_categories', { least: 1, most: 1000, whole: true }) ?? 50;
    const keep = params.flag('keep', false);
    const where = keeping(params, keep);
    return async step => {
      const columns = columnsOf(step, names);
      const add: { name: string; sql: string }[] = [];
      for (const { name } of columns) {
        const text = `CAST(${identifier(name)} AS VARCHAR)`;
        // In brackets of its own: a column of the dataset may be called like what is counted here.
        const rows = await step.ask(
          ({
            from,
          }) => `SELECT v FROM (SELECT v, count(*) AS n FROM (SELECT ${text} AS v FROM ${from}) WHERE v IS NOT NULL
            GROUP BY v ORDER BY n DESC, v LIMIT ${most}) ORDER BY v`,
        );
        for (const row of rows) {
          const value = String(row['v']);
          const sql = `CAST(coalesce(${text} = ${literal(value)}, false) AS TINYINT)`;
          add.push({ name: newName(step, `${name}_${value}`, 'columns'), sql });
        }
      }
      noDuplicates(
        step,
        add.map(({ name }) => name),
        'columns',
      );
      const remove = keep ? [] : columns.map(({ name }) => name);
      return change(step, { add, remove, where: await whereOf(step, where) });
    };
  },
};

export const ordinalEncode: Definition = {
  family: 'transform',
  asks: params => !params.has('order'),
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const order = params.optionalScalars('order');
    const into = params.optionalText('into');
    const where = params.optionalText('where');
    return async step => {
      const column = columnOf(step, name, 'column');
      const text = `CAST(${identifier(column.name)} AS VARCHAR)`;
      const values =
        order?.map(String) ??
        (
          await step.ask(
            ({ from }) => `SELECT DISTINCT ${text} AS v FROM ${from} WHERE ${text} IS NOT NULL ORDER BY v LIMIT 10001`,
          )
        ).map(row => String(row['v']));
      if (values.length > 10_000) throw params.wrong('column', 'has more than 10,000 values');
      const sql = `CAST(list_position([${list(values.map(value => literal(value)))}]::VARCHAR[], ${text}) - 1 AS INTEGER)`;
      const target = into === undefined ? `${column.name}_code` : params.checkName(into, 'into');
      return change(step, { add: [{ name: newName(step, target, 'into'), sql }], where: await whereOf(step, where) });
    };
  },
};
