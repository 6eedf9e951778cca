// Scores of many systems on many tables as a page: a line a table, and mean ranks.

/** Of one run on the test rows; a lower one is better. */
export interface Score {
  table: string;
  system: string;
  seed: number;
  seconds: number;
  rmse?: number;
  error?: number;
  log_loss?: number;
}

type Measure = 'rmse' | 'error' | 'log_loss';

export function report(scores: readonly Score[]): string {
  const everywhere = systemsOfAllTables(scores);
  const rest = distinct(scores.map(({ system }) => system)).filter(system => !everywhere.includes(system));
  const parts = [
    ...rankings('all systems, the tables that each of them was tried on', scores),
    ...(rest.length > 0
      ? rankings(
          `all tables, without ${rest.join(' and ')}`,
          scores.filter(({ system }) => everywhere.includes(system)),
        )
      : []),
    table('Log-loss of classes', scores, 'log_loss'),
    table('Error rate of classes', scores, 'error'),
    table('RMSE of numbers', scores, 'rmse'),
    seconds(scores),
  ];
  return parts.join('\n\n');
}

function systemsOfAllTables(scores: readonly Score[]): string[] {
  const tables = distinct(scores.map(({ table: name }) => name)).length;
  const tablesOf = (of: string) =>
    distinct(scores.filter(({ system }) => system === of).map(({ table: name }) => name));
  return distinct(scores.map(({ system }) => system)).filter(system => tablesOf(system).length === tables);
}

/** Means over the seeds by table and system. */
function means(scores: readonly Score[], measure: Measure): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>();
  for (const name of distinct(scores.map(({ table: of }) => of))) {
    const row = new Map<string, number>();
    for (const system of distinct(scores.map(({ system: of }) => of))) {
      const values = valuesOf(scores, { name, system, measure });
      if (values.length > 0) row.set(system, mean(values));
    }
    if (row.size > 0) found.set(name, row);
  }
  return found;
}

const rankings = (what: string, scores: readonly Score[]): string[] => [
  ranks(`Mean rank by log-loss and RMSE: ${what}`, scores, ['log_loss', 'rmse']),
  ranks(`Mean rank by error rate and RMSE: ${what}`, scores, ['error', 'rmse']),
];

/** Over the tables that every system has. */
function ranks(title: string, scores: readonly Score[], measures: readonly Measure[]): string {
  const places = new Map<string, number[]>();
  const systems = distinct(scores.map(({ system }) => system)).length;
  for (const row of measures.flatMap(measure => [...means(scores, measure).values()])) {
    if (row.size < systems) continue;
    for (const [system, value] of row) {
      const others = [...row.values()];
      // Equal ones share the mean of their places.
      const place =
        others.filter(other => other < value).length + (others.filter(other => other === value).length + 1) / 2;
      places.set(system, [...(places.get(system) ?? []), place]);
    }
  }
  const lines = [...places]
    .map(([system, list]) => ({
      system,
      rank: mean(list),
      first: list.filter(place => place < 2).length,
      tables: list.length,
    }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ system, rank, first, tables }) => `| ${system} | ${rank.toFixed(2)} | ${first} of ${tables} |`);
  return [`## ${title}`, '', '| system | mean rank | best on |', '|---|---|---|', ...lines].join('\n');
}

function table(title: string, scores: readonly Score[], measure: Measure): string {
  const systems = distinct(scores.map(({ system }) => system));
  const rows = [...means(scores, measure)].map(([name, row]) => {
    const best = Math.min(...row.values());
    const cells = systems.map(system => {
      const value = row.get(system);
      if (value === undefined) return '–';
      const spread = deviation(valuesOf(scores, { name, system, measure }));
      const text = `${short(value)}${spread > 0 ? ` ± ${short(spread)}` : ''}`;
      return value === best ? `**${text}**` : text;
    });
    return `| ${[name, ...cells].join(' | ')} |`;
  });
  return [
    `## ${title}`,
    '',
    `| table | ${systems.join(' | ')} |`,
    `|${'---|'.repeat(systems.length + 1)}`,
    ...rows,
  ].join('\n');
}

function seconds(scores: readonly Score[]): string {
  const lines = distinct(scores.map(({ system }) => system)).map(system => {
    const all = scores.filter(score => score.system === system).map(score => score.seconds);
    return `| ${system} | ${median(all).toFixed(1)} | ${Math.max(...all).toFixed(1)} |`;
  });
  return ['## Seconds of training', '', '| system | median | longest |', '|---|---|---|', ...lines].join('\n');
}

// ---- helpers

const valuesOf = (
  scores: readonly Score[],
  { name, system, measure }: { name: string; system: string; measure: Measure },
): number[] => scores.flatMap(score => (score.table === name && score.system === system ? (score[measure] ?? []) : []));
const distinct = (values: readonly string[]): string[] => [...new Set(values)];
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  Math.sqrt(mean(values.map(value => (value - mean(values)) ** 2)));
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const short = (value: number): string => String(Number(value.toPrecision(4)));
