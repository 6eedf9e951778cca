// The operations that change which columns and rows there are, within one dataset.
import { numbers, double, texts } from './clean.ts';
import { change, columnOf, columnsOf, mustBe, newName, noDuplicates, orderOf, selectAll, whereOf } from './steps.ts';
import type { Definition, Plan, Step } from './plan.ts';
import { findColumn, identifier, isText, isTime, list, literal } from './sql.ts';

const select: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const names = params.texts('columns');
    return step => {
      const columns = names.map((name, index) => columnOf(step, name, `columns[${index}]`));
      noDuplicates(step, names, 'columns');
      return { kind: 'map', columns: columns.map(({ name }) => ({ name, sql: identifier(name) })), changes: [] };
    };
  },
};

const drop: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const names = params.texts('columns');
    return step => {
      const remove = columnsOf(step, names).map(({ name }) => name);
      if (remove.length === step.columns.length) throw params.wrong('columns', 'would leave no column');
      return change(step, { remove });
    };
  },
};

const rename: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const mapping = params.textMapping('mapping');
    for (const [from, to] of mapping) params.checkName(to, `mapping.${from}`);
    return step => {
      const renamed = new Map(mapping.map(([from, to]) => [columnOf(step, from, `mapping.${from}`).name, to]));
      const columns = step.columns.map(({ name }) => ({ name: renamed.get(name) ?? name, sql: identifier(name) }));
      noDuplicates(
        step,
        columns.map(({ name }) => name),
        'mapping',
      );
      return { kind: 'map', columns, changes: [] };
    };
  },
};

const filter: Definition = {
  family: 'transform',
  read: params => {
    const where = params.text('where');
    return async step => ({ kind: 'filter', where: await step.expression(where, 'where') });
  },
};

const sort: Definition = {
  family: 'transform',
  read: params => {
    const by = params.raw('by') ?? params.missing('by');
    return step => {
      const keys = orderOf(step, by, 'by');
      if (keys.length === 0) throw params.wrong('by', 'must not be empty');
      return {
        kind: 'query',
        rows: 'same',
        row: 'new',
        // Equal rows stay in their order, and a recipe gives the same again.
        needsRow: true,
        sql: ({ from, row }) =>
          `SELECT ${list(selectAll(step.columns))} FROM ${from} ORDER BY ${list([...keys, String(row)])}`,
      };
    };
  },
};

/** A number of 64 bits for each row that depends on the seed and on where the row stands. */
export const drawn = (row: string, seed: number): string => `hash(${row}::BIGINT, ${seed}::BIGINT)`;

const sample: Definition = {
  family: 'transform',
  asks: () => true,
  read: params => {
    const n = params.optionalNumber('n', { least: 0, most: 1e12, whole: true });
    const fraction = params.optionalNumber('fraction', { least: 0, most: 1 });
    const seed = params.optionalNumber('seed', { least: 0, most: 2 ** 31, whole: true }) ?? 0;
    if ((n === undefined) === (fraction === undefined))
      throw params.wrong('n', 'or fraction: one of the two must be given');
    return async step => {
      const [counted = {}] = await step.ask(({ from }) => `SELECT count(*)::DOUBLE AS n FROM ${from}`);
      const total = Number(counted['n'] ?? 0);
      const wanted = Math.min(total, n ?? Math.round(total * (fraction ?? 0)));
      const conditions = await cuts(step, [wanted], total, row => drawn(row, seed));
      return {
        kind: 'query',
        rows: 'any',
        row: 'kept',
        needsRow: true,
        sql: ({ from, row }) => `SELECT * FROM ${from} WHERE ${conditions[0]?.(String(row)) ?? 'false'}`,
      };
    };
  },
};

/**
 * Conditions for exactly the first `sizes[0]` rows of a shuffled deck, the next `sizes[1]` and so on; the sorted numbers alone are
 * held (8 bytes a row, spilled when too many).
 */
