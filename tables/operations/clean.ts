// The operations that clean: cells and rows are changed or go, columns stay.
import { change, columnOf, columnsOf, mustBe, newName, orderOf, whereOf } from './steps.ts';
import type { Definition, Plan, Step } from './plan.ts';
import type { Params } from './params.ts';
import { identifier, isNumeric, isText, isTime, knownTypes, list, literal, typeName } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import { maskFunction, piiKinds } from './mask.ts';

export const texts = { test: isText, called: 'texts' };
export const numbers = { test: isNumeric, called: 'numbers' };
const ordered = { test: (type: string) => isNumeric(type) || isTime(type), called: 'numbers and dates' };

const blank = '[\\s\\v\\p{Z}\\x{85}\\x{feff}]+';
/** DuckDB's own trim takes the plain blank alone, or is slow with a set of all that is white. */
export const trimmed = (sql: string): string => `regexp_replace(${sql}, '^${blank}|${blank}$', '', 'g')`;

export const nullTokens = [
  '',
  'na',
  'n/a',
  '#n/a',
  'null',
  'none',
  'nan',
  'nil',
  '-',
  '--',
  '?',
  'missing',
  '(null)',
  '<na>',
];

/** An operation that gives each cell of some columns a new value, where the condition holds. */
function cells(
  kind: { test: (type: string) => boolean; called: string } | undefined,
  read: (params: Params) => (column: TypedColumn, step: Step) => string | Promise<string>,
): Definition {
  return {
    family: 'clean',
    rowByRow: true,
    read: params => {
      const names = params.optionalTexts('columns');
      const where = params.optionalText('where');
      const cell = read(params);
      return async step => {
        const replace = [];
        for (const column of columnsOf(step, names, kind)) {
          replace.push({ name: column.name, sql: await cell(column, step) });
        }
        return change(step, { replace, where: await whereOf(step, where) });
      };
    },
  };
}

