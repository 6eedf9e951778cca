// The job that processes a dataset. All versions that it makes come into being in one transaction at its end, or none does.
import type { Column, OperationReport, Processed, Row, Tables } from '@vectorium/tables';
import { previewRows } from '@vectorium/contract';
import type { Accounts } from '../accounts/index.ts';
import { newId } from '../database/index.ts';
import { type RunningJob, inJobFolder } from '../jobs/index.ts';
import type { Caller, Keys } from '../keys/index.ts';
import type { Storage } from '../storage/index.ts';
import type { VectorService } from '../vectors/index.ts';
import { shownReport } from './answers.ts';
import { noDataset, operationRefused } from './errors.ts';
import { type MadeFile, keepFiles } from './files.ts';
import { type Plan, recipeOf, withFiles } from './plan.ts';
import type { Quota } from '../quota/index.ts';
import { type DatasetPredictions, lendServices } from './services.ts';
import { type Dataset, type NewVersion, type Store, newDatasetId } from './store.ts';

/** What a job has made; the result that the jobs keep. */
export interface Made {
  dataset_id: string;
  /** Null where `outputs` were made. */
  version: number | null;
  rows: number | null;
  columns: Column[] | null;
  report: ReturnType<typeof shownReport>[];
  outputs: { name: string; dataset_id: string; version: number; rows: number; columns: Column[] }[];
}

export interface ProcessParts {
  store: Store;
  quota: Quota;
  storage: Storage;
  tables: Pick<Tables, 'process'>;
  vectors: VectorService;
  predictions: DatasetPredictions;
  accounts: Pick<Accounts, 'get'>;
  keys: Pick<Keys, 'get'>;
  /** Where jobs keep what they have done so far, each in a folder of its own. */
  folder: string;
}

const route = '/api/v2/process';

export async function runProcess(parts: ProcessParts, job: RunningJob): Promise<Made> {
  const plan = job.input as Plan;
  return inJobFolder(parts.folder, job, async folder => {
    const before = await parts.store.madeBy(job.id);
    // Its process was killed after the transaction and before the job was told.
    return madeOf(plan, before.length > 0 ? before : await make(parts, { job, plan, folder }));
  });
}

async function make(
  parts: ProcessParts,
  { job, plan, folder }: { job: RunningJob; plan: Plan; folder: string },
): Promise<Dataset[]> {
  const { store, accounts, tables } = parts;
  const caller = await callerOf(parts, job);
  const services = lendServices(parts, {
    caller,
    route,
    jobId: job.id,
    requestId: job.id,
    signal: job.signal,
    goesOn: job.resumeFrom !== null,
    onCharged: () => job.checkpoint({}),
  });
  return withFiles(parts, job.accountId, plan, async ({ dataset, source, datasets }) => {
    const processed = await tables
      .process({ source, operations: plan.operations, datasets, folder }, services, {
        account: job.accountId,
        signal: job.signal,
        onProgress: fraction => job.progress(fraction),
      })
      .catch((error: unknown) => Promise.reject(services.failure ?? operationRefused(error)));
    job.signal.throwIfAborted();
    const account = await accounts.get(job.accountId);
    if (!account) throw new Error('a job without an account');
    const reservation = await parts.quota.reserve(account);
    const ids = processed.outputs.map(({ name }) => (name === null ? dataset.id : newDatasetId()));
    const files = processed.outputs.map(({ path }, index) => ({ datasetId: ids[index] ?? '', path }));
    const made = await keepFiles(
      { storage: parts.storage, reservation },
      { accountId: account.id, files, counted: stored => stored },
      kept => commit(store, { dataset, plan, processed, jobId: job.id, reservationId: reservation.id }, kept),
    );
    if (!made) throw noDataset(dataset.id);
    return made;
  });
}

/** The first rows of what the plan would make; nothing is made. */
export async function previewProcess(
  parts: Pick<ProcessParts, 'store' | 'storage' | 'tables' | 'vectors' | 'predictions'>,
  plan: Plan,
  { caller, requestId, signal }: { caller: Caller; requestId: string; signal: AbortSignal },
): Promise<{ rows: Row[]; report: OperationReport[] }> {
  const services = lendServices(parts, { caller, route, jobId: newId(), requestId, signal });
  const scratch = await parts.storage.scratch();
  try {
    return await withFiles(parts, caller.account.id, plan, async ({ source, datasets }) => {
      const job = { source, operations: plan.operations, datasets, folder: scratch.path, preview: previewRows };
      const { preview, report } = await parts.tables
        .process(job, services, { account: caller.account.id, signal })
        .catch((error: unknown) => Promise.reject(services.failure ?? operationRefused(error)));
      return { rows: preview ?? [], report };
    });
  } finally {
    await scratch.remove();
  }
}

interface Finished {
  dataset: Dataset;
  plan: Plan;
  processed: Processed;
  jobId: string;
  reservationId: string;
}

/** Null when the dataset was deleted meanwhile. */
async function commit(
  store: Store,
  { dataset, plan, processed, jobId, reservationId }: Finished,
  files: MadeFile[],
): Promise<Dataset[] | null> {
  const versions = processed.outputs.map(({ name, rows, columns }, index): NewVersion => {
    const file = files[index];
    if (!file) throw new Error('an output without a file');
    return {
      datasetId: file.datasetId,
      accountId: dataset.accountId,
      file: file.key,
      rows,
      columns,
      rejected: { count: 0, samples: [] },
      notes: [],
      sizeBytes: file.storedBytes,
      countedBytes: file.storedBytes,
      sha256: null,
      parents: [plan.dataset, ...plan.others],
      inherited: recipeOf(dataset),
      operations: plan.operations,
      report: processed.report,
      jobId,
      output: name,
    };
  });
  const [only] = versions;
  if (only && versions.length === 1 && only.output === null) {
    if ((await store.addVersion(only, reservationId)) === null) return null;
  } else {
    const { description, format } = dataset;
    const named = versions.map(version => ({
      ...version,
      name: nameOfPart(dataset.name, version.output),
      description,
      format,
    }));
    if (!(await store.create(named, reservationId))) return null;
  }
  return store.madeBy(jobId);
}

function nameOfPart(name: string | null, part: string | null): string | null {
  return name === null ? part : `${name} (${part})`;
}

function madeOf(plan: Plan, datasets: Dataset[]): Made {
  const [first] = datasets;
  if (!first) throw new Error('a job that made nothing');
  const { output, rows, columns, number } = first.version;
  const report = first.version.report.map(shownReport);
  if (output === null) return { dataset_id: first.id, version: number, rows, columns, report, outputs: [] };
  return {
    dataset_id: plan.dataset.split('@')[0] ?? '',
    version: null,
    rows: null,
    columns: null,
    report,
    outputs: datasets.map(({ id, version }) => ({
      name: version.output ?? '',
      dataset_id: id,
      version: version.number,
      rows: version.rows,
      columns: version.columns,
    })),
  };
}

/** Who started the job. A key that was revoked since has paid for what it began. */
async function callerOf({ accounts, keys }: Pick<ProcessParts, 'accounts' | 'keys'>, job: RunningJob): Promise<Caller> {
  const [account, key] = await Promise.all([accounts.get(job.accountId), keys.get(job.keyId)]);
  if (!account || !key) throw new Error('a job without an account or a key');
  return { account, key };
}
