// A job's status and kind in words.
import type { Answer } from '../../api/index.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { useJobsText } from './text.ts';

export type Job = Answer<'listJobs'>['data'][number];
export const statuses = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly Job['status'][];

const tones: Record<Job['status'], Tone> = {
  queued: 'plain',
  running: 'accent',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warn',
};

export function useStatusName(): (status: Job['status']) => string {
  const text = useJobsText();
  return status => text(status === 'cancelled' ? 'cancelledStatus' : status);
}

export function useKindName(): (kind: string) => string {
  const text = useJobsText();
  return kind => (kind === 'train' || kind === 'process' ? text(kind) : kind);
}

export function JobStatus({ status }: { status: Job['status'] }) {
  const name = useStatusName();
  return <Badge tone={tones[status]}>{name(status)}</Badge>;
}

export function isOver(status: Job['status']): boolean {
  return status !== 'queued' && status !== 'running';
}

/** How long it ran, or has been running; null before it began. */
export function ranMs(job: Pick<Job, 'started_at' | 'finished_at'>): number | null {
  if (!job.started_at) return null;
  return (job.finished_at ? new Date(job.finished_at).getTime() : Date.now()) - new Date(job.started_at).getTime();
}
