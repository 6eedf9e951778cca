// What a job is locked to: its own files, whatever SQL it is made to run.
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from './job.ts';
import { leftovers, workshop } from './testing.ts';

const shop = await workshop();
const other = await shop.take('a,b\n1,x\n2,y\n', 'csv');
const own = await shop.file('own.csv', 'a\n1\n');
const elsewhere = join(shop.folder, 'elsewhere.csv');
const settings = {
  scratch: join(shop.folder, 'scratch'),
  memoryBytes: 2 ** 27,
  threads: 1,
  maxSpillBytes: 2 ** 27,
  formatsFolder: null,
};
const { connection, close } = await openDatabase(settings, { paths: [own] });
afterAll(close);

test('a job reads its own files and writes its own folder', async () => {
  const reader = await connection.runAndReadAll(`FROM read_csv('${own}')`);
  expect(reader.getRows()).toEqual([[1n]]);
  await connection.run(`COPY (SELECT 1) TO '${join(settings.scratch, 'x.csv')}' (FORMAT csv)`);
});

test.each([
  ['a file of the system', `FROM read_csv('/etc/passwd')`],
  ['a text of the system', `FROM read_text('/etc/passwd')`],
  ['the environment of the process', `FROM read_blob('/proc/self/environ')`],
  ['the dataset of another', `FROM read_parquet('${other.target}')`],
  ['another folder by a way round', `FROM read_parquet('${settings.scratch}/../dataset-1.parquet')`],
  ['the names of files', `FROM glob('${shop.folder}/*')`],
  ['a database in a file', `ATTACH '${join(shop.folder, 'other.db')}'`],
  ['a file elsewhere', `COPY (SELECT 1) TO '${elsewhere}' (FORMAT csv)`],
  ['a dump elsewhere', `EXPORT DATABASE '${join(shop.folder, 'dump')}'`],
  ['an extension from the network', `INSTALL httpfs`],
  ['an extension from a file', `LOAD '${join(shop.folder, 'evil.duckdb_extension')}'`],
  ['the network', `FROM read_csv('https://example.com/a.csv')`],
  ['the lock', `SET enable_external_access = true`],
  ['the list of files', `SET allowed_paths = ['/etc/passwd']`],
  ['the memory limit', `SET memory_limit = '100GB'`],
  ['the lock of the lock', `SET lock_configuration = false`],
])('%s is out of reach', async (_what, sql) => {
  await expect(connection.runAndReadAll(sql)).rejects.toThrow(
    /Permission Error|configuration has been locked|disabled/,
  );
  expect(await leftovers(shop).then(names => names.filter(name => name !== 'x.csv'))).toEqual([]);
});
