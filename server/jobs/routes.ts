// The routes about jobs.
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { routes } from '@vectorium/contract';
import { ApiError, type App, mount, Raw } from '../http/index.ts';
import { answerWithJob, shownJob } from './answers.ts';
import type { ServedJobs } from './jobs.ts';
import type { JobEvent } from './store.ts';
import type { Job } from './types.ts';

/** How long the answer to a cancel waits for the job to stop. */
const cancelWaitSeconds = 2;
const heartbeatMs = 15_000;
/** After a broken connection, clients wait so long before the next. */
const retryMs = 2000;

export function mountJobRoutes(app: App, jobs: ServedJobs): void {
  async function existing(accountId: string, id: string): Promise<Job> {
    return (await jobs.get(accountId, id)) ?? missing(id);
  }

  mount(app, routes.listJobs, async ({ caller, query: { limit, ...query } }) => {
    const page = await jobs.list(caller.account.id, { ...query, limit: limit + 1 });
    return { data: page.slice(0, limit).map(shownJob), has_more: page.length > limit };
  });

  mount(app, routes.getJob, async ({ caller, params, ...context }) =>
    answerWithJob(jobs, context, await existing(caller.account.id, params.id), 0),
  );

  mount(app, routes.cancelJob, async ({ caller, params, signal }) => {
    const { id: accountId } = caller.account;
    if (!(await jobs.cancel(accountId, params.id))) missing(params.id);
    const job = await jobs.wait(accountId, params.id, { seconds: cancelWaitSeconds, signal });
    return shownJob(job ?? missing(params.id));
  });

  // Whoever waits for a job would keep a server that stops waiting for them.
  app.fastify.addHook('preClose', async () => jobs.release());

  mount(app, routes.getJobEvents, async ({ caller, params, query, headers, signal, reply }) => {
    const job = await existing(caller.account.id, params.id);
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
    const events = jobs.follow(job, after, signal);
    return new Raw(Readable.from(serverSentEvents(events), { objectMode: false }), 'text/event-stream; charset=utf-8');
  });
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

/** The wire format, with a comment every 15 seconds so that nobody on the way takes the connection for dead. */
async function* serverSentEvents(lists: AsyncGenerator<JobEvent[]>): AsyncGenerator<string> {
  yield `retry: ${retryMs}\n\n`;
  try {
    let next = lists.next();
    let silence = sleep(heartbeatMs, 'silence' as const, { ref: false });
    for (;;) {
      const result = await Promise.race([next, silence]);
      if (result === 'silence') {
        yield ': still here\n\n';
        silence = sleep(heartbeatMs, 'silence' as const, { ref: false });
        continue;
      }
      if (result.done) return;
      yield result.value
        .map(({ number, type, data }) => `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
        .join('');
      next = lists.next();
    }
  } finally {
    await lists.return(undefined);
  }
}

function missing(id: string): never {
  throw new ApiError('JOB_NOT_FOUND', { message: `There is no job ${id}` });
}
