// Drops jobs, with their events, some days after they have ended.
import type { Database } from '../database/index.ts';

const everyMs = 6 * 3_600_000;
const firstAfterMs = 90_000;
/** Few enough that others don't wait long for the embedded database. */
const jobsAtOnce = 200;

export async function dropOldJobs(database: Database, days: number): Promise<number> {
  let dropped = 0;
  for (;;) {
    const rows = await database.query(
      `WITH old AS (SELECT id FROM jobs WHERE finished_at < now() - $1::float8 * interval '1 day' LIMIT $2::int),
       events AS (DELETE FROM job_events WHERE job_id IN (SELECT id FROM old))
       DELETE FROM jobs WHERE id IN (SELECT id FROM old) RETURNING id`,
      [days, jobsAtOnce],
    );
    dropped += rows.length;
    if (rows.length < jobsAtOnce) break;
  }
  // The embedded database has nobody who does it by itself, and every job leaves dead rows of its states behind.
  if (database.kind === 'pglite')
    for (const table of ['jobs', 'job_events', 'pgboss.job']) await database.query(`VACUUM ${table}`);
  return dropped;
}

/** Begins a while after the start, then every six hours. */
export function keepRetention(work: () => Promise<unknown>): { stop(): void } {
  let timer = setTimeout(run, firstAfterMs);
  timer.unref();
  function run(): void {
    void work();
    timer = setTimeout(run, everyMs);
    timer.unref();
  }
  return { stop: () => clearTimeout(timer) };
}
