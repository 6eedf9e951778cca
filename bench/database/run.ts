// What limits and money cost a request: one caller and 64, with leases and group commit (the server's own parts) and without
// (three statements a request). Prints the time that they add, the event loop's lag and the processor time.
//
//   node bench/database/run.ts            both variants on the embedded database
//   DATABASE_URL=postgres://… node bench/database/run.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAccounts } from '../../server/accounts/index.ts';
import { createGroupCommit, newId, openDatabase } from '../../server/database/index.ts';
import type { Database } from '../../server/database/index.ts';
import { createKeys } from '../../server/keys/index.ts';
import type { Caller } from '../../server/keys/index.ts';
import { createLimiter, loadPlans, usdToPicodollars } from '../../server/plans/index.ts';
import { createLedger } from '../../server/usage/index.ts';

type Request = (caller: Caller) => Promise<void>;

const price = 10_000n;
/** What the model's work stands for at 64 callers: they wait for it, the processor here is free meanwhile. */
const computeMs = 100;
const seconds = 8;
let computing = 0;

const folder = await mkdtemp(join(tmpdir(), 'vectorium-bench-'));
const opening = performance.now();
const database = await openDatabase({ url: process.env['DATABASE_URL'], folder });
const openedMs = performance.now() - opening;
const commit = createGroupCommit(database);
const plans = await loadPlans(folder);
const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
const keys = createKeys({ database, plans, accounts, commit });
const limiter = await createLimiter({ database, commit });
const ledger = await createLedger({ database, commit, accounts });

const account = await accounts.create({
  email: `bench-${newId()}@example.org`,
  plan: 'pro',
  creditPicodollars: usdToPicodollars(1000),
  limits: { vectors: { minute: 100_000_000, hour: 100_000_000 } },
});
const made = await keys.make(account.id, { name: 'bench' });
const secret = made?.secret ?? '';
const caller = await keys.authenticate(secret);
if (!caller) throw new Error('The key was not taken');

console.log(
  `${database.kind}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, new database opened in ${Math.round(openedMs)} ms`,
);
console.log(
  '| variant | callers | compute ms | requests/s | added p50 ms | added p99 ms | loop lag p99 ms | CPU ms/request |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const [callers, compute] of [
  [1, 0],
  [64, computeMs],
  [64, 0],
] as const) {
  await measure('leases and group commit', withParts, { callers, compute });
  await measure('three statements', (each: Caller) => naive(database, each), { callers, compute });
}
await ledger.close();
await commit.close();
await database.close();
await rm(folder, { recursive: true });

async function withParts(): Promise<void> {
  const known = await keys.authenticate(secret);
  if (!known) throw new Error('The key was not taken');
  const { admitted } = await limiter.admit(known, 'vectors');
  if (!admitted) throw new Error('Refused');
  const reservation = await ledger.reserve(known, price);
  await computed();
  const usage = { route: '/vectorize', model: 'e5_small', tokens: 5, durationMs: 1, requestId: 'bench' };
  await reservation.settle({ ...usage, costPicodollars: price });
}

/** Counts, reserves and books by a statement each. */
async function naive(on: Database, { key, account: payer }: Caller): Promise<void> {
  await on.query(
    `INSERT INTO limit_windows AS w VALUES ($1, 'naive', now(), 1, now(), 1)
     ON CONFLICT (key_id, family) DO UPDATE SET minute_count = w.minute_count + 1, long_count = w.long_count + 1 RETURNING *`,
    [key.id],
  );
  await on.query(
    'UPDATE accounts SET balance_picodollars = balance_picodollars - $2 WHERE id = $1 AND balance_picodollars >= $2',
    [payer.id, price],
  );
  await computed();
  await on.query(
    `WITH booked AS (INSERT INTO usage VALUES ($1, now(), 'bench', $2, $3, '/vectorize', 'e5_small', 5, $4, 1) RETURNING *)
     INSERT INTO ledger (id, at, account_id, kind, amount_picodollars) SELECT id, at, account_id, 'usage', -cost_picodollars FROM booked`,
    [newId(), payer.id, key.id, price],
  );
}

async function computed(): Promise<void> {
  if (computing > 0) await sleep(computing);
}

async function measure(name: string, request: Request, { callers, compute }: { callers: number; compute: number }) {
  if (!caller) return;
  computing = compute;
  const times: number[] = [];
  const run = async (until: number, record: boolean): Promise<void> => {
    while (performance.now() < until) {
      const started = performance.now();
      await request(caller);
      if (record) times.push(performance.now() - started - compute);
    }
  };
  const all = (ms: number, record: boolean) =>
    Promise.all(Array.from({ length: callers }, () => run(performance.now() + ms, record)));
  await all(2000, false);
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  const cpu = process.cpuUsage();
  await all(seconds * 1000, true);
  const { user, system } = process.cpuUsage(cpu);
  lag.disable();
  times.sort((a, b) => a - b);
  const at = (part: number) => (times[Math.floor(times.length * part)] ?? 0).toFixed(2);
  const cells = [name, callers, compute, Math.round(times.length / seconds), at(0.5), at(0.99)];
  cells.push((lag.percentile(99) / 1e6 - 1).toFixed(1), ((user + system) / 1000 / times.length).toFixed(2));
  console.log(`| ${cells.join(' | ')} |`);
}
