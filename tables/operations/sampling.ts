// The operations that draw rows by a seed: exactly as many as asked, the same each time.
import { columnsOf } from './steps.ts';
import type { Definition, Step } from './plan.ts';
import { identifier, list, literal } from './sql.ts';
import { double } from './cells.ts';

/** A number of 64 bits for each row that depends on the seed and on where the row stands. */
export const drawn = (row: string, seed: number): string => `hash(${row}::BIGINT, ${seed}::BIGINT)`;

export const sample: Definition = {
  family: 'transform',
  asks: () => true,
  read: params => {
    const n = params.optionalNumber('n', { least: 0, most: 1e12, whole: true });
    const fraction = params.optionalNumber('fraction', { least: 0, most: 1 });
    const seed = params.optionalNumber('seed', { least: 0, most: 2 ** 31, whole: true }) ?? 0;
    if ((n === undefined) === (fraction === undefined))
      throw params.wrong('n', 'or fraction: one of the two must be given');
    return async step => {
      const [counted = {}] = await step.ask(({ from }) => `SELECT count(*)::DOUBLE AS n FROM ${from}`);
      const total = Number(counted['n'] ?? 0);
      const wanted = Math.min(total, n ?? Math.round(total * (fraction ?? 0)));
      const conditions = await cuts(step, [wanted], total, row => drawn(row, seed));
      return {
        kind: 'query',
        rows: 'any',
        row: 'kept',
        needsRow: true,
        sql: ({ from, row }) => `SELECT * FROM ${from} WHERE ${conditions[0]?.(String(row)) ?? 'false'}`,
      };
    };
  },
};

/**
 * Conditions for exactly the first `sizes[0]` rows of a shuffled deck, the next `sizes[1]` and so on; the sorted numbers alone are
 * held (8 bytes a row, spilled when too many).
 */
export async function cuts(
  step: Step,
  sizes: readonly number[],
  total: number,
  draw: (row: string) => string,
): Promise<((row: string) => string)[]> {
  const below: ((row: string) => string)[] = [];
  let end = 0;
  for (const size of sizes) {
    end += size;
    if (end >= total) {
      below.push(() => 'true');
      continue;
    }
    const [cut = {}] = await step.ask(
      ({ from, row }) =>
        `SELECT h::VARCHAR AS hash, r::VARCHAR AS place FROM (SELECT ${draw(String(row))} AS h, ${row} AS r FROM ${from}) ORDER BY h, r LIMIT 1 OFFSET ${end}`,
    );
    const [h, r] = [`${literal(String(cut['hash']))}::UBIGINT`, `${literal(String(cut['place']))}::BIGINT`];
    below.push(row => `(${draw(row)} < ${h} OR (${draw(row)} = ${h} AND ${row} < ${r}))`);
  }
  return below.map((upper, index) => {
    const lower = below[index - 1];
    return lower ? row => `(${upper(row)} AND NOT ${lower(row)})` : upper;
  });
}

export const splitDataset: Definition = {
  family: 'transform',
  asks: () => true,
  read: params => {
    const fractions = params.mapping('fractions').map(([name, value]) => {
      if (typeof value !== 'number' || !(value > 0 && value <= 1))
        throw params.wrong(`fractions.${name}`, 'must be a number above 0, at most 1');
      return { name: params.checkName(name, 'fractions'), value };
    });
    const sum = fractions.reduce((total, { value }) => total + value, 0);
    if (Math.abs(sum - 1) > 1e-9) throw params.wrong('fractions', `must add up to 1, not ${sum}`);
    const seed = params.optionalNumber('seed', { least: 0, most: 2 ** 31, whole: true }) ?? 0;
    const key = params.optionalTexts('key');
    return async step => {
      const ends = fractions.map((_, index) =>
        fractions.slice(0, index + 1).reduce((total, { value }) => total + value, 0),
      );
      if (key === undefined) {
        const [counted = {}] = await step.ask(({ from }) => `SELECT count(*)::DOUBLE AS n FROM ${from}`);
        const total = Number(counted['n'] ?? 0);
        const upTo = ends.map(end => Math.round(total * Math.min(1, end)));
        const sizes = upTo.map((end, index) => end - (upTo[index - 1] ?? 0));
        const conditions = await cuts(step, sizes, total, row => drawn(row, seed));
        return {
          kind: 'split',
          outputs: fractions.map(({ name }, index) => ({
            name,
            where: conditions[index]?.(identifier('\u0001row')) ?? 'false',
          })),
        };
      }
      // Rows of one key stay together, so that the fractions are of the keys, and true on the average.
      const keys = columnsOf(step, key, undefined, 'key').map(({ name }) => `CAST(${identifier(name)} AS VARCHAR)`);
      const share = `(hash(${list([...keys, `${seed}::BIGINT`])}) >> 11)::DOUBLE / 9007199254740992`;
      return {
        kind: 'split',
        outputs: fractions.map(({ name }, index) => ({
          name,
          where:
            list([`${share} >= ${double(ends[index - 1] ?? 0)}`]) +
            (index + 1 < fractions.length ? ` AND ${share} < ${double(ends[index] ?? 1)}` : ''),
        })),
      };
    };
  },
};
