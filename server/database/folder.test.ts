// What happens to a data folder: one server at a time, migrations, backup and restore.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, stat, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backup, FolderInUse, openDatabase, restore } from './index.ts';
import { migrate, readMigrations } from './migrate.ts';
import { postgresqlPrograms, startDatabases, temporaryFolder, testFolder } from './testing.ts';
import type { TestDatabases } from './testing.ts';

describe('an embedded data folder', () => {
  it('is refused to a second server, open to commands, and free again after a kill', { timeout: 120_000 }, async () => {
    const folder = await testFolder();
    const program = join(folder.path, 'server.mjs');
    await writeFile(
      program,
      `import { openDatabase } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const database = await openDatabase({ folder: ${JSON.stringify(folder.path)} });
      await database.query("INSERT INTO limit_windows VALUES ('k', 'vectors', now(), 1, now(), 1)");
      console.log('open');
      setInterval(() => {}, 1000);`,
    );
    const server = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(server.stdout, 'data', { signal: AbortSignal.timeout(60_000) });

    await expect(openDatabase({ folder: folder.path })).rejects.toBeInstanceOf(FolderInUse);
    const joined = await openDatabase({ folder: folder.path, join: true });
    expect(await joined.query('SELECT key_id, minute_count FROM limit_windows')).toEqual([
      { key_id: 'k', minute_count: 1 },
    ]);
    await expect(joined.query('SELECT nonsense')).rejects.toMatchObject({ name: 'DatabaseError', code: '42703' });
    await joined.close();
    expect((await stat(join(folder.path, 'database.socket'))).mode & 0o777).toBe(0o600);

    server.kill('SIGKILL');
    await once(server, 'close');
    const database = await openDatabase({ folder: folder.path });
    expect(await database.query('SELECT key_id FROM limit_windows')).toEqual([{ key_id: 'k' }]);
    await database.close();
    await folder.remove();
  });

  it('is not made from the backup of a newer program', async () => {
    const folder = temporaryFolder();
    const file = join(folder.path, 'backup.gz');
    await writeFile(file, gzipSync('{"format":"vectorium-dump-1","migration":999,"files":{}}\n'));
    await expect(restore(file, { folder: folder.path })).rejects.toThrow('newer program');
    await expect(stat(join(folder.path, 'database'))).rejects.toThrow('ENOENT');
    await folder.remove();
  });

  it('is made whole even when its making was interrupted', { timeout: 120_000 }, async () => {
    const folder = temporaryFolder();
    await mkdir(join(folder.path, 'database.unfinished'), { recursive: true });
    await writeFile(join(folder.path, 'database.unfinished', 'PG_VERSION'), 'half');
    const database = await openDatabase({ folder: folder.path });
    expect(await database.query('SELECT count(*)::int AS n FROM accounts')).toEqual([{ n: 0 }]);
    await database.close();
    await folder.remove();
  });
});

