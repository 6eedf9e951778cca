// Jobs: work that outlives its request and its process. The record is in our tables (store.ts), the order of turns in pg-boss
// (queue.ts), the running here.
//
// The rules:
// 1. A job ends once. Whoever runs it writes with the number of its attempt and nothing when another has taken it up.
// 2. An account has at most as many jobs running as its plan says, over all processes, and one more ticket in the line at most when it
//    has room. So the line goes round the accounts. A server alone (on PGlite) also keeps one of its places from whoever has the others,
//    since a place can be held for hours.
// 3. A process that dies loses its jobs to others: on PGlite at the next start, on PostgreSQL when its heartbeats have stopped. They go on
//    from their last checkpoint. Three deaths without a checkpoint between them end a job.
// 4. A process that stops in order puts its jobs back; that is no death.
// 5. Between a ticket's promise (in `jobs`) and its place in the line, a process may die, and a restored backup has no line: whoever
//    starts, and on PostgreSQL everybody from time to time, puts lost tickets back in.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import { createFollowers } from './follow.ts';
import { openQueue, type Queue, type Ticket } from './queue.ts';
import { dropOldJobs, keepRetention } from './retention.ts';
import { createRun, type Run } from './run.ts';
import { createStore, type Ending, type JobEvent, type ListOptions } from './store.ts';
import type { Job, JobHandler, Jobs } from './types.ts';

export interface JobsOptions {
  database: Database;
  /** How many jobs of the account may run at once; null is any number. */
  jobsAtOnce: (accountId: string) => Promise<number | null>;
  /** Jobs that this process runs at once. */
  mostAtOnce: number;
  /** A job has ended here. */
  ended?: () => void;
  log?: (event: string, fields: object) => void;
  /** On PostgreSQL, a process that is silent for so long is taken for dead; at least 10. */
  leaseSeconds?: number;
  /** How long jobs may take to react when the server stops. */
  stopSeconds?: number;
  /** Days that jobs are kept after their end. */
  retentionDays?: number;
  /** Events kept of one job. */
  mostEvents?: number;
}

/** The jobs with what their routes need besides. */
export interface ServedJobs extends Jobs {
  list(accountId: string, options: ListOptions): Promise<Job[]>;
  /** Events after a number, in lists; ends with the job or when the signal aborts. */
  follow(job: Job, after: number, signal: AbortSignal): AsyncGenerator<JobEvent[]>;
  events(job: Job, after: number, limit: number): Promise<JobEvent[]>;
  /** Lets everybody go who waits for a job or follows one: the server takes no more requests. */
  release(): void;
}

const mostDeaths = 3;
const lookEveryMs = 1000;

