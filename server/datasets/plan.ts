// What is to be done to a dataset, looked at as a whole before anything is: the version, the operations, the other datasets, the models.
import type { Operation, Tables } from '@vectorium/tables';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Storage } from '../storage/index.ts';
import type { VectorService } from '../vectors/index.ts';
import { noDataset, operationRefused } from './errors.ts';
import { localFile } from './files.ts';
import { nameOfVersion, namedDatasets, parseReference, pinned } from './rules.ts';
import { type DatasetPredictions, checkModels, usesEncoder } from './services.ts';
import type { Dataset, Store } from './store.ts';

export interface PlanParts {
  store: Pick<Store, 'get'>;
  storage: Storage;
  tables: Pick<Tables, 'check'>;
  vectors: VectorService;
  predictions: Pick<DatasetPredictions, 'find'>;
}

/** What is asked for, as the request has it: operations, or a version whose recipe is to be followed. */
export interface Asked {
  datasetId: string;
  operations?: Operation[] | undefined;
  recipe?: string | undefined;
}

/** Kept as a job's input: all datasets are named by their versions, so that a job that is done again does the same. */
export interface Plan {
  /** `ds_x@2` */
  dataset: string;
  operations: Operation[];
  /** The others that the operations name. */
  others: string[];
}

/** Throws ApiError for the first thing that can't be done. */
export async function planProcess(parts: PlanParts, asked: Asked, caller: Caller): Promise<Plan> {
  const accountId = caller.account.id;
  const dataset = await find(parts.store, accountId, asked.datasetId, 'dataset_id');
  const given = await operationsOf(parts.store, accountId, asked);
  const versions = new Map<string, string>();
  for (const { name, param } of namedDatasets(given)) {
    const other = await find(parts.store, accountId, name, param);
    versions.set(name, versionOf(other));
  }
  const operations = await withPredictors(parts.predictions, accountId, withModels(pinned(given, versions), caller));
  const plan = { dataset: versionOf(dataset), operations, others: [...new Set(versions.values())] };
  await withFiles(parts, accountId, plan, ({ source, datasets }) =>
    parts.tables
      .check({ source, operations, datasets }, { account: accountId })
      .catch((error: unknown) => Promise.reject(operationRefused(error))),
  );
  await checkModels(operations, parts.vectors, caller);
  return plan;
}

/** Local files of everything that a plan reads, for as long as `work` takes. Throws DATASET_NOT_FOUND when one was deleted since. */
export async function withFiles<Result>(
  { store, storage }: Pick<PlanParts, 'store' | 'storage'>,
  accountId: string,
  plan: Plan,
  work: (files: { dataset: Dataset; source: string; datasets: Record<string, string> }) => Promise<Result>,
): Promise<Result> {
  const releases: (() => void)[] = [];
  const local = async (name: string) => {
    const found = await find(store, accountId, name);
    const { path, release } = await localFile({ storage, store }, found);
    releases.push(release);
    return { found, path };
  };
  try {
    const { found: dataset, path: source } = await local(plan.dataset);
    const datasets: Record<string, string> = {};
    for (const name of plan.others) datasets[name] = (await local(name)).path;
    return await work({ dataset, source, datasets });
  } finally {
    for (const release of releases) release();
  }
}

/** Throws DATASET_NOT_FOUND. */
export async function find(
  store: Pick<Store, 'get'>,
  accountId: string,
  name: string,
  param?: string,
): Promise<Dataset> {
  const reference = parseReference(name);
  const dataset = reference && (await store.get(accountId, reference));
  if (!dataset) throw noDataset(name, param);
  return dataset;
}

export function versionOf({ id, version }: Dataset): string {
  return nameOfVersion(id, version.number);
}

/** All operations from the upload to this version. */
export function recipeOf({ version }: Dataset): Operation[] {
  return [...version.inherited, ...version.operations];
}

async function operationsOf(
  store: Pick<Store, 'get'>,
  accountId: string,
  { operations, recipe }: Asked,
): Promise<Operation[]> {
  if (operations && recipe !== undefined) {
    const message = 'operations and recipe exclude each other: give one of them';
    throw new ApiError('INVALID_PARAMETER', { message, param: 'recipe' });
  }
  if (operations) return operations;
  if (recipe === undefined) {
    const message = 'operations is required, or recipe in its place';
    throw new ApiError('VALIDATION_ERROR', { message, param: 'operations', errors: [{ path: 'operations', message }] });
  }
  const followed = recipeOf(await find(store, accountId, recipe, 'recipe'));
  if (followed.length > 0) return followed;
  const message = `recipe ${recipe} is a file as it was uploaded: there are no operations to follow`;
  throw new ApiError('INVALID_PARAMETER', { message, param: 'recipe' });
}

/** The account's model in the place of one that isn't named: following the recipe gives the same, also when the account's changes. */
function withModels(operations: Operation[], { account }: Caller): Operation[] {
  return operations.map(operation => {
    const { type, params } = operation;
    if (!usesEncoder(operation) || params['model'] != null) return operation;
    return { type, params: { ...params, model: account.defaultModel } };
  });
}

/**
 * The model itself in the place of an alias, and the columns that it takes, of what kind: so that following the recipe gives the same,
 * and tables can say before the job what doesn't fit.
 */
function withPredictors(
  predictions: PlanParts['predictions'],
  accountId: string,
  operations: Operation[],
): Promise<Operation[]> {
  return Promise.all(
    operations.map(async (operation, index) => {
      const { type, params } = operation;
      const { op, model_id: name, inputs } = params;
      if (type !== 'enrich' || op !== 'predict' || typeof name !== 'string') return operation;
      const { id, columns } = await predictions.find(accountId, name, `operations[${index}].params.model_id`);
      const kinds = Object.fromEntries(columns.map(column => [column.name, column.kind]));
      const names = inputs ?? columns.map(column => column.name);
      return { type, params: { ...params, model_id: id, inputs: names, input_kinds: kinds } };
    }),
  );
}
