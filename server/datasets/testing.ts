// For tests of datasets: the real parts below the routes, in folders of their own.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { type OpenTables, openTables } from '@vectorium/tables';
import { type Account, type Accounts, createAccounts } from '../accounts/index.ts';
import type { Overrides } from '../plans/index.ts';
import { type Database, openDatabase } from '../database/index.ts';
import { testFolder } from '../database/testing.ts';
import { loadPlans } from '../plans/index.ts';
import { type Storage, openStorage } from '../storage/index.ts';
import { type Quota, createQuota } from './quota.ts';
import { type Store, createStore } from './store.ts';
import type { Uploaded } from './uploaded.ts';

export interface TestParts {
  folder: string;
  database: Database;
  storage: Storage;
  tables: OpenTables;
  store: Store;
  quota: Quota;
  accounts: Accounts;
  account(limits?: Overrides): Promise<Account>;
  /** A file as a door leaves it. */
  uploaded(content: string | Buffer, fields?: Partial<Uploaded>): Promise<Uploaded>;
  /** All keys of the storage. */
  files(): Promise<string[]>;
  close(): Promise<void>;
}

export async function openTestParts(): Promise<TestParts> {
  const data = await testFolder();
  const folder = data.path;
  const database = await openDatabase({ folder });
  const storage = await openStorage({ folder: join(folder, 'storage') });
  const tables = openTables({ scratchFolder: join(folder, 'tables') });
  const plans = await loadPlans(folder);
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
  const quota = await createQuota({ database });
  let count = 0;
  return {
    folder,
    database,
    storage,
    tables,
    accounts,
    store: createStore(database),
    quota,
    account: limits => accounts.create({ email: `person${++count}@example.com`, plan: 'pro', limits: limits ?? null }),
    async uploaded(content, fields = {}) {
      const path = join(folder, `upload-${++count}`);
      await writeFile(path, content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      const bytes = Buffer.byteLength(content);
      return { path, bytes, sha256, format: 'csv', options: {}, name: null, description: null, ...fields };
    },
    async files() {
      const keys: string[] = [];
      for await (const { key } of storage.list('')) keys.push(key);
      return keys;
    },
    async close() {
      await tables.close();
      await quota.close();
      await storage.close();
      await database.close();
      await data.remove();
    },
  };
}
