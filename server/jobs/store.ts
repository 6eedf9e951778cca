// What is kept of jobs, in SQL: their records, who may run, and their events. Whoever runs a job writes with the number of the
// attempt, so that one who has lost it (a process that seemed dead) writes nothing.
import { newId } from '../database/index.ts';
import type { Database, Row, Statement } from '../database/index.ts';
import type { Job, JobStatus } from './types.ts';

/** An attempt at a job: what a process needs to run it. */
export interface Attempt {
  job: Job;
  number: number;
  checkpoint: unknown;
  /** Processes that died with it since its last checkpoint. */
  deaths: number;
  cancelRequested: boolean;
  /** The number of its newest event. */
  lastEvent: number;
}

export interface JobEvent {
  number: number;
  at: Date;
  type: string;
  data: unknown;
}

export interface Ending {
  status: 'succeeded' | 'failed' | 'cancelled';
  result?: object;
  error?: Job['error'];
}

export type NewJob = Pick<Job, 'accountId' | 'keyId' | 'kind' | 'input'>;

export const jobColumns =
  'id, account_id, key_id, kind, status, progress, input, result, error, created_at, started_at, finished_at';

export type JobStore = ReturnType<typeof createStore>;

export function createStore(database: Database, { mostEvents }: { mostEvents: number }) {
  return {
    async insert({ accountId, keyId, kind, input }: NewJob): Promise<Job> {
      const [row] = await database.query(
        `INSERT INTO jobs (id, account_id, key_id, kind, status, input) VALUES ($1, $2, $3, $4, 'queued', $5::json) RETURNING ${jobColumns}`,
        [`job_${newId().replaceAll('-', '')}`, accountId, keyId, kind, JSON.stringify(input ?? null)],
      );
      return jobFrom(existing(row));
    },

    async get(accountId: string, id: string): Promise<Job | null> {
      const [row] = await database.query(`SELECT ${jobColumns} FROM jobs WHERE id = $1 AND account_id = $2`, [
        id,
        accountId,
      ]);
      return row ? jobFrom(row) : null;
    },

    /** Newest first. */
    async list(accountId: string, { limit, after, status, kind }: ListOptions): Promise<Job[]> {
      const rows = await database.query(
        `SELECT ${jobColumns} FROM jobs WHERE account_id = $1 AND ($2::text IS NULL OR id < $2)
         AND ($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR kind = $4) ORDER BY id DESC LIMIT $5`,
        [accountId, after ?? null, status ?? null, kind ?? null, limit],
      );
      return rows.map(jobFrom);
    },

    async open(accountId: string): Promise<Job[]> {
      const rows = await database.query(
        `SELECT ${jobColumns} FROM jobs WHERE account_id = $1 AND status IN ('queued', 'running') ORDER BY created_at`,
        [accountId],
      );
      return rows.map(jobFrom);
    },

    /**
     * Gives a ticket to the oldest job of an account that waits for one, when the account has room for one more: `most` counts its
     * running jobs and its ticket. At most one of its jobs stands in the line, and the next goes to the end of it, so that accounts take
     * turns. The lock makes processes take turns as well: a count under a snapshot that another process passes is no limit.
     */
    async admit(accountId: string, most: number | null): Promise<{ id: string; kind: string } | null> {
      const [, rows] = await database.transaction([
        { sql: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 7305))', values: [accountId] },
        {
          sql: `UPDATE jobs SET ticket = true WHERE id = (
                  SELECT id FROM jobs WHERE account_id = $1 AND status = 'queued' AND NOT ticket ORDER BY created_at, id LIMIT 1)
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE account_id = $1 AND status = 'queued' AND ticket)
                AND ($2::int IS NULL OR (SELECT count(*) FROM jobs WHERE account_id = $1 AND status = 'running') < $2)
                RETURNING id, kind`,
          values: [accountId, most],
        },
      ]);
      const row = rows?.[0];
      return row ? { id: String(row['id']), kind: String(row['kind']) } : null;
    },

    /** Begins an attempt. Null when the job has ended meanwhile. A job that is running already was left by a process that died. */
    async begin(id: string): Promise<Attempt | null> {
      const [row] = await database.query(
        `UPDATE jobs SET deaths = CASE status WHEN 'running' THEN deaths + 1 ELSE deaths END, status = 'running', ticket = true,
         attempts = attempts + 1, started_at = coalesce(started_at, clock_timestamp())
         WHERE id = $1 AND status IN ('queued', 'running')
         RETURNING ${jobColumns}, attempts, deaths, checkpoint, cancel_requested,
         (SELECT coalesce(max(number), 0) FROM job_events WHERE job_id = $1) AS last_event`,
        [id],
      );
      if (!row) return null;
      return {
        job: jobFrom(row),
        number: Number(row['attempts']),
        checkpoint: row['checkpoint'],
        deaths: Number(row['deaths']),
        cancelRequested: row['cancel_requested'] === true,
        lastEvent: Number(row['last_event']),
      };
    },

    /** Writes how far an attempt is: its events, its progress and, when there is one, its checkpoint. False when it has lost the job. */
    async note({ job, number }: Attempt, { events, progress, checkpoint }: Notes): Promise<boolean> {
      const [rows] = await database.transaction([
        {
          sql: `UPDATE jobs SET progress = $3, checkpoint = CASE WHEN $4 THEN $5::json ELSE checkpoint END,
                deaths = CASE WHEN $4 THEN 0 ELSE deaths END
                WHERE id = $1 AND attempts = $2 AND status = 'running' RETURNING id`,
          values: [job.id, number, progress, checkpoint !== undefined, JSON.stringify(checkpoint?.state ?? null)],
        },
        ...appendEvents(job.id, number, events),
      ]);
      return (rows?.length ?? 0) > 0;
    },

    /** Ends an attempt's job, together with what else belongs to the end. False when it has lost the job. */
    async end(
      { job, number }: Attempt,
      ending: Ending,
      { events, also }: { events: JobEvent[]; also: Statement[] },
    ): Promise<boolean> {
      const results = await database.transaction([
        ...appendEvents(job.id, number, events),
        endStatement(job.id, ending, number),
        ...also,
      ]);
      const rows = results[events.length > 0 ? 2 : 0];
      return (rows?.length ?? 0) > 0;
    },

    /** Puts an attempt's job back: the server stops. */
    async requeue(attempt: Attempt): Promise<void> {
      await database.query(`UPDATE jobs SET status = 'queued' WHERE id = $1 AND attempts = $2 AND status = 'running'`, [
        attempt.job.id,
        attempt.number,
      ]);
    },

    /** Ends a job that nobody runs yet. False when somebody does, or it has ended. */
    async cancelQueued(id: string, event: Omit<JobEvent, 'number'>): Promise<boolean> {
      const rows = await database.query(
        `WITH ended AS (
           UPDATE jobs SET status = 'cancelled', finished_at = clock_timestamp(), checkpoint = NULL
           WHERE id = $1 AND status = 'queued' RETURNING id, account_id),
         ${delivery},
         told AS (INSERT INTO job_events (job_id, number, at, type, data)
           SELECT id, (SELECT coalesce(max(number), 0) + 1 FROM job_events WHERE job_id = $1), $2::timestamptz, $3, $4::json FROM ended)
         SELECT id FROM ended`,
        [id, event.at, event.type, JSON.stringify(event.data)],
      );
      return rows.length > 0;
    },

    async requestCancel(id: string): Promise<void> {
      await database.query(`UPDATE jobs SET cancel_requested = true WHERE id = $1 AND status = 'running'`, [id]);
    },

    /** Which of these attempts should stop, and why. */
    async interruptions(attempts: Attempt[]): Promise<{ id: string; by: 'cancel' | 'loss' }[]> {
      if (attempts.length === 0) return [];
      const rows = await database.query<{ id: string; lost: boolean }>(
        `SELECT id, attempts <> number AS lost FROM jobs JOIN json_to_recordset($1::json) AS a (job text, number int) ON id = job
         WHERE cancel_requested OR attempts <> number`,
        [JSON.stringify(attempts.map(({ job, number }) => ({ job: job.id, number })))],
      );
      return rows.map(({ id, lost }) => ({ id, by: lost ? 'loss' : 'cancel' }));
    },

    /** Jobs with a ticket that pg-boss doesn't have: of a restored backup, or of a process that died between the two. */
    async ticketsLost(): Promise<{ id: string; kind: string }[]> {
      const rows = await database.query(
        `SELECT id, kind FROM jobs j WHERE status IN ('queued', 'running') AND ticket
         AND NOT EXISTS (SELECT 1 FROM pgboss.job WHERE name = j.kind AND id = substr(j.id, 5)::uuid)`,
      );
      return rows.map(row => ({ id: String(row['id']), kind: String(row['kind']) }));
    },

    /** Accounts with a job that waits for a ticket. */
    async accountsWaiting(): Promise<string[]> {
      const rows = await database.query<{ id: string }>(
        `SELECT DISTINCT account_id AS id FROM jobs WHERE status = 'queued' AND NOT ticket`,
      );
      return rows.map(row => row.id);
    },

    /** Kinds of which a ticket waits in the line. */
    async kindsWaiting(): Promise<string[]> {
      const rows = await database.query<{ kind: string }>(
        `SELECT DISTINCT name AS kind FROM pgboss.job WHERE state < 'active'`,
      );
      return rows.map(row => row.kind);
    },

    /** The number of the newest event. */
    async lastEvent(id: string): Promise<number> {
      const [row] = await database.query(
        'SELECT coalesce(max(number), 0) AS number FROM job_events WHERE job_id = $1',
        [id],
      );
      return Number(row?.['number'] ?? 0);
    },

    /** Events after a number, oldest first. */
    async events(id: string, after: number, limit: number): Promise<JobEvent[]> {
      const rows = await database.query(
        'SELECT number, at, type, data FROM job_events WHERE job_id = $1 AND number > $2 ORDER BY number LIMIT $3',
        [id, after, limit],
      );
      return rows.map(row => ({
        number: Number(row['number']),
        at: row['at'] as Date,
        type: String(row['type']),
        data: row['data'],
      }));
    },
  };

  /** Nothing is written for an attempt that has lost the job. The oldest events go when there are too many. */
  function appendEvents(id: string, attempt: number, events: JobEvent[]): Statement[] {
    const last = events.at(-1);
    if (!last) return [];
    return [
      {
        sql: `INSERT INTO job_events (job_id, number, at, type, data)
              SELECT id, e.number, e.at, e.type, e.data
              FROM jobs, json_to_recordset($3::json) AS e (number int, at timestamptz, type text, data json)
              WHERE id = $1 AND attempts = $2 AND status = 'running'`,
        values: [id, attempt, JSON.stringify(events)],
      },
      {
        sql: 'DELETE FROM job_events WHERE job_id = $1 AND number <= $2',
        values: [id, last.number - mostEvents],
      },
    ];
  }
}

