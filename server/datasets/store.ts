// Datasets and versions in the database. What makes a version takes the reservation of its file with it, in one transaction.
import type { Column, ColumnProfile, Format, Operation, OperationReport, Rejected } from '@vectorium/tables';
import { newId } from '../database/index.ts';
import type { FileOfAccount } from '../files/leftovers.ts';
import type { Database, Row, Statement } from '../database/index.ts';
import type { Reference } from './rules.ts';

export interface Version {
  number: number;
  /** Its key in the storage. */
  file: string;
  rows: number;
  columns: Column[];
  rejected: Rejected;
  /** What was decided for the uploaded file, for people. */
  notes: string[];
  sizeBytes: number;
  sha256: string | null;
  /** Versions that it was made from, as `ds_x@2`. */
  parents: string[];
  /** The operations from the upload to the first parent. */
  inherited: Operation[];
  /** Those that made this version. */
  operations: Operation[];
  report: OperationReport[];
  jobId: string | null;
  /** Which part of a split_dataset it is. */
  output: string | null;
  createdAt: Date;
}

export interface Dataset {
  id: string;
  accountId: string;
  name: string | null;
  description: string | null;
  format: Format;
  updatedAt: Date;
  /** The one that was asked for. */
  version: Version;
}

export type NewVersion = Omit<Version, 'number' | 'createdAt'> & {
  datasetId: string;
  accountId: string;
  countedBytes: number;
};

export type NewDataset = NewVersion & Pick<Dataset, 'name' | 'description' | 'format'>;

export interface VersionSummary {
  number: number;
  rows: number;
  sizeBytes: number;
  parents: string[];
  jobId: string | null;
  createdAt: Date;
}

export interface Deleted {
  versions: number[];
  files: string[];
  countedBytes: number;
}

export interface Store {
  /** Makes datasets of which these are the first versions; false when the reservation is gone. */
  create(datasets: NewDataset[], reservationId: string): Promise<boolean>;
  /** Makes the dataset's next version and gives its number; null when the dataset or the reservation is gone. */
  addVersion(version: NewVersion, reservationId: string): Promise<number | null>;
  get(accountId: string, reference: Reference): Promise<Dataset | null>;
  /** Newest first, each with its newest version. `after` is the id of the last one of the page before. */
  list(accountId: string, page: { limit: number; after: string | null }): Promise<Dataset[]>;
  /** The newest hundred of a dataset, newest first, and how many there are. */
  versions(datasetId: string): Promise<{ newest: VersionSummary[]; count: number }>;
  /** What a job has made: where it was done before, it need not be done again. */
  madeBy(jobId: string): Promise<Dataset[]>;
  /** Null empties a field, undefined leaves it. */
  rename(
    accountId: string,
    id: string,
    fields: { name?: string | null | undefined; description?: string | null | undefined },
  ): Promise<boolean>;
  /** Forgets a dataset or one version of it. Null when it is not there; no versions when it is the only one. */
  remove(accountId: string, reference: Reference): Promise<Deleted | null>;
  profile(datasetId: string, version: number): Promise<ColumnProfile[] | null>;
  keepProfile(datasetId: string, version: number, profile: ColumnProfile[]): Promise<void>;
  /** Of these keys of the storage, those that belong to a version, to a reservation that is alive, or to an account of another database. */
  known(files: FileOfAccount[]): Promise<Set<string>>;
}

export function newDatasetId(): string {
  return `ds_${newId().replaceAll('-', '')}`;
}

const newestVersions = 100;

