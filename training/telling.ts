// Whether any feature can tell rows apart, asked of the whole table before there is a job; statistics.ts says it of the training rows.
import type { Reader } from '@vectorium/tables';
import { rawSql } from './columns.ts';
import type { Candidate, LeftOut } from './columns.ts';
import { TrainingError } from './errors.ts';
import { targetSql } from './target.ts';
import type { TargetColumn } from './target.ts';
import type { ModelKind } from './types.ts';

/** Planning a statement of thousands of aggregates takes longer than another scan. */
const columnsAtOnce = 64;

/** Throws TrainingError when each of them has one value in all rows, or fewer than two values that occur twice. Stops at the first that tells rows apart. */
export async function checkTelling(
  reader: Reader,
  features: Candidate[],
  { kind, target }: { kind: ModelKind; target: TargetColumn },
): Promise<void> {
  const rows = `FROM ${reader.table} WHERE ${targetSql(target, kind)} IS NOT NULL`;
  const scaled = features.filter(feature => feature.kind !== 'category');
  for (let start = 0; start < scaled.length; start += columnsAtOnce) {
    // What is missing is NaN or the empty text, a value like others.
    const varied = scaled.slice(start, start + columnsAtOnce).map(feature => {
      const value = rawSql(feature);
      return `min(${value}) IS DISTINCT FROM max(${value})`;
    });
    const [row = {}] = await reader.query(`SELECT ${varied.join(' OR ')} AS varied ${rows}`);
    if (row['varied'] === true) return;
  }
  const leftOut: LeftOut[] = scaled.map(({ name }) => ({ name, reason: 'all rows have the same value' }));
  for (const feature of features.filter(each => each.kind === 'category')) {
    const value = rawSql(feature);
    const known = await reader.query(
      `SELECT ${value} AS value ${rows} GROUP BY value HAVING count(*) > 1 OR value = '' LIMIT 2`,
    );
    if (known.length > 1) return;
    leftOut.push({ name: feature.name, reason: 'fewer than two values occur twice' });
  }
  throw nothingTells(leftOut);
}

export function nothingTells(leftOut: LeftOut[]): TrainingError {
  const reasons = leftOut.map(({ name, reason }) => `${JSON.stringify(name)}: ${reason}`);
  return new TrainingError('NOT_TRAINABLE', `No feature tells rows apart: ${reasons.join('; ')}`, 'config.features');
}
