// Lines of text as rows: by a pattern with named groups, or by fixed widths.
//
// Patterns are RE2's, through DuckDB: their time is linear in the line, so that none can hang.
import { TableError } from '../errors.ts';
import type { JobContext } from '../job.ts';
import { list, literal } from '../sql.ts';
import type { Rejected } from '../types.ts';
import type { Written } from './delimited.ts';
import { uniqueNames } from './names.ts';
import { columnType } from './options.ts';
import type { Options } from './options.ts';
import { plainText } from './plain-text.ts';
import { maxSamples, shorten } from './rejects.ts';
import { lineOptions } from './sniff.ts';
import { refuseEmpty, writeTextTable } from './text-table.ts';

export interface LineFormat {
  /** `text` is SQL over `line`. */
  fields: { name: string; text: string; declared: string | null }[];
  /** SQL over `line`: whether it is a row. */
  fits: string;
  /** What to say of a line that is none. */
  otherwise: string;
  skip: number;
  encoding: string | undefined;
  nulls: string[];
}

export function readPattern(options: Options): LineFormat {
  const pattern = options.text('pattern');
  if (pattern === undefined || pattern === '')
    throw options.refuse('pattern', 'a regular expression with named groups');
  const types = options.record('types') ?? {};
  // RE2 knows (?P<name>…) alone in all of its versions.
  const expression = pattern.replaceAll(/(?<!\\)\(\?<(?=[A-Za-z_])/g, '(?P<');
  const groups = captureGroups(expression);
  if (!groups.some(name => name !== null))
    throw options.refuse('pattern', 'a regular expression with named groups, e.g. (?<level>[A-Z]+)');
  const struct = `regexp_extract(line, ${literal(expression)}, ${list(groups.map((name, index) => name ?? ` ${index}`))})`;
  const names = groups.filter(name => name !== null);
  const stray = Object.keys(types).find(name => !names.includes(name));
  if (stray !== undefined) throw options.refuse(`types.${stray}`, 'the type of a named group');
  return {
    fields: names.map(name => ({
      name,
      text: `struct_extract(${struct}, ${literal(name)})`,
      declared: types[name] === undefined ? null : columnType(types[name], `options.types.${name}`),
    })),
    fits: `regexp_matches(line, ${literal(expression)})`,
    otherwise: 'The line does not match the pattern',
    ...readCommon(options),
  };
}

export function readFixedWidth(options: Options): LineFormat {
  const columns = options.records('columns') ?? [];
  if (columns.length === 0) throw options.refuse('columns', 'a list of {name, start, width}');
  let next = 0;
  const fields = columns.map((column, index) => {
    const name = column.text('name', `column${index + 1}`);
    const start = column.count('start') ?? next;
    const width = column.count('width');
    if (!width) throw column.refuse('width', 'a count of characters above 0');
    const type = column.text('type');
    column.end();
    next = start + width;
    return {
      name,
      text: `trim(substring(line, ${start + 1}, ${width}))`,
      declared: type === undefined ? null : columnType(type, `options.columns[${index}].type`),
      start,
    };
  });
  const least = Math.max(...fields.map(({ start }) => start));
  return {
    fields,
    fits: `length(line) > ${least}`,
    otherwise: `The line ends before its last column begins (character ${least + 1})`,
    ...readCommon(options),
  };
}

function readCommon(options: Options): Pick<LineFormat, 'skip' | 'encoding' | 'nulls'> {
  const common = {
    skip: options.count('skip') ?? 0,
    encoding: options.text('encoding'),
    nulls: ['', ...(options.texts('null_tokens') ?? [])],
  };
  options.end();
  return common;
}

export async function ingestLines(
  source: string,
  format: LineFormat,
  context: JobContext,
  target: string,
): Promise<Written> {
  const { path, notes } = await plainText(source, format.encoding, context);
  const { names, notes: renamed } = uniqueNames(format.fields.map(({ name }) => name));
  const lines = `read_csv(${literal(path)}, auto_detect = false, delim = '', quote = '', escape = '', header = false,
    skip = ${format.skip}, columns = {'line': 'VARCHAR'}, ${lineOptions})`;
  const columns = format.fields.map((field, index) => ({
    ...field,
    name: names[index] ?? field.name,
    text: `c${index}`,
  }));
  const nulls = list(format.nulls);
  const cells = format.fields.map(
    ({ text }, index) =>
      `CASE WHEN ${text} NOT IN ${nulls.replace('[', '(').replace(/\]$/, ')')} THEN ${text} END AS c${index}`,
  );
  const style = { decimal: '.', thousands: '' };
  const bad = format.fields.flatMap(({ declared }, index) =>
    declared === null
      ? []
      : [
          {
            column: names[index] ?? '',
            sql: `c${index} IS NOT NULL AND TRY_CAST(c${index} AS ${declared}) IS NULL`,
            declared,
          },
        ],
  );
  const parsed = `(SELECT ${cells.join(', ')} FROM ${lines} WHERE line IS NOT NULL AND ${format.fits})`;
  const kept = bad.length === 0 ? parsed : `(FROM ${parsed} WHERE NOT (${bad.map(({ sql }) => sql).join(' OR ')}))`;
  try {
    const { rows } = await writeTextTable({ columns, style, casts: false, relation: () => kept }, context, target);
    const cases = bad.map(
      ({ sql, column, declared }) => `WHEN ${sql} THEN ${literal(`${column}\nThe cell is no ${declared}`)}`,
    );
    const reason = `CASE WHEN NOT fits THEN ${literal(`\n${format.otherwise}`)} ${cases.join(' ')} END`;
    const judged = `(SELECT ${cells.join(', ')}, ${format.fits} AS fits, line, number FROM (SELECT line, row_number() OVER () AS number FROM ${lines}) WHERE line IS NOT NULL)`;
    const rejected = await readRejected(
      `(SELECT number + ${format.skip} AS number, line, ${reason} AS reason FROM ${judged})`,
      context,
    );
    refuseEmpty(rows, rejected.count);
    return { rows, rejected, notes: [...notes, ...renamed] };
  } catch (error) {
    if (
      error instanceof Error &&
      /Pattern failed to parse|invalid (perl )?operator|regex|missing/i.test(error.message) &&
      !(error instanceof TableError)
    )
      throw new TableError('INVALID_OPTIONS', `options.pattern: ${error.message.split('\n', 1)[0] ?? ''}`, {
        param: 'options.pattern',
      });
    throw error;
  }
}

async function readRejected(judged: string, { query }: JobContext): Promise<Rejected> {
  const count = Number((await query(`SELECT count(*) FROM ${judged} WHERE reason IS NOT NULL`)).getRows()[0]?.[0] ?? 0);
  if (count === 0) return { count, samples: [] };
  const rows = (
    await query(
      `SELECT number, line, reason FROM ${judged} WHERE reason IS NOT NULL ORDER BY number LIMIT ${maxSamples}`,
    )
  ).getRows();
  return {
    count,
    samples: rows.map(([number, line, reason]) => {
      const [column = '', why = ''] = String(reason).split('\n');
      return { line: Number(number), column: column || null, reason: why, text: shorten(String(line)) };
    }),
  };
}

/** The names of a pattern's capturing groups in order; null of those without. */
export function captureGroups(pattern: string): (string | null)[] {
  const groups: (string | null)[] = [];
  let inClass = false;
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index];
    if (character === '\\') index++;
    else if (inClass) inClass = character !== ']';
    else if (character === '[') {
      inClass = true;
      // A bracket that closes at once is a character of the class.
      if (pattern[index + 1] === '^') index++;
      if (pattern[index + 1] === ']') index++;
    } else if (character === '(') {
      const name = /^\(\?P<([A-Za-z_]\w*)>/.exec(pattern.slice(index))?.[1];
      if (name !== undefined) groups.push(name);
      else if (pattern[index + 1] !== '?') groups.push(null);
    }
  }
  return groups;
}