export function createStore(database: Database, now: () => Date = () => new Date()): Store {
  return {
    async create(datasets, reservationId) {
      const results = await database.transaction([
        lockReservation(reservationId),
        ...datasets.flatMap(each => [
          insertDataset(each, reservationId, now()),
          insertVersion(each, reservationId, now()),
        ]),
        endReservation(reservationId),
      ]);
      return results[0]?.length === 1;
    },

    async addVersion(version, reservationId) {
      const at = now();
      const results = await database.transaction([
        lockReservation(reservationId),
        {
          sql: `UPDATE datasets SET next_version = next_version + 1, updated_at = $3
                WHERE id = $1 AND account_id = $2 AND EXISTS (SELECT 1 FROM storage_reservations WHERE id = $4)`,
          values: [version.datasetId, version.accountId, at, reservationId],
        },
        insertVersion(version, reservationId, at),
        endReservation(reservationId),
      ]);
      const [row] = results[2] ?? [];
      return row ? Number(row['number']) : null;
    },

    async get(accountId, { id, version }) {
      const [row] = await database.query(
        `${selectDatasets} WHERE d.account_id = $1 AND d.id = $2 AND v.number = coalesce($3::integer, ${newest})`,
        [accountId, id, version],
      );
      return row ? datasetFrom(row) : null;
    },

    async list(accountId, { limit, after }) {
      const rows = await database.query(
        `${selectDatasets} WHERE d.account_id = $1 AND ($3::text IS NULL OR d.id < $3) AND v.number = ${newest}
         ORDER BY d.id DESC LIMIT $2`,
        [accountId, limit, after],
      );
      return rows.map(datasetFrom);
    },

    async versions(datasetId) {
      const rows = await database.query(
        `SELECT number, rows, size_bytes, parents, job_id, created_at, count(*) OVER () AS count
         FROM dataset_versions WHERE dataset_id = $1 ORDER BY number DESC LIMIT ${newestVersions}`,
        [datasetId],
      );
      return { newest: rows.map(summaryFrom), count: Number(rows[0]?.['count'] ?? 0) };
    },

    async madeBy(jobId) {
      const rows = await database.query(`${selectDatasets} WHERE v.job_id = $1 ORDER BY v.created_at, v.dataset_id`, [
        jobId,
      ]);
      return rows.map(datasetFrom);
    },

    async rename(accountId, id, { name, description }) {
      const rows = await database.query(
        `UPDATE datasets SET name = CASE WHEN $3 THEN $4 ELSE name END,
           description = CASE WHEN $5 THEN $6 ELSE description END, updated_at = $7
         WHERE account_id = $1 AND id = $2 RETURNING id`,
        [accountId, id, name !== undefined, name ?? null, description !== undefined, description ?? null, now()],
      );
      return rows.length > 0;
    },

    async remove(accountId, { id, version }) {
      const lock = {
        sql: 'SELECT id FROM datasets WHERE account_id = $1 AND id = $2 FOR UPDATE',
        values: [accountId, id],
      };
      const returned = 'RETURNING number, file, counted_bytes';
      if (version === null) {
        const [found, rows] = await database.transaction([
          lock,
          {
            sql: `DELETE FROM dataset_versions WHERE account_id = $1 AND dataset_id = $2 ${returned}`,
            values: [accountId, id],
          },
          { sql: 'DELETE FROM datasets WHERE account_id = $1 AND id = $2', values: [accountId, id] },
        ]);
        return found?.length === 1 ? deletedFrom(rows ?? []) : null;
      }
      const [, found, rows] = await database.transaction([
        lock,
        {
          sql: 'SELECT number FROM dataset_versions WHERE account_id = $1 AND dataset_id = $2 AND number = $3',
          values: [accountId, id, version],
        },
        {
          sql: `DELETE FROM dataset_versions WHERE account_id = $1 AND dataset_id = $2 AND number = $3
                AND (SELECT count(*) FROM dataset_versions WHERE dataset_id = $2) > 1 ${returned}`,
          values: [accountId, id, version],
        },
      ]);
      return found?.length === 1 ? deletedFrom(rows ?? []) : null;
    },

    async profile(datasetId, version) {
      const [row] = await database.query('SELECT profile FROM dataset_versions WHERE dataset_id = $1 AND number = $2', [
        datasetId,
        version,
      ]);
      return (row?.['profile'] as ColumnProfile[] | null | undefined) ?? null;
    },

    async keepProfile(datasetId, version, profile) {
      await database.query('UPDATE dataset_versions SET profile = $3::json WHERE dataset_id = $1 AND number = $2', [
        datasetId,
        version,
        JSON.stringify(profile),
      ]);
    },

    async known(files) {
      const rows = await database.query(
        `SELECT f.key FROM jsonb_to_recordset($1::jsonb) AS f(key text, "accountId" text, "reservationId" text)
         WHERE EXISTS (SELECT 1 FROM dataset_versions WHERE file = f.key)
           OR EXISTS (SELECT 1 FROM storage_reservations WHERE id = f."reservationId" AND expires_at > clock_timestamp())
           OR NOT EXISTS (SELECT 1 FROM accounts WHERE id = f."accountId")`,
        [JSON.stringify(files)],
      );
      return new Set(rows.map(row => String(row['key'])));
    },
  };
}

