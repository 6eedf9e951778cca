// Tells an account's webhook that a job has ended, or of another event that waits for it, signed as Standard Webhooks says, until it
// answers. What is to be told is a row that was written with the job's end (store.ts), so that neither a kill nor a restart loses it.
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Database, Row } from '../database/index.ts';
import { checkedLookup, hostOf, mayConnect, type WebhookTargets, whyRefused } from './addresses.ts';
import { shownJob } from './answers.ts';
import { jobColumns, jobFrom } from './store.ts';

export interface WebhookAddress {
  url: string;
  createdAt: Date;
}

export interface Webhooks {
  /** Sets the account's address and makes a secret, which no later answer has. Throws WebhookRefused. */
  set(accountId: string, url: string): Promise<WebhookAddress & { secret: string }>;
  get(accountId: string): Promise<WebhookAddress | null>;
  /** Drops also what has not arrived. False when there was none. */
  remove(accountId: string): Promise<boolean>;
  /** Something may have to be told. */
  wake(): void;
  close(): Promise<void>;
}

/** The address may not be used; the message says why, and begins with what follows "url". */
export class WebhookRefused extends Error {
  override readonly name = 'WebhookRefused';
}

export interface WebhooksOptions {
  database: Database;
  targets: WebhookTargets;
  log?: (event: string, fields: object) => void;
  /** After how many seconds the first, second, … try that failed is repeated. */
  delaysSeconds?: readonly number[];
  timeoutMs?: number;
}

interface Told {
  url: string;
  secret: string;
  body: string;
}

/** As Standard Webhooks proposes: about a day and a quarter in all. */
const defaultDelays = [5, 300, 1800, 7200, 18_000, 36_000, 43_200];
const atOnce = 8;
/** Another process that died may have left something to tell. */
const lookEveryMs = 60_000;
/** A larger result is left out: whoever is told can fetch the job. */
const mostResultCharacters = 64 * 1024;

