// Rows of usage summed for plots and tables.
import type { Answer } from '../../api/index.ts';

export type Series = Answer<'getUsageSeries'>;
export type Measure = 'cost_usd' | 'tokens' | 'requests';

/** Series beyond these are summed into one. */
export const mostSeries = 5;

export interface Sum {
  name: string;
  requests: number;
  tokens: number;
  costUsd: number;
  durationMs: number;
}

/** Sums by model or key, the largest cost first, then the most tokens. */
export function sumBy({ rows, keys }: Series, by: 'model' | 'key', modelName = plain): Sum[] {
  const sums = new Map<string, Sum>();
  for (const row of rows) {
    const name = by === 'model' ? modelName(row.model) : (keys[row.key_id] ?? row.key_id);
    const sum = sums.get(name) ?? { name, requests: 0, tokens: 0, costUsd: 0, durationMs: 0 };
    sum.requests += row.requests;
    sum.tokens += row.tokens;
    sum.costUsd += row.cost_usd;
    sum.durationMs += row.duration_ms;
    sums.set(name, sum);
  }
  return [...sums.values()].toSorted((one, other) => other.costUsd - one.costUsd || other.tokens - one.tokens);
}

/** A bar for each of the `days` up to now (UTC), also where nothing was used; `others` names what is beyond the largest. */
export function barsByDay(
  series: Series,
  {
    by,
    measure,
    days,
    others,
    modelName = plain,
  }: { by: 'model' | 'key'; measure: Measure; days: number; others: string; modelName?: (model: string) => string },
): { names: string[]; bars: { day: string; values: number[] }[] } {
  const ranked = sumBy(series, by, modelName)
    .filter(sum => valueOf[measure](sum) > 0)
    .toSorted((one, other) => valueOf[measure](other) - valueOf[measure](one))
    .map(sum => sum.name);
  const shown = ranked.length > mostSeries + 1 ? ranked.slice(0, mostSeries) : ranked;
  const names = shown.length < ranked.length ? [...shown, others] : shown;
  const end = Date.parse(series.to);
  const bars = new Map<string, number[]>();
  for (let back = days - 1; back >= 0; back--)
    bars.set(
      new Date(end - back * 86_400_000).toISOString().slice(0, 10),
      names.map(() => 0),
    );
  for (const row of series.rows) {
    const values = bars.get(row.at.slice(0, 10));
    if (!values) continue;
    const found = shown.indexOf(by === 'model' ? modelName(row.model) : (series.keys[row.key_id] ?? row.key_id));
    const at = found < 0 ? names.length - 1 : found;
    if (at < 0) continue;
    values[at] = (values[at] ?? 0) + row[measure];
  }
  return { names, bars: [...bars].map(([day, values]) => ({ day, values })) };
}

const valueOf: Record<Measure, (sum: Sum) => number> = {
  cost_usd: sum => sum.costUsd,
  tokens: sum => sum.tokens,
  requests: sum => sum.requests,
};

function plain(model: string): string {
  return model;
}
