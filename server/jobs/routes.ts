// The routes about jobs.
import { routes } from '@vectorium/contract';
import { ApiError, type App, mount } from '../http/index.ts';
import { answerWithJob, shownJob } from './answers.ts';
import { answerWithEvents } from './event-answers.ts';
import type { ServedJobs } from './jobs.ts';
import type { Job } from './types.ts';

/** How long the answer to a cancel waits for the job to stop. */
const cancelWaitSeconds = 2;

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

  mount(app, routes.getJobEvents, async ({ caller, params, query, headers, signal, reply, admitted }) => {
    const job = await existing(caller.account.id, params.id);
    return answerWithEvents(jobs, { query, headers, signal, reply, admitted }, job);
  });
}

function missing(id: string): never {
  throw new ApiError('JOB_NOT_FOUND', { message: `There is no job ${id}` });
}
