// Counts requests against the plans' limits (the rules are in windows.ts), exactly, also under concurrency.
//
// With the embedded database one process owns the folder: the counters are in its memory, where an admission is one turn of the
// event loop, and go to the database with the next group commit, which is the one that the request's own charge waits for. With
// PostgreSQL any number of processes count in one row a key, by one atomic statement a request.
import type { Database, GroupCommit, Row, Statement, Writer } from '../database/index.ts';
import type { Plan } from './plans.ts';
import { admission, counted, current, hasRoom, limitsOf, longestMs, minuteMs } from './windows.ts';
import type { Admission, Family, Limits, Windows } from './windows.ts';

export interface Limiter {
  /** Counts the request, if both counters have room for `cost` requests. */
  admit(caller: LimitedCaller, family: Family, cost?: number): Promise<Admission>;
}

export interface LimitedCaller {
  key: { id: string; countsAs?: string };
  account: { plan: Plan };
}

export interface LimiterOptions {
  database: Database;
  commit: GroupCommit;
  /** Milliseconds; for tests. Without it, PostgreSQL's clock counts there, since servers' clocks differ. */
  now?: () => number;
}

/** Reads what was counted before a restart. */
export async function createLimiter(options: LimiterOptions): Promise<Limiter> {
  const { database, now = Date.now } = options;
  await database.query(
    'DELETE FROM limit_windows WHERE greatest(long_started_at, minute_started_at) < $1::timestamptz',
    [new Date(now() - longestMs)],
  );
  const admit = database.kind === 'postgresql' ? countInDatabase(options) : await countInMemory(options);
  return {
    async admit({ key, account }, family, cost = 1) {
      const limits = limitsOf(account.plan, family);
      if (limits.minute === null && limits.long === null) return { admitted: true, counters: [] };
      return admit({ keyId: key.countsAs ?? key.id, family, limits, cost });
    },
  };
}

interface Request {
  keyId: string;
  family: Family;
  limits: Limits;
  cost: number;
}

/** What a key that comes and goes leaves in memory is thrown away whenever so many have come. */
const pruneEvery = 10_000;

async function countInMemory({ database, commit, now = Date.now }: LimiterOptions) {
  const windowsOf = new Map<string, Windows>();
  for (const row of await database.query('SELECT * FROM limit_windows')) {
    windowsOf.set(`${String(row['key_id'])} ${String(row['family'])}`, windowsFrom(row));
  }
  const writer: Writer<[string, Windows]> = commit.writer(write);
  let untilPruned = pruneEvery;

  function prune(nowMs: number): void {
    for (const [name, { minuteStartMs, longStartMs }] of windowsOf) {
      if (Math.max(minuteStartMs, longStartMs) < nowMs - longestMs) windowsOf.delete(name);
    }
  }

  return async ({ keyId, family, limits, cost }: Request): Promise<Admission> => {
    const nowMs = now();
    const name = `${keyId} ${family}`;
    const before = current(windowsOf.get(name), limits, nowMs);
    if (!hasRoom(before, limits, cost)) return admission(before, limits, { admitted: false, cost });
    const after = counted(before, cost);
    if (!windowsOf.has(name) && --untilPruned === 0) {
      untilPruned = pruneEvery;
      prune(nowMs);
    }
    windowsOf.set(name, after);
    writer.writeLater([name, after]);
    return admission(after, limits, { admitted: true, cost });
  };
}

function write(rows: [string, Windows][]): Statement {
  const text = JSON.stringify([...new Map(rows)]);
  return {
    merge: next => write([text, String(next.values?.[0])].flatMap(list => JSON.parse(list) as [string, Windows][])),
    sql: `INSERT INTO limit_windows
      SELECT split_part(name, ' ', 1), split_part(name, ' ', 2),
        to_timestamp("minuteStartMs" / 1000), "minuteCount", to_timestamp("longStartMs" / 1000), "longCount"
      FROM jsonb_array_elements($1::jsonb) AS pair, LATERAL (SELECT pair ->> 0 AS name) AS named,
        jsonb_to_record(pair -> 1) AS r("minuteStartMs" double precision, "minuteCount" integer,
          "longStartMs" double precision, "longCount" integer)
      ON CONFLICT (key_id, family) DO UPDATE SET
        minute_started_at = excluded.minute_started_at, minute_count = excluded.minute_count,
        long_started_at = excluded.long_started_at, long_count = excluded.long_count`,
    values: [text],
  };
}