export async function cuts(
  step: Step,
  sizes: readonly number[],
  total: number,
  draw: (row: string) => string,
): Promise<((row: string) => string)[]> {
  const below: ((row: string) => string)[] = [];
  let end = 0;
  for (const size of sizes) {
    end += size;
    if (end >= total) {
      below.push(() => 'true');
      continue;
    }
    const [cut = {}] = await step.ask(
      ({ from, row }) =>
        `SELECT h::VARCHAR AS hash, r::VARCHAR AS place FROM (SELECT ${draw(String(row))} AS h, ${row} AS r FROM ${from}) ORDER BY h, r LIMIT 1 OFFSET ${end}`,
    );
    const [h, r] = [`${literal(String(cut['hash']))}::UBIGINT`, `${literal(String(cut['place']))}::BIGINT`];
    below.push(row => `(${draw(row)} < ${h} OR (${draw(row)} = ${h} AND ${row} < ${r}))`);
  }
  return below.map((upper, index) => {
    const lower = below[index - 1];
    return lower ? row => `(${upper(row)} AND NOT ${lower(row)})` : upper;
  });
}

const derive: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const name = params.name('name');
    const expression = params.raw('expression') ?? params.missing('expression');
    const where = params.optionalText('where');
    return async step => {
      const sql = await step.expression(expression, 'expression');
      const existing = findColumn(step.columns, name);
      const condition = await whereOf(step, where);
      return existing
        ? change(step, { replace: [{ name: existing.name, sql }], where: condition })
        : change(step, { add: [{ name, sql }], where: condition });
    };
  },
};

const splitColumn: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const delimiter = params.optionalText('delimiter');
    const pattern = params.optionalText('pattern');
    const into = params.texts('into');
    const keep = params.flag('keep', true);
    if ((delimiter === undefined) === (pattern === undefined) || delimiter === '') {
      throw params.wrong('delimiter', 'or pattern: one of the two must be given');
    }
    into.forEach((part, index) => params.checkName(part, `into[${index}]`));
    return async step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, texts, 'column');
      noDuplicates(step, into, 'into');
      const quoted = identifier(column.name);
      if (pattern !== undefined) await step.evaluate(`regexp_matches('', ${literal(pattern)})`, 'pattern');
      const parts =
        pattern === undefined
          ? `string_split(${quoted}, ${literal(delimiter ?? '')})`
          : `string_split_regex(${quoted}, ${literal(pattern)})`;
      // The last takes what is left, or it would be lost without a word.
      const part = (index: number): string =>
        index + 1 < into.length || pattern !== undefined
          ? `${parts}[${index + 1}]`
          : `nullif(array_to_string(${parts}[${index + 1}:], ${literal(delimiter ?? '')}), CASE WHEN len(${parts}) <= ${index} THEN '' END)`;
      const add = into.map((target, index) => ({ name: newName(step, target, `into[${index}]`), sql: part(index) }));
      return change(step, { add, remove: keep ? [] : [column.name] });
    };
  },
};

const mergeColumns: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const names = params.texts('columns');
    const delimiter = params.optionalText('delimiter') ?? ' ';
    const into = params.name('into');
    const keep = params.flag('keep', true);
    return step => {
      const columns = columnsOf(step, names);
      const sql = `concat_ws(${list([literal(delimiter), ...columns.map(({ name }) => `CAST(${identifier(name)} AS VARCHAR)`)])})`;
      return change(step, {
        add: [{ name: newName(step, into, 'into'), sql }],
        remove: keep ? [] : columns.map(({ name }) => name),
      });
    };
  },
};

const extract: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const pattern = params.text('pattern');
    const into = params.texts('into');
    into.forEach((part, index) => params.checkName(part, `into[${index}]`));
    return async step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, texts, 'column');
      noDuplicates(step, into, 'into');
      const quoted = identifier(column.name);
      // One name: the first group, or all where there is none. Several: as many groups.
      const groups = Number(
        await step.evaluate(`len(regexp_extract_all(${literal(groupsOf(pattern))}, '\\('))`, 'pattern'),
      );
      if (into.length > Math.max(1, groups))
        throw params.wrong('into', `has ${into.length} names, and the pattern ${groups} groups`);
      await step.evaluate(`regexp_extract('', ${literal(pattern)}, ${Math.min(groups, into.length)})`, 'pattern');
      const add = into.map((target, index) => ({
        name: newName(step, target, `into[${index}]`),
        sql: `CASE WHEN regexp_matches(${quoted}, ${literal(pattern)}) THEN regexp_extract(${quoted}, ${literal(pattern)}, ${groups === 0 ? 0 : index + 1}) END`,
      }));
      return change(step, { add });
    };
  },
};

