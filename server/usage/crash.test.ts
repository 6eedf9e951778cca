// Killing the process at any moment neither loses nor doubles a charge, and doesn't give a used limit back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createAccounts } from '../accounts/index.ts';
import { createGroupCommit, openDatabase } from '../database/index.ts';
import { testFolder } from '../database/testing.ts';
import { createKeys } from '../keys/index.ts';
import { loadPlans, picodollarsPerUsd } from '../plans/index.ts';

const program = fileURLToPath(new URL('./settle-until-killed.ts', import.meta.url));
const kills = 5;

it(`keeps every acknowledged charge exactly once through ${kills} kills`, { timeout: 240_000 }, async () => {
  const folder = await testFolder();
  const { accountId, secret } = await prepare(folder.path);
  const acknowledged = new Set<string>();
  for (let round = 0; round < kills; round++) {
    const child = spawn(process.execPath, [program, folder.path, secret], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    await once(child.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
    await sleep(Math.random() * 200);
    child.kill('SIGKILL');
    await once(child, 'close');
    for (const id of text.split('\n').slice(0, -1)) acknowledged.add(id);

    const database = await openDatabase({ folder: folder.path });
    const rows = await database.query<{ request_id: string }>('SELECT request_id FROM usage');
    const written = new Set(rows.map(row => row.request_id));
    expect(written.size).toBe(rows.length);
    expect([...acknowledged].filter(id => !written.has(id))).toEqual([]);
    const [sums] = await database.query(
      `SELECT balance_picodollars AS balance, (SELECT sum(amount_picodollars)::bigint FROM ledger WHERE account_id = $1) AS ledger,
       (SELECT sum(requests)::bigint FROM usage_hours) AS requests FROM accounts WHERE id = $1`,
      [accountId],
    );
    const balance = picodollarsPerUsd - 500n * BigInt(rows.length);
    expect(sums).toEqual({ balance, ledger: balance, requests: BigInt(rows.length) });
    const [limit] = await database.query<{ count: number }>('SELECT long_count AS count FROM limit_windows');
    expect(limit?.count).toBeGreaterThanOrEqual(rows.length);
    await database.close();
  }
  expect(acknowledged.size).toBeGreaterThan(kills);
  await folder.remove();
});

async function prepare(folder: string): Promise<{ accountId: string; secret: string }> {
  const database = await openDatabase({ folder });
  const commit = createGroupCommit(database);
  const plans = await loadPlans(folder);
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
  const keys = createKeys({ database, plans, accounts, commit });
  const limits = { vectors: { minute: null, hour: 1_000_000 } };
  const creditPicodollars = picodollarsPerUsd;
  const { id } = await accounts.create({ email: 'a@example.org', plan: 'pro', creditPicodollars, limits });
  const made = await keys.make(id, { name: 'test' });
  await commit.close();
  await database.close();
  return { accountId: id, secret: made?.secret ?? '' };
}
