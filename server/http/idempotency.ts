// Idempotency-Key (IETF draft 07): a POST that makes something makes it once, however often a client sends it.
//
// The stored answer may hold a new key's secret. It is sealed with the caller's own secret, of which the database has only
// a hash: nobody who reads the database can open it, and the caller who asks again can.
// A person who has signed in again is another secret with the same key: his answer of before can't be opened, and is refused likewise.
// A request that broke off with its process leaves an entry without answer: whether it took effect is not known, so the
// same key is refused (409) until the entry is a day old, rather than risk doing it twice.
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { Route } from '@vectorium/contract';
import type { FastifyReply } from 'fastify';
import type { Database } from '../database/index.ts';
import type { Caller } from '../keys/index.ts';
import { ApiError } from './errors.ts';

interface Attempt {
  route: Route;
  caller: Caller;
  /** The caller's API key. */
  secret: string;
  /** The Idempotency-Key. */
  key: string;
  /** What must be the same for the same key. */
  content: unknown;
  reply: FastifyReply;
}

/** Runs `work` for the first request with this key; gives its answer again to the later ones. */
export async function once<Answer>(
  database: Pick<Database, 'query'>,
  attempt: Attempt,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const { route, caller, key, secret, content, reply } = attempt;
  if (!/^[\x20-\x7e]{1,255}$/.test(key))
    throw new ApiError('BAD_REQUEST', { message: 'Idempotency-Key must have 1 to 255 printable ASCII characters' });
  const id = sha256(JSON.stringify([route.id, caller.key.id, key]));
  const contentHash = sha256(JSON.stringify(content));
  await database.query(`DELETE FROM idempotency WHERE created_at < now() - interval '1 day'`);
  const [mine] = await database.query(
    'INSERT INTO idempotency (id, content_hash) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING id',
    [id, contentHash],
  );
  if (!mine) {
    const answer = await earlierAnswer(database, id, contentHash);
    reply.header('idempotency-replayed', 'true');
    return JSON.parse(open(answer, secret, key)) as Answer;
  }
  let answer: Answer;
  try {
    answer = await work();
  } catch (error) {
    await database.query('DELETE FROM idempotency WHERE id = $1', [id]);
    throw error;
  }
  await database.query('UPDATE idempotency SET answer = $2 WHERE id = $1', [
    id,
    seal(JSON.stringify(answer), secret, key),
  ]);
  return answer;
}

async function earlierAnswer(database: Pick<Database, 'query'>, id: string, contentHash: string): Promise<string> {
  const [earlier] = await database.query<{ content_hash: string; answer: string | null }>(
    'SELECT content_hash, answer FROM idempotency WHERE id = $1',
    [id],
  );
  if (earlier && earlier.content_hash !== contentHash)
    throw new ApiError('IDEMPOTENCY_KEY_REUSED', {
      message: 'This Idempotency-Key was used before with another request',
    });
  if (earlier?.answer == null) {
    const message = 'A request with this Idempotency-Key is still running or broke off; look whether it took effect';
    throw new ApiError('IDEMPOTENCY_UNFINISHED', { message, retryAfterSeconds: 1 });
  }
  return earlier.answer;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function sealingKey(secret: string, key: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, key, 'idempotent answer', 32));
}

function seal(text: string, secret: string, key: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secret, key), nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

function open(sealed: string, secret: string, key: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(secret, key), bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
  } catch (error) {
    const message =
      'A request with this Idempotency-Key was made in another session; look what it did, and take another key for more';
    throw new ApiError('IDEMPOTENCY_UNFINISHED', { message, cause: error });
  }
}
