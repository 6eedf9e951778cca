// Everything that is kept of an account, as one zip that is written while it is read: JSON for rows, CSV of single requests, and the files
// of datasets and models as they are. Secrets, and the hashes of secrets, are in none of it.
import { PassThrough, Readable, pipeline } from 'node:stream';
import { ZipFile } from 'yazl';
import type { Database } from '../database/index.ts';
import type { Storage } from '../storage/index.ts';
import type { Reports } from '../usage/index.ts';

export interface ExportParts {
  database: Pick<Database, 'query'>;
  storage: Pick<Storage, 'read' | 'list'>;
  ledger: Pick<Reports, 'csv'>;
}

/** Names of the files in the zip and what is in them; $1 is the account. */
const tables: Readonly<Record<string, string>> = {
  account: 'SELECT * FROM accounts WHERE id = $1',
  people: `SELECT p.id, p.name, p.email, p.language, p.created_at, m.role, m.created_at AS since
    FROM members m JOIN people p ON p.id = m.person_id WHERE m.account_id = $1`,
  invitations: 'SELECT id, email, role, created_at, expires_at FROM invitations WHERE account_id = $1',
  keys: `SELECT id, name, hint, admin, scopes, models, budget_picodollars, spent_month, spent_picodollars, created_at, expires_at,
    revoked_at, last_used_at, made_by, session_of FROM keys WHERE account_id = $1`,
  ledger: 'SELECT id, at, kind, amount_picodollars, note FROM ledger WHERE account_id = $1 ORDER BY at, id',
  usage_hours: 'SELECT * FROM usage_hours WHERE account_id = $1 ORDER BY hour',
  budget_alerts: 'SELECT month, percent, at FROM budget_alerts WHERE account_id = $1',
  webhook: 'SELECT url, created_at FROM webhooks WHERE account_id = $1',
  audit: 'SELECT id, at, person_id, action, target, details, address FROM audit WHERE account_id = $1 ORDER BY id',
  jobs: `SELECT id, key_id, kind, status, progress, input, result, error, created_at, started_at, finished_at
    FROM jobs WHERE account_id = $1 ORDER BY id`,
  datasets: 'SELECT * FROM datasets WHERE account_id = $1 ORDER BY id',
  dataset_versions: 'SELECT * FROM dataset_versions WHERE account_id = $1 ORDER BY dataset_id, number',
  trained_models: 'SELECT * FROM trained_models WHERE account_id = $1 ORDER BY id',
  model_aliases: 'SELECT alias, model_id, updated_at FROM model_aliases WHERE account_id = $1',
};

export async function exportOf({ database, storage, ledger }: ExportParts, accountId: string): Promise<Readable> {
  const zip = new ZipFile();
  const stream = new PassThrough();
  // What goes wrong on the way ends the stream; whoever reads it learns so.
  const fail = (error: unknown): void => void stream.destroy(error instanceof Error ? error : new Error(String(error)));
  zip.on('error', fail);
  for (const [name, sql] of Object.entries(tables)) {
    const rows = await database.query<{ line: string }>(`SELECT row_to_json(t)::text AS line FROM (${sql}) t`, [
      accountId,
    ]);
    zip.addBuffer(Buffer.from(`[${rows.map(({ line }) => line).join(',\n')}]\n`), `${name}.json`);
  }
  const ever = { from: new Date(0), to: new Date(Date.now() + 1000) };
  zip.addReadStreamLazy('requests.csv', {}, take => take(null, Readable.from(ledger.csv(accountId, ever))));
  for (const file of await filesOf(database, accountId)) {
    for await (const { key } of storage.list(file.key)) {
      zip.addReadStreamLazy(`${file.name}${key.slice(file.key.length)}`, { compress: false }, take => {
        storage.read(key).then(
          content => take(null, content),
          (error: unknown) => take(error, stream),
        );
      });
    }
  }
  zip.end();
  pipeline(zip.outputStream, stream, () => {});
  return stream;
}

/** Keys, or prefixes, of the storage, and what they are called in the zip. */
async function filesOf(database: Pick<Database, 'query'>, accountId: string): Promise<{ key: string; name: string }[]> {
  const rows = await database.query<{ key: string; name: string }>(
    `SELECT file AS key, 'datasets/' || dataset_id || '/' || number || '.parquet' AS name FROM dataset_versions WHERE account_id = $1
     UNION ALL SELECT folder, 'models/' || id || '/' FROM trained_models WHERE account_id = $1 AND folder IS NOT NULL`,
    [accountId],
  );
  return rows;
}
