// The line that jobs stand in: pg-boss over the database port, one queue for each kind of job.
//
// A ticket in the line is a job that may run as soon as a process has room. pg-boss hands each ticket to one process, gives it to
// another when the holder's heartbeats stop, and keeps tickets through restarts. What it can't do is count an account's jobs
// exactly over several processes and kinds (its groups count inside one queue and from a snapshot), so store.ts decides who gets a
// ticket; and its own schema holds nothing that can't be made again from the table `jobs`.
import { getConstructionPlans, getMigrationPlans, PgBoss } from 'pg-boss';
import type { Db } from 'pg-boss';
import packageJson from 'pg-boss/package.json' with { type: 'json' };
import type { Database, Statement } from '../database/index.ts';

/** The right to run a job, held by this process. */
export interface Ticket {
  jobId: string;
  kind: string;
  /** pg-boss's mark of this claim: after another claim, the ticket is worth nothing. */
  retryCount: number;
}

export interface Queue {
  /** Puts a job at the end of the line; a job that is in it stays where it is. */
  put(kind: string, jobId: string): Promise<void>;
  /** The foremost ticket of a kind, or null when nobody waits. */
  take(kind: string): Promise<Ticket | null>;
  /** The statement that takes a ticket out of the line if this process still holds it, for the transaction that ends the job. */
  removal(ticket: Ticket): Promise<Statement>;
  /** Gives a ticket back: others may take it. */
  putBack(ticket: Ticket): Promise<void>;
  /** Tells that the holder of these lives. */
  touch(tickets: Ticket[]): Promise<void>;
  close(): Promise<void>;
}

export interface QueueOptions {
  database: Database;
  /** A holder without heartbeats for so long loses its tickets. pg-boss takes no less than 10. */
  leaseSeconds: number;
  log: (event: string, fields: object) => void;
}

const schema = 'pgboss';
/** The most that pg-boss takes. A job that runs longer goes on from its checkpoint in another attempt. */
const longestSeconds = 24 * 3600;
/** We count deaths ourselves, since a checkpoint sets the count back. */
const retryLimit = 1_000_000;

export async function openQueue({ database, leaseSeconds, log }: QueueOptions): Promise<Queue> {
  await makeSchema(database);
  const shared = database.kind === 'postgresql';
  const boss = new PgBoss({
    db: portOf(database),
    backend: shared ? 'postgres' : 'pglite',
    schema,
    migrate: false,
    schedule: false,
    // Looks for holders that died. One process owns an embedded database, so there nobody has to look, and an idle server is idle.
    supervise: shared,
    superviseIntervalSeconds: Math.ceil(leaseSeconds / 3),
    monitorIntervalSeconds: Math.ceil(leaseSeconds / 3),
    flowIntervalSeconds: longestSeconds,
    queueCacheIntervalSeconds: longestSeconds,
    reindex: false,
    monitorVacuum: false,
    registerInstance: false,
    openTelemetry: { enabled: false },
  });
  boss.on('error', error => log('jobs.queue_failed', { message: error.message }));
  await boss.start();

  const known = new Map<string, Promise<void>>();
  /** The queue of a kind is made when it is first needed. */
  function ready(kind: string): Promise<void> {
    let making = known.get(kind);
    if (!making) {
      const options = { heartbeatSeconds: leaseSeconds, expireInSeconds: longestSeconds, retryLimit };
      making = boss.createQueue(kind, options).catch((error: unknown) => {
        known.delete(kind);
        throw error;
      });
      known.set(kind, making);
    }
    return making;
  }

  // The process that held these is gone: the folder's lock says so.
  if (!shared) {
    const held = await database.query<{ id: string; name: string }>(
      `SELECT id, name FROM ${schema}.job WHERE state = 'active'`,
    );
    for (const [kind, rows] of Map.groupBy(held, row => row.name))
      await boss.fail(
        kind,
        rows.map(row => row.id),
      );
  }

  return {
    async put(kind, jobId) {
      await ready(kind);
      await boss.send(kind, null, { id: uuidOf(jobId), retentionSeconds: 10 * 365 * longestSeconds });
    },
    async take(kind) {
      await ready(kind);
      const [message] = await boss.fetch(kind);
      return message ? { jobId: jobIdOf(message.id), kind, retryCount: message.retryCount } : null;
    },
    removal: ticket => statementOf(db => boss.deleteJob(ticket.kind, claimOf(ticket), { db })),
    async putBack(ticket) {
      await boss.fail(ticket.kind, claimOf(ticket));
    },
    async touch(tickets) {
      for (const [kind, those] of Map.groupBy(tickets, ticket => ticket.kind))
        await boss.touch(kind, those.map(claimOf));
    },
    close: () => boss.stop({ graceful: false, close: false }),
  };
}

/** Makes pg-boss's tables, or brings them up to this version's; processes that start together take turns by a lock of its own. */
async function makeSchema(database: Database): Promise<void> {
  const wanted = packageJson.pgboss.schema;
  const version = await installedVersion(database);
  if (version === wanted) return;
  try {
    const plans = version === null ? getConstructionPlans(schema) : getMigrationPlans(schema, version);
    await database.script(asOneTransaction(plans));
  } catch (error) {
    // Another process was faster.
    if ((await installedVersion(database)) !== wanted) throw error;
  }
}

async function installedVersion(database: Database): Promise<number | null> {
  const [found] = await database.query(`SELECT to_regclass('${schema}.version')::text AS name`);
  if (!found?.['name']) return null;
  const [row] = await database.query<{ version: number }>(`SELECT version FROM ${schema}.version`);
  return row?.version ?? null;
}

/** What pg-boss runs as several statements in a transaction has no values, and its rows are not asked for here. */
function portOf(database: Database): Db {
  return {
    async executeSql(sql, values = []) {
      if (values.length > 0 || !opening.test(sql)) return { rows: await database.query(sql, values.map(literal)) };
      await database.script(asOneTransaction(sql));
      return { rows: [] };
    },
  };
}

const opening = /^\s*BEGIN;/;

/**
 * A script is one transaction by itself: a BEGIN in it would stay open after an error, on the embedded database's only connection. Indexes
 * that pg-boss would build afterwards, beside the traffic of a large table, belong to it too: this table holds a few live tickets.
 */
function asOneTransaction(script: string): string {
  return script
    .replace(opening, '')
    .replace(/\bCOMMIT;/, '')
    .replaceAll(' CONCURRENTLY', '');
}

/** The one statement that a call to pg-boss would run. */
async function statementOf(call: (db: Db) => Promise<unknown>): Promise<Statement> {
  const statements: Statement[] = [];
  await call({
    async executeSql(sql, values = []) {
      statements.push({ sql, values: values.map(literal) });
      return { rows: [{ count: 0 }] };
    },
  });
  const [statement, ...more] = statements;
  if (!statement || more.length > 0) throw new Error('pg-boss did not run one statement');
  return statement;
}

/** Lists of pg-boss hold ids and such; the port takes no lists. */
function literal(value: unknown): unknown {
  return Array.isArray(value) ? `{${value.map(each => JSON.stringify(String(each))).join(',')}}` : value;
}

const claimOf = ({ jobId, retryCount }: Ticket) => ({ id: uuidOf(jobId), retryCount });

/** A job's id is `job_` and the digits of a UUID, which pg-boss wants as such. */
const uuidOf = (jobId: string): string => jobId.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const jobIdOf = (uuid: string): string => `job_${uuid.replaceAll('-', '')}`;