/** Nothing runs before `start`. */
export async function createJobs(options: JobsOptions): Promise<ServedJobs> {
  const {
    database,
    jobsAtOnce,
    mostAtOnce,
    ended = () => {},
    log = () => {},
    leaseSeconds = 30,
    stopSeconds = 10,
    retentionDays = 30,
    mostEvents = 10_000,
  } = options;
  const shared = database.kind === 'postgresql';
  const mostOfOne = shared ? Infinity : Math.max(1, mostAtOnce - 1);
  const queue: Queue = await openQueue({ database, leaseSeconds, log });
  const store = createStore(database, { mostEvents });
  const followers = createFollowers(store, { shared });
  const handlers = new Map<string, JobHandler>();
  const running = new Map<string, { run: Run; ticket: Ticket; done: Promise<void> }>();
  /** Kinds that may have a ticket in the line. */
  const worthATry = new Set<string>();
  const timers: NodeJS.Timeout[] = [];
  const retention = keepRetention(async () => quietly(dropOldJobs(database, retentionDays)));
  let starting = 0;
  let started = false;
  let stopping = false;

  /** What nobody waits for, but the close. */
  const behind = new Set<Promise<unknown>>();
  function quietly(work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => log('jobs.failed', { message: messageOf(error) }))
      .finally(() => behind.delete(done));
    behind.add(done);
  }

  /** Lets the account's next job into the line, if there is room for it. */
  async function admit(accountId: string): Promise<void> {
    const most = Math.min((await jobsAtOnce(accountId)) ?? Infinity, mostOfOne);
    const admitted = await store.admit(accountId, Number.isFinite(most) ? most : null);
    if (!admitted) return;
    await queue.put(admitted.kind, admitted.id);
    seek(admitted.kind);
  }

  function seek(kind: string): void {
    if (handlers.has(kind)) worthATry.add(kind);
    quietly(pump());
  }

  const hasRoom = (): boolean => started && !stopping && running.size + starting < mostAtOnce;

  /** Takes tickets while this process has room, of each kind in turn. */
  async function pump(): Promise<void> {
    while (hasRoom()) {
      const [kind] = worthATry;
      if (kind === undefined) return;
      worthATry.delete(kind);
      starting += 1;
      try {
        const ticket = await queue.take(kind);
        if (!ticket) continue;
        worthATry.add(kind);
        await begin(ticket);
      } finally {
        starting -= 1;
      }
    }
  }

  async function begin(ticket: Ticket): Promise<void> {
    const attempt = await store.begin(ticket.jobId);
    if (!attempt) {
      await database.transaction([await queue.removal(ticket)]);
      return;
    }
    const { id, accountId } = attempt.job;
    const run = createRun({ attempt, store, mostEvents, written: () => followers.changed(id) });
    const done = carryOut(run, ticket).catch((error: unknown) => {
      // Its heartbeats stop, so that it is tried again.
      log('jobs.end_not_written', { job_id: id, message: messageOf(error) });
    });
    // It was here before when pg-boss takes it for lost, such as after the longest time that it grants.
    running.get(id)?.run.interrupt('loss');
    running.set(id, { run, ticket, done });
    void done.finally(() => {
      if (running.get(id)?.run === run) running.delete(id);
      followers.changed(id);
      if (!stopping) quietly(Promise.all([admit(accountId), pump()]));
    });
    if (attempt.cancelRequested) run.interrupt('cancel');
    if (stopping) run.interrupt('stop');
    quietly(admit(accountId));
  }

  async function carryOut(run: Run, ticket: Ticket): Promise<void> {
    const ending = await outcome(run);
    if (ending === 'put back') {
      await store.requeue(run.attempt);
      await queue.putBack(ticket);
      return;
    }
    if (ending === 'lost') return;
    const removal = await queue.removal(ticket);
    await insist(() => run.end(ending, [removal]));
    ended();
  }

  async function outcome(run: Run): Promise<Ending | 'put back' | 'lost'> {
    const { id, kind } = run.attempt.job;
    if (run.attempt.deaths >= mostDeaths) {
      const message = `The server process died ${mostDeaths} times while it ran this job`;
      return { status: 'failed', error: { code: 'JOB_INTERRUPTED', message } };
    }
    try {
      run.job.signal.throwIfAborted();
      const handler = handlers.get(kind);
      if (!handler) throw new Error(`Nobody handles ${kind}`);
      return { status: 'succeeded', result: await handler(run.job) };
    } catch (error) {
      const by = run.interruptedBy();
      if (by === 'cancel') return { status: 'cancelled' };
      if (by === 'stop') return 'put back';
      if (by === 'loss') return 'lost';
      if (error instanceof ApiError) {
        const { message, param } = error.fields;
        return { status: 'failed', error: { code: error.code, message, ...(param !== undefined && { param }) } };
      }
      log('jobs.handler_failed', { job_id: id, kind, message: messageOf(error) });
      return { status: 'failed', error: { code: 'INTERNAL_ERROR', message: 'Something failed inside the server' } };
    }
  }

  async function mend(): Promise<void> {
    for (const { id, kind } of await store.ticketsLost()) await queue.put(kind, id);
    for (const accountId of await store.accountsWaiting()) await admit(accountId);
    for (const kind of await store.kindsWaiting()) seek(kind);
  }

  /** What other processes did: jobs they let into the line, wishes to cancel what runs here, and jobs they took from here. */
  async function look(): Promise<void> {
    for (const kind of await store.kindsWaiting()) seek(kind);
    const attempts = [...running.values()].map(({ run }) => run.attempt);
    for (const { id, by } of await store.interruptions(attempts)) running.get(id)?.run.interrupt(by);
  }

  async function beat(): Promise<void> {
    await queue.touch([...running.values()].map(({ ticket }) => ticket));
  }

  function every(ms: number, task: () => Promise<void>): void {
    timers.push(setInterval(() => quietly(task()), ms));
  }

  const jobs: ServedJobs = {
    handle(kind, handler) {
      handlers.set(kind, handler);
    },

    async start() {
      started = true;
      await mend();
      if (!shared) return;
      every(lookEveryMs, look);
      every((leaseSeconds * 1000) / 3, beat);
      every(leaseSeconds * 1000, mend);
    },

    async enqueue(job) {
      const made = await store.insert(job);
      await admit(job.accountId);
      return made;
    },

    get: (accountId, id) => store.get(accountId, id),

    async wait(accountId, id, { seconds, signal }) {
      const job = await store.get(accountId, id);
      if (!job || job.finishedAt) return job;
      await followers.ended(job, { seconds, signal });
      return store.get(accountId, id);
    },

    async cancel(accountId, id) {
      const job = await store.get(accountId, id);
      if (!job || job.finishedAt) return job;
      const event = { at: new Date(), type: 'status', data: { status: 'cancelled' } };
      if (await store.cancelQueued(id, event)) {
        followers.changed(id);
        ended();
        // Its ticket, if it had one, is worth nothing: who takes it finds no job. Its account's next may have its place.
        quietly(admit(accountId));
      } else {
        await store.requestCancel(id);
        running.get(id)?.run.interrupt('cancel');
      }
      return store.get(accountId, id);
    },

    open: accountId => store.open(accountId),
    list: (accountId, list) => store.list(accountId, list),
    follow: (job, after, signal) => followers.events(job, after, signal),
    events: (job, after, limit) => store.events(job.id, after, limit),

    release: () => followers.release(),

    async close() {
      stopping = true;
      followers.release();
      retention.stop();
      for (const timer of timers) clearInterval(timer);
      for (const { run } of running.values()) run.interrupt('stop');
      // Whoever is taking a ticket may get the very one that is put back now, and has begun it when this is over.
      while (behind.size > 0) await Promise.all(behind);
      const all = Promise.all([...running.values()].map(({ done }) => done));
      await Promise.race([all, sleep(stopSeconds * 1000, undefined, { ref: false })]);
      // Handlers that did not listen: whatever they still write is refused.
      for (const { run, ticket } of running.values()) {
        await store.requeue(run.attempt);
        await queue.putBack(ticket);
      }
      while (behind.size > 0) await Promise.all(behind);
      await queue.close();
    },
  };
  return jobs;
}

/** A database that is away for a moment must not cost a job its result. */
async function insist<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (attempt === 5) throw error;
      await sleep(100 * 4 ** attempt);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
