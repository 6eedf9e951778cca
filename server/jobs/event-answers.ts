// The events of a job in an answer: as they happen, or as a page.
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type Context, Raw } from '../http/index.ts';
import type { ServedJobs } from './jobs.ts';
import type { JobEvent } from './store.ts';
import type { Job } from './types.ts';

const heartbeatMs = 15_000;
/** After a broken connection, clients wait so long before the next. */
const retryMs = 2000;

type Following = Pick<Context<never>, 'headers' | 'signal' | 'reply' | 'admitted'> & {
  query: { limit: number; after?: number | undefined };
};

/** Server-sent events from `after` or `Last-Event-ID` on, until the job has ended; a page of JSON for who asks for that. */
export async function answerWithEvents(
  jobs: Pick<ServedJobs, 'events' | 'follow'>,
  { query, headers, signal, reply, admitted }: Following,
  job: Job,
  everyMs = heartbeatMs,
): Promise<Raw> {
  const after = query.after ?? lastEventId(headers['last-event-id']);
  if (wantsJson(headers.accept)) {
    const page = await jobs.events(job, after, query.limit + 1);
    return new Raw(
      JSON.stringify({ data: page.slice(0, query.limit).map(shownEvent), has_more: page.length > query.limit }),
    );
  }
  // Browsers connect again after every end, but not after a 204.
  if (job.finishedAt && (await jobs.events(job, after, 1)).length === 0) {
    reply.code(204);
    return new Raw('', 'text/event-stream');
  }
  const over = new AbortController();
  const events = jobs.follow(job, after, AbortSignal.any([signal, over.signal]));
  const text = serverSentEvents(events, { everyMs, admitted, end: () => over.abort() });
  return new Raw(Readable.from(text, { objectMode: false }), 'text/event-stream; charset=utf-8');
}

function wantsJson(accept = ''): boolean {
  return accept.includes('application/json') && !accept.includes('text/event-stream');
}

function lastEventId(given: string | string[] | undefined): number {
  if (given === undefined || given === '') return 0;
  if (typeof given === 'string' && /^\d{1,9}$/.test(given)) return Number(given);
  throw new ApiError('INVALID_PARAMETER', {
    message: 'Last-Event-ID must be the id of an event',
    param: 'Last-Event-ID',
  });
}

function shownEvent({ number, type, data, at }: JobEvent) {
  return { id: number, event: type, data, created_at: at.toISOString() };
}

/**
 * The wire format, with a comment every 15 seconds so that nobody on the way takes the connection for dead. As often it is asked whether
 * the caller may still read: a key that was revoked, or a session that has ended, ends the stream.
 */
async function* serverSentEvents(
  lists: AsyncGenerator<JobEvent[]>,
  { everyMs, admitted, end }: { everyMs: number; admitted: () => Promise<boolean>; end: () => void },
): AsyncGenerator<string> {
  yield `retry: ${retryMs}\n\n`;
  try {
    let next = lists.next();
    let silence = sleep(everyMs, 'silence' as const, { ref: false });
    for (;;) {
      const result = await Promise.race([next, silence]);
      if (result === 'silence') {
        if (!(await admitted())) return;
        yield ': still here\n\n';
        silence = sleep(everyMs, 'silence' as const, { ref: false });
        continue;
      }
      if (result.done) return;
      yield result.value
        .map(({ number, type, data }) => `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
        .join('');
      next = lists.next();
    }
  } finally {
    // Or the list that is waited for would have to come before the end.
    end();
    await lists.return(undefined);
  }
}