const newest = '(SELECT max(number) FROM dataset_versions WHERE dataset_id = d.id)';

const selectDatasets = `
  SELECT d.id, d.account_id, d.name, d.description, d.format, d.updated_at, v.number, v.file, v.rows, v.columns, v.rejected, v.notes,
    v.size_bytes, v.sha256, v.parents, v.inherited, v.operations, v.report, v.job_id, v.output, v.created_at
  FROM datasets d JOIN dataset_versions v ON v.dataset_id = d.id`;

function lockReservation(id: string): Statement {
  return { sql: 'SELECT id FROM storage_reservations WHERE id = $1 FOR UPDATE', values: [id] };
}

function endReservation(id: string): Statement {
  return { sql: 'DELETE FROM storage_reservations WHERE id = $1', values: [id] };
}

function insertDataset(dataset: NewDataset, reservationId: string, at: Date): Statement {
  return {
    sql: `INSERT INTO datasets (id, account_id, name, description, format, next_version, created_at, updated_at)
          SELECT $1, $2, $3, $4, $5, 2, $6, $6 FROM storage_reservations WHERE id = $7`,
    values: [
      dataset.datasetId,
      dataset.accountId,
      dataset.name,
      dataset.description,
      dataset.format,
      at,
      reservationId,
    ],
  };
}

/** As the version before the dataset's next one. */
function insertVersion(version: NewVersion, reservationId: string, at: Date): Statement {
  return {
    sql: `INSERT INTO dataset_versions (dataset_id, number, account_id, file, rows, columns, rejected, notes, size_bytes, counted_bytes,
            sha256, parents, inherited, operations, report, job_id, output, created_at)
          SELECT d.id, d.next_version - 1, $2, $3, $4::bigint, $5::json, $6::json, $7::json, $8::bigint, $9::bigint, $10, $11::json,
            $12::json, $13::json, $14::json, $15, $16, $17::timestamptz
          FROM datasets d, storage_reservations s WHERE d.id = $1 AND d.account_id = $2 AND s.id = $18 RETURNING number`,
    values: [
      version.datasetId,
      version.accountId,
      version.file,
      version.rows,
      JSON.stringify(version.columns),
      JSON.stringify(version.rejected),
      JSON.stringify(version.notes),
      version.sizeBytes,
      version.countedBytes,
      version.sha256,
      JSON.stringify(version.parents),
      JSON.stringify(version.inherited),
      JSON.stringify(version.operations),
      JSON.stringify(version.report),
      version.jobId,
      version.output,
      at,
      reservationId,
    ],
  };
}

function datasetFrom(row: Row): Dataset {
  return {
    id: String(row['id']),
    accountId: String(row['account_id']),
    name: row['name'] as string | null,
    description: row['description'] as string | null,
    format: row['format'] as Format,
    updatedAt: row['updated_at'] as Date,
    version: {
      ...summaryFrom(row),
      file: String(row['file']),
      columns: row['columns'] as Column[],
      rejected: row['rejected'] as Rejected,
      notes: row['notes'] as string[],
      sha256: row['sha256'] as string | null,
      inherited: row['inherited'] as Operation[],
      operations: row['operations'] as Operation[],
      report: row['report'] as OperationReport[],
      output: row['output'] as string | null,
    },
  };
}

function summaryFrom(row: Row): VersionSummary {
  return {
    number: Number(row['number']),
    rows: Number(row['rows']),
    sizeBytes: Number(row['size_bytes']),
    parents: row['parents'] as string[],
    jobId: row['job_id'] as string | null,
    createdAt: row['created_at'] as Date,
  };
}

function deletedFrom(rows: Row[]): Deleted {
  return {
    versions: rows.map(row => Number(row['number'])).toSorted((one, other) => one - other),
    files: rows.map(row => String(row['file'])),
    countedBytes: rows.reduce((sum, row) => sum + Number(row['counted_bytes']), 0),
  };
}
