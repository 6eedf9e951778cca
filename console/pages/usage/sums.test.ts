// Sums of usage lose nothing, however many models there are.
import { expect, test } from 'vitest';
import { type Series, barsByDay, mostSeries, sumBy } from './sums.ts';

const models = Array.from({ length: 9 }, (_, index) => `model_${index}`);
const series: Series = {
  from: '2026-01-01T00:00:00.000Z',
  to: '2026-01-07T15:00:00.000Z',
  rows: models.flatMap((model, index) =>
    ['2026-01-05T00:00:00.000Z', '2026-01-07T00:00:00.000Z'].map(at => ({
      at,
      model,
      key_id: index % 2 === 0 ? 'key_a' : 'key_gone',
      requests: 1,
      tokens: 10 * (index + 1),
      cost_usd: index,
      duration_ms: 5,
    })),
  ),
  keys: { key_a: 'search service' },
};

test('the bars of all series together are what was used, with days of nothing between', () => {
  const { names, bars } = barsByDay(series, { by: 'model', measure: 'tokens', days: 7, others: 'Others' });
  expect(names).toEqual([...models.toReversed().slice(0, mostSeries), 'Others']);
  expect(bars.map(({ day, values }) => [day, values.reduce((sum, value) => sum + value, 0)])).toEqual([
    ['2026-01-01', 0],
    ['2026-01-02', 0],
    ['2026-01-03', 0],
    ['2026-01-04', 0],
    ['2026-01-05', 450],
    ['2026-01-06', 0],
    ['2026-01-07', 450],
  ]);
});

test('a key is called by its name, and by its id when it has none', () => {
  expect(sumBy(series, 'key').map(({ name, requests }) => [name, requests])).toEqual([
    ['search service', 10],
    ['key_gone', 8],
  ]);
});
