// The job that trains a model. The model becomes ready in one transaction at its end, or not at all.
//
// What training needs to go on after a kill, it keeps in the job's folder; the server keeps the number of slices that were paid. A model
// that was trained but not yet kept is found whole in that folder.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Tables } from '@vectorium/tables';
import type { Card, RunOptions, TrainServices, Training } from '@vectorium/training';
import type { Accounts } from '../accounts/index.ts';
import type { Datasets } from '../datasets/index.ts';
import { type RunningJob, inJobFolder } from '../jobs/index.ts';
import type { Caller, Keys } from '../keys/index.ts';
import { picodollarsToUsd } from '../plans/index.ts';
import type { Models } from '../models/index.ts';
import type { Quota } from '../quota/index.ts';
import type { Storage } from '../storage/index.ts';
import type { Ledger } from '../usage/index.ts';
import { type VectorService, bulkVectors } from '../vectors/index.ts';
import { metered } from './charge.ts';
import { noModel, trainingRefused } from './errors.ts';
import { keepFolder } from './files.ts';
import { type TrainingPlan, baseModel } from './plan.ts';
import { languageConfig, scalarMetrics, trainConfig } from './rules.ts';
import type { ReadyPart, Store } from './store.ts';
import { textOptions } from './texts.ts';

export interface TrainingParts {
  store: Store;
  storage: Storage;
  quota: Pick<Quota, 'reserve'>;
  tables: Pick<Tables, 'rows'>;
  datasets: Pick<Datasets, 'get' | 'file'>;
  training: Pick<Training, 'train' | 'trainLanguage'>;
  models: Pick<Models, 'get' | 'decoderHandle'>;
  vectors: VectorService;
  ledger: Ledger;
  accounts: Pick<Accounts, 'get'>;
  keys: Pick<Keys, 'get'>;
  /** Where jobs keep what they have done so far, each in a folder of its own. */
  folder: string;
}

/** The result that the jobs keep. */
export interface Trained {
  model_id: string;
  metrics: Record<string, number> | null;
  seconds: number;
  cost_usd: number;
}

const trainRoute = '/api/v2/models/train';
/** How often it is made durable that a job got on. */
const aliveEveryMs = 5000;

export async function runTraining(parts: TrainingParts, job: RunningJob): Promise<Trained> {
  const { store } = parts;
  const plan = job.input as TrainingPlan;
  const { modelId, name, type, dataset, config } = plan;
  return inJobFolder(parts.folder, job, async folder => {
    // The server may have died between the job and this row.
    await store.add({ id: modelId, accountId: job.accountId, jobId: job.id, name, type, dataset, config });
    const before = await store.get(job.accountId, modelId);
    if (!before) throw noModel(modelId);
    // Its process was killed after the transaction and before the job was told.
    if (before.ready) return trainedOf(modelId, before.ready);
    const caller = await callerOf(parts, job);
    const { card, example } = await trained(parts, { job, plan, caller, folder });
    job.signal.throwIfAborted();
    const costPicodollars = await parts.ledger.costOf(job.accountId, job.id, before.createdAt);
    const part = { card, example, costPicodollars };
    if (!(await keep(parts, { job, caller, modelId, folder, part }))) throw noModel(modelId);
    return trainedOf(modelId, part);
  });
}

interface Run {
  job: RunningJob;
  plan: TrainingPlan;
  caller: Caller;
  folder: string;
}

const modelFolder = (folder: string): string => join(folder, 'model');

