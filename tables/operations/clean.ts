// The operations that clean cells; the table of all that clean.
import { columnOf, mustBe, newName, change, whereOf } from './steps.ts';
import type { Definition } from './plan.ts';
import { identifier, list, literal } from './sql.ts';
import { bounded, texts, cells, trimmed } from './cells.ts';
import { maskFunction, piiKinds } from './mask.ts';
import { deduplicate, dropNulls, fillNulls } from './rows.ts';
import { clip, outliers } from './numbers.ts';
import { cast, parseDates } from './types.ts';

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
      const keys = await step.constants(
        mapping.map(({ from }) => ({ value: from, name: `mapping.${from}` })),
        column.type,
      );
      const values = await step.constants(
        mapping.map(({ from, to }) => ({ value: to, name: `mapping.${from}` })),
        column.type,
      );
      const cases = keys.map((key, index) => `WHEN ${key} THEN ${values[index] ?? 'NULL'}`);
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
    const column = identifier(name);
    const sql = `regexp_replace(${column}, ${literal(pattern)}, ${literal(replacement)}, 'g')`;
    const times = Math.max(1, Buffer.byteLength(replacement));
    return bounded(sql, `strlen(${column})`, { place: params.at('columns'), times });
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
    const where = params.optionalText('where');
    return async step => {
      const condition = await whereOf(step, where);
      const excused = condition === undefined ? '' : `NOT coalesce(${condition}, false) OR `;
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
        const sql = `(${excused}coalesce(CAST(${await step.expression(expression, at)} AS BOOLEAN), false))`;
        const called = typeof name === 'string' ? name : String(expression);
        if (checked.some(other => other.name === called))
          throw params.wrong(`rules[${index}]`, `has the name of another rule, ${JSON.stringify(called)}`);
        checked.push({ name: called, sql, place: params.at(`rules[${index}]`) });
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