const dropNulls: Definition = {
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

const dropRows = (condition: string, where?: string): Plan => ({
  kind: 'filter',
  where: `NOT coalesce(${where === undefined ? condition : `${condition} AND ${where}`}, false)`,
});

const fillNulls: Definition = {
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

const deduplicate: Definition = {
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
  // The last of an order is the first of its reverse; with ties the later row is the last.
  const inOrder = (row: string): string =>
    keep === 'first' ? list([...orders, row]) : list([...orders.map(reversed), `${row} DESC`]);
  return {
    kind: 'query',
    rows: 'any',
    row: 'kept',
    needsRow: true,
    scrambles: true,
    ...(droppedAs === undefined ? {} : { droppedAs }),
    sql: ({ from, row }) =>
      // Whoever has nobody before is the first. With row_number() = 1 DuckDB would make an aggregate of it that holds whole rows in
      // memory and can't spill them.
      `SELECT * FROM ${from} QUALIFY NOT lag(true, 1, false) OVER (PARTITION BY ${list(keys.map(({ name }) => identifier(name)))}${among} ` +
      `ORDER BY ${inOrder(String(row))})${others}`,
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

const trim = cells(texts, params => {
  const collapse = params.flag('collapse', false);
  return ({ name }) => {
    const sql = trimmed(identifier(name));
    return collapse ? `regexp_replace(${sql}, '[\\s\\p{Z}]+', ' ', 'g')` : sql;
  };
});

const capital = (text: string): string => `upper(left(${text}, 1)) || lower(substring(${text}, 2))`;

const changeCase = cells(texts, params => {
  const wanted = params.choice('case', ['lower', 'upper', 'title', 'sentence']);
  return ({ name }) => {
    const column = identifier(name);
    if (wanted === 'sentence') return `(${capital(column)})`;
    if (wanted === 'title')
      return `array_to_string(list_transform(string_split(${column}, ' '), lambda w: ${capital('w')}), ' ')`;
    return `${wanted}(${column})`;
  };
});

const nullTokensOperation = cells(texts, params => {
  const tokens = params.optionalTexts('tokens') ?? nullTokens;
  const folded = list([...new Set(tokens.map(token => literal(token.trim().toLowerCase())))]);
  return ({ name }) => {
    const column = identifier(name);
    return folded === '' ? column : `CASE WHEN lower(${trimmed(column)}) IN (${folded}) THEN NULL ELSE ${column} END`;
  };
});

const replaceValues: Definition = {
  family: 'clean',
  rowByRow: true,
  read: params => {
    const name = params.name('column');
    const mapping = params.mapping('mapping').map(([from, to]) => ({ from, to: params.scalar(to, `mapping.${from}`) }));
    const otherwise = params.optionalScalar('default');
    const where = params.optionalText('where');
    return async step => {
      const column = columnOf(step, name, 'column');
      const cases = [];
      for (const { from, to } of mapping) {
        const key = await step.constant(from, column.type, `mapping.${from}`);
        cases.push(`WHEN ${key} THEN ${await step.constant(to, column.type, `mapping.${from}`)}`);
      }
      const quoted = identifier(column.name);
      const rest = otherwise === undefined ? quoted : await step.constant(otherwise, column.type, 'default');
      // A null has no value that could be replaced.
      const sql = `CASE ${quoted} ${cases.join(' ')} ELSE CASE WHEN ${quoted} IS NOT NULL THEN ${rest} END END`;
      return change(step, { replace: [{ name: column.name, sql }], where: await whereOf(step, where) });
    };
  },
};

const regexReplace = cells(texts, params => {
  const pattern = params.text('pattern');
  const replacement = params.text('replacement');
  return async ({ name }, step) => {
    await step.evaluate(`regexp_replace('', ${literal(pattern)}, ${literal(replacement)}, 'g')`, 'pattern');
    return `regexp_replace(${identifier(name)}, ${literal(pattern)}, ${literal(replacement)}, 'g')`;
  };
});

const cast: Definition = {
  family: 'clean',
  read: params => {
    const types = params.textMapping('types').map(([name, written]) => {
      const type = typeName(written);
      if (type === null)
        throw params.wrong(`types.${name}`, `must be a type: one of ${list(knownTypes)} or decimal(p,s)`);
      return { name, type };
    });
    const onError = params.choice('on_error', ['fail', 'null', 'drop'], 'fail');
    return async step => {
      const replace = types.map(({ name, type }) => {
        const column = columnOf(step, name, `types.${name}`);
        return {
          name: column.name,
          type,
          sql: convert(
            `TRY_CAST(${identifier(column.name)} AS ${type})`,
            column,
            onError,
            step.params.at(`types.${name}`),
          ),
        };
      });
      // What has no conversion at all is refused at once.
      for (const { name, type } of replace)
        await step.typeOf(`TRY_CAST(${identifier(name)} AS ${type})`, `types.${name}`);
      const plan = change(step, { replace });
      if (onError !== 'drop') return plan;
      const lost = replace.map(({ name, sql }) => `(${identifier(name)} IS NOT NULL AND ${sql} IS NULL)`);
      return { kind: 'sequence', steps: [dropRows(lost.join(' OR ')), plan] };
    };
  },
};

/** The converted cell; where it can't be converted, null or an error that tells the place. */
function convert(sql: string, column: TypedColumn, onError: 'fail' | 'null' | 'drop', place: string): string {
  if (onError !== 'fail') return sql;
  const quoted = identifier(column.name);
  const message = `${literal(`${place}: `)} || ${literal(JSON.stringify(column.name))} || ' holds a value that can''t be converted: ' || left(CAST(${quoted} AS VARCHAR), 100)`;
  // The second is computed only where the first is null.
  return `coalesce(${sql}, CASE WHEN ${quoted} IS NOT NULL THEN error(${message}) END)`;
}

const parseDates: Definition = {
  family: 'clean',
  read: params => {
    const names = params.texts('columns');
    const formats = params.optionalTexts('formats') ?? [
      '%Y-%m-%d',
      '%Y-%m-%dT%H:%M:%S',
      '%Y-%m-%d %H:%M:%S',
      '%Y/%m/%d',
    ];
    const onError = params.choice('on_error', ['fail', 'null', 'drop'], 'null');
    const where = params.optionalText('where');
    if (formats.length === 0) throw params.wrong('formats', 'must not be empty');
    if (where !== undefined) throw params.wrong('where', "can't be used here: a column has one type");
    const hasTime = formats.some(format => /%[-]?[HIMSfpcXzZgn]/.test(format));
    return async step => {
      const written = `[${list(formats.map(literal))}]`;
      await step.evaluate(`try_strptime('x', ${written})`, 'formats');
      const replace = columnsOf(step, names, texts).map(column => {
        const parsed = `try_strptime(${identifier(column.name)}, ${written})`;
        const sql = `CAST(${parsed} AS ${hasTime ? 'TIMESTAMP' : 'DATE'})`;
        return { name: column.name, sql: convert(sql, column, onError, step.params.at('columns')) };
      });
      const plan = change(step, { replace });
      if (onError !== 'drop') return plan;
      const lost = replace.map(({ name, sql }) => `(${identifier(name)} IS NOT NULL AND ${sql} IS NULL)`);
      return { kind: 'sequence', steps: [dropRows(lost.join(' OR ')), plan] };
    };
  },
};

const outliers: Definition = {
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
        const x = `CAST(${identifier(name)} AS DOUBLE)`;
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

const quartile = (x: string, at: number, times: number): string =>
  `quantile_cont(${x}, ${at}) + (${times}) * (quantile_cont(${x}, 0.75) - quantile_cont(${x}, 0.25))`;
export const double = (value: number): string => `CAST(${literal(String(value))} AS DOUBLE)`;

const clip = cells(ordered, params => {
  const [min, max] = [params.optionalScalar('min'), params.optionalScalar('max')];
  if (min === undefined && max === undefined) params.missing('min');
  return async ({ name, type }, step) => {
    const column = identifier(name);
    let sql = column;
    if (min !== undefined) sql = `greatest(${sql}, ${await step.constant(min, type, 'min')})`;
    if (max !== undefined) sql = `least(${sql}, ${await step.constant(max, type, 'max')})`;
    // greatest and least skip nulls.
    return `CASE WHEN ${column} IS NOT NULL THEN ${sql} END`;
  };
});

const normalizeUnicode = cells(texts, params => {
  const strip = params.flag('strip_accents', false);
  return ({ name }) =>
    strip ? `strip_accents(nfc_normalize(${identifier(name)}))` : `nfc_normalize(${identifier(name)})`;
});

/** OpenRefine's fingerprint: the words without case, accents and punctuation, each once, in order. */
export const fingerprint = (column: string): string =>
  `array_to_string(list_sort(list_distinct(string_split_regex(${trimmed(
    `regexp_replace(lower(strip_accents(${column})), '[^\\p{L}\\p{N}\\s]', '', 'g')`,
  )}, '\\s+'))), ' ')`;

const clusterValues: Definition = {
  family: 'clean',
  asks: () => true,
  read: params => {
    const name = params.name('column');
    params.choice('method', ['fingerprint'], 'fingerprint');
    const where = params.optionalText('where');
    return async step => {
      const column = columnOf(step, name, 'column');
      mustBe(step, column, texts, 'column');
      const quoted = identifier(column.name);
      const best = identifier('\u0001best');
      return {
        kind: 'sequence',
        steps: [
          {
            kind: 'query',
            rows: 'same',
            row: 'kept',
            needsRow: true,
            scrambles: true,
            sql: ({ from }) =>
              `SELECT t.*, c.best AS ${best} FROM ${from} t LEFT JOIN (
                 SELECT value, first_value(value) OVER (PARTITION BY key ORDER BY n DESC, value) AS best FROM (
                   SELECT ${quoted} AS value, ${fingerprint(quoted)} AS key, count(*) AS n FROM ${from}
                   WHERE ${quoted} IS NOT NULL GROUP BY ALL) WHERE key <> ''
               ) c ON c.value = t.${quoted}`,
          },
          change(step, {
            replace: [{ name: column.name, sql: `coalesce(${best}, ${quoted})` }],
            where: await whereOf(step, where),
          }),
        ],
      };
    };
  },
};

const maskPii = cells(texts, params => {
  const kinds = params.optionalTexts('kinds') ?? [...piiKinds];
  kinds.forEach((kind, index) => {
    if (!piiKinds.some(known => known === kind))
      throw params.wrong(`kinds[${index}]`, `must be one of ${piiKinds.join(', ')}`);
  });
  const method = params.choice('method', ['redact', 'hash'], 'redact');
  const mask = maskFunction(
    piiKinds.filter(kind => kinds.includes(kind)),
    method,
  );
  return ({ name }, step) => {
    const column = identifier(name);
    // Without a digit or an @ there is nothing to find; most texts need not leave DuckDB.
    return `CASE WHEN regexp_matches(${column}, '[0-9@:]') THEN ${step.textFunction(mask)}(${column}) ELSE ${column} END`;
  };
});

const validate: Definition = {
  family: 'clean',
  read: params => {
    const rules = params.raw('rules');
    if (!Array.isArray(rules) || rules.length === 0 || rules.length > 1000) {
      throw params.wrong('rules', 'must be a list of 1 to 1,000 rules');
    }
    const onFail = params.choice('on_fail', ['fail', 'drop', 'flag'], 'fail');
    const into = params.name('into', 'valid');
    return async step => {
      const checked: { name: string; sql: string; place: string }[] = [];
      for (const [index, rule] of rules.entries()) {
        const isShort = typeof rule === 'string';
        const fields: Record<string, unknown> = isShort
          ? { expression: rule }
          : typeof rule === 'object' && rule !== null
            ? { ...rule }
            : {};
        const { name, expression, ...rest } = fields;
        if (Object.keys(rest).length > 0)
          throw params.wrong(`rules[${index}]`, 'must be an expression, or {name, expression}');
        const at = isShort ? `rules[${index}]` : `rules[${index}].expression`;
        const sql = `coalesce(CAST(${await step.expression(expression, at)} AS BOOLEAN), false)`;
        checked.push({
          name: typeof name === 'string' ? name : String(expression),
          sql,
          place: params.at(`rules[${index}]`),
        });
      }
      const counts = Object.fromEntries(checked.map(({ name, sql }) => [name, `NOT ${sql}`]));
      const all = `(${checked.map(({ sql }) => sql).join(' AND ')})`;
      if (onFail === 'drop') return { kind: 'filter', where: all, counts };
      if (onFail === 'flag') {
        const add = [{ name: newName(step, into, 'into'), sql: all }];
        return { kind: 'sequence', steps: [{ kind: 'filter', where: 'true', counts }, change(step, { add })] };
      }
      const failing = checked.map(
        ({ name, sql, place }) => `WHEN NOT ${sql} THEN error(${literal(`${place}: a row does not meet ${name}`)})`,
      );
      return { kind: 'filter', where: `CASE ${failing.join(' ')} ELSE true END` };
    };
  },
};

export const cleanOperations: Record<string, Definition> = {
  drop_nulls: dropNulls,
  fill_nulls: fillNulls,
  deduplicate,
  trim,
  change_case: changeCase,
  null_tokens: nullTokensOperation,
  replace_values: replaceValues,
  regex_replace: regexReplace,
  cast,
  parse_dates: parseDates,
  outliers,
  clip,
  normalize_unicode: normalizeUnicode,
  cluster_values: clusterValues,
  mask_pii: maskPii,
  validate,
};
