// Brings a database's tables to what this program knows, by numbered files that never change once they are released.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { DatabaseError } from './port.ts';
import type { Database } from './port.ts';

export interface Migration {
  number: number;
  name: string;
  sql: string;
}

/** Server processes that start together on one PostgreSQL take turns by this lock's number. */
const advisoryLock = 7305_2024;
const uniqueViolation = '23505';

/** The files of `migrations/`, by number: `0001-name.sql`. Throws on a gap. */
export async function readMigrations(): Promise<Migration[]> {
  const folder = new URL('./migrations/', import.meta.url);
  const files = (await readdir(folder)).filter(file => file.endsWith('.sql')).toSorted();
  return Promise.all(
    files.map(async (file, index) => {
      const number = Number(file.slice(0, 4));
      if (number !== index + 1) throw new Error(`Migration ${file} should have the number ${index + 1}`);
      return { number, name: file.slice(5, -4), sql: await readFile(new URL(file, folder), 'utf8') };
    }),
  );
}

/**
 * Applies what is missing, each migration in a transaction of its own. Throws, and changes nothing, when the database was made by a
 * newer program or when an applied migration is not the one that this program has.
 */
export async function migrate(database: Database, migrations: Migration[]): Promise<void> {
  await database.script(
    `SELECT pg_advisory_xact_lock(${advisoryLock});
     CREATE TABLE IF NOT EXISTS migrations (
       number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());`,
  );
  const applied = await database.query<{ number: number; name: string; checksum: string }>(
    'SELECT number, name, checksum FROM migrations ORDER BY number',
  );
  for (const { number, name, checksum } of applied) {
    const known = migrations[number - 1];
    if (!known) {
      throw new Error(
        `The database was made by a newer program: it has migration ${number} (${name}). Start the newer program.`,
      );
    }
    if (checksumOf(known) !== checksum)
      throw new Error(`Migration ${number} (${name}) was changed after it was applied`);
  }
  for (const migration of migrations.slice(applied.length)) await apply(database, migration);
}

async function apply(database: Database, migration: Migration): Promise<void> {
  const { number, name, sql } = migration;
  try {
    await database.script(
      `SELECT pg_advisory_xact_lock(${advisoryLock});
       INSERT INTO migrations (number, name, checksum) VALUES (${number}, '${name}', '${checksumOf(migration)}');
       ${sql}`,
    );
  } catch (error) {
    const doneByAnotherProcess =
      error instanceof DatabaseError && error.code === uniqueViolation && error.constraint === 'migrations_pkey';
    if (!doneByAnotherProcess) throw error;
  }
}

function checksumOf({ sql }: Migration): string {
  return createHash('sha256').update(sql).digest('hex');
}
