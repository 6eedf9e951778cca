// Deletes an account with everything that is kept of it.
//
// It is marked first, so that no key and no session opens it any more and a start goes on where a killed process stopped; its row goes
// last, with its people. That it was deleted is in the audit log of the server from the mark on. Rows of datasets and models go before their files, as always. What stays are the entries of its ledger, under an id that no longer
// leads to anybody: the law wants books to be kept.
import { setTimeout as sleep } from 'node:timers/promises';
import { deedStatement } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import type { Jobs } from '../jobs/index.ts';
import { administratorEmail } from '../keys/index.ts';
import type { Storage } from '../storage/index.ts';
import type { Account } from './accounts.ts';

export interface DeletionParts {
  database: Database;
  jobs: Pick<Jobs, 'open' | 'cancel'>;
  storage: Pick<Storage, 'remove'>;
  uploads: { forget(accountId: string): Promise<void> };
  /** Lets go what a trained model has in memory and in files beside the storage. */
  forget(modelId: string): void;
  log?: (event: string, fields: object) => void;
}

export interface Deletion {
  /** Resolves when nothing is left. Throws SERVICE_UNAVAILABLE when something is, which is then tried again until it is gone. */
  delete(accountId: string, by: { personId: string | null; address: string | null }): Promise<void>;
  /** Goes on with what a killed process, or one that failed, has left; so does a timer. */
  resume(): Promise<void>;
  close(): Promise<void>;
}

const jobsMayTakeMs = 30_000;
const resumeEveryMs = 600_000;

