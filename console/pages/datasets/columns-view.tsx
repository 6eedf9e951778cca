// What each column of a version holds, in full.
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card, Facts } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import type { WholeDataset } from './dataset.tsx';
import { cellText } from './grid/cells.ts';
import { Bars, type Profile } from './grid/distribution.tsx';
import { shortType } from './grid/grid.tsx';
import { useProfile } from './rows-view.tsx';
import { useDatasetText } from './text.ts';

export function ColumnsView({ dataset }: { dataset: WholeDataset }) {
  const text = useDatasetText();
  const { columns, error } = useProfile(dataset);
  if (error) return <Problem error={error} />;
  if (!columns)
    return (
      <Card title={text('statistics')} flush>
        <Skeleton lines={6} />
      </Card>
    );
  return (
    <div className="grid gap-4 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-4">
      {columns.map(column => (
        <ColumnCard key={column.name} column={column} rows={dataset.rows} />
      ))}
    </div>
  );
}

function ColumnCard({ column, rows }: { column: Profile; rows: number }) {
  const text = useDatasetText();
  const format = useFormat();
  const {
    name,
    type,
    nulls,
    distinct,
    min,
    max,
    mean,
    standard_deviation: deviation,
    quantiles,
    histogram,
    top,
  } = column;
  const value = (each: unknown) =>
    typeof each === 'number' ? format.decimal(each, Math.abs(each) >= 1000 ? 0 : 3) : cellText(each);
  return (
    <Card title={<span className="break-words">{name}</span>} actions={<Badge>{shortType(type)}</Badge>}>
      {histogram ? (
        <>
          <Bars profile={column} className="h-20" />
          <div className="mt-1 flex justify-between text-xs text-muted">
            <span>{value(min)}</span>
            <span>{value(max)}</span>
          </div>
        </>
      ) : (
        <ul aria-label={text('frequent')} className="flex h-[6.25rem] flex-col gap-1 overflow-hidden text-sm">
          {top.slice(0, 4).map(({ value: each, count }, index) => (
            // Values of a column may be anything.
            // oxlint-disable-next-line react/no-array-index-key
            <li key={index} className="relative flex justify-between gap-3 rounded-sm px-1.5">
              <span
                aria-hidden="true"
                className="absolute inset-y-0 left-0 rounded-sm bg-accent-soft"
                style={{ width: `${(count / Math.max(1, top[0]?.count ?? 1)) * 100}%` }}
              />
              <span className="relative truncate">{cellText(each)}</span>
              <span className="relative shrink-0 text-muted">{format.percent(count / Math.max(1, rows), 1)}</span>
            </li>
          ))}
        </ul>
      )}
      <div className="mt-4 border-t border-line pt-4">
        <Facts
          facts={[
            [text('distinctTitle'), format.number(distinct)],
            [
              text('nulls'),
              nulls === 0 ? '0' : `${format.number(nulls)} (${format.percent(nulls / Math.max(1, rows), 1)})`,
            ],
            ...(mean === null ? [] : [[text('mean'), value(mean)] as const]),
            ...(deviation === null ? [] : [[text('deviation'), value(deviation)] as const]),
            ...(quantiles
              ? ([
                  [text('median'), value(quantiles.p50)],
                  [text('quartiles'), `${value(quantiles.p25)} – ${value(quantiles.p75)}`],
                ] as const)
              : []),
          ]}
        />
      </div>
    </Card>
  );
}
