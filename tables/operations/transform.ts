// The operations that change which columns and rows there are; the table of those within one dataset.
import {
  columnOf,
  columnsOf,
  keeping,
  mustBe,
  newName,
  noDuplicates,
  change,
  orderOf,
  selectAll,
  whereOf,
} from './steps.ts';
import type { Definition } from './plan.ts';
import { findColumn, identifier, isText, isTime, list, literal } from './sql.ts';
import { bounded, texts } from './cells.ts';
import { bin, oneHot, ordinalEncode, scale } from './encode.ts';
import { sample, splitDataset } from './sampling.ts';
import { window } from './window.ts';

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
      const renamed = new Map<string, string>();
      for (const [from, to] of mapping) {
        const { name } = columnOf(step, from, `mapping.${from}`);
        if (renamed.has(name)) throw params.wrong(`mapping.${from}`, 'names a column that the mapping has already');
        renamed.set(name, to);
      }
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
        takesAll: true,
        sql: ({ from, row }) =>
          `SELECT ${list(selectAll(step.columns))} FROM ${from} ORDER BY ${list([...keys, String(row)])}`,
      };
    };
  },
};

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
    const where = keeping(params, keep);
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
      return change(step, { add, remove: keep ? [] : [column.name], where: await whereOf(step, where) });
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
    const where = keeping(params, keep);
    return async step => {
      const columns = columnsOf(step, names);
      const cells = columns.map(({ name }) => `CAST(${identifier(name)} AS VARCHAR)`);
      const bytes = cells.map(cell => `coalesce(strlen(${cell}), 0)`).join(' + ');
      const joined = `concat_ws(${list([literal(delimiter), ...cells])})`;
      const sql = bounded(joined, bytes, { place: params.at('columns') });
      return change(step, {
        add: [{ name: newName(step, into, 'into'), sql }],
        remove: keep ? [] : columns.map(({ name }) => name),
        where: await whereOf(step, where),
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
    const where = params.optionalText('where');
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
      return change(step, { add, where: await whereOf(step, where) });
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
    const where = params.optionalText('where');
    return async step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, { test: isTime, called: 'dates and times' }, 'column');
      noDuplicates(step, parts, 'parts');
      const add = parts.map(part => ({
        name: newName(step, `${column.name}_${part}`, 'parts'),
        // ISO 8601's week day: Monday is 1.
        sql: `date_part('${part === 'weekday' ? 'isodow' : part}', ${identifier(column.name)})`,
      }));
      return change(step, { add, where: await whereOf(step, where) });
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
    const where = keeping(params, keep);
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
      return change(step, { add, remove: keep ? [] : [column.name], where: await whereOf(step, where) });
    };
  },
};

const nameOfPath = (path: string): string =>
  path
    .replace(/^\$\.?/, '')
    .replaceAll(/["[\]]/g, '')
    .replaceAll('.', '_') || 'value';

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
