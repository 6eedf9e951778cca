// E-mail addresses that people confirm by a link that went to them by mail. A person has one open link at most: to the address of now, or
// to the one that it is to become. Its token is kept as a hash, is good once, and for a day.
import { createHash, randomBytes } from 'node:crypto';
import { DatabaseError, type Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';

export interface Confirmations {
  /** The token of a new link; an older one of the person ends. */
  make(personId: string, email: string): Promise<string>;
  /** The address of the person's open link. */
  open(personId: string): Promise<string | null>;
  /** From now on the address is the person's. Throws NOT_FOUND, and CONFLICT when somebody else has it by now. */
  confirm(token: string): Promise<Confirmed>;
  /** Another address at once, which nobody has confirmed. Throws CONFLICT. */
  replace(personId: string, email: string): Promise<void>;
  /** Another way has shown that the address is the person's, as long as it is still this one. False when there is no such person. */
  vouch(personId: string, email?: string): Promise<boolean>;
}

export interface Confirmed {
  personId: string;
  email: string;
  /** The address before. */
  before: { email: string; verified: boolean };
}

const hours = 24;
const uniqueViolation = '23505';

export function createConfirmations(database: Database): Confirmations {
  return {
    async make(personId, email) {
      const token = randomBytes(24).toString('base64url');
      await database.query(
        `INSERT INTO confirmations (person_id, email, token_hash, expires_at) VALUES ($1, $2, $3::bytea, $4)
         ON CONFLICT (person_id) DO UPDATE SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at`,
        [personId, email, hashOf(token), new Date(Date.now() + hours * 3_600_000)],
      );
      return token;
    },

    async open(personId) {
      const [row] = await database.query<{ email: string }>(
        'SELECT email FROM confirmations WHERE person_id = $1 AND expires_at > $2::timestamptz',
        [personId, new Date()],
      );
      return row?.email ?? null;
    },

    async confirm(token) {
      const rows = await database
        .query(
          `WITH taken AS (
             DELETE FROM confirmations c USING people p
             WHERE p.id = c.person_id AND c.token_hash = $1::bytea AND c.expires_at > $2::timestamptz
             RETURNING p.id, c.email, p.email AS email_before, p.email_verified AS verified_before),
           ${changed('true')}
           SELECT * FROM taken`,
          [hashOf(token), new Date()],
        )
        .catch(refuseTaken);
      const [row] = rows;
      if (!row) throw new ApiError('NOT_FOUND', { message: 'The link is unknown, used or too old; ask for another' });
      await database.announce('callers');
      return {
        personId: String(row['id']),
        email: String(row['email']),
        before: { email: String(row['email_before']), verified: row['verified_before'] === true },
      };
    },

    async replace(personId, email) {
      await database
        .query(
          `WITH taken AS (SELECT id, $2::text AS email, email AS email_before FROM people WHERE id = $1),
           ${changed('false')}
           SELECT 1`,
          [personId, email, new Date()],
        )
        .catch(refuseTaken);
      await database.announce('callers');
    },

    async vouch(personId, email) {
      const rows = await database.query(
        `UPDATE people SET email_verified = true, updated_at = $3 WHERE id = $1 AND ($2::text IS NULL OR email = $2) RETURNING id`,
        [personId, email ?? null, new Date()],
      );
      await database.query(
        'DELETE FROM confirmations c USING people p WHERE c.person_id = $1 AND p.id = $1 AND c.email = p.email',
        [personId],
      );
      await database.announce('callers');
      return rows.length > 0;
    },
  };
}

/** Writes what is in `taken`. An account that the person made by signing up goes along, unless another has the new address. */
function changed(verified: 'true' | 'false'): string {
  const at = verified === 'true' ? '$2' : '$3';
  return `person AS (
      UPDATE people p SET email = taken.email, email_verified = ${verified}, updated_at = ${at}::timestamptz
      FROM taken WHERE p.id = taken.id),
    account AS (
      UPDATE accounts a SET email = taken.email FROM taken, members m
      WHERE a.email = taken.email_before AND taken.email <> taken.email_before
        AND m.account_id = a.id AND m.person_id = taken.id AND m.role = 'owner'
        AND (a.added OR NOT EXISTS (SELECT 1 FROM accounts o WHERE o.email = taken.email AND NOT o.added)))`;
}

function refuseTaken(error: unknown): never {
  if (error instanceof DatabaseError && error.code === uniqueViolation)
    throw new ApiError('CONFLICT', { message: 'Somebody else has this e-mail address' });
  throw error;
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
