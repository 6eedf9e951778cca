// The journal's rules, numbered as in journal.ts.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Journaled, openJournal } from './journal.ts';
import { openDatabase } from './open.ts';
import { type Database, DatabaseError, type Statement } from './port.ts';
import type { Request } from './protocol.ts';
import { temporaryFolder, testFolder } from './testing.ts';

const put = (id: number): Statement => ({ sql: 'put', values: [id, null, new Date(0), 5n, new Uint8Array([255])] });
const asRead = (id: number): Statement => ({
  sql: 'put',
  values: [String(id), null, '1970-01-01T00:00:00.000Z', '5', '\\xff'],
});
const asSent = (...values: number[]) => ({ sql: 'add', values });
const statementsOf = (request: Request | undefined) => (request?.kind === 'transaction' ? request.statements : []);
const countedFor = (key: string): Statement => ({
  sql: "INSERT INTO limit_windows VALUES ($1, 'vectors', now(), 1, now(), 1) ON CONFLICT DO NOTHING",
  values: [key],
});
const countedKeys = async (database: Database) =>
  (await database.query<{ key_id: string }>('SELECT key_id FROM limit_windows ORDER BY 1')).map(row => row.key_id);

describe('the journal', () => {
  let folder: string;
  let asked: Request[];
  let answer: (request: Request) => void;
  let events: string[];
  beforeEach(() => {
    const made = temporaryFolder();
    onTestFinished(made.remove);
    folder = made.path;
    asked = [];
    events = [];
    answer = () => {};
  });
  /** Each journal writes to the lists of its own test, also when its timer rings in the next one. */
  const open = (): Promise<Journaled> => {
    const [list, reply] = [asked, answer];
    return openJournal(folder, {
      async call(request) {
        list.push(request);
        reply(request);
        return [];
      },
      log: event => events.push(event),
    });
  };
  const files = async () => (await readdir(folder)).toSorted();

  it('has a statement in its file when post returns (1)', async () => {
    const { post } = await open();
    post([put(1), put(2)]);
    expect(await files()).toEqual(['000000000001.jsonl']);
    expect((await readFile(join(folder, '000000000001.jsonl'), 'utf8')).split('\n')).toHaveLength(3);
    expect(asked).toEqual([]);
  });

  it('lets nobody ask before what was posted (2)', async () => {
    const { call, post } = await open();
    post([put(1)]);
    await call({ kind: 'script', sql: 'read' });
    expect(asked).toEqual([
      { kind: 'transaction', statements: [put(1)] },
      { kind: 'script', sql: 'read' },
    ]);
  });

  it('applies a batch by itself soon, and removes its file (3)', async () => {
    const { post } = await open();
    post([put(1)]);
    post([put(2)]);
    await expect.poll(() => asked.length, { timeout: 5000 }).toBe(1);
    expect(statementsOf(asked[0])).toEqual([put(1), put(2)]);
    await expect.poll(files).toEqual([]);
  });

  it('runs what a killed process left, in order, without a line that was cut off (3)', async () => {
    answer = () => {
      throw new DatabaseError('gone', { code: 'CONNECTION_LOST' });
    };
    const first = await open();
    for (const id of [1, 2]) {
      first.post([put(id)]);
      await first.call({ kind: 'script', sql: 'read' }).catch(() => {});
    }
    first.post([put(3)]);
    const last = join(folder, '000000000003.jsonl');
    await writeFile(last, `${await readFile(last, 'utf8')}["put","4`);

    answer = () => {};
    asked = [];
    const second = await open();
    expect(asked.map(statementsOf)).toEqual([[asRead(1)], [asRead(2)], [asRead(3)]]);
    expect(await files()).toEqual([]);
    second.post([put(5)]);
    expect(await files()).toEqual(['000000000004.jsonl']);
  });

  it('runs statements that can be merged as one, and those of a refused batch one by one (4)', async () => {
    const add = (...ids: number[]): Statement => ({
      sql: 'add',
      values: ids,
      merge: next => add(...ids, ...((next.values ?? []) as number[])),
    });
    answer = request => {
      if (statementsOf(request).some(({ sql, values = [] }) => sql === 'add' && values.length > 2))
        throw new DatabaseError('no', { code: '22003' });
    };
    const { call, post } = await open();
    post([add(1)]);
    post([put(9), add(2)]);
    await call({ kind: 'script', sql: 'read' });
    expect(statementsOf(asked[0])).toEqual([asSent(1, 2), put(9)]);
    post([add(1)]);
    post([add(2), add(3)]);
    await call({ kind: 'script', sql: 'read' });
    expect(statementsOf(asked[2])).toEqual([asSent(1, 2, 3)]);
    await expect.poll(() => asked.slice(3).flatMap(statementsOf)).toEqual([1, 2, 3].map(id => asSent(id)));
  });

  it('keeps what is refused, and nothing is held up by it (5)', async () => {
    answer = request => {
      if (statementsOf(request).some(({ values = [] }) => values[0] === 2))
        throw new DatabaseError('no', { code: '23505' });
    };
    const { call, post } = await open();
    post([put(1), put(2), put(3)]);
    await call({ kind: 'script', sql: 'read' });
    await expect.poll(() => asked.slice(2).flatMap(statementsOf)).toEqual([put(1), put(2), put(3)]);
    await expect.poll(files).toEqual(['refused.jsonl']);
    expect(JSON.parse(await readFile(join(folder, 'refused.jsonl'), 'utf8'))).toEqual([
      'put',
      ...(asRead(2).values ?? []),
    ]);
    expect(events).toEqual(['database.refused']);
  });

  it('goes on, and keeps the file, when a refusal can not be kept (5)', async () => {
    answer = () => {
      throw new DatabaseError('no', { code: '23505' });
    };
    await mkdir(join(folder, 'refused.jsonl'));
    const { post, call } = await open();
    post([put(1)]);
    await call({ kind: 'script', sql: 'read' }).catch(() => {});
    await expect.poll(() => events).toEqual(['database.refused', 'database.journal_failed']);
    expect(await files()).toEqual(['000000000001.jsonl', 'refused.jsonl']);
  });

  it('posts nothing when its file can not be written', async () => {
    await rm(folder, { recursive: true });
    await mkdir(folder);
    const { post } = await open();
    await rm(folder, { recursive: true });
    expect(() => post([put(1)])).toThrow('ENOENT');
    expect(asked).toEqual([]);
    await mkdir(folder);
  });
});

it('is seen by the next question, and by the next process', { timeout: 60_000 }, async () => {
  const folder = await testFolder();
  onTestFinished(folder.remove);
  const database = await openDatabase({ folder: folder.path });
  await database.post([countedFor('a')]);
  expect(await countedKeys(database)).toEqual(['a']);
  await database.post([countedFor('b')]);
  await database.close();
  const again = await openDatabase({ folder: folder.path });
  expect(await countedKeys(again)).toEqual(['a', 'b']);
  await again.close();
});
