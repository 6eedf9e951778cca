// One suite for both implementations of the port.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from './port.ts';
import { postgresqlPrograms, startDatabases, temporaryFolder } from './testing.ts';
import type { TestDatabases } from './testing.ts';

const add = (id: number) => ({ sql: 'INSERT INTO things VALUES ($1, 0) RETURNING id', values: [id] });
const list = (bytes: unknown) => (bytes instanceof Uint8Array ? [...bytes] : bytes);

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(
    `the database port over ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`,
    () => {
      let databases: TestDatabases | null;
      let database: Database;
      beforeAll(async () => {
        databases = await startDatabases(kind);
        if (!databases) throw new Error('No server');
        database = await databases.open();
        await database.script(
          'CREATE TABLE things (id int PRIMARY KEY, big bigint); INSERT INTO things VALUES (1, 10)',
        );
      });
      afterAll(() => databases?.stop());

      it('gives the same JavaScript values for each type', async () => {
        const [row] = await database.query(
          `SELECT 1::int AS int, 9007199254740993::bigint AS bigint, sum(n)::bigint AS sum, 1.50::numeric AS numeric, 2.5::float8 AS float,
         '2024-02-29'::date AS date, '2024-02-29T12:00:00.123Z'::timestamptz AS at, '{"a":[1,null]}'::jsonb AS json,
         '\\x00ff'::bytea AS bytes, true AS yes, NULL AS nothing, 'ünï\u2028\u{1F600}' AS text,
         '0190163d-8694-739b-aea5-966c26f8ad91'::uuid AS uuid FROM generate_series(1, 3) n`,
        );
        expect({ ...row, bytes: list(row?.['bytes']) }).toEqual({
          int: 1,
          bigint: 9007199254740993n,
          sum: 6n,
          numeric: '1.50',
          float: 2.5,
          date: '2024-02-29',
          at: new Date('2024-02-29T12:00:00.123Z'),
          json: { a: [1, null] },
          bytes: [0, 255],
          yes: true,
          nothing: null,
          text: 'ünï\u2028\u{1F600}',
          uuid: '0190163d-8694-739b-aea5-966c26f8ad91',
        });
      });

      it('takes the same JavaScript values', async () => {
        const at = new Date('2024-02-29T12:00:00.123Z');
        const [row] = await database.query(
          `SELECT $1::bigint AS big, $2::timestamptz AS at, $3::bytea AS bytes, $4::boolean AS yes, $5::text AS nothing, $6::float8 AS float,
         (SELECT sum(r.n) FROM jsonb_to_recordset($7::jsonb) AS r(n bigint))::bigint AS sum, $8::date AS date`,
          [
            -(2n ** 62n),
            at,
            new Uint8Array([1, 2]),
            false,
            null,
            0.1,
            JSON.stringify([{ n: '5' }, { n: 6 }]),
            '2024-03-01',
          ],
        );
        expect({ ...row, bytes: list(row?.['bytes']) }).toEqual({
          big: -(2n ** 62n),
          at,
          bytes: [1, 2],
          yes: false,
          nothing: null,
          float: 0.1,
          sum: 11n,
          date: '2024-03-01',
        });
      });

      it('does a transaction whole or not at all', async () => {
        expect(await database.transaction([add(2), add(3)])).toEqual([[{ id: 2 }], [{ id: 3 }]]);
        await expect(database.transaction([add(4), add(2)])).rejects.toMatchObject({
          name: 'DatabaseError',
          code: '23505',
          constraint: 'things_pkey',
        });
        await expect(
          database.script('INSERT INTO things VALUES (5, 0); INSERT INTO nowhere VALUES (1)'),
        ).rejects.toThrow();
        expect(await database.query('SELECT id FROM things ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
      });

      it('keeps concurrent transactions apart', async () => {
        await Promise.all(
          Array.from({ length: 50 }, () =>
            database.transaction([
              { sql: 'SELECT big FROM things WHERE id = 1 FOR UPDATE' },
              { sql: 'UPDATE things SET big = big + 1 WHERE id = 1' },
            ]),
          ),
        );
        expect(await database.query('SELECT big FROM things WHERE id = 1')).toEqual([{ big: 60n }]);
      });

      it('goes on after a statement that was refused', async () => {
        await expect(database.query('SELECT nonsense')).rejects.toMatchObject({ code: '42703' });
        await expect(database.query('SELECT $1::int', ['x'])).rejects.toThrow();
        expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      });

      it('goes on after a dump that could not be written', async () => {
        const folder = temporaryFolder();
        const dump = (path: string) => database.dump({ path, files: {} });
        await expect(dump('/no/such/dir/x')).rejects.toThrow('ENOENT');
        await dump(join(folder.path, 'x'));
        // More than the stream takes at once, so that the dump waits for it.
        await database.script(
          'CREATE TABLE hashes AS SELECT sha512(n::text::bytea) AS hash FROM generate_series(1, 5000) n',
        );
        await expect(dump(join(folder.path, 'x'))).rejects.toThrow('EEXIST');
        await database.script('DROP TABLE hashes');
        await folder.remove();
      });

      it.skipIf(kind === 'pglite')('goes on after its connection was lost within a transaction', async () => {
        const lose = { sql: 'SELECT pg_terminate_backend(pg_backend_pid())' };
        await expect(database.transaction([lose])).rejects.toMatchObject({ name: 'DatabaseError' });
        expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      });

      it('rejects what comes after the end', async () => {
        const other = await databases?.open();
        await other?.close();
        await expect(other?.query('SELECT 1')).rejects.toThrow();
      });
    },
  );
}