/**
 * Doesn't wait for the disk: the charge that follows does, and takes this with it. Updates nothing, and so gives no row, when a counter refuses. $5 and $6 are the limits; null compares to null, which is
 * no refusal.
 */
const countStatement = `
  INSERT INTO limit_windows AS w (key_id, family, minute_started_at, minute_count, long_started_at, long_count)
  SELECT $1, $2, t, $3, t, $3
  FROM (SELECT coalesce($4::timestamptz, clock_timestamp()) AS t, set_config('synchronous_commit', 'off', true)) AS clock
  ON CONFLICT (key_id, family) DO UPDATE SET
    minute_started_at = CASE WHEN ${open('minute', `'1 minute'`)} THEN w.minute_started_at ELSE excluded.minute_started_at END,
    minute_count = CASE WHEN ${open('minute', `'1 minute'`)} THEN w.minute_count ELSE 0 END + $3,
    long_started_at = CASE WHEN ${open('long', '$7::interval')} THEN w.long_started_at ELSE excluded.long_started_at END,
    long_count = CASE WHEN ${open('long', '$7::interval')} THEN w.long_count ELSE 0 END + $3
  WHERE (CASE WHEN ${open('minute', `'1 minute'`)} THEN w.minute_count ELSE 0 END + $3 > $5::integer) IS NOT TRUE
    AND (CASE WHEN ${open('long', '$7::interval')} THEN w.long_count ELSE 0 END + $3 > $6::integer) IS NOT TRUE
  RETURNING *`;

function open(window: 'minute' | 'long', length: string): string {
  return `excluded.${window}_started_at < w.${window}_started_at + interval ${length}`.replace(
    'interval $7::interval',
    '$7::interval',
  );
}

function countInDatabase({ database, now }: LimiterOptions) {
  return async ({ keyId, family, limits, cost }: Request): Promise<Admission> => {
    const fits = hasRoom({ minuteStartMs: 0, minuteCount: 0, longStartMs: 0, longCount: 0 }, limits, cost);
    const time = now ? new Date(now()) : null;
    if (fits) {
      const values = [keyId, family, cost, time, limits.minute, limits.long, `${limits.longMs / minuteMs} minutes`];
      const [row] = await database.query(countStatement, values);
      if (row) return admission(windowsFrom(row), limits, { admitted: true, cost });
    }
    const [row] = await database.query(
      `SELECT coalesce($3::timestamptz, clock_timestamp()) AS now, w.* FROM (SELECT 1) AS one
       LEFT JOIN limit_windows w ON w.key_id = $1 AND w.family = $2`,
      [keyId, family, time],
    );
    if (!row) throw new Error('The database gave no row back');
    const nowMs = (row['now'] as Date).getTime();
    const windows = current(row['key_id'] === null ? undefined : windowsFrom(row), limits, nowMs);
    return refusal(windows, limits, cost);
  };
}

/** The window that refused may have ended before it was read back: then it is given as full, ending now. */
function refusal(windows: Windows, limits: Limits, cost: number): Admission {
  const read = admission(windows, limits, { admitted: false, cost });
  if (!read.admitted) return read;
  const [first] = read.counters;
  return first ? { admitted: false, counters: read.counters, refusedBy: first } : read;
}

function windowsFrom(row: Row): Windows {
  return {
    minuteStartMs: (row['minute_started_at'] as Date).getTime(),
    minuteCount: Number(row['minute_count']),
    longStartMs: (row['long_started_at'] as Date).getTime(),
    longCount: Number(row['long_count']),
  };
}
