// A backup made beside a running server holds its datasets with their files, and restores to a server that gives the same rows.
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { backUp, restoreAll } from './backup.ts';
import { client, startDatasetServer, testData } from './datasets/testing.ts';
import { startServer } from './main.ts';
import { readSettings } from './settings.ts';

const first = await startDatasetServer();
const second = await testData();
afterAll(() => second.remove());

test('rows are the same after backup and restore', { timeout: 180_000 }, async () => {
  const { key } = await first.account();
  const file = 'name,age\nAda,36\nBob,\n';
  const { body } = await first.upload<{ dataset_id: string }>(key, file);
  const rows = `/api/v2/data/${body.dataset_id}/rows`;
  const before = await first.ask('GET', rows, key);
  expect(before).toMatchObject({ status: 200, body: { data: [{ name: 'Ada', age: 36 }, { name: 'Bob' }] } });

  const settings = readSettings({ VECTORIUM_DATA: first.dataFolder });
  const [whole, without] = [join(second.path, 'whole'), join(second.path, 'without')];
  expect(await backUp(settings, whole)).toMatchObject({ files: { count: 1 } });
  expect(await backUp(settings, without, { withFiles: false })).toEqual({ files: null });
  await first.end();

  const environment = { ...second.environment, VECTORIUM_DATA: join(second.path, 'restored') };
  const target = readSettings(environment);
  expect(await restoreAll(target, whole)).toMatchObject({ files: { count: 1 } });
  await expect(restoreAll(target, whole)).rejects.toThrow('already');
  const other = readSettings({ ...environment, VECTORIUM_DATA: join(second.path, 'other') });
  expect(await restoreAll(other, without)).toEqual({ files: null });

  const server = await startServer(target);
  try {
    const after = await client(server.url).ask('GET', rows, key);
    expect(after.body).toEqual(before.body);
  } finally {
    await server.close();
  }
});
