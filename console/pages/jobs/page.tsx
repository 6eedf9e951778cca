// All jobs of the account, newest first; those that run move by themselves.
import { Link } from '@tanstack/react-router';
import { ListChecks } from 'lucide-react';
import { useState } from 'react';
import { useRoute } from '../../api/index.ts';
import { useJobSubject } from '../../api/names.ts';
import { Page } from '../../layout/page.tsx';
import { useCommonText } from '../../messages/common.ts';
import { useFormat } from '../../messages/format.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Empty, Problem, Skeleton } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Select } from '../../ui/select.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { type Job, JobStatus, isOver, ranMs, statuses, useKindName, useStatusName } from './status.tsx';
import { useJobsText } from './text.ts';

const pageRows = 25;

export function JobsPage() {
  const common = useCommonText();
  const text = useJobsText();
  const statusName = useStatusName();
  const kindName = useKindName();
  const [status, setStatus] = useState<Job['status'] | 'all'>('all');
  const [kind, setKind] = useState<'train' | 'process' | 'all'>('all');
  const [limit, setLimit] = useState(pageRows);
  const isFiltered = status !== 'all' || kind !== 'all';
  const query = { limit, ...(status !== 'all' && { status }), ...(kind !== 'all' && { kind }) };
  // A job's own page has its events; the list only looks again now and then.
  const [moving, setMoving] = useState(true);
  const { data, error, refetch, isFetching } = useRoute(
    'listJobs',
    { query },
    { everyMs: moving ? 2000 : 10_000, keep: true },
  );
  const hasMoving = data?.data.some(job => !isOver(job.status)) ?? false;
  if (hasMoving !== moving && data) setMoving(hasMoving);
  const clear = () => {
    setStatus('all');
    setKind('all');
  };
  return (
    <Page
      title={common('jobs')}
      description={text('about')}
      actions={
        <>
          <Select
            label={text('filterKind')}
            hideLabel
            className="w-40"
            value={kind}
            onChange={setKind}
            choices={[
              { value: 'all', label: `${text('filterKind')}: ${common('all')}` },
              { value: 'train', label: kindName('train') },
              { value: 'process', label: kindName('process') },
            ]}
          />
          <Select
            label={text('filterStatus')}
            hideLabel
            className="w-44"
            value={status}
            onChange={setStatus}
            choices={[
              { value: 'all' as const, label: `${text('filterStatus')}: ${common('all')}` },
              ...statuses.map(each => ({ value: each, label: statusName(each) })),
            ]}
          />
        </>
      }
    >
      {error && <Problem error={error} retry={refetch} />}
      {!error && (
        <Card flush>
          {!data ? (
            <Skeleton lines={6} />
          ) : data.data.length > 0 ? (
            <JobTable jobs={data.data} />
          ) : isFiltered ? (
            <Empty
              icon={<ListChecks />}
              title={text('emptyFiltered')}
              action={<Button onClick={clear}>{text('clearFilters')}</Button>}
            />
          ) : (
            <Empty
              icon={<ListChecks />}
              title={text('emptyTitle')}
              action={
                <ButtonLink look="primary" to="/console/datasets">
                  {text('emptyAction')}
                </ButtonLink>
              }
            >
              {text('emptyAbout')}
            </Empty>
          )}
        </Card>
      )}
      {data?.has_more && limit < 100 && (
        <Button className="self-center" busy={isFetching} onClick={() => setLimit(Math.min(100, limit + pageRows))}>
          {common('more')}
        </Button>
      )}
    </Page>
  );
}

function JobTable({ jobs }: { jobs: readonly Job[] }) {
  const common = useCommonText();
  const text = useJobsText();
  const format = useFormat();
  const kindName = useKindName();
  const subjectOf = useJobSubject();
  const columns: Column<Job>[] = [
    {
      id: 'kind',
      title: text('job'),
      cell: job => (
        <Link to="/console/jobs/$id" params={{ id: job.job_id }} className="block py-1.5 hover:text-accent">
          <span className="block font-medium whitespace-nowrap">{subjectOf(job) ?? kindName(job.kind)}</span>
          <span className="block whitespace-nowrap text-muted">
            {kindName(job.kind)}
            <span className="sr-only"> {job.job_id}</span>
          </span>
        </Link>
      ),
    },
    { id: 'status', title: text('status'), cell: job => <JobStatus status={job.status} /> },
    {
      id: 'progress',
      title: text('progress'),
      className: 'min-w-32',
      cell: job =>
        isOver(job.status) ? (
          <span className="block max-w-64 truncate text-muted" title={job.error?.message}>
            {job.error?.message}
          </span>
        ) : (
          <div className="flex items-center gap-3">
            <Progress value={job.status === 'queued' ? null : job.progress} label={text('progress')} />
            <span className="w-9 text-right text-muted">{format.percent(job.progress)}</span>
          </div>
        ),
    },
    {
      id: 'took',
      title: text('took'),
      align: 'end',
      className: 'whitespace-nowrap',
      cell: job => {
        const ms = ranMs(job);
        return ms === null ? <span className="text-faint">{common('none')}</span> : format.duration(ms);
      },
    },
    {
      id: 'created',
      title: text('created'),
      align: 'end',
      className: 'whitespace-nowrap text-muted',
      cell: job => (
        <time dateTime={job.created_at} title={format.time(job.created_at)}>
          {format.ago(job.created_at)}
        </time>
      ),
    },
  ];
  return <Table label={common('jobs')} columns={columns} rows={jobs} rowId={job => job.job_id} />;
}
