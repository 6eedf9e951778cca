// The cleaning operations that give columns other types.
import { columnOf, columnsOf, change } from './steps.ts';
import type { Params } from './params.ts';
import type { Definition } from './plan.ts';
import { identifier, knownTypes, list, literal, typeName } from './sql.ts';
import type { TypedColumn } from './sql.ts';
import { texts, dropRows } from './cells.ts';

export const cast: Definition = {
  family: 'clean',
  read: params => {
    const types = params.textMapping('types').map(([name, written]) => {
      const type = typeName(written);
      if (type === null)
        throw params.wrong(`types.${name}`, `must be a type: one of ${list(knownTypes)} or decimal(p,s)`);
      return { name, type };
    });
    const onError = params.choice('on_error', ['fail', 'null', 'drop'], 'fail');
    noWhere(params);
    return async step => {
      const named = new Set<string>();
      const replace = types.map(({ name, type }) => {
        const column = columnOf(step, name, `types.${name}`);
        if (named.has(column.name)) throw params.wrong(`types.${name}`, 'names a column that is there already');
        named.add(column.name);
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

function noWhere(params: Params): void {
  if (params.has('where')) throw params.wrong('where', "can't be used here: a column has one type for all rows");
}

/** The converted cell; where it can't be converted, null or an error that tells the place. */
function convert(sql: string, column: TypedColumn, onError: 'fail' | 'null' | 'drop', place: string): string {
  if (onError !== 'fail') return sql;
  const quoted = identifier(column.name);
  const message = `${literal(`${place}: `)} || ${literal(JSON.stringify(column.name))} || ' holds a value that can''t be converted: ' || left(CAST(${quoted} AS VARCHAR), 100)`;
  // The second is computed only where the first is null.
  return `coalesce(${sql}, CASE WHEN ${quoted} IS NOT NULL THEN error(${message}) END)`;
}

export const parseDates: Definition = {
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
    noWhere(params);
    if (formats.length === 0) throw params.wrong('formats', 'must not be empty');
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
