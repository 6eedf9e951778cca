// Which rows are trained on, which choose the epoch, and which measure the result.
//
// A row's place follows from (seed, row number) alone: each row has a key, MD5 of the two, and of each class those with the smallest
// keys are held out. So nothing is kept by row: two keys a class say it all, and SQL computes them again whenever rows are read.
import { literal } from '@vectorium/tables';
import type { Reader } from '@vectorium/tables';
import type { Candidate } from './columns.ts';
import { rawSql } from './columns.ts';
import type { TargetColumn } from './target.ts';
import { targetSql } from './target.ts';
import type { ModelKind } from './types.ts';

export const parts = { training: 0, validation: 1, test: 2 } as const;
export type Part = keyof typeof parts;

export interface Split {
  rows: Record<Part, number>;
  /** By class (one of a regression): the key from which rows are no longer validation, and that from which they are no longer test. */
  bounds: [string, string][];
}

/** Without a choice, tables that are smaller than this are trained on whole. */
const leastRowsToSplit = 50;
const defaultShare = 0.15;
/** From so many held-out rows on, half of them choose and half of them measure. */
const leastRowsToDivide = 200;
/** More measure nothing better, and cost time at every epoch. */
const mostRowsOfPart = 100_000;
/** Of a part's probabilities, which are held in memory. */
const mostValuesOfPart = 2 ** 24;

/** How many rows of each class are held out; a class whose rows are too few for its share gives fewer, and no other gives more. */
export function heldOut(counts: number[], share: number): { validation: number[]; test: number[] } {
  const total = sum(counts);
  const most = Math.min(mostRowsOfPart, Math.floor(mostValuesOfPart / counts.length));
  const wanted = Math.round(share * total);
  const divided = wanted >= leastRowsToDivide;
  const validation = Math.min(most, divided ? Math.ceil(wanted / 2) : wanted);
  const test = divided ? Math.min(most, Math.floor(wanted / 2)) : 0;
  // Of each class a row at least is left to train on.
  const both = shares(counts, (validation + test) / total).map((own, i) => Math.min(own, (counts[i] ?? 0) - 1));
  const first = shares(both, validation / Math.max(1, validation + test));
  return { validation: first, test: both.map((count, i) => count - (first[i] ?? 0)) };
}

/** A share of each count, rounded so that the sum of the first n is right for every n. */
function shares(counts: number[], share: number): number[] {
  let before = 0;
  return counts.map(count => {
    const given = Math.round(before * share);
    before += count;
    return Math.round(before * share) - given;
  });
}

export async function splitRows(
  reader: Reader,
  { kind, target, seed, share }: { kind: ModelKind; target: TargetColumn; seed: number; share: number | undefined },
): Promise<Split> {
  const counts = target.classes?.map(({ count }) => count) ?? [target.rows];
  const chosen = share ?? (target.rows < leastRowsToSplit ? 0 : defaultShare);
  const { validation, test } = heldOut(counts, chosen);
  const rows = { validation: sum(validation), test: sum(test), training: 0 };
  rows.training = target.rows - rows.validation - rows.test;
  const bounds = counts.map((): [string, string] => ['0', '0']);
  if (rows.validation > 0) {
    const wanted = counts.flatMap((_, label) => {
      const [own = 0, others = 0] = [validation[label], test[label]];
      return [`(${label}, 0, ${own + 1})`, `(${label}, 1, ${own + others + 1})`];
    });
    const found = await reader.query(
      `SELECT w.label::DOUBLE AS label, w.place::DOUBLE AS place, CAST(k.key AS VARCHAR) AS key FROM
        (SELECT label, key, row_number() OVER (PARTITION BY label ORDER BY key) AS n
          FROM (${labelledSql({ table: reader.table, kind, target, seed, features: [] })})) k
        JOIN (VALUES ${wanted.join(', ')}) w(label, place, n) ON w.label = k.label AND w.n = k.n`,
    );
    for (const { label, place, key } of found) {
      const bound = bounds[Number(label)];
      if (bound) bound[Number(place)] = String(key);
    }
  }
  return { rows, bounds };
}

const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0);

export interface RowsOfPlan {
  table: string;
  kind: ModelKind;
  target: Pick<TargetColumn, 'name' | 'sqlType' | 'classes'>;
  seed: number;
  features: Candidate[];
}

/**
 * SQL: the rows that have a target, in their order: `part`, `label` (class or 0), `y` (DOUBLE), `key`, and raw values `c0` …
 * Classes are found in lists, not by joins, which would give rows in another order where the table is the smaller side.
 */
export function rowsSql(plan: RowsOfPlan & { bounds: Split['bounds'] }): string {
  const bound = (place: 0 | 1) =>
    plan.bounds.length === 1
      ? `${plan.bounds[0]?.[place] ?? 0}::UBIGINT`
      : `list_extract([${plan.bounds.map(bounds => `${bounds[place]}::UBIGINT`).join(', ')}], label + 1)`;
  return `SELECT CASE WHEN key < ${bound(0)} THEN 1::DOUBLE WHEN key < ${bound(1)} THEN 2::DOUBLE ELSE 0::DOUBLE END AS part, *
    FROM (${labelledSql(plan)})`;
}

function labelledSql({ table, kind, target, seed, features }: RowsOfPlan): string {
  const columns = features.map((feature, i) => `, ${rawSql(feature)} AS c${i}`).join('');
  const rows = `SELECT md5_number_lower(concat('${seed}:', row_number() OVER ())) AS key, ${targetSql(target, kind)} AS t${columns} FROM ${table}`;
  if (!target.classes) return `SELECT *, 0 AS label, t AS y FROM (${rows}) WHERE t IS NOT NULL`;
  const classes = target.classes.map(({ text }) => literal(text)).join(', ');
  return `SELECT *, label::DOUBLE AS y FROM (SELECT *, list_position([${classes}], t) - 1 AS label FROM (${rows})) WHERE label >= 0`;
}
