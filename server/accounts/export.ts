// Everything that is kept of an account, as one zip that is written while it is read: JSON for rows, CSV of single requests, and the files
// of datasets and models as they are. Secrets, and the hashes of secrets, are in none of it.
import { Readable } from 'node:stream';
import type { Database } from '../database/index.ts';
import { createZip } from '../files/zip.ts';
import type { Storage } from '../storage/index.ts';
import type { Reports } from '../usage/index.ts';

export interface ExportParts {
  database: Pick<Database, 'query'>;
  storage: Pick<Storage, 'read' | 'list'>;
  ledger: Pick<Reports, 'csv'>;
}

interface Table {
  /** $1 is the account. */
  sql: string;
  /** Columns that tell each row from the others, in the order of the file, with their types. */
  order: Readonly<Record<string, string>>;
  /** Of rows that may be large, few are read at once. */
  large?: boolean;
}

const rowsAtOnce = 1000;
const largeRowsAtOnce = 20;

/** Names of the files in the zip and what is in them. */
const tables: Readonly<Record<string, Table>> = {
  account: { sql: 'SELECT * FROM accounts WHERE id = $1', order: { id: 'text' } },
  people: {
    sql: `SELECT p.id, p.name, p.email, p.language, p.created_at, m.role, m.created_at AS since
      FROM members m JOIN people p ON p.id = m.person_id WHERE m.account_id = $1`,
    order: { id: 'text' },
  },
  invitations: {
    sql: 'SELECT id, email, role, created_at, expires_at FROM invitations WHERE account_id = $1',
    order: { id: 'text' },
  },
  keys: {
    sql: `SELECT id, name, hint, admin, scopes, models, budget_picodollars, spent_month, spent_picodollars, created_at, expires_at,
      revoked_at, last_used_at, made_by, session_of FROM keys WHERE account_id = $1`,
    order: { id: 'text' },
  },
  ledger: {
    sql: 'SELECT id, at, kind, amount_picodollars, note FROM ledger WHERE account_id = $1',
    order: { at: 'timestamptz', id: 'uuid' },
  },
  usage_hours: {
    sql: 'SELECT * FROM usage_hours WHERE account_id = $1',
    order: { hour: 'timestamptz', key_id: 'text', model: 'text' },
  },
  budget_alerts: {
    sql: 'SELECT month, percent, at FROM budget_alerts WHERE account_id = $1',
    order: { month: 'date', percent: 'integer' },
  },
  webhook: { sql: 'SELECT url, created_at FROM webhooks WHERE account_id = $1', order: { url: 'text' } },
  audit: {
    sql: 'SELECT id, at, person_id, action, target, details, address FROM audit WHERE account_id = $1',
    order: { id: 'uuid' },
  },
  jobs: {
    sql: `SELECT id, key_id, kind, status, progress, input, result, error, created_at, started_at, finished_at
      FROM jobs WHERE account_id = $1`,
    order: { id: 'text' },
    large: true,
  },
  datasets: { sql: 'SELECT * FROM datasets WHERE account_id = $1', order: { id: 'text' }, large: true },
  dataset_versions: {
    sql: 'SELECT * FROM dataset_versions WHERE account_id = $1',
    order: { dataset_id: 'text', number: 'integer' },
    large: true,
  },
  trained_models: { sql: 'SELECT * FROM trained_models WHERE account_id = $1', order: { id: 'text' }, large: true },
  model_aliases: {
    sql: 'SELECT alias, model_id, updated_at FROM model_aliases WHERE account_id = $1',
    order: { alias: 'text' },
  },
};

export async function exportOf({ database, storage, ledger }: ExportParts, accountId: string): Promise<Readable> {
  const zip = createZip();
  for (const [name, table] of Object.entries(tables))
    zip.add(`${name}.json`, () => Readable.from(jsonOf(database, table, accountId)));
  const ever = { from: new Date(0), to: new Date(Date.now() + 1000) };
  zip.add('requests.csv', () => Readable.from(ledger.csv(accountId, ever)));
  for (const file of await filesOf(database, accountId)) {
    for await (const { key } of storage.list(file.key)) {
      const name = `${file.name}${key.slice(file.key.length)}`;
      zip.add(name, () => storage.read(key), { compress: false });
    }
  }
  void zip.end();
  return zip.stream;
}

/** A list of all rows, a page of them at a time. */
async function* jsonOf(
  database: Pick<Database, 'query'>,
  { sql, order, large = false }: Table,
  accountId: string,
): AsyncGenerator<string> {
  const columns = Object.keys(order).join(', ');
  const place = Object.values(order).map((type, index) => `($2::json ->> ${index})::${type}`);
  const limit = large ? largeRowsAtOnce : rowsAtOnce;
  let after: string | undefined;
  yield '[';
  for (;;) {
    const rows: { line: string; place: string }[] = await database.query(
      `SELECT row_to_json(t)::text AS line, json_build_array(${columns})::text AS place FROM (${sql}) t
       ${after === undefined ? '' : `WHERE (${columns}) > (${place.join(', ')})`} ORDER BY ${columns} LIMIT ${limit}`,
      after === undefined ? [accountId] : [accountId, after],
    );
    if (rows.length > 0) yield (after === undefined ? '' : ',\n') + rows.map(({ line }) => line).join(',\n');
    after = rows.at(-1)?.place;
    if (rows.length < limit) break;
  }
  yield ']\n';
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
