// What each column of a dataset holds.
//
// One scan takes the statistics of all columns; then each column alone is grouped by value (distinct count and most
// frequent values, exact, spilling to disk where there are many) and by bin (histogram). Parquet is read by column, so
// the three together read the file three times at most. Quantiles are t-digests: approximate, in bounded memory.
import type { DuckDBValue } from '@duckdb/node-api';
import { DuckDBListValue, DuckDBStructValue } from '@duckdb/node-api';
import { describeParquet } from './ingest/parquet.ts';
import type { JobContext } from './job.ts';
import type { Jobs } from './protocol.ts';
import { identifier, literal } from './sql.ts';
import type { Column, ColumnProfile, Value } from './types.ts';
import { toValue } from './values.ts';

const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95];
const bins = 20;
const topValues = 10;
/** Texts are shortened where they are shown. */
const shownCharacters = 200;
/** Planning a statement of thousands of aggregates takes longer than another scan. */
const columnsAtOnce = 64;

const isNumber = (type: string) => /^(U?(TINY|SMALL|BIG)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type);
const isTime = (type: string) => /^(DATE|TIMESTAMP.*)$/.test(type);
/** Lists, structs and blobs have no least and no most frequent value that says anything. */
const isPlain = (type: string) =>
  isNumber(type) || isTime(type) || /^(BOOLEAN|VARCHAR|TIME|UUID|ENUM\(.*\))$/.test(type);

export async function profile({ source }: Jobs['profile']['input'], context: JobContext): Promise<ColumnProfile[]> {
  const columns = await describeParquet(context, source);
  const file = `read_parquet(${literal(source)})`;
  const profiles: ColumnProfile[] = [];
  for (let start = 0; start < columns.length; start += columnsAtOnce) {
    const group = columns.slice(start, start + columnsAtOnce);
    const row = (await context.query(`SELECT ${group.flatMap(statistics).join(', ')} FROM ${file}`)).getRows()[0] ?? [];
    for (const [index, column] of group.entries()) {
      profiles.push(await profileColumn(column, row.slice(index * width, (index + 1) * width), file, context));
      context.progress(profiles.length / columns.length);
    }
  }
  return profiles;
}

/** How many expressions `statistics` gives a column. */
const width = 8;

/** SQL: count, min, max, mean, standard deviation, quantiles, and the lowest and highest position on the axis. */
function statistics({ name, type }: Column): string[] {
  const column = identifier(name);
  if (!isPlain(type)) return [`count(${column})`, ...Array<string>(width - 1).fill('NULL')];
  const value = ordered(column, type);
  const position = axis(column, type);
  const number = isNumber(type) ? position : 'NULL';
  return [
    `count(${column})`,
    `min(${value})`,
    `max(${value})`,
    `avg(${number})`,
    `CASE WHEN count(${number}) > 1 THEN stddev_samp(${number}) END`,
    position === 'NULL' ? 'NULL' : `approx_quantile(${position}, [${quantiles.join(', ')}])`,
    `min(${position})`,
    `max(${position})`,
  ];
}

/** SQL: the values that have a place in an order; NaN and infinities have none. */
function ordered(column: string, type: string): string {
  if (type === 'VARCHAR') return `left(${column}, ${shownCharacters})`;
  return /^(FLOAT|DOUBLE|DATE|TIMESTAMP.*)$/.test(type) ? `CASE WHEN isfinite(${column}) THEN ${column} END` : column;
}

/** SQL: a number, or a time's seconds since 1970; NULL where the type is neither. */
function axis(column: string, type: string): string {
  if (isNumber(type)) return `CAST(${ordered(column, type)} AS DOUBLE)`;
  return isTime(type) ? `epoch(${ordered(column, type)})` : 'NULL';
}

async function profileColumn(
  column: Column,
  [
    count = 0,
    min = null,
    max = null,
    mean = null,
    deviation = null,
    marks = null,
    low = null,
    high = null,
  ]: DuckDBValue[],
  file: string,
  context: JobContext,
): Promise<ColumnProfile> {
  const { type } = column;
  const onAxis = typeof low === 'number' && typeof high === 'number';
  return {
    ...column,
    count: Number(count),
    ...(await frequencies(column, file, context)),
    min: toValue(min),
    max: toValue(max),
    mean: typeof mean === 'number' && Number.isFinite(mean) ? mean : null,
    standardDeviation: typeof deviation === 'number' && Number.isFinite(deviation) ? deviation : null,
    quantiles: marks instanceof DuckDBListValue ? marks.items.map(mark => fromAxis(Number(mark), type)) : null,
    histogram: onAxis ? await histogram(column, low, high, file, context) : null,
  };
}

async function frequencies(
  { name, type }: Column,
  file: string,
  { query }: JobContext,
): Promise<Pick<ColumnProfile, 'distinct' | 'top'>> {
  const column = identifier(name);
  const groups = `(SELECT ${column} AS value, count(*) AS times FROM ${file} WHERE ${column} IS NOT NULL GROUP BY ALL)`;
  const shown = type === 'VARCHAR' ? `left(value, ${shownCharacters})` : 'value';
  const top = isPlain(type) ? `arg_max({'value': ${shown}, 'times': times}, times, ${topValues})` : 'NULL';
  const [distinct = 0, list = null] = (await query(`SELECT count(*), ${top} FROM ${groups}`)).getRows()[0] ?? [];
  const items = list instanceof DuckDBListValue ? list.items : [];
  return {
    distinct: Number(distinct),
    top: items.flatMap(item =>
      item instanceof DuckDBStructValue
        ? [{ value: toValue(item.entries['value'] ?? null), count: Number(item.entries['times']) }]
        : [],
    ),
  };
}

async function histogram(
  { name, type }: Column,
  low: number,
  high: number,
  file: string,
  { query }: JobContext,
): Promise<NonNullable<ColumnProfile['histogram']>> {
  const position = axis(identifier(name), type);
  const step = (high - low) / bins;
  // One value alone has a bin of its own, and so has a span that no double can divide.
  if (step === 0 || !Number.isFinite(step)) {
    const rows = (await query(`SELECT count(${position}) FROM ${file}`)).getRows();
    return [{ from: fromAxis(low, type), to: fromAxis(high, type), count: Number(rows[0]?.[0] ?? 0) }];
  }
  const bin = `least(${bins - 1}, CAST(floor((${position} - (${low})) / ${step}) AS INTEGER))`;
  const rows = (
    await query(`SELECT ${bin} AS bin, count(*) FROM ${file} WHERE ${position} IS NOT NULL GROUP BY bin`)
  ).getRows();
  const counts = new Map(rows.map(([index, count]) => [Number(index), Number(count)]));
  return Array.from({ length: bins }, (_, index) => ({
    from: fromAxis(low + index * step, type),
    to: fromAxis(index === bins - 1 ? high : low + (index + 1) * step, type),
    count: counts.get(index) ?? 0,
  }));
}

function fromAxis(position: number, type: string): Value {
  if (isNumber(type)) return position;
  const milliseconds = position * 1000;
  // Beyond what a JavaScript date can be.
  if (!(Math.abs(milliseconds) <= 8.64e15)) return String(position);
  const text = new Date(milliseconds).toISOString();
  if (type === 'DATE') return text.slice(0, 10);
  return type === 'TIMESTAMP WITH TIME ZONE' ? text : text.slice(0, -1);
}
