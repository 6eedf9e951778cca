// All datasets, and the door for new ones.
import { useNavigate } from '@tanstack/react-router';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { type Answer, useMay, useRoute } from '../../api/index.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { DropZone, UploadList } from './drop-zone.tsx';
import { useDatasetText } from './text.ts';

type Dataset = Answer<'listDatasets'>['data'][number];

const atOnce = 100;

export function DatasetsPage() {
  const common = useCommonText();
  const text = useDatasetText();
  const format = useFormat();
  const navigate = useNavigate();
  const mayChange = useMay('member');
  const [limit, setLimit] = useState(atOnce);
  const { data, error, refetch, isFetching } = useRoute('listDatasets', { query: { limit } }, { keep: true });
  const columns: Column<Dataset>[] = [
    {
      id: 'name',
      title: text('name'),
      cell: ({ dataset_id: id, name, description }) => (
        <div className="max-w-72 min-w-40 py-1.5">
          <Link to="/console/datasets/$id" params={{ id }} className="block truncate font-medium hover:text-accent">
            {name ?? id}
          </Link>
          {description && <div className="truncate text-muted">{description}</div>}
        </div>
      ),
    },
    { id: 'rows', title: text('rowsTitle'), align: 'end', cell: ({ rows }) => format.number(rows) },
    {
      id: 'columns',
      title: text('columnsTitle'),
      align: 'end',
      cell: ({ columns: list }) => format.number(list.length),
    },
    { id: 'version', title: text('version'), align: 'end', cell: ({ version }) => <Badge>{version}</Badge> },
    {
      id: 'size',
      title: text('size'),
      align: 'end',
      cell: ({ size_bytes: bytes }) => <span className="whitespace-nowrap">{format.bytes(bytes)}</span>,
    },
    {
      id: 'created',
      title: text('changed'),
      align: 'end',
      cell: ({ created_at: at }) => (
        <time dateTime={at} title={format.time(at)} className="whitespace-nowrap text-muted">
          {format.ago(at)}
        </time>
      ),
    },
  ];
  const storage = data?.storage;
  return (
    <Page title={common('datasets')} description={text('about')}>
      {mayChange && <DropZone />}
      <UploadList />
      {error && <Problem error={error} retry={refetch} />}
      {!data && !error && (
        <Card flush>
          <Skeleton />
        </Card>
      )}
      {data && data.data.length === 0 && <Steps />}
      {data && data.data.length > 0 && (
        <Card
          flush
          title={text('yours')}
          actions={
            storage && (
              <div className="w-56 text-right text-sm text-muted">
                {storage.limit_bytes === null
                  ? text('usedUnlimited', { used: format.bytes(storage.used_bytes) })
                  : text('usedOf', {
                      used: format.bytes(storage.used_bytes),
                      limit: format.bytes(storage.limit_bytes),
                    })}
                {storage.limit_bytes !== null && (
                  <div className="mt-1.5">
                    <Progress
                      label={text('storage')}
                      value={storage.used_bytes / storage.limit_bytes}
                      tone={storage.used_bytes > storage.limit_bytes * 0.9 ? 'warn' : 'accent'}
                    />
                  </div>
                )}
              </div>
            )
          }
        >
          <Table
            label={text('yours')}
            columns={columns}
            rows={data.data}
            rowId={row => row.dataset_id}
            onRow={row => void navigate({ to: '/console/datasets/$id', params: { id: row.dataset_id } })}
          />
          {data.has_more && (
            <div className="border-t border-line p-3 text-center">
              <Button size="small" busy={isFetching} onClick={() => setLimit(Math.min(1000, limit + atOnce))}>
                {common('more')}
              </Button>
            </div>
          )}
        </Card>
      )}
    </Page>
  );
}

/** What a dataset is good for, for those who have none. */
function Steps() {
  const text = useDatasetText();
  return (
    <ol className="grid gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card sm:grid-cols-3">
      {([1, 2, 3] as const).map(step => (
        <li key={step} className="bg-surface px-5 py-4">
          <span className="flex size-6 items-center justify-center rounded-full bg-accent-soft text-sm font-semibold text-accent">
            {step}
          </span>
          <h3 className="mt-3 font-medium">{text(`step${step}`)}</h3>
          <p className="mt-1 text-sm text-muted">{text(`step${step}About`)}</p>
        </li>
      ))}
    </ol>
  );
}