export function createDeletion(parts: DeletionParts): Deletion {
  const { database, jobs, storage, uploads, forget, log = () => {} } = parts;
  /** Accounts whose deletion this process is at. */
  const underWay = new Set<string>();
  let resuming: Promise<void> = Promise.resolve();

  async function endJobs(accountId: string): Promise<void> {
    for (const { id } of await jobs.open(accountId)) await jobs.cancel(accountId, id);
    const deadlineMs = Date.now() + jobsMayTakeMs;
    while (Date.now() < deadlineMs && (await jobs.open(accountId)).length > 0) await sleep(200);
  }

  /** False when something is left. One that fails keeps no other from its end. */
  async function tried(accountId: string): Promise<boolean> {
    underWay.add(accountId);
    try {
      await finish(accountId);
      return true;
    } catch (error) {
      log('accounts.not_deleted', { account_id: accountId, message: messageOf(error) });
      return false;
    } finally {
      underWay.delete(accountId);
    }
  }

  async function resume(): Promise<void> {
    const rows = await database.query<{ id: string }>('SELECT id FROM accounts WHERE deleting_since IS NOT NULL');
    for (const { id } of rows) if (!underWay.has(id)) await tried(id);
  }

  async function finish(accountId: string): Promise<void> {
    await endJobs(accountId);
    const models = await database.query<{ id: string }>('SELECT id FROM trained_models WHERE account_id = $1', [
      accountId,
    ]);
    await database.transaction(dataTables.map(sql => ({ sql, values: [accountId] })));
    for (const { id } of models) forget(id);
    await uploads.forget(accountId);
    for (const root of ['datasets', 'models']) await storage.remove(`${root}/${accountId}/`);
    await database.transaction(lastRows.map(sql => ({ sql, values: [accountId] })));
    await database.announce('callers');
    log('accounts.deleted', { account_id: accountId });
  }

  const timer = setInterval(() => {
    resuming = resuming
      .then(resume)
      .catch((error: unknown) => log('accounts.not_deleted', { message: messageOf(error) }));
  }, resumeEveryMs);
  timer.unref();

  return {
    async delete(accountId, by) {
      await database.transaction([
        {
          sql: 'UPDATE accounts SET deleting_since = coalesce(deleting_since, $2::timestamptz) WHERE id = $1',
          values: [accountId, new Date()],
        },
        {
          sql: 'UPDATE keys SET revoked_at = coalesce(revoked_at, $2::timestamptz) WHERE account_id = $1',
          values: [accountId, new Date()],
        },
        // Under no account: the account's own entries go with it.
        deedStatement({ action: 'account.deleted', target: accountId, accountId: null, ...by }),
      ]);
      await database.announce('callers');
      if (!(await tried(accountId)))
        throw new ApiError('SERVICE_UNAVAILABLE', {
          message: 'The account is closed, but not all of it could be removed yet: that goes on by itself',
        });
    },

    resume,

    async close() {
      clearInterval(timer);
      await resuming;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws CONFLICT for what isn't meant, and for the administrator's account. */
export function checkDeletable(account: Account, confirm: string): void {
  if (account.email === administratorEmail)
    throw new ApiError('CONFLICT', { message: 'The administrator’s account belongs to the server and stays' });
  if (confirm !== account.id)
    throw new ApiError('CONFLICT', { message: `confirm must be ${account.id}`, param: 'confirm' });
}

/** In this order, each with the account as $1. */
const dataTables = [
  'DELETE FROM webhook_deliveries WHERE account_id = $1',
  'DELETE FROM webhooks WHERE account_id = $1',
  'DELETE FROM model_aliases WHERE account_id = $1',
  'DELETE FROM trained_models WHERE account_id = $1',
  'DELETE FROM dataset_versions WHERE account_id = $1',
  'DELETE FROM datasets WHERE account_id = $1',
  'DELETE FROM job_events WHERE job_id IN (SELECT id FROM jobs WHERE account_id = $1)',
  'DELETE FROM jobs WHERE account_id = $1',
  // What is being made under these finds no room for itself any more, and takes its files away.
  'DELETE FROM storage_reservations WHERE account_id = $1',
];

/** People who are in no other account. */
const peopleAlone = `SELECT person_id FROM members m WHERE account_id = $1
  AND NOT EXISTS (SELECT 1 FROM members o WHERE o.person_id = m.person_id AND o.account_id <> $1)`;

const lastRows = [
  // Single charges become one entry a day, as those of others do when their usage rows go.
  `WITH charges AS (
     DELETE FROM ledger WHERE account_id = $1 AND kind = 'usage' RETURNING date_trunc('day', at, 'UTC') AS day, amount_picodollars)
   INSERT INTO ledger AS days (id, at, account_id, kind, amount_picodollars)
   SELECT gen_random_uuid(), day, $1, 'usage_of_day', sum(amount_picodollars) FROM charges GROUP BY day
   ON CONFLICT (account_id, at) WHERE kind = 'usage_of_day'
   DO UPDATE SET amount_picodollars = days.amount_picodollars + excluded.amount_picodollars`,
  'DELETE FROM usage WHERE account_id = $1',
  'DELETE FROM usage_hours WHERE account_id = $1',
  'DELETE FROM audit WHERE account_id = $1',
  'DELETE FROM limit_windows WHERE key_id IN (SELECT id FROM keys WHERE account_id = $1)',
  `DELETE FROM leases WHERE purse = $1 OR split_part(purse, '/', 1) IN (SELECT id FROM keys WHERE account_id = $1)`,
  'DELETE FROM keys WHERE account_id = $1',
  // Links of people who go, and where the operator's log names them.
  `DELETE FROM verifications WHERE value IN (${peopleAlone})`,
  `UPDATE audit SET target = '' WHERE account_id IS NULL AND target IN (SELECT email FROM people WHERE id IN (${peopleAlone}))`,
  `DELETE FROM people WHERE id IN (${peopleAlone})`,
  // Notes of the operator may name people; those of payments are the provider's numbers.
  `UPDATE ledger SET note = '' WHERE account_id = $1 AND kind NOT IN ('payment', 'monthly')`,
  'DELETE FROM accounts WHERE id = $1',
];
