// What a network has to know of its columns, counted over the training rows.
import type { ColumnBatch, Reader } from '@vectorium/tables';
import type { Feature } from '@vectorium/nets';
import type { Candidate, LeftOut } from './columns.ts';

/** Marks between which a number lies: fine enough for any network's bins. */
const quantileCount = 257;
/** Quantiles, mean and deviation are those of so many rows, drawn by their keys. */
const sampledRows = 100_000;
/** Rarer values of a category are treated as those that were never seen, so that the network learns what to do with such. */
const leastOfValue = 2;
const mostValues = 2000;
/** Planning a statement of thousands of aggregates takes longer than another scan, and samples are held in memory. */
const columnsAtOnce = 32;

interface Counted {
  features: { candidate: Candidate; feature: Feature }[];
  leftOut: LeftOut[];
}

/** `rows` is SQL with the columns of `rowsSql`. */
export async function countFeatures(
  reader: Reader,
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
    const from = `FROM (${rows(group)}) WHERE part = 0`;
    const [counts = {}] = await reader.query(`SELECT ${group.flatMap(aggregates).join(', ')} ${from}`);
    const samples = await sample(reader, group, { from, trainingRows });
    for (const [i, candidate] of group.entries()) {
      const [count = 0, min = 0, max = 0] = ['count', 'min', 'max'].map(name => Number(counts[`${name}_${i}`]));
      const values = samples.get(candidate) ?? new Float64Array();
      found.set(
        candidate,
        describe(candidate, { nulls: trainingRows - count, count, min, max, values, dimension: encoderDimension }),
      );
    }
  }
  for (const candidate of candidates.filter(({ kind }) => kind === 'category')) {
    const values = await reader.query(
      `SELECT c0 AS value, count(*)::DOUBLE AS count FROM (${rows([candidate])}) WHERE part = 0
        GROUP BY c0 HAVING count(*) >= ${leastOfValue} OR c0 = '' ORDER BY count DESC, value LIMIT ${mostValues + 1}`,
    );
    const nulls = Number(values.find(({ value }) => value === '')?.['count'] ?? 0);
    const texts = values
      .map(({ value }) => String(value))
      .filter(text => text !== '')
      .slice(0, mostValues);
    // Values that occur once are one value, the unseen one.
    const rare = trainingRows - values.reduce((sum, { count }) => sum + Number(count), 0);
    const varied = texts.length + Math.min(nulls, 1) + Math.min(rare, 1) > 1;
    found.set(
      candidate,
      varied
        ? { name: candidate.name, kind: 'category', values: texts, nulls, rare }
        : rare > 0
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

/** SQL of a column's number, NULL where it has none. A date's is in seconds since 1970. */
function numberSql({ kind }: Candidate, column: string): string {
  if (kind === 'text') return `nullif(${column}, '')`;
  if (kind === 'date') return `epoch(TRY_CAST(nullif(${column}, '') AS TIMESTAMP))`;
  return `CASE WHEN isfinite(${column}) THEN ${column} END`;
}

function aggregates(candidate: Candidate, i: number): string[] {
  const value = numberSql(candidate, `c${i}`);
  const count = `count(${value})::DOUBLE AS count_${i}`;
  return candidate.kind === 'text' ? [count] : [count, `min(${value}) AS min_${i}`, `max(${value}) AS max_${i}`];
}

/** Numbers and dates of rows that are drawn by their keys, in ascending order. DuckDB takes far longer for so many quantiles. */
async function sample(
  reader: Reader,
  group: Candidate[],
  { from, trainingRows }: { from: string; trainingRows: number },
): Promise<Map<Candidate, Float64Array>> {
  const drawn = group.flatMap((candidate, i) =>
    candidate.kind === 'number' || candidate.kind === 'date' ? [{ candidate, i }] : [],
  );
  if (drawn.length === 0) return new Map();
  const share =
    trainingRows > sampledRows ? ` AND key % 1000000 < ${Math.ceil((sampledRows / trainingRows) * 1e6)}` : '';
  const columns = drawn.map(({ candidate, i }) => `coalesce(${numberSql(candidate, `c${i}`)}, 'NaN'::DOUBLE)`);
  const pieces: ColumnBatch[][] = drawn.map(() => []);
  for await (const batch of reader.stream(`SELECT ${columns.join(', ')} ${from}${share}`))
    for (const [i, column] of batch.columns.entries()) pieces[i]?.push(column);
  return new Map(drawn.map(({ candidate }, i) => [candidate, ascending(pieces[i] ?? [])]));
}

function ascending(pieces: ColumnBatch[]): Float64Array {
  const all = new Float64Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces)
    for (const value of piece) if (typeof value === 'number' && !Number.isNaN(value)) all[at++] = value;
  return all.subarray(0, at).toSorted();
}

interface Counts {
  count: number;
  nulls: number;
  min: number;
  max: number;
  /** Of the sample, ascending. */
  values: Float64Array;
  dimension: number;
}

/** The feature, or why it is none. */
function describe({ name, kind }: Candidate, counts: Counts): Feature | string {
  const { count, nulls, min, max, values, dimension } = counts;
  if (count === 0) return 'no training row has a value';
  if (kind === 'text') return { name, kind, dimension, nulls };
  if (min === max && nulls === 0) return constant;
  if (kind === 'boolean') return { name, kind, nulls };
  // The sample may have missed the ends.
  const quantiles = [min, ...quantilesOf(values).slice(1, -1), max];
  let mean = 0;
  for (const [i, value] of values.entries()) mean += (value - mean) / (i + 1);
  // Squares of very large numbers would be beyond f64.
  const scale = Math.max(Math.abs(min), Math.abs(max)) || 1;
  const squares = values.reduce((sum, value) => sum + ((value - mean) / scale) ** 2, 0);
  const deviation = scale * Math.sqrt(squares / Math.max(1, values.length));
  return { name, kind: kind === 'date' ? 'date' : 'number', quantiles, mean, deviation, nulls };
}

/** At evenly spaced probabilities, between two values by their distance. */
function quantilesOf(ascendingValues: Float64Array): number[] {
  if (ascendingValues.length === 0) return [];
  return Array.from({ length: quantileCount }, (_, mark) => {
    const place = (mark / (quantileCount - 1)) * (ascendingValues.length - 1);
    const [low = NaN, high = low] = ascendingValues.subarray(Math.floor(place), Math.floor(place) + 2);
    return low + (high - low) * (place - Math.floor(place));
  });
}
