// Hears PostgreSQL's notifications on a connection of its own, and gets itself another when it breaks.
import { Client } from 'pg';
import type { Announcements } from './announcements.ts';

/** The channel that all announcements go through; the payload is the topic. */
export const channel = 'vectorium';

const againAfterMs = 1000;

export interface Listening {
  close(): Promise<void>;
}

/** While there is no connection, announcements are missed: so all listeners are told when it is there again. */
export function listen(
  url: string,
  { dispatch }: Announcements,
  log: (event: string, fields: object) => void,
): Listening {
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function open(): Promise<void> {
    const opened = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
    client = opened;
    const lost = (): void => {
      if (client !== opened || closed) return;
      client = undefined;
      dispatch();
      timer = setTimeout(() => void open(), againAfterMs);
      timer.unref();
    };
    opened.on('notification', ({ payload }) => dispatch(payload));
    opened.on('error', error => log('database.announcements_lost', { message: error.message }));
    opened.on('end', lost);
    try {
      await opened.connect();
      await opened.query(`LISTEN ${channel}`);
      dispatch();
    } catch (error) {
      log('database.announcements_lost', { message: error instanceof Error ? error.message : String(error) });
      await opened.end().catch(() => {});
      lost();
    }
  }

  const opening = open();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await opening;
      await client?.end().catch(() => {});
    },
  };
}