/** The capturing brackets of a regular expression, all else taken away. */
function groupsOf(pattern: string): string {
  return pattern
    .replaceAll(/\\./gs, '')
    .replaceAll(/\[\^?\]?[^\]]*\]/g, '')
    .replaceAll(/\(\?(?!P?<)/g, '')
    .replaceAll(/[^(]/g, '');
}

const dateParts: Definition = {
  family: 'transform',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const known = [
      'year',
      'quarter',
      'month',
      'week',
      'day',
      'weekday',
      'dayofyear',
      'hour',
      'minute',
      'second',
      'epoch',
    ] as const;
    const parts = (params.optionalTexts('parts') ?? ['year', 'month', 'day']).map((part, index) => {
      const found = known.find(one => one === part);
      if (!found) throw params.wrong(`parts[${index}]`, `must be one of ${known.join(', ')}`);
      return found;
    });
    return step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, { test: isTime, called: 'dates and times' }, 'column');
      noDuplicates(step, parts, 'parts');
      const add = parts.map(part => ({
        name: newName(step, `${column.name}_${part}`, 'parts'),
        // ISO 8601's week day: Monday is 1.
        sql: `date_part('${part === 'weekday' ? 'isodow' : part}', ${identifier(column.name)})`,
      }));
      return change(step, { add });
    };
  },
};

const bin: Definition = {
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
      if (labels && step.services !== null && labels.length !== cutsAt.length + 1) {
        throw params.wrong('labels', `has ${labels.length} items for ${cutsAt.length + 1} bins`);
      }
      const label = (index: number): string => (labels ? literal(labels[index] ?? '') : String(index));
      const cases = cutsAt.map((cut, index) => `WHEN ${x} < ${double(cut)} THEN ${label(index)}`);
      const sql = `CASE WHEN ${x} IS NULL THEN NULL ${cases.join(' ')} ELSE ${label(cutsAt.length)} END`;
      const plan = change(step, { add: [{ name: newName(step, into ?? `${column.name}_bin`, 'into'), sql }] });
      return { ...plan, details: { edges: cutsAt } };
    };
  },
};

