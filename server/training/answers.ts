// Models as answers show them.
import type { AnswerOf, routes } from '@vectorium/contract';
import type { TrainEvents } from '@vectorium/training';
import type { Job } from '../jobs/index.ts';
import { picodollarsToUsd } from '../plans/index.ts';
import type { Estimate, TrainingPlan } from './plan.ts';
import { scalarMetrics, shownConfig } from './rules.ts';
import type { Alias, TrainedModel } from './store.ts';

/** A model, and its job while the jobs still know it. */
export interface Known {
  model: TrainedModel;
  job: Job | null;
}

type Progress = Pick<AnswerOf<typeof routes.trainModel>, 'status' | 'progress' | 'error'>;

export function progressOf({ model, job }: Known): Progress {
  if (model.ready) return { status: 'succeeded', progress: 1, error: null };
  // The model is ready before its job has ended; of a job that is forgotten, it never became so.
  const status = job?.status === 'succeeded' ? 'running' : (job?.status ?? 'failed');
  return { status, progress: job?.progress ?? 0, error: job?.error ?? null };
}

/** As the job keeps it. */
const estimateOf = ({ job }: Known): Estimate | null => (job?.input as TrainingPlan | undefined)?.estimate ?? null;

function datasetOf({ dataset }: TrainedModel) {
  const [id = '', version = ''] = dataset.split('@');
  return { dataset_id: id, dataset_version: Number(version) };
}

export function shownTraining(known: Known): AnswerOf<typeof routes.trainModel> {
  const { id, jobId, type, ready } = known.model;
  return {
    model_id: id,
    job_id: jobId,
    ...progressOf(known),
    model_type: type,
    ...datasetOf(known.model),
    metrics: scalarMetrics(ready?.card.metrics ?? null),
    estimate: estimateOf(known),
    seconds: ready?.card.seconds ?? null,
    cost_usd: ready && picodollarsToUsd(ready.costPicodollars),
  };
}

export function shownModel(known: Known): AnswerOf<typeof routes.cancelTraining> {
  const { model } = known;
  return {
    model_id: model.id,
    name: model.name,
    model_type: model.type,
    ...progressOf(known),
    job_id: model.jobId,
    ...datasetOf(model),
    target: model.ready?.card.target.name ?? model.config.target ?? null,
    metrics: scalarMetrics(model.ready?.card.metrics ?? null),
    aliases: model.aliases,
    size_bytes: model.countedBytes,
    created_at: model.createdAt.toISOString(),
    ready_at: model.ready?.at.toISOString() ?? null,
  };
}

/** `epochs` are those of a training that is under way. */
export function shownWhole(known: Known, epochs: TrainEvents['epoch'][]): AnswerOf<typeof routes.getTrainedModel> {
  const { ready, config, type } = known.model;
  const card = ready?.card;
  return {
    ...shownModel(known),
    metrics: card?.metrics ?? null,
    config: card ? shownConfig(card.config) : { ...config },
    dataset: card?.dataset ?? datasetOf(known.model),
    algorithm: card?.algorithm ?? config.algorithm ?? null,
    features: card?.features ?? null,
    labels: type === 'classification' ? (card?.target.labels ?? null) : null,
    encoder: card?.encoder ?? null,
    example: ready?.example ?? null,
    rows: card?.rows ?? null,
    metrics_on: card?.metrics_on ?? null,
    curves: card?.curves ?? epochs,
    best_epoch: card?.best_epoch ?? null,
    stopped: card?.stopped ?? null,
    importance: card?.importance ?? null,
    left_out: card?.left_out ?? null,
    parameters: card?.parameters ?? null,
    estimate: estimateOf(known),
    seconds: card?.seconds ?? null,
    cost_usd: ready && picodollarsToUsd(ready.costPicodollars),
    language: card?.language ? { ...card.language } : null,
    files: card?.files ?? [],
  };
}

export function shownAlias({ alias, modelId, updatedAt }: Alias): AnswerOf<typeof routes.setModelAlias> {
  return { alias, model_id: modelId, updated_at: updatedAt.toISOString() };
}