export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { database, targets, log = () => {}, delaysSeconds = defaultDelays, timeoutMs = 10_000 } = options;
  const stopping = new AbortController();
  let telling: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  function wake(): void {
    if (stopping.signal.aborted) return;
    again = true;
    telling ??= tellAll()
      .catch((error: unknown) => log('webhooks.failed', { message: messageOf(error) }))
      .finally(() => {
        telling = undefined;
        if (again) wake();
      });
  }

  async function tellAll(): Promise<void> {
    while (again && !stopping.signal.aborted) {
      again = false;
      await Promise.all(Array.from({ length: atOnce }, tellInTurn));
    }
    const [row] = await database.query<{ ms: number | null }>(
      'SELECT (extract(epoch FROM min(next_at) - clock_timestamp()) * 1000)::float8 AS ms FROM webhook_deliveries',
    );
    clearTimeout(timer);
    const dueMs = row?.ms === null || row === undefined ? Infinity : Math.max(row.ms, 10);
    const inMs = Math.min(dueMs, database.kind === 'postgresql' ? lookEveryMs : 3_600_000);
    if (stopping.signal.aborted || (dueMs === Infinity && database.kind === 'pglite')) return;
    timer = setTimeout(wake, inMs);
    timer.unref();
  }

  async function tellInTurn(): Promise<void> {
    while (!stopping.signal.aborted && (await tellOne()));
  }

  /** Takes what is due and puts it off before it is tried: if this process dies on the way, the next try is set already. */
  async function tellOne(): Promise<boolean> {
    const [row] = await database.query(
      `UPDATE webhook_deliveries d SET tries = tries + 1, next_at = clock_timestamp() +
         coalesce(($1::json ->> tries)::float8, 60) * interval '1 second'
       WHERE id = (SELECT id FROM webhook_deliveries WHERE next_at <= clock_timestamp() ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING id, tries, account_id, job_id, event`,
      [JSON.stringify(delaysSeconds)],
    );
    if (!row) return false;
    const id = String(row['id']);
    const why = await tell(id, row).catch((error: unknown) => messageOf(error));
    if (stopping.signal.aborted && why !== null) return false;
    const last = Number(row['tries']) > delaysSeconds.length;
    if (why !== null) log('webhooks.not_taken', { id, account_id: row['account_id'], tries: row['tries'], why, last });
    if (why === null || last) await database.query('DELETE FROM webhook_deliveries WHERE id = $1', [id]);
    return true;
  }

  /** Null when it was taken, or there is nothing to tell any more; else why not. */
  async function tell(id: string, delivery: Row): Promise<string | null> {
    const told =
      delivery['event'] === null
        ? await ofJob(String(delivery['job_id']))
        : await ofEvent(String(delivery['account_id']), delivery['event']);
    if (!told) return null;
    const { url, secret, body } = told;
    const at = new Date();
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'vectorium',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, at, body),
    };
    const status = await post(new URL(url), headers, body);
    return status >= 200 && status < 300 ? null : `HTTP ${status}`;
  }

  async function ofJob(jobId: string): Promise<Told | null> {
    const [row] = await database.query(
      `SELECT ${jobColumns}, url, secret FROM jobs JOIN (SELECT account_id, url, secret FROM webhooks) w USING (account_id) WHERE id = $1`,
      [jobId],
    );
    if (!row) return null;
    const job = jobFrom(row);
    const { result, ...data } = shownJob(job);
    const small = result !== undefined && JSON.stringify(result).length <= mostResultCharacters;
    const body = JSON.stringify({
      type: `job.${job.status}`,
      timestamp: data.finished_at,
      data: small ? { ...data, result } : data,
    });
    return { url: String(row['url']), secret: String(row['secret']), body };
  }

  async function ofEvent(accountId: string, event: unknown): Promise<Told | null> {
    const [row] = await database.query('SELECT url, secret FROM webhooks WHERE account_id = $1', [accountId]);
    return row ? { url: String(row['url']), secret: String(row['secret']), body: JSON.stringify(event) } : null;
  }

  /** The status of the answer; the answer itself is not read and redirects are not followed. */
  function post(url: URL, headers: Record<string, string>, body: string): Promise<number> {
    const host = hostOf(url);
    // An address that needs no look-up is checked here.
    if (isIP(host) && !mayConnect(host, url.protocol, targets)) throw new Error(`${host} is not allowed`);
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(timeoutMs)]);
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method: 'POST', headers, signal, agent: false, lookup: checkedLookup(url.protocol, targets) },
        response => {
          resolve(response.statusCode ?? 0);
          response.destroy();
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  wake();
  return {
    wake,

    async set(accountId, url) {
      const refused = await whyRefused(url, targets);
      if (refused) throw new WebhookRefused(refused);
      const secret = `whsec_${randomBytes(32).toString('base64')}`;
      const [row] = await database.query(
        `INSERT INTO webhooks (account_id, url, secret) VALUES ($1, $2, $3)
         ON CONFLICT (account_id) DO UPDATE SET url = excluded.url, secret = excluded.secret, created_at = now() RETURNING created_at`,
        [accountId, url, secret],
      );
      return { url, secret, createdAt: row?.['created_at'] as Date };
    },

    async get(accountId) {
      const [row] = await database.query('SELECT url, created_at FROM webhooks WHERE account_id = $1', [accountId]);
      return row ? { url: String(row['url']), createdAt: row['created_at'] as Date } : null;
    },

    async remove(accountId) {
      const [, rows] = await database.transaction([
        { sql: 'DELETE FROM webhook_deliveries WHERE account_id = $1', values: [accountId] },
        { sql: 'DELETE FROM webhooks WHERE account_id = $1 RETURNING url', values: [accountId] },
      ]);
      return (rows?.length ?? 0) > 0;
    },

    async close() {
      stopping.abort();
      clearTimeout(timer);
      await telling;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
