// What a network has to know of its columns, counted over the training rows.
import type { Reader } from '@vectorium/tables';
import type { Feature } from '@vectorium/nets';
import type { Candidate, LeftOut } from './columns.ts';

/** Marks between which a number lies: fine enough for any network's bins. */
const quantileCount = 257;
/** Quantiles are those of so many rows, drawn by their keys. */
const sampledRows = 100_000;
/** Rarer values of a category are treated as those that were never seen, so that the network learns what to do with such. */
const leastOfValue = 2;
const mostValues = 2000;
/** Planning a statement of thousands of aggregates takes longer than another scan. */
const columnsAtOnce = 32;

interface Counted {
  features: { candidate: Candidate; feature: Feature }[];
  leftOut: LeftOut[];
}

/** `rows` is SQL with the columns of `rowsSql`. */
export async function countFeatures(
  { query }: Reader,
  candidates: Candidate[],
  {
    rows,
    trainingRows,
    encoderDimension,
  }: { rows: (features: Candidate[]) => string; trainingRows: number; encoderDimension: number },
): Promise<Counted> {
  const found = new Map<Candidate, Feature | string>();
  const scaled = candidates.filter(({ kind }) => kind !== 'category');
  for (let start = 0; start < scaled.length; start += columnsAtOnce) {
    const group = scaled.slice(start, start + columnsAtOnce);
    const sql = group.flatMap((candidate, i) => aggregates(candidate, `c${i}`, i, trainingRows));
    const [row = {}] = await query(`SELECT ${sql.join(', ')} FROM (${rows(group)}) WHERE part = 0`);
    for (const [i, candidate] of group.entries())
      found.set(
        candidate,
        read(candidate, name => row[`${name}_${i}`], { trainingRows, encoderDimension }),
      );
  }
  for (const candidate of candidates.filter(({ kind }) => kind === 'category')) {
    const values = await query(
      `SELECT c0 AS value, count(*)::DOUBLE AS count FROM (${rows([candidate])}) WHERE part = 0
        GROUP BY c0 HAVING count(*) >= ${leastOfValue} OR c0 = '' ORDER BY count DESC, value LIMIT ${mostValues + 1}`,
    );
    const nulls = Number(values.find(({ value }) => value === '')?.['count'] ?? 0);
    const texts = values
      .map(({ value }) => String(value))
      .filter(text => text !== '')
      .slice(0, mostValues);
    const varied = texts.length + Math.min(nulls, 1) > 1;
    found.set(
      candidate,
      varied
        ? { name: candidate.name, kind: 'category', values: texts, nulls }
        : texts.length === 0 && nulls < trainingRows
          ? 'no value occurs twice'
          : constant,
    );
  }
  const counted: Counted = { features: [], leftOut: [] };
  for (const candidate of candidates) {
    const feature = found.get(candidate);
    if (typeof feature === 'object') counted.features.push({ candidate, feature });
    else counted.leftOut.push({ name: candidate.name, reason: feature ?? constant });
  }
  return counted;
}

const constant = 'all training rows have the same value';

function aggregates({ kind }: Candidate, column: string, i: number, trainingRows: number): string[] {
  if (kind === 'text') return [`count(*) FILTER (${column} <> '')::DOUBLE AS count_${i}`];
  // `isfinite` of a date's text is not asked: rawSql gives '' for what is no date.
  const value =
    kind === 'date'
      ? `epoch(TRY_CAST(nullif(${column}, '') AS TIMESTAMP))`
      : `CASE WHEN isfinite(${column}) THEN ${column} END`;
  const counts = [`count(${value})::DOUBLE AS count_${i}`, `min(${value}) AS min_${i}`, `max(${value}) AS max_${i}`];
  if (kind === 'boolean') return counts;
  const sampled =
    trainingRows > sampledRows ? ` FILTER (key % 1000000 < ${Math.ceil((sampledRows / trainingRows) * 1e6)})` : '';
  const marks = Array.from({ length: quantileCount }, (_, mark) => mark / (quantileCount - 1));
  return [
    ...counts,
    `avg(${value}) AS mean_${i}`,
    `stddev_pop(${value}) AS deviation_${i}`,
    `quantile_cont(${value}, [${marks.join(', ')}])${sampled} AS quantiles_${i}`,
  ];
}

/** The feature, or why it is none. */
function read(
  { name, kind }: Candidate,
  value: (aggregate: string) => unknown,
  { trainingRows, encoderDimension }: { trainingRows: number; encoderDimension: number },
): Feature | string {
  const count = Number(value('count'));
  const nulls = trainingRows - count;
  if (count === 0) return 'no training row has a value';
  if (kind === 'text') return { name, kind, dimension: encoderDimension, nulls };
  const [min, max] = [Number(value('min')), Number(value('max'))];
  if (min === max && nulls === 0) return constant;
  if (kind === 'boolean') return { name, kind, nulls };
  const marks = value('quantiles');
  const quantiles = Array.isArray(marks) ? marks.map(Number) : [];
  // The sample may have missed the ends.
  if (quantiles.length > 0) [quantiles[0], quantiles[quantileCount - 1]] = [min, max];
  else quantiles.push(min, max);
  const [mean, deviation] = [Number(value('mean')), Number(value('deviation') ?? 0)];
  return { name, kind: kind === 'date' ? 'date' : 'number', quantiles, mean, deviation, nulls };
}
