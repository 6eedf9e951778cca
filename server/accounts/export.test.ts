// The export of an account, over real PGlite: page by page, and one at a time.
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { type Entry, type Options, type ZipFile, fromBuffer } from 'yauzl';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../database/index.ts';
import { type TestPeople, openPeople } from '../people/testing.ts';
import { exportOf } from './export.ts';
import { mountOwnAccountRoutes } from './own-routes.ts';

let it: TestPeople;
let csvMayEnd = Promise.resolve();
const storage = { read: () => Promise.reject(new Error('no file')), async *list() {} };
const ledger = {
  async *csv() {
    await csvMayEnd;
    yield 'time\n';
  },
};
beforeAll(async () => {
  it = await openPeople((app, parts, people) => {
    const unused = { used: async () => 0, delete: async () => {}, resume: async () => {}, close: async () => {} };
    mountOwnAccountRoutes(app, {
      ...parts,
      storage,
      ledger,
      models: { get: () => undefined },
      quota: unused,
      deletion: unused,
      audit: people.audit,
    });
  });
});
afterAll(() => it.close());

test('has every row once, and holds a page of them at a time', async () => {
  const { id } = await it.parts.accounts.create({ email: 'many@example.com', plan: 'free' });
  await it.parts.database.query(
    `INSERT INTO ledger (id, at, account_id, kind, amount_picodollars)
     SELECT gen_random_uuid(), now() - n / 3 * interval '1 microsecond', $1, 'usage', -n FROM generate_series(1, 2500) AS n`,
    [id],
  );
  let most = 0;
  const database: Pick<Database, 'query'> = {
    async query(sql, values) {
      const rows = await it.parts.database.query<never>(sql, values);
      most = Math.max(most, rows.length);
      return rows;
    },
  };
  const file = await fileOf(await buffer(await exportOf({ database, storage, ledger }, id)), 'ledger.json');
  const entries = JSON.parse(file) as { at: string; amount_picodollars: number }[];
  // The month's credit and the charges.
  expect(entries.map(each => each.amount_picodollars).toSorted((a, b) => a - b)).toEqual([
    ...Array.from({ length: 2500 }, (_, index) => index - 2500),
    2e12,
  ]);
  expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).toSorted());
  expect(most).toBeLessThanOrEqual(1000);
});

test('one of an account is made at a time, and the next when that has ended or its reader has left', async () => {
  const browser = await it.signedUp('exporter');
  const ask = (signal?: AbortSignal) =>
    fetch(`${it.server.url}/console/api/account/export`, {
      headers: { cookie: browser.cookie },
      ...(signal && { signal }),
    });
  csvMayEnd = new Promise(() => {});
  const leaving = new AbortController();
  const first = await ask(leaving.signal);
  expect([first.status, (await ask()).status]).toEqual([200, 409]);
  leaving.abort();
  csvMayEnd = Promise.resolve();
  await expect.poll(async () => (await ask()).status).toBe(200);
});

async function fileOf(bytes: Buffer, name: string): Promise<string> {
  const zip = await promisify<Buffer, Options, ZipFile>(fromBuffer)(bytes, { lazyEntries: true });
  const entry = await new Promise<Entry>((resolve, reject) => {
    zip.on('error', reject).on('entry', (each: Entry) => (each.fileName === name ? resolve(each) : zip.readEntry()));
    zip.readEntry();
  });
  const content = await promisify<Entry, Readable>(zip.openReadStream.bind(zip))(entry);
  return text(content);
}
