// The state of a training in a word.
import type { Answer } from '../../api/index.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { useModelText } from './text.ts';

export type Status = Answer<'getTrainedModel'>['status'];

const tones: Record<Status, Tone> = {
  queued: 'plain',
  running: 'accent',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warn',
};

export function ModelStatus({ status }: { status: Status }) {
  const text = useModelText();
  return <Badge tone={tones[status]}>{text(status)}</Badge>;
}

export function isOver(status: Status): boolean {
  return status !== 'queued' && status !== 'running';
}
