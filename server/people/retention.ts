// Drops what has run out and tells where somebody was or whom somebody knew: sessions, links, invitations and counted tries; and people
// who are in no account, once their last session is over and nothing of them has changed for a month.
import type { Database } from '../database/index.ts';

/** Without an account. */
const peopleStayDays = 30;
const everyMs = 6 * 3_600_000;
const tables: Readonly<Record<string, string>> = {
  sessions: 'expires_at',
  verifications: 'expires_at',
  confirmations: 'expires_at',
  invitations: 'expires_at',
  attempts: 'ends_at',
};

export async function dropExpired(database: Pick<Database, 'query'>, now = new Date()): Promise<void> {
  for (const [table, until] of Object.entries(tables))
    await database.query(`DELETE FROM ${table} WHERE ${until} < $1::timestamptz`, [now]);
  const old = new Date(now.getTime() - peopleStayDays * 86_400_000);
  await database.query(
    `WITH gone AS (
       DELETE FROM people p WHERE updated_at < $1::timestamptz
         AND NOT EXISTS (SELECT 1 FROM members WHERE person_id = p.id)
         AND NOT EXISTS (SELECT 1 FROM sessions WHERE person_id = p.id) RETURNING id)
     DELETE FROM verifications USING gone WHERE value = gone.id`,
    [old],
  );
}

/** At the start, and every six hours. */
export function keepPeopleRetention(
  database: Pick<Database, 'query'>,
  log: (event: string, fields: object) => void,
): { close(): Promise<void> } {
  const drop = (): Promise<void> =>
    dropExpired(database).catch((error: unknown) => {
      // What is too old goes six hours later.
      log('people.expired_not_dropped', { message: error instanceof Error ? error.message : String(error) });
    });
  let dropping = drop();
  const timer = setInterval(() => (dropping = drop()), everyMs);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await dropping;
    },
  };
}
