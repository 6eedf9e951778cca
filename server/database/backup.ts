// Backup and restore: one file that holds what a server knows (accounts, keys, money, usage, and the operator's plan and catalog
// files), but not what can be fetched or made again (model weights). The same file restores to PGlite or to PostgreSQL. Whoever calls may
// put more behind it, such as the files of datasets (server/backup.ts).
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { readDump, readDumpHeader } from './dump.ts';
import { readMigrations } from './migrate.ts';
import { openDatabase } from './open.ts';
import type { OpenOptions } from './open.ts';

type Place = Pick<OpenOptions, 'url' | 'folder' | 'log'>;

/**
 * Writes `toFile`, as of one moment, also while a server runs on the folder (embedded, its requests wait meanwhile). Throws when the
 * file exists or there is nothing to back up.
 */
export async function backup(
  place: Place,
  toFile: string,
  andThen: (unfinished: string) => Promise<void> = async () => {},
): Promise<void> {
  if (!place.url && !(await exists(join(place.folder, 'database'))))
    throw new Error(`There is no database in ${place.folder}`);
  const target = resolve(toFile);
  if (await exists(target)) throw new Error(`${target} exists already`);
  const unfinished = `${target}.unfinished`;
  await rm(unfinished, { force: true });
  const database = await openDatabase({ ...place, join: true });
  try {
    await database.dump({ path: unfinished, files: await operatorsFiles(place.folder) });
  } finally {
    await database.close();
  }
  try {
    await andThen(unfinished);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await rename(unfinished, target);
}

/**
 * Fills an empty folder or database from a backup of this or an older program. Throws when there is something in it already, or when
 * a newer program made the backup. `before` runs between these checks and the first row.
 */
export async function restore(
  fromFile: string,
  place: Place,
  before: () => Promise<void> = async () => {},
): Promise<void> {
  const { migration, files } = await readDumpHeader(fromFile);
  // Columns that this program doesn't have would be left out without a word.
  if (migration > (await readMigrations()).length) {
    throw new Error(
      `${fromFile} was made by a newer program: it has migration ${migration}. Restore with the newer program.`,
    );
  }
  if (!place.url && (await exists(join(place.folder, 'database')))) {
    throw new Error(`There is a database in ${place.folder} already; restore into an empty folder`);
  }
  const database = await openDatabase({ ...place, upTo: migration });
  try {
    const accounts = await database.query('SELECT 1 FROM accounts LIMIT 1');
    if (accounts.length > 0) throw new Error('There are accounts in the database already; restore into an empty one');
    await before();
    await readDump(database, fromFile);
  } finally {
    await database.close();
  }
  await mkdir(place.folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(place.folder, basename(name)), content);
  // What came after the backup's program.
  await (await openDatabase(place)).close();
}

/** The files that the operator edits: every *.json at the top of the data folder. */
async function operatorsFiles(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.json'));
  return Object.fromEntries(
    await Promise.all(names.map(async name => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