const scale: Definition = {
  family: 'transform',
  asks: () => true,
  rowByRow: true,
  read: params => {
    const names = params.optionalTexts('columns');
    const method = params.choice('method', ['standard', 'minmax', 'robust'], 'standard');
    return async step => {
      const columns = columnsOf(step, names, numbers);
      const selected = columns.flatMap(({ name }, index) => {
        const x = `CAST(${identifier(name)} AS DOUBLE)`;
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
      return { ...change(step, { replace }), changes: [] };
    };
  },
};

const oneHot: Definition = {
  family: 'transform',
  asks: () => true,
  opens: () => true,
  rowByRow: true,
  read: params => {
    const names = params.texts('columns');
    const most = params.optionalNumber('max_categories', { least: 1, most: 1000, whole: true }) ?? 50;
    const keep = params.flag('keep', false);
    return async step => {
      const columns = columnsOf(step, names);
      const add: { name: string; sql: string }[] = [];
      for (const { name } of columns) {
        const text = `CAST(${identifier(name)} AS VARCHAR)`;
        const rows = await step.ask(
          ({ from }) => `SELECT v FROM (SELECT ${text} AS v, count(*) AS n FROM ${from} GROUP BY v HAVING v IS NOT NULL
            ORDER BY n DESC, v LIMIT ${most}) ORDER BY v`,
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
      return change(step, { add, remove: keep ? [] : columns.map(({ name }) => name) });
    };
  },
};

const ordinalEncode: Definition = {
  family: 'transform',
  asks: params => !params.has('order'),
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const order = params.optionalScalars('order');
    const into = params.optionalText('into');
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
      return change(step, { add: [{ name: newName(step, target, 'into'), sql }] });
    };
  },
};

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

const window: Definition = {
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

const flattenJson: Definition = {
  family: 'transform',
  asks: params => !params.has('paths'),
  opens: params => !params.has('paths'),
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const raw = params.raw('paths');
    const isList = Array.isArray(raw) || typeof raw === 'string';
    const paths: [string, string][] | undefined =
      raw === undefined
        ? undefined
        : isList
          ? (params.optionalTexts('paths') ?? []).map(path => [nameOfPath(path), path])
          : params.textMapping('paths');
    paths?.forEach(([into]) => params.checkName(into, 'paths'));
    const keep = params.flag('keep', true);
    return async step => {
      const column = columnOf(step, name, 'column');
      const json = isText(column.type)
        ? `CASE WHEN json_valid(${identifier(column.name)}) THEN ${identifier(column.name)}::JSON END`
        : `to_json(${identifier(column.name)})`;
      const found: [string, string][] =
        paths ??
        (
          await step.ask(
            ({ from }) => `SELECT DISTINCT unnest(json_keys(${json})) AS k FROM ${from} ORDER BY k LIMIT 1001`,
          )
        ).map(row => [`${column.name}_${String(row['k'])}`, `$."${String(row['k']).replaceAll('"', '\\"')}"`]);
      if (found.length > 1000) throw params.wrong('column', 'has more than 1,000 keys; name paths');
      noDuplicates(
        step,
        found.map(([into]) => into),
        'paths',
      );
      const add = [];
      for (const [into, path] of found) {
        const rooted = path.startsWith('$') ? path : `$.${path}`;
        await step.evaluate(`json_extract_string('{}', ${literal(rooted)})`, 'paths');
        const type = await step.typeOf(`json_extract_string(${json}, ${literal(rooted)})`, 'paths');
        if (type !== 'VARCHAR') throw params.wrong('paths', 'may not have wildcards');
        add.push({ name: newName(step, into, 'paths'), sql: `json_extract_string(${json}, ${literal(rooted)})` });
      }
      return change(step, { add, remove: keep ? [] : [column.name] });
    };
  },
};

const nameOfPath = (path: string): string =>
  path
    .replace(/^\$\.?/, '')
    .replaceAll(/["[\]]/g, '')
    .replaceAll('.', '_') || 'value';

const splitDataset: Definition = {
  family: 'transform',
  asks: () => true,
  read: params => {
    const fractions = params.mapping('fractions').map(([name, value]) => {
      if (typeof value !== 'number' || !(value > 0 && value <= 1))
        throw params.wrong(`fractions.${name}`, 'must be a number above 0, at most 1');
      return { name: params.checkName(name, 'fractions'), value };
    });
    const sum = fractions.reduce((total, { value }) => total + value, 0);
    if (Math.abs(sum - 1) > 1e-9) throw params.wrong('fractions', `must add up to 1, not ${sum}`);
    const seed = params.optionalNumber('seed', { least: 0, most: 2 ** 31, whole: true }) ?? 0;
    const key = params.optionalTexts('key');
    return async step => {
      const ends = fractions.map((_, index) =>
        fractions.slice(0, index + 1).reduce((total, { value }) => total + value, 0),
      );
      if (key === undefined) {
        const [counted = {}] = await step.ask(({ from }) => `SELECT count(*)::DOUBLE AS n FROM ${from}`);
        const total = Number(counted['n'] ?? 0);
        const upTo = ends.map(end => Math.round(total * Math.min(1, end)));
        const sizes = upTo.map((end, index) => end - (upTo[index - 1] ?? 0));
        const conditions = await cuts(step, sizes, total, row => drawn(row, seed));
        return {
          kind: 'split',
          outputs: fractions.map(({ name }, index) => ({
            name,
            where: conditions[index]?.(identifier('\u0001row')) ?? 'false',
          })),
        };
      }
      // Rows of one key stay together, so that the fractions are of the keys, and true on the average.
      const keys = columnsOf(step, key, undefined, 'key').map(({ name }) => `CAST(${identifier(name)} AS VARCHAR)`);
      const share = `(hash(${list([...keys, `${seed}::BIGINT`])}) >> 11)::DOUBLE / 9007199254740992`;
      return {
        kind: 'split',
        outputs: fractions.map(({ name }, index) => ({
          name,
          where:
            list([`${share} >= ${double(ends[index - 1] ?? 0)}`]) +
            (index + 1 < fractions.length ? ` AND ${share} < ${double(ends[index] ?? 1)}` : ''),
        })),
      };
    };
  },
};

export const transformOperations: Record<string, Definition> = {
  select,
  drop,
  rename,
  filter,
  sort,
  sample,
  derive,
  split_column: splitColumn,
  merge_columns: mergeColumns,
  extract,
  date_parts: dateParts,
  bin,
  scale,
  one_hot: oneHot,
  ordinal_encode: ordinalEncode,
  window,
  flatten_json: flattenJson,
  split_dataset: splitDataset,
};
