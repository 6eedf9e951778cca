// Datasets: built from what is beside them, and what their routes ask of them.
import { mkdir } from 'node:fs/promises';
import type { ColumnProfile, OperationReport, Row, Tables } from '@vectorium/tables';
import type { Account, Accounts } from '../accounts/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import { type Job, type Jobs, removeOldJobFolders } from '../jobs/index.ts';
import type { Caller, Keys } from '../keys/index.ts';
import type { Quota, Reservation } from '../quota/index.ts';
import type { Storage } from '../storage/index.ts';
import type { VectorService } from '../vectors/index.ts';
import { noDataset } from './errors.ts';
import { folderOf, localFile, removeLeftovers } from './files.ts';
import { type Download, type DownloadFormat, download, pageOfRows } from './pages.ts';
import { type Asked, type Plan, find, planProcess } from './plan.ts';
import { previewProcess, runProcess } from './process.ts';
import { createProfiles } from './profiles.ts';
import { parseReference } from './rules.ts';
import type { DatasetPredictions } from './services.ts';
import { type Dataset, type Deleted, type VersionSummary, createStore } from './store.ts';
import { type Uploaded, makeDataset } from './uploaded.ts';

export interface DatasetParts {
  database: Database;
  storage: Storage;
  quota: Quota;
  tables: Tables;
  jobs: Jobs;
  vectors: VectorService;
  predictions: DatasetPredictions;
  accounts: Pick<Accounts, 'get'>;
  keys: Pick<Keys, 'get'>;
  /** On the local disk, where jobs keep what they have done so far. */
  jobsFolder: string;
  log?: (event: string, fields: object) => void;
}

/** Everything about one account only; what isn't there, or is another's, throws DATASET_NOT_FOUND. Names are `ds_x` or `ds_x@2`. */
export interface Datasets {
  jobs: Jobs;
  /** Room for an upload, which grows with it, to be released when it is through. */
  reserve(account: Account): Promise<Reservation>;
  /** Throws ApiError for a file that can't be read or has no room. */
  make(
    uploaded: Uploaded,
    by: { account: Account; reservation: Reservation; signal?: AbortSignal | undefined },
  ): Promise<Dataset>;
  /** Bytes of the plan's storage that the account's versions and models count. */
  storageUsed(accountId: string): Promise<number>;
  list(accountId: string, page: { limit: number; after: string | null }): Promise<Dataset[]>;
  get(accountId: string, name: string, param?: string): Promise<Dataset>;
  /** A local file with the version's rows, kept until `release`. */
  file(dataset: Dataset, signal?: AbortSignal): Promise<{ path: string; release(): void }>;
  versions(dataset: Dataset): Promise<{ newest: VersionSummary[]; count: number }>;
  profile(dataset: Dataset): Promise<ColumnProfile[]>;
  /** Each as JSON; fewer than `limit` where they are large. */
  rows(
    dataset: Dataset,
    page: { offset: number; limit: number; columns?: string | string[] | undefined; signal: AbortSignal },
  ): Promise<string[]>;
  download(dataset: Dataset, how: { format: DownloadFormat; signal: AbortSignal }): Promise<Download>;
  /** Null empties a field, undefined leaves it. */
  rename(
    accountId: string,
    name: string,
    fields: { name?: string | null | undefined; description?: string | null | undefined },
  ): Promise<Dataset>;
  /** Throws CONFLICT for the only version of a dataset. */
  remove(accountId: string, name: string): Promise<Deleted & { id: string }>;
  /** Throws ApiError for the first operation that can't be run. */
  plan(asked: Asked, caller: Caller): Promise<Plan>;
  preview(
    plan: Plan,
    by: { caller: Caller; requestId: string; signal: AbortSignal },
  ): Promise<{ rows: Row[]; report: OperationReport[] }>;
  process(plan: Plan, caller: Caller): Promise<Job>;
  /** Resolves when what killed processes have left is removed. */
  tidied: Promise<void>;
  close(): Promise<void>;
}

/** Before the jobs start: the job kind `process` is done here. */
export async function createDatasets(parts: DatasetParts): Promise<Datasets> {
  const { database, storage, quota, tables, jobs, jobsFolder: folder, log = () => {} } = parts;
  const store = createStore(database);
  const profiles = createProfiles({ store, storage, tables, log });
  const closing = new AbortController();
  await mkdir(folder, { recursive: true });
  const all = { ...parts, store, folder };
  jobs.handle('process', job => runProcess(all, job));

  async function tidy(): Promise<void> {
    try {
      const removed = await removeLeftovers({ storage, store }, closing.signal);
      if (removed > 0) log('datasets.leftovers_removed', { files: removed });
      await removeOldJobFolders(folder, jobs);
    } catch (error) {
      if (!closing.signal.aborted) log('datasets.not_tidied', { message: messageOf(error) });
    }
  }
  const tidied = tidy();

  /** The rows are gone; files that can't be removed now are found at the next start. */
  async function removeFiles(keysOrPrefixes: string[]): Promise<void> {
    try {
      for (const each of keysOrPrefixes) await storage.remove(each);
    } catch (error) {
      log('datasets.files_not_removed', { message: messageOf(error) });
    }
  }

  return {
    jobs,
    tidied,
    reserve: account => quota.reserve(account),
    make: (uploaded, by) => makeDataset(all, uploaded, by),
    storageUsed: accountId => quota.used(accountId),
    list: (accountId, page) => store.list(accountId, page),
    get: (accountId, name, param) => find(store, accountId, name, param),
    file: (dataset, signal) => localFile(all, dataset, signal),
    versions: ({ id }) => store.versions(id),
    profile: dataset => profiles.of(dataset),
    rows: (dataset, page) => pageOfRows(all, dataset, page),
    download: (dataset, how) => download(all, dataset, how),

    async rename(accountId, name, fields) {
      const { id } = parseReference(name) ?? {};
      if (id === undefined || !(await store.rename(accountId, id, fields))) throw noDataset(name);
      return find(store, accountId, name);
    },

    async remove(accountId, name) {
      const reference = parseReference(name);
      const deleted = reference && (await store.remove(accountId, reference));
      if (!deleted) throw noDataset(name);
      if (deleted.versions.length === 0) {
        const message = `${name} is the only version: delete the dataset ${reference.id}`;
        throw new ApiError('CONFLICT', { message });
      }
      await removeFiles(reference.version === null ? [folderOf(accountId, reference.id)] : deleted.files);
      return { ...deleted, id: reference.id };
    },

    plan: (asked, caller) => planProcess(all, asked, caller),
    preview: (plan, by) => previewProcess(all, plan, by),
    process: (plan, { account, key }) =>
      jobs.enqueue({ kind: 'process', accountId: account.id, keyId: key.id, input: plan }),

    async close() {
      closing.abort();
      await tidied;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
