// The rows of a version, with what each column holds in the head.
import { useMemo, useState } from 'react';
import { useRoute } from '../../api/index.ts';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem } from '../../ui/empty.tsx';
import type { WholeDataset } from './dataset.tsx';
import { Distribution } from './grid/distribution.tsx';
import { Grid } from './grid/grid.tsx';
import { useRowPages } from './grid/pages.ts';
import { useDatasetText } from './text.ts';

export const headHeight = 96;

/** The statistics of a version: those that came with it, or as soon as they are computed. */
export function useProfile(dataset: WholeDataset) {
  const reference = `${dataset.dataset_id}@${dataset.version}`;
  const { data, error } = useRoute(
    'getProfile',
    { params: { id: reference } },
    { enabled: dataset.statistics === null },
  );
  return { columns: dataset.statistics ?? data?.columns ?? null, error };
}

export function RowsView({ dataset }: { dataset: WholeDataset }) {
  const text = useDatasetText();
  const reference = `${dataset.dataset_id}@${dataset.version}`;
  const [seen, setSeen] = useState({ first: 0, end: 30 });
  const { row, problem, retry } = useRowPages(reference, { first: seen.first, end: Math.min(seen.end, dataset.rows) });
  const profile = useProfile(dataset).columns;
  const columns = useMemo(
    () =>
      dataset.columns.map(({ name, type }) => {
        const own = profile?.find(each => each.name === name);
        return { name, type, head: own && <Distribution profile={own} rows={dataset.rows} /> };
      }),
    [dataset.columns, dataset.rows, profile],
  );
  if (dataset.rows === 0)
    return (
      <Card flush>
        <Empty title={text('noRows')} />
      </Card>
    );
  return (
    <div className="flex flex-col gap-3">
      {problem && <Problem error={problem} retry={retry} />}
      <Grid
        key={reference}
        label={text('tableOf', { name: dataset.name ?? dataset.dataset_id })}
        columns={columns}
        rows={dataset.rows}
        row={row}
        onWindow={setSeen}
        headHeight={headHeight}
        className="h-[calc(100dvh-17rem)] min-h-96 rounded-xl border border-line shadow-card"
      />
    </div>
  );
}
