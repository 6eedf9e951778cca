// Follows jobs: however many wait for a job or read its events, one tail of it reads the database.
import type { JobEvent, JobStore } from './store.ts';
import type { Job } from './types.ts';

export interface Followers {
  /** Something of the job was written by this process. */
  changed(jobId: string): void;
  /** Resolves when the job has ended, after `seconds`, or when the signal aborts. */
  ended(job: Job, options: { seconds: number; signal?: AbortSignal | undefined }): Promise<void>;
  /** Lists of events after a number, until the last one of a job that has ended. Returns when the signal aborts. */
  events(job: Job, after: number, signal: AbortSignal): AsyncGenerator<JobEvent[]>;
  /** Lets everybody go, and from now on nobody waits. */
  release(): void;
}

interface Tail {
  followers: number;
  /** The newest events without a gap, oldest first. */
  recent: JobEvent[];
  ended: boolean;
  /** Resolves at the next change. */
  change: PromiseWithResolvers<void>;
  /** Reads what is new; calls while it reads share one more reading. */
  look(): void;
  timer: NodeJS.Timeout | undefined;
}

const mostRecent = 1000;
const pageSize = 500;
/** How often a job that may run in another process is looked at. */
const lookEveryMs = 1000;

/** `shared`: other processes may write to the jobs. */
export function createFollowers(store: JobStore, { shared }: { shared: boolean }): Followers {
  const tails = new Map<string, Tail>();
  const released = new AbortController();

  function join(job: Job): Tail {
    const tail = tails.get(job.id) ?? start(job);
    tail.followers += 1;
    return tail;
  }

  function leave(id: string, tail: Tail): void {
    tail.followers -= 1;
    if (tail.followers > 0) return;
    clearInterval(tail.timer);
    tails.delete(id);
  }

  function start({ id, accountId }: Job): Tail {
    let reading = false;
    let again = false;
    const tail: Tail = {
      followers: 0,
      recent: [],
      ended: false,
      change: Promise.withResolvers(),
      look: () => void look(),
      timer: undefined,
    };
    tails.set(id, tail);
    if (shared) tail.timer = setInterval(tail.look, lookEveryMs);
    tail.look();
    return tail;

    async function look(): Promise<void> {
      again = true;
      if (reading) return;
      reading = true;
      while (again) {
        again = false;
        await read().catch(() => {});
      }
      reading = false;
    }

    async function read(): Promise<void> {
      // In this order: a job's last event is written with its end, so a job that has ended has all its events.
      const job = await store.get(accountId, id);
      const from = tail.recent.at(-1)?.number ?? Math.max(0, (await store.lastEvent(id)) - pageSize);
      const events = await store.events(id, from, pageSize);
      tail.recent = [...tail.recent, ...events].slice(-mostRecent);
      if (events.length === pageSize) again = true;
      else tail.ended = job === null || job.finishedAt !== null;
      if (events.length === 0 && !tail.ended) return;
      const { resolve } = tail.change;
      tail.change = Promise.withResolvers();
      resolve();
    }
  }

  return {
    changed: jobId => tails.get(jobId)?.look(),

    async ended(job, { seconds, signal }) {
      if (job.finishedAt || seconds <= 0) return;
      const over = AbortSignal.any([AbortSignal.timeout(seconds * 1000), released.signal, ...(signal ? [signal] : [])]);
      const tail = join(job);
      try {
        while (!tail.ended && !over.aborted) await either(tail.change.promise, over);
      } finally {
        leave(job.id, tail);
      }
    },

    async *events(job, after, signal) {
      const over = AbortSignal.any([signal, released.signal]);
      const tail = join(job);
      let last = after;
      try {
        while (!over.aborted) {
          // Taken before the reading: what comes between the two is a change.
          const { ended, recent } = tail;
          const change = tail.change.promise;
          const first = recent[0]?.number ?? Infinity;
          const events =
            last + 1 >= first
              ? recent.filter(event => event.number > last)
              : await store.events(job.id, last, pageSize);
          last = events.at(-1)?.number ?? last;
          if (events.length > 0) yield events;
          else if (ended) return;
          else await either(change, over);
        }
      } finally {
        leave(job.id, tail);
      }
    },

    release: () => released.abort(),
  };
}

/** Not Promise.race: that would leave something behind on a signal that lives long, at each turn. */
function either(change: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    signal.removeEventListener('abort', done);
    resolve();
  };
  if (signal.aborted) done();
  else signal.addEventListener('abort', done);
  void change.finally(done);
  return promise;
}
