// Storage of an account's plan: what is being made reserves its bytes before it is kept, so that callers together never pass the plan.
//
// 1. What all versions of datasets and all models count and what all reservations hold together never exceeds the plan.
// 2. A reservation grows with the bytes that are really there and never ahead of them, and one that is refused ends in the same
//    statement: of uploads that don't all fit, as many get through as fit.
// 3. It becomes a version or a model in the transaction that makes that, or is released, or ends with its process.
import type { Account } from '../accounts/index.ts';
import { newId } from '../database/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';

export interface Reservation {
  /** Names the files that are made under it. */
  readonly id: string;
  /** Holds at least so many bytes. Throws STORAGE_QUOTA_EXCEEDED, and then holds nothing any more. */
  grow(bytes: number): Promise<void>;
  /** Gives the bytes back. Without effect once a version or a model was made of it or it was refused. */
  release(): Promise<void>;
}

export interface Quota {
  /** Holds `bytes`; without them nothing yet, and what is made under it must not be kept before it has grown. Throws STORAGE_QUOTA_EXCEEDED. */
  reserve(account: Account, bytes?: number): Promise<Reservation>;
  /** The bytes that an account's versions and models count. */
  used(accountId: string): Promise<number>;
  close(): Promise<void>;
}

const expiresAfterSeconds = 60;
const renewEveryMs = 20_000;

/** Clears what a process that was killed has left. */
export async function createQuota({
  database,
  log = () => {},
}: {
  database: Database;
  log?: (event: string, fields: object) => void;
}): Promise<Quota> {
  const embedded = database.kind === 'pglite';
  const holder = newId();
  await database.query(`DELETE FROM storage_reservations ${embedded ? '' : 'WHERE expires_at < now()'}`);
  const timer = setInterval(() => void renew(), renewEveryMs);
  timer.unref();

  async function renew(): Promise<void> {
    try {
      await database.query(`UPDATE storage_reservations SET expires_at = ${expiry} WHERE holder = $1`, [holder]);
    } catch (error) {
      log('quota.reservations_not_renewed', { message: error instanceof Error ? error.message : String(error) });
    }
  }

  async function hold(id: string, { id: accountId, plan }: Account, bytes: number): Promise<void> {
    const results = await database.transaction([
      // A statement of its own: what comes after must see what those have written who held the lock.
      { sql: 'SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', values: [accountId] },
      { sql: holdStatement, values: [id, accountId, holder, bytes, plan.storageBytes] },
    ]);
    const [row] = results[1] ?? [];
    if (row?.['held'] === true) return;
    const used = Number(row?.['used'] ?? 0);
    const limit = plan.storageBytes ?? 0;
    throw new ApiError('STORAGE_QUOTA_EXCEEDED', {
      message: `${bytes} bytes don't fit: ${Math.max(0, limit - used)} of the ${limit} bytes of the plan ${plan.name} are free. Delete datasets, versions or models, or change the plan`,
      details: { limit_bytes: limit, used_bytes: used, required_bytes: bytes },
    });
  }

  return {
    async reserve(account, bytes = 0) {
      const id = newId();
      let held = bytes;
      if (bytes > 0) await hold(id, account, bytes);
      return {
        id,
        async grow(to) {
          if (to <= held) return;
          await hold(id, account, to);
          held = to;
        },
        async release() {
          await database.query('DELETE FROM storage_reservations WHERE id = $1', [id]);
        },
      };
    },
    async used(accountId) {
      const [row] = await database.query(`SELECT ${countedOf('$1')} AS bytes`, [accountId]);
      return Number(row?.['bytes'] ?? 0);
    },
    async close() {
      clearInterval(timer);
      await database.query('DELETE FROM storage_reservations WHERE holder = $1', [holder]);
    },
  };
}

const countedOf = (account: string): string =>
  `(coalesce((SELECT sum(counted_bytes) FROM dataset_versions WHERE account_id = ${account}), 0)
    + coalesce((SELECT sum(counted_bytes) FROM trained_models WHERE account_id = ${account}), 0))`;

const expiry = `clock_timestamp() + interval '${expiresAfterSeconds} seconds'`;

/** $1 reservation, $2 account, $3 holder, $4 bytes that it shall hold, $5 bytes of the plan or null. */
const holdStatement = `
  WITH used AS (
    SELECT ${countedOf('$2')}
      + coalesce((SELECT sum(bytes) FROM storage_reservations
          WHERE account_id = $2 AND id <> $1 AND (expires_at > clock_timestamp() OR holder = $3)), 0) AS bytes),
  fits AS (SELECT $5::bigint IS NULL OR used.bytes + $4::bigint <= $5::bigint AS yes FROM used),
  refused AS (DELETE FROM storage_reservations USING fits WHERE id = $1 AND NOT fits.yes),
  put AS (
    INSERT INTO storage_reservations (id, account_id, holder, bytes, expires_at)
    SELECT $1, $2, $3, $4::bigint, ${expiry} FROM fits WHERE fits.yes
    ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes, expires_at = excluded.expires_at RETURNING id)
  SELECT used.bytes AS used, EXISTS (SELECT 1 FROM put) AS held FROM used`;