async function trained(
  parts: TrainingParts,
  { job, plan, caller, folder }: Run,
): Promise<Pick<ReadyPart, 'card' | 'example'>> {
  const dataset = await parts.datasets.get(job.accountId, plan.dataset);
  const { path: source, release } = await parts.datasets.file(dataset, job.signal);
  const services = lend(parts.vectors, { job, plan, caller });
  try {
    const { version } = dataset;
    const about = {
      dataset_id: dataset.id,
      version: version.number,
      name: dataset.name,
      rows: version.rows,
      parquet_sha256: await sha256Of(source),
    };
    const target = modelFolder(folder);
    const card =
      (await readCard(target)) ??
      (await metered(
        { ledger: parts.ledger, caller, job, modelId: plan.modelId, route: trainRoute },
        (signal, alive) => {
          const { type: kind, config, encoder } = plan;
          const run = { signal, ...toldTo(job, alive) };
          const where = { source, folder, target, dataset: about };
          if (kind === 'llm') {
            const base = plan.base === null ? null : baseModel(parts.models, plan.base);
            return parts.training.trainLanguage({ ...where, config: languageConfig(config), base }, run);
          }
          return parts.training.train({ ...where, kind, config: trainConfig(config), encoder }, services, run);
        },
      ).catch((error: unknown): never => {
        throw services.failure ?? trainingRefused(error);
      }));
    const { language } = card;
    const columns = language ? Object.values(language.columns) : card.features.map(({ name }) => name);
    const [example = null] = await parts.tables.rows(source, { offset: 0, limit: 1, columns });
    return { card, example };
  } finally {
    release();
  }
}

/** Progress and events of a run go to its job; epochs show from time to time that it got on. */
function toldTo(job: RunningJob, alive: () => void): Pick<RunOptions, 'onProgress' | 'onEvent'> {
  let aliveAt = performance.now();
  return {
    onProgress: fraction => job.progress(fraction),
    onEvent: (type, data) => {
      job.event(type, data);
      if (type !== 'epoch' || performance.now() - aliveAt < aliveEveryMs) return;
      aliveAt = performance.now();
      alive();
    },
  };
}

/** The vectors of text columns, paid once however often the job is done again. The error that comes back through training loses its code. */
function lend(
  vectors: VectorService,
  { job, plan, caller }: Omit<Run, 'folder'>,
): TrainServices & { failure: unknown } {
  return {
    failure: undefined,
    async embed(texts, part) {
      if (!plan.encoder) throw new Error('texts without an encoder');
      const { signal, id: requestId } = job;
      const asked = { caller, route: trainRoute, requestId, signal, chargedAs: [job.id, 'text', part] };
      try {
        return (await bulkVectors(vectors, texts, textOptions(plan.encoder.name), asked)).vectors;
      } catch (error) {
        this.failure ??= error;
        throw error;
      }
    },
  };
}

interface Keeping {
  job: RunningJob;
  caller: Caller;
  modelId: string;
  folder: string;
  part: Omit<ReadyPart, 'at' | 'folder'>;
}

/** False when the model was deleted meanwhile. */
async function keep(
  { store, storage, quota }: TrainingParts,
  { job, caller: { account }, modelId, folder, part }: Keeping,
): Promise<boolean> {
  const reservation = await quota.reserve(account);
  // Files are moved into the storage: other names for them, so that the folder stays whole for another attempt.
  const path = join(folder, `keep-${reservation.id}`);
  await mkdir(path);
  const whole = modelFolder(folder);
  for (const name of await readdir(whole)) await link(join(whole, name), join(path, name));
  return keepFolder({ storage, reservation }, { accountId: job.accountId, modelId, path }, kept =>
    store.finish(modelId, { ...part, folder: kept.folder, countedBytes: kept.bytes }, reservation.id),
  );
}

function trainedOf(modelId: string, { card, costPicodollars }: Pick<ReadyPart, 'card' | 'costPicodollars'>): Trained {
  const { metrics, seconds } = card;
  return { model_id: modelId, metrics: scalarMetrics(metrics), seconds, cost_usd: picodollarsToUsd(costPicodollars) };
}

/** Null when there is none. */
async function readCard(folder: string): Promise<Card | null> {
  const text = await readFile(join(folder, 'card.json'), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as Card);
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Who started the job. A key that was revoked since has paid for what it began. */
async function callerOf(
  { accounts, keys }: Pick<TrainingParts, 'accounts' | 'keys'>,
  job: RunningJob,
): Promise<Caller> {
  const [account, key] = await Promise.all([accounts.get(job.accountId), keys.get(job.keyId)]);
  if (!account || !key) throw new Error('a job without an account or a key');
  return { account, key };
}
