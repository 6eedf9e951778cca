// One job, live: how far it is, what happened, and what came of it.
import { Link, useParams } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import { useState } from 'react';
import { useChange, useMay, useRoute } from '../../api/index.ts';
import { useJobEvents } from '../../api/job-events.ts';
import { useJobSubject } from '../../api/names.ts';
import { Page } from '../../layout/page.tsx';
import { useFormat } from '../../messages/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card, Facts } from '../../ui/card.tsx';
import { CodeBlock, CopyButton } from '../../ui/copy.tsx';
import { Confirm } from '../../ui/dialog.tsx';
import { Problem, Skeleton } from '../../ui/empty.tsx';
import { Progress } from '../../ui/progress.tsx';
import { toast } from '../../ui/toast.tsx';
import { Events } from './events.tsx';
import { type Job, JobStatus, isOver, ranMs, useKindName } from './status.tsx';
import { useJobsText } from './text.ts';

export function JobPage() {
  const { id } = useParams({ from: '/inside/console/jobs/$id' });
  return <Watched key={id} id={id} />;
}

function Watched({ id }: { id: string }) {
  const text = useJobsText();
  const kindName = useKindName();
  const subjectOf = useJobSubject();
  const mayCancel = useMay('member');
  const [asking, setAsking] = useState(false);
  const { data: job, error, refetch } = useRoute('getJob', { params: { id } });
  const { events, live } = useJobEvents(id);
  const cancel = useChange('cancelJob', {
    refresh: ['getJob', 'listJobs'],
    onDone: () => {
      setAsking(false);
      toast(text('cancelled'));
    },
  });
  return (
    <Page
      title={job ? [kindName(job.kind), subjectOf(job)].filter(Boolean).join(': ') : text('job')}
      above={
        <Link to="/console/jobs" className="mb-2 inline-flex items-center gap-1.5 text-sm text-muted hover:text-ink">
          <ArrowLeft className="size-3.5" aria-hidden="true" />
          {text('back')}
        </Link>
      }
      actions={
        job && mayCancel && !isOver(job.status) && <Button onClick={() => setAsking(true)}>{text('cancel')}</Button>
      }
    >
      {error && <Problem error={error} retry={refetch} />}
      {!job && !error && <Skeleton />}
      {job && (
        <>
          <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
            <div className="flex min-w-0 flex-col gap-6">
              <Outcome job={job} />
              <Card
                flush
                title={text('events')}
                description={text('eventsAbout')}
                actions={live && !isOver(job.status) && <Badge tone="accent">{text('live')}</Badge>}
              >
                <Events events={events} />
              </Card>
            </div>
            <Card title={text('job')}>
              <About job={job} />
            </Card>
          </div>
          <Confirm
            open={asking}
            onClose={() => setAsking(false)}
            onConfirm={() => cancel.mutate({ params: { id } })}
            busy={cancel.isPending}
            title={text('cancelTitle')}
            description={text('cancelAbout')}
            action={text('cancel')}
          />
        </>
      )}
    </Page>
  );
}

function Outcome({ job }: { job: Job }) {
  const text = useJobsText();
  const format = useFormat();
  if (!isOver(job.status)) {
    return (
      <Card>
        <div className="flex items-center justify-between pb-3">
          <JobStatus status={job.status} />
          <span className="font-medium">{format.percent(job.progress)}</span>
        </div>
        <Progress value={job.status === 'queued' ? null : job.progress} label={text('progress')} />
      </Card>
    );
  }
  if (job.error) {
    return (
      <Card title={text('error')}>
        <p>{job.error.message}</p>
        <p className="mt-1 font-mono text-xs text-muted">
          {[job.error.code, job.error.param].filter(Boolean).join(' · ')}
        </p>
      </Card>
    );
  }
  if (job.result === undefined) return null;
  return (
    <Card title={text('result')} actions={<ResultLink result={job.result} />}>
      <CodeBlock label={text('result')} code={JSON.stringify(job.result, null, 2)} />
    </Card>
  );
}

function ResultLink({ result }: { result: unknown }) {
  const text = useJobsText();
  const { model_id: model, dataset_id: dataset } = (result ?? {}) as Record<string, unknown>;
  if (typeof model === 'string') {
    return (
      <Link to="/console/models/$id" params={{ id: model }} className="text-sm font-medium text-accent hover:underline">
        {text('openModel')}
      </Link>
    );
  }
  if (typeof dataset !== 'string') return null;
  return (
    <Link
      to="/console/datasets/$id"
      params={{ id: dataset }}
      className="text-sm font-medium text-accent hover:underline"
    >
      {text('openDataset')}
    </Link>
  );
}

function About({ job }: { job: Job }) {
  const text = useJobsText();
  const format = useFormat();
  const ms = ranMs(job);
  return (
    <Facts
      facts={[
        [text('status'), <JobStatus key="status" status={job.status} />],
        [
          'ID',
          <span key="id" className="inline-flex items-center gap-1 font-mono text-xs break-all">
            {job.job_id}
            <CopyButton value={job.job_id} />
          </span>,
        ],
        [text('created'), format.time(job.created_at)],
        ...(job.started_at ? ([[text('started'), format.time(job.started_at)]] as const) : []),
        ...(job.finished_at ? ([[text('finished'), format.time(job.finished_at)]] as const) : []),
        ...(ms === null ? [] : ([[text('took'), format.duration(ms)]] as const)),
      ]}
    />
  );
}
