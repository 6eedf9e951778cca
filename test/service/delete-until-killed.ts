// The program that deletion.test.ts kills: deletes an account and stands still before the step that it is told.
import { createDeletion } from '../../server/accounts/index.ts';
import { type Database, openDatabase } from '../../server/database/index.ts';
import { openStorage } from '../../server/storage/index.ts';
import { join } from 'node:path';

const [folder = '', accountId = '', stopBefore = ''] = process.argv.slice(2);
let step = 0;

/** Never resolves where the program is to be killed. */
async function next(): Promise<void> {
  if (++step < Number(stopBefore)) return;
  process.send?.('reached');
  await new Promise(resolve => setTimeout(resolve, 60_000));
}

const database = await openDatabase({ folder });
const storage = await openStorage({ folder: join(folder, 'storage') });
const stopping: Database = {
  ...database,
  async transaction(statements) {
    await next();
    return database.transaction(statements);
  },
};
const deletion = createDeletion({
  database: stopping,
  jobs: { open: async () => [], cancel: () => Promise.reject(new Error('no job')) },
  storage: {
    async remove(key) {
      await next();
      await storage.remove(key);
    },
  },
  uploads: { forget: async () => {} },
  forget() {},
});
await deletion.delete(accountId, { personId: null, address: null });
process.send?.('done');
await deletion.close();
await database.close();
