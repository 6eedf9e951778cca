// What tests of the service share: a small model of random numbers under the name that new accounts get, people, and all that a database
// and a folder hold, as text.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../server/database/index.ts';
import { entriesBelow } from '../../server/files/testing.ts';
import { writeStandIns } from '../stand-ins.ts';
import { type Visitor, newVisitor } from './visitor.ts';

export async function prepareModel(dataFolder: string): Promise<void> {
  await writeStandIns(dataFolder);
  const file = join(dataFolder, 'models.json');
  const { models } = JSON.parse(await readFile(file, 'utf8')) as { models: Record<string, object> };
  await writeFile(file, JSON.stringify({ models: { e5_small: models['e5_base'] } }));
}

export interface Person extends Visitor {
  email: string;
  personId: string;
  accountId: string;
  /** JSON in and out, in the person's first account or the one that is named; throws for what is refused. */
  call<Answer>(method: string, path: string, body?: unknown, accountId?: string): Promise<Answer>;
}

export const password = 'correct horse battery';

export async function signUp(url: string, name: string, more: object = {}): Promise<Person> {
  const visitor = newVisitor();
  const email = `${name}@example.com`;
  const call: Person['call'] = async (method, path, body, accountId) => {
    const response = await visitor.fetch(url + path, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(accountId !== undefined && { 'x-vectorium-account': accountId }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
    return JSON.parse(text);
  };
  await call('POST', '/console/auth/sign-up/email', { name, email, password, ...more });
  const session = await call<{ person: { id: string }; account_id: string }>('GET', '/console/api/session');
  return { ...visitor, email, personId: session.person.id, accountId: session.account_id, call };
}

/** Waits, also where no test runs yet. */
export async function until(what: string, isSo: () => Promise<boolean>, seconds = 60): Promise<void> {
  for (const deadlineMs = Date.now() + 1000 * seconds; !(await isSo()); await sleep(200))
    if (Date.now() > deadlineMs) throw new Error(`not in ${seconds} seconds: ${what}`);
}

/** Every row of every table, pg-boss's too, as `table {json}`. */
export async function rowsOf(database: Database): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'pgboss') ORDER BY 1`,
  );
  const rows: string[] = [];
  for (const { name } of tables)
    for (const { line } of await database.query<{ line: string }>(`SELECT row_to_json(t)::text AS line FROM ${name} t`))
      rows.push(`${name} ${line}`);
  return rows;
}

/** Paths of all files below a folder, but for those of the embedded database, which has its rows in them. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await entriesBelow(folder);
  return entries
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(path => !/^(database|journal|lock|stand-ins|models)(\/|$|\.)/.test(path))
    .toSorted();
}
