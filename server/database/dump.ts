// Every table of a database as lines of JSON in one gzip file: the same file from PGlite and from PostgreSQL, readable by either.
//
// First line: {"format", "migration", "files"}, the files being the operator's own. Then, for each table, {"table"} followed by one line a row. Numbers keep all their digits,
// since PostgreSQL writes and reads the lines itself.
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { pipeline } from 'node:stream';
import { pipeline as pipelineDone } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { appendixOf, readPart } from '../files/appendix.ts';
import type { Connection, Database } from './port.ts';

const format = 'vectorium-dump-1';
const rowsAtOnce = 1000;
/** What belongs to running processes or to the program. */
const leftOut = new Set(['migrations', 'leases', 'storage_reservations']);

export interface DumpHeader {
  /** The newest migration that the database had. */
  migration: number;
  /** Names and contents. */
  files: Record<string, string>;
}

export interface DumpTarget {
  /** Must not exist yet. */
  path: string;
  files: DumpHeader['files'];
}

/** Writes the dump over a connection whose transaction sees one moment of the database. */
export async function writeDump(connection: Connection, { path, files }: DumpTarget): Promise<void> {
  const gzip = createGzip({ level: 3 });
  const done = pipelineDone(gzip, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  // Whoever writes next learns of it; that the rejection waits until then must not end the process.
  done.catch(() => {});
  const write = async (line: string): Promise<void> => {
    if (gzip.destroyed) await done;
    // A file that fails destroys the stream with its error, which ends this wait too.
    if (!gzip.write(`${line}\n`)) await once(gzip, 'drain');
  };
  const [newest] = await connection.query('SELECT max(number) AS number FROM migrations');
  await write(JSON.stringify({ format, migration: newest?.['number'], files }));
  for (const table of await tables(connection)) {
    await write(JSON.stringify({ table }));
    await connection.query(`DECLARE dump CURSOR FOR SELECT row_to_json(t)::text AS line FROM "${table}" t`);
    for (;;) {
      const rows = await connection.query(`FETCH ${rowsAtOnce} FROM dump`);
      for (const row of rows) await write(String(row['line']));
      if (rows.length < rowsAtOnce) break;
    }
    await connection.query('CLOSE dump');
  }
  gzip.end();
  await done;
}

/** Throws when the file is no dump. */
export async function readDumpHeader(fromFile: string): Promise<DumpHeader> {
  try {
    for await (const line of lines(fromFile)) {
      const { format: found, migration, files } = JSON.parse(line) as DumpHeader & { format: string };
      if (found === format) return { migration, files };
      break;
    }
  } catch (error) {
    throw new Error(`${fromFile} is not a backup of this program`, { cause: error });
  }
  throw new Error(`${fromFile} is not a backup of this program`);
}

/** Escapes in the order that they stand in: pairs of surrogates, what PostgreSQL takes as text but not as a character, and all others. */
const escapes =
  /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u0000|\\u[dD][89a-fA-F][\da-fA-F]{2})|\\./g;

/** A json column may hold U+0000 or half of a surrogate pair, but a row can't be read from JSON that does: U+FFFD stands for them. */
function restorable(line: string): string {
  if (!line.includes('\\u')) return line;
  return line.replaceAll(escapes, (escape, refused?: string) => (refused === undefined ? escape : '\\ufffd'));
}

/** Puts a dump's rows into a database that has the dump's migrations and no rows. */
export async function readDump(database: Database, fromFile: string): Promise<void> {
  let table: string | undefined;
  let batch: string[] = [];
  const flush = async (): Promise<void> => {
    if (table && batch.length > 0) {
      await database.query(`INSERT INTO "${table}" SELECT * FROM json_populate_recordset(NULL::"${table}", $1::json)`, [
        `[${batch.join(',')}]`,
      ]);
    }
    batch = [];
  };
  const known = new Set(await tables({ query: (sql, values) => database.query(sql, values) }));
  let first = true;
  for await (const line of lines(fromFile)) {
    if (first) {
      first = false;
    } else if (line.startsWith('{"table":')) {
      await flush();
      table = (JSON.parse(line) as { table: string }).table;
      if (!known.has(table)) throw new Error(`The backup has a table "${table}" that this program doesn't know`);
    } else {
      batch.push(restorable(line));
      if (batch.length >= rowsAtOnce) await flush();
    }
  }
  await flush();
  await continueSequences(database);
}

/** The next numbers that the database hands out follow those that came with the rows. */
async function continueSequences(database: Database): Promise<void> {
  const columns = await database.query<{ table: string; column: string }>(
    `SELECT table_name AS table, column_name AS column FROM information_schema.columns
     WHERE table_schema = 'public' AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL`,
  );
  for (const { table, column } of columns) {
    await database.query(
      `SELECT setval(pg_get_serial_sequence('"${table}"', '${column}'), (SELECT coalesce(max("${column}"), 0) + 1 FROM "${table}"), false)`,
    );
  }
}

/** Every table, those that others refer to first. */
async function tables(connection: Connection): Promise<string[]> {
  const rows = await connection.query(
    `SELECT t.relname AS name, r.relname AS refers_to FROM pg_class t
     LEFT JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype = 'f' AND c.confrelid <> t.oid
     LEFT JOIN pg_class r ON r.oid = c.confrelid
     WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace ORDER BY t.relname`,
  );
  const sorted = new Set<string>();
  const names = new Set(rows.map(row => String(row['name'])));
  while (sorted.size < names.size) {
    const before = sorted.size;
    for (const name of names) {
      const needs = rows.filter(row => row['name'] === name && row['refers_to'] !== null);
      if (needs.every(row => sorted.has(String(row['refers_to'])))) sorted.add(name);
    }
    if (sorted.size === before) throw new Error('Tables refer to each other in a circle');
  }
  return [...sorted].filter(name => !leftOut.has(name));
}

/** Split at \n alone: node:readline also splits at U+2028, which may stand inside a JSON text. */
async function* lines(file: string): AsyncGenerator<string> {
  // The iteration below throws what goes wrong on the way; the callback has nothing to add.
  const appendix = await appendixOf(file);
  const bytes = appendix ? readPart(file, { start: 0, end: appendix.start }) : createReadStream(file);
  const text = pipeline(bytes, createGunzip(), () => {}).setEncoding('utf8');
  let rest = '';
  for await (const piece of text as AsyncIterable<string>) {
    const complete = (rest + piece).split('\n');
    rest = complete.pop() ?? '';
    yield* complete;
  }
  if (rest) throw new Error(`${file} is cut off`);
}