export interface ListOptions {
  limit: number;
  after?: string | undefined;
  status?: JobStatus | undefined;
  kind?: string | undefined;
}

interface Notes {
  events: JobEvent[];
  progress: number;
  checkpoint?: { state: unknown };
}

/** What is to be told to the account's webhook, written with the end itself. */
const delivery = `told_later AS (
  INSERT INTO webhook_deliveries (id, account_id, job_id, next_at)
  SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), account_id, ended.id, clock_timestamp()
  FROM ended JOIN webhooks USING (account_id))`;

function endStatement(id: string, { status, result, error }: Ending, attempt: number): Statement {
  return {
    sql: `WITH ended AS (
            UPDATE jobs SET status = $3, result = $4::json, error = $5::json, finished_at = clock_timestamp(), checkpoint = NULL,
            progress = CASE WHEN $3 = 'succeeded' THEN 1 ELSE progress END
            WHERE id = $1 AND attempts = $2 AND status = 'running' RETURNING id, account_id),
          ${delivery}
          SELECT id FROM ended`,
    values: [id, attempt, status, result ? JSON.stringify(result) : null, error ? JSON.stringify(error) : null],
  };
}

export function jobFrom(row: Row): Job {
  return {
    id: String(row['id']),
    accountId: String(row['account_id']),
    keyId: String(row['key_id']),
    kind: String(row['kind']),
    status: row['status'] as JobStatus,
    progress: Number(row['progress']),
    input: row['input'],
    result: row['result'],
    error: row['error'] as Job['error'],
    createdAt: row['created_at'] as Date,
    startedAt: row['started_at'] as Date | null,
    finishedAt: row['finished_at'] as Date | null,
  };
}

function existing(row: Row | undefined): Row {
  if (!row) throw new Error('The database gave no row back');
  return row;
}
