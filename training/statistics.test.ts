// What is counted of the training rows, against DuckDB's own aggregates.
import { openReader } from '@vectorium/tables';
import { expect, test } from 'vitest';
import { chooseFeatures } from './columns.ts';
import { rowsSql, splitRows } from './split.ts';
import { countFeatures } from './statistics.ts';
import { chooseTarget } from './target.ts';
import { workshop } from './testing.ts';

const shop = await workshop();
const source = await shop.vega('cars.json');
const reader = await openReader({ source, scratch: shop.folder, memoryBytes: 2 ** 28, maxSpillBytes: 2 ** 20 });

test('quantiles, means, nulls and frequent values are those of the training rows', async () => {
  const config = { target: 'Miles_per_Gallon' };
  const target = await chooseTarget(reader, 'regression', config);
  const chosen = await chooseFeatures(reader, { config, target: target.name, encoder: null });
  const split = await splitRows(reader, { kind: 'regression', target, seed: 4, share: 0.3 });
  const plan = { table: reader.table, kind: 'regression' as const, target, seed: 4, bounds: split.bounds };
  const { features } = await countFeatures(reader, chosen.features, {
    rows: own => rowsSql({ ...plan, features: own }),
    trainingRows: split.rows.training,
    encoderDimension: 0,
  });
  // The rows as they are numbered, joined to the parts.
  const rows = `(SELECT t.* FROM (SELECT *, row_number() OVER () AS n FROM (SELECT * FROM ${reader.table} WHERE Miles_per_Gallon IS NOT NULL)) t
    JOIN (SELECT part, row_number() OVER () AS n FROM (${rowsSql({ ...plan, features: [] })})) p USING (n) WHERE p.part = 0)`;
  const [expected = {}] = await reader.query(
    `SELECT avg(Horsepower) AS mean, stddev_pop(Horsepower) AS deviation, (count(*) - count(Horsepower))::DOUBLE AS nulls,
      quantile_cont(Horsepower::DOUBLE, [0, 0.25, 0.5, 1]) AS quantiles, epoch(min("Year")::TIMESTAMP) AS first FROM ${rows}`,
  );
  const found = new Map(features.map(({ feature }) => [feature.name, feature]));
  const power = found.get('Horsepower');
  if (power?.kind !== 'number') throw new Error('Horsepower is no number');
  expect(power.mean).toBeCloseTo(Number(expected['mean']), 8);
  expect(power.deviation).toBeCloseTo(Number(expected['deviation']), 8);
  expect(power.nulls).toBe(expected['nulls']);
  expect(power.quantiles).toHaveLength(257);
  expect([0, 64, 128, 256].map(mark => power.quantiles[mark])).toEqual(expected['quantiles']);
  const year = found.get('Year');
  expect(year?.kind === 'date' && year.quantiles[0]).toBe(expected['first']);
  const origins = await reader.query(`SELECT Origin AS v, count(*) FROM ${rows} GROUP BY v ORDER BY count(*) DESC, v`);
  const origin = found.get('Origin');
  expect(origin?.kind === 'category' && origin.values).toEqual(origins.map(({ v }) => v));
});
