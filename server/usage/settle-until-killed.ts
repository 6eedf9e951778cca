// The program that crash.test.ts kills: charges requests of concurrent callers and prints the id of each one that is settled.
import { writeSync } from 'node:fs';
import { createAccounts } from '../accounts/index.ts';
import { createGroupCommit, newId, openDatabase } from '../database/index.ts';
import { createKeys } from '../keys/index.ts';
import { createLimiter, loadPlans } from '../plans/index.ts';
import { createLedger } from './index.ts';

const [folder = '', secret = ''] = process.argv.slice(2);
const database = await openDatabase({ folder });
const commit = createGroupCommit(database);
const plans = await loadPlans(folder);
const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
const keys = createKeys({ database, plans, accounts, commit });
const limiter = await createLimiter({ database, commit });
const ledger = await createLedger({ database, commit, accounts });
await Promise.all(Array.from({ length: 16 }, charge));

async function charge(): Promise<void> {
  for (;;) {
    const caller = await keys.authenticate(secret);
    if (!caller) throw new Error('The key was not taken');
    await limiter.admit(caller, 'vectors');
    const reservation = await ledger.reserve(caller, 500n);
    const requestId = newId();
    const usage = { route: '/vectorize', model: 'e5_small', tokens: 1, durationMs: 1, requestId };
    await reservation.settle({ ...usage, costPicodollars: 500n });
    writeSync(1, `${requestId}\n`);
  }
}
