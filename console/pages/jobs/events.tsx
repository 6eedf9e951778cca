// What happened in a job, in words where they are known.
import type { JobEvent } from '../../api/job-events.ts';
import { useFormat } from '../../messages/format.ts';
import type { Job } from './status.tsx';
import { statuses, useStatusName } from './status.tsx';
import { useJobsText } from './text.ts';

/** The last of very many events are enough to look at. */
const shownEvents = 200;

export function Events({ events }: { events: readonly JobEvent[] }) {
  const text = useJobsText();
  const say = useWords();
  if (events.length === 0) return <p className="px-5 pb-5 text-muted">{text('noEvents')}</p>;
  return (
    // New ones come on top, and people who hear the page aren't told each one.
    <ol tabIndex={0} aria-label={text('events')} className="max-h-120 overflow-y-auto border-t border-line text-sm">
      {events
        .slice(-shownEvents)
        .toReversed()
        .map(event => {
          const [title, about] = say(event);
          return (
            <li
              key={event.id}
              className="grid grid-cols-[6.5rem_minmax(0,1fr)] gap-3 border-b border-line px-5 py-2 last:border-b-0"
            >
              <span className="font-medium">{title}</span>
              <span className="break-words text-muted">{about}</span>
            </li>
          );
        })}
    </ol>
  );
}

function useWords(): (event: JobEvent) => [title: string, about: string] {
  const text = useJobsText();
  const format = useFormat();
  const statusName = useStatusName();
  return ({ event, data }) => {
    const fields = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
    const number = (name: string) => (typeof fields[name] === 'number' ? fields[name] : null);
    const written = (name: string) => format.decimal(number(name) ?? 0, 4);
    if (event === 'status') {
      const status = statuses.find((each): each is Job['status'] => each === fields['status']);
      return [text('status'), status ? statusName(status) : brief(data)];
    }
    if (event === 'progress') return [text('progress'), format.percent(number('progress') ?? 0)];
    if (event === 'epoch')
      return [
        text('epoch', { number: number('epoch') ?? 0 }),
        [
          text('lossLearnt', { loss: written('training_loss') }),
          ...(number('validation_loss') === null ? [] : [text('lossHeld', { loss: written('validation_loss') })]),
        ].join(' · '),
      ];
    if (event === 'started') {
      const rows = (fields['rows'] ?? {}) as Record<string, number>;
      return [
        text('begun'),
        text('begunAbout', { rows: rows['training'] ?? 0, parameters: number('parameters') ?? 0 }),
      ];
    }
    if (event === 'answer')
      return [text('answer'), `${String(fields['answer'])} (${text('expected')}: ${String(fields['expected'])})`];
    return [event, brief(data)];
  };
}

/** The fields of an event in one line; long lists only by their length. */
function brief(data: unknown): string {
  if (typeof data !== 'object' || data === null) return String(data);
  return Object.entries(data)
    .map(([name, value]) => `${name} ${short(value)}`)
    .join('  ');
}

function short(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
  if (Array.isArray(value)) return `[${value.length}]`;
  const written = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return written.length > 160 ? `${written.slice(0, 160)}…` : written;
}
