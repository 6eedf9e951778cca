// The split: shares are right for every class and size, and the same rows are held out for the same seed.
import { array, assert, double, integer, oneof, property } from 'fast-check';
import { openReader } from '@vectorium/tables';
import { expect, test } from 'vitest';
import { heldOut, rowsSql, splitRows } from './split.ts';
import { workshop } from './testing.ts';
import { chooseTarget } from './target.ts';

const shop = await workshop();
const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);

test('classes have their shares, at least one row of each is left, and a test part comes when there is enough', () => {
  assert(
    property(
      oneof(
        array(integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 60 }),
        array(integer({ min: 1, max: 8 }), { minLength: 100, maxLength: 1000 }),
      ),
      double({ min: 0, max: 0.5, noNaN: true }),
      (counts, share) => {
        const { validation, test: measured } = heldOut(counts, share);
        const total = sum(counts);
        for (const [i, count] of counts.entries()) {
          const out = (validation[i] ?? 0) + (measured[i] ?? 0);
          expect(out).toBeLessThanOrEqual(count - 1);
          expect(Math.abs(out - count * share)).toBeLessThanOrEqual(2);
        }
        const wanted = Math.round(share * total);
        expect(sum(validation) + sum(measured)).toBeLessThanOrEqual(wanted);
        if (wanted < 200) expect(sum(measured)).toBe(0);
        else expect(Math.abs(sum(validation) - sum(measured))).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test('rows are where their numbers say, for this seed', async () => {
  const source = await shop.vega('birdstrikes.csv');
  const reader = await openReader({ source, scratch: shop.folder, memoryBytes: 2 ** 28, maxSpillBytes: 2 ** 20 });
  const target = await chooseTarget(reader, 'classification', { target: 'Effect Amount of damage' });
  const counts = target.classes?.map(({ count }) => count) ?? [];
  const held = async (seed: number) => {
    const split = await splitRows(reader, { kind: 'classification', target, seed, share: 0.2 });
    const sql = rowsSql({
      table: reader.table,
      kind: 'classification',
      target,
      seed,
      features: [],
      bounds: split.bounds,
    });
    const rows = await reader.query(`SELECT part, label::DOUBLE AS label, row_number() OVER () AS n FROM (${sql})`);
    return { split, rows: rows.map(({ part, label }) => ({ part: Number(part), label: Number(label) })) };
  };
  const { split, rows } = await held(1);
  expect(sum(Object.values(split.rows))).toBe(rows.length);
  for (const [part, name] of (['training', 'validation', 'test'] as const).entries()) {
    const own = rows.filter(row => row.part === part);
    expect(own).toHaveLength(split.rows[name]);
    for (const [label, count] of counts.entries()) {
      const found = own.filter(row => row.label === label).length;
      expect(Math.abs(found - count * (name === 'training' ? 0.8 : 0.1))).toBeLessThanOrEqual(2);
    }
  }
  expect((await held(1)).rows).toEqual(rows);
  const other = (await held(2)).rows;
  const both = rows.filter(({ part }, i) => part !== 0 && other[i]?.part !== 0).length;
  expect(both / rows.length).toBeCloseTo(0.04, 1);
  reader.close();
});
