// Group commit: rows are committed when `write` resolves, in few transactions, and whole.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGroupCommit } from './group-commit.ts';
import type { Database, Statement } from './port.ts';
import { startDatabases } from './testing.ts';
import type { TestDatabases } from './testing.ts';

function insert(table: string): (rows: number[]) => Statement {
  return rows => ({
    sql: `INSERT INTO ${table} SELECT n::int FROM jsonb_array_elements_text($1::jsonb) AS r(n)`,
    values: [JSON.stringify(rows)],
  });
}

describe('group commit', () => {
  let databases: TestDatabases | null;
  let database: Database;
  let transactions = 0;
  beforeAll(async () => {
    databases = await startDatabases('pglite');
    if (!databases) throw new Error('No database');
    const opened = await databases.open();
    await opened.script(
      'CREATE TABLE things (id int PRIMARY KEY CHECK (id < 1000)); CREATE TABLE others (id int PRIMARY KEY)',
    );
    database = {
      ...opened,
      // As with PostgreSQL, where a charge that is refused fails its callers.
      async post(statements) {
        transactions += 1;
        await opened.transaction(statements);
      },
    };
  });
  afterAll(() => databases?.stop());

  const ids = async (table: string) =>
    (await database.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).map(row => row.id);

  it('carries the rows of many callers in few transactions, each durable when its caller goes on', async () => {
    const commit = createGroupCommit(database);
    const things = commit.writer(insert('things'));
    const others = commit.writer(insert('others'));
    transactions = 0;
    others.writeLater(1);
    await Promise.all(
      Array.from({ length: 100 }, async (_, id) => {
        await things.write(id);
        expect(await ids('things')).toContain(id);
      }),
    );
    expect(await ids('things')).toHaveLength(100);
    expect(await ids('others')).toEqual([1]);
    expect(transactions).toBeLessThan(5);
    await commit.close();
  });

  it('writes what nobody waits for, and what is left when it closes', async () => {
    const commit = createGroupCommit(database, { laterMs: 5 });
    const others = commit.writer(insert('others'));
    others.writeLater(2);
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(await ids('others')).toEqual([1, 2]);
    others.writeLater(3);
    await commit.close();
    expect(await ids('others')).toEqual([1, 2, 3]);
    await expect(others.write(4)).rejects.toThrow('stopping');
  });

  it('waits for company only while it is expected', async () => {
    const commit = createGroupCommit(database, { gatherMs: 60_000 });
    const things = commit.writer(insert('things'));
    await things.write(200);
    const arrived = commit.expect();
    let done = false;
    const written = things.write(201).then(() => (done = true));
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(done).toBe(false);
    arrived();
    arrived();
    await written;
    await commit.close();
  });

  it('fails those whose transaction failed, and goes on', async () => {
    const commit = createGroupCommit(database);
    const things = commit.writer(insert('things'));
    const results = await Promise.allSettled([things.write(300), things.write(5000)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await things.write(301);
    expect((await ids('things')).filter(id => id >= 300)).toEqual([301]);
    await commit.close();
  });
});