for (const kind of ['pglite', 'postgresql'] as const) {
  const missing = kind === 'postgresql' && !postgresqlPrograms();
  describe.skipIf(missing)(`a database of ${kind}${missing ? ': SKIPPED, install the package postgresql' : ''}`, () => {
    let databases: TestDatabases | null;
    beforeAll(async () => {
      databases = await startDatabases(kind);
    });
    afterAll(() => databases?.stop());
    const newPlace = async (options?: { upTo: number }) => {
      if (!databases) throw new Error('No server');
      return databases.place(options);
    };

    it('is brought from any older state to the newest, by processes that start together too', async () => {
      const older = { upTo: 0 };
      const place = await newPlace(older);
      await (await openDatabase({ ...place, ...older })).close();
      const database = await openDatabase(place);
      const migrations = await readMigrations();
      const next = { number: migrations.length + 1, name: 'next', sql: 'CREATE TABLE next_things (id int)' };
      await Promise.all([migrate(database, [...migrations, next]), migrate(database, [...migrations, next])]);
      expect(await database.query('SELECT * FROM next_things')).toEqual([]);
      const [row] = await database.query('SELECT count(*)::int AS n FROM migrations');
      expect(row).toEqual({ n: migrations.length + 1 });
      await database.close();
      await expect(openDatabase(place)).rejects.toThrow('newer program');
    });

    it('refuses a migration that was changed after it was applied, and undoes one that fails', async () => {
      const database = await openDatabase(await newPlace());
      const migrations = await readMigrations();
      const changed = migrations.map(each => ({ ...each, sql: `${each.sql} ` }));
      await expect(migrate(database, changed)).rejects.toThrow('was changed');
      const bad = { number: migrations.length + 1, name: 'bad', sql: 'CREATE TABLE half (id int); SELECT nonsense' };
      await expect(migrate(database, [...migrations, bad])).rejects.toThrow('nonsense');
      expect(await database.query(`SELECT to_regclass('half')::text AS half`)).toEqual([{ half: null }]);
      await migrate(database, migrations);
      await database.close();
    });

    it('is the same after backup, while it is open, and restore, to either kind', { timeout: 180_000 }, async () => {
      const place = await newPlace();
      const database = await openDatabase(place);
      await database.script(
        `INSERT INTO accounts (id, email, plan, limits, default_model, billed, balance_picodollars)
         VALUES ('acc_1', 'ü\u2028@example.org', 'free', '{"jobs": null}', 'e5_small', true, 9007199254740993);
         INSERT INTO keys (id, account_id, hash, hint, name, admin) VALUES ('key_1', 'acc_1', '\\x00ff', 'abcd', 'a "name"\n', false);
         INSERT INTO ledger VALUES (gen_random_uuid(), now(), 'acc_1', 'opening', 9007199254740993, 'x');
         INSERT INTO usage SELECT gen_random_uuid(), now(), 'r' || n, 'acc_1', 'key_1', '/v', 'm', n, n, 0.1 * n
         FROM generate_series(1, 3500) n;
         INSERT INTO leases VALUES ('acc_1', 'gone', 5, now());
         INSERT INTO datasets VALUES ('ds_1', 'acc_1', 'a "name"', NULL, 'csv', 3, now(), now());
         INSERT INTO dataset_versions (dataset_id, number, account_id, file, rows, columns, rejected, notes, size_bytes, counted_bytes,
           parents, inherited, operations, report, created_at)
         VALUES ('ds_1', 2, 'acc_1', 'datasets/acc_1/ds_1/x/data.parquet', 1, '[]', '{"text": "a\\\\u0000 \\u0000\\ud83d\\ude00\\ud800b"}', '[]', 1, 1,
           '[]', '[]', '[{"b": 1, "a": 2}]', '[]', now());
         INSERT INTO storage_reservations VALUES ('r', 'acc_1', 'gone', 5, now());`,
      );
      await writeFile(join(place.folder, 'plans.json'), '{"of": "the operator"}');
      const file = join(place.folder, 'backup.gz');
      await backup(place, file);
      await expect(backup(place, file)).rejects.toThrow('exists');
      const before = await everything(database);
      await database.close();
      await expect(restore(file, place)).rejects.toThrow('already');
      await expect(restore(join(place.folder, 'plans.json'), { folder: join(place.folder, 'x') })).rejects.toThrow(
        'not a backup',
      );

      // The places of tests have an empty embedded database already, which a restore refuses.
      const embedded = { folder: join(place.folder, 'embedded') };
      for (const empty of kind === 'pglite' ? [embedded] : [embedded, await newPlace()]) {
        await restore(file, empty);
        const restored = await openDatabase(empty);
        // What can be kept in json but not read back from it has become U+FFFD.
        const text = 'a\\u0000 \ufffd😀\ufffdb';
        const expected = before.map(rows =>
          rows.map(row => ('rejected' in row ? { ...row, rejected: { text } } : row)),
        );
        expect(await everything(restored)).toEqual(expected);
        expect(await restored.query('SELECT * FROM leases')).toEqual([]);
        expect(await restored.query('SELECT * FROM storage_reservations')).toEqual([]);
        await restored.close();
        expect(await readFile(join(empty.folder, 'plans.json'), 'utf8')).toBe('{"of": "the operator"}');
      }
    });
  });
}

async function everything(database: Awaited<ReturnType<typeof openDatabase>>) {
  const tables = [
    'accounts',
    'keys',
    'ledger',
    'usage',
    'usage_hours',
    'limit_windows',
    'datasets',
    'dataset_versions',
  ];
  return Promise.all(tables.map(table => database.query(`SELECT * FROM ${table} ORDER BY 1, 2`)));
}
