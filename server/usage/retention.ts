// Drops usage rows after the time that the operator sets. Their sums by the hour stay for ever, and their ledger entries become one
// for each account and day, so that the ledger still sums to the balance.
import type { Database } from '../database/index.ts';

const everyMs = 6 * 3_600_000;
const dayMs = 86_400_000;
/** Few enough that others don't wait long for the embedded database. */
const rowsAtOnce = 2000;

export interface RetentionOptions {
  database: Database;
  days: number;
  log: (event: string, fields: object) => void;
}

/** Begins a minute after the start, then every six hours. */
export function keepRetention(options: RetentionOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const run = (): void => {
    running = dropOldUsage(options, new Date(Date.now() - options.days * dayMs), stopping.signal).catch(
      (error: unknown) =>
        options.log('usage.retention_failed', { message: error instanceof Error ? error.message : String(error) }),
    );
  };
  const first = setTimeout(run, 60_000).unref();
  const timer = setInterval(run, everyMs).unref();
  return {
    async stop() {
      clearTimeout(first);
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}

/** Drops the rows before `before`, and says how many there were. */
export async function dropOldUsage(
  { database, log }: RetentionOptions,
  before: Date,
  signal?: AbortSignal,
): Promise<number> {
  let dropped = 0;
  for (;;) {
    if (signal?.aborted) break;
    const [row] = await database.query(dropStatement, [before]);
    const rows = Number(row?.['rows'] ?? 0);
    dropped += rows;
    if (rows < rowsAtOnce) break;
  }
  if (dropped > 0) log('usage.dropped', { rows: dropped, before });
  // The embedded database has nobody else who takes out the dead rows.
  if (dropped > 0 && database.kind === 'pglite') {
    for (const table of ['usage', 'ledger']) await database.query(`VACUUM ${table}`);
  }
  return dropped;
}

const dropStatement = `
  WITH gone AS (
    DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE at < $1::timestamptz ORDER BY at LIMIT ${rowsAtOnce}) RETURNING id),
  entries AS (
    DELETE FROM ledger WHERE id IN (SELECT id FROM gone) RETURNING account_id, date_trunc('day', at, 'UTC') AS day, amount_picodollars),
  folded AS (
    INSERT INTO ledger AS days (id, at, account_id, kind, amount_picodollars)
    SELECT gen_random_uuid(), day, account_id, 'usage_of_day', sum(amount_picodollars) FROM entries GROUP BY day, account_id
    ON CONFLICT (account_id, at) WHERE kind = 'usage_of_day'
    DO UPDATE SET amount_picodollars = days.amount_picodollars + excluded.amount_picodollars)
  SELECT count(*)::integer AS rows FROM gone`;
