// Opens the server's database, whichever it is, and brings its tables up to date.
import { migrate, readMigrations } from './migrate.ts';
import { openPglite } from './pglite.ts';
import type { Database } from './port.ts';
import { openPostgresql } from './postgresql.ts';

export interface OpenOptions {
  /** A `postgres://` address; without it the database is embedded in the data folder. */
  url?: string | undefined;
  /** The data folder. */
  folder: string;
  /** For commands: when a server has the embedded database open, use that server's. */
  join?: boolean;
  /** Stop at this migration (for reading a backup that an older program made). */
  upTo?: number;
  log?: (event: string, fields: object) => void;
}

/**
 * Opens and migrates. Throws FolderInUse when a server runs on the folder (unless `join`), and an Error that says why when the
 * database can't be opened or is newer than this program.
 */
export async function openDatabase({
  url,
  folder,
  join = false,
  upTo,
  log = () => {},
}: OpenOptions): Promise<Database> {
  const database = url ? await openPostgresql({ url, log }) : await openPglite({ folder, join, log });
  try {
    await migrate(database, (await readMigrations()).slice(0, upTo));
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}
