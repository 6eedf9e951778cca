// What is to be trained, looked at as a whole before there is a job: what can't be trained is refused at once, with the reason.
import type { BodyOf, routes } from '@vectorium/contract';
import type { Encoder, Training } from '@vectorium/training';
import { type Datasets, versionOf } from '../datasets/index.ts';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Models } from '../models/index.ts';
import type { Quota } from '../quota/index.ts';
import type { VectorService } from '../vectors/index.ts';
import { trainingRefused } from './errors.ts';
import { type AskedConfig, trainConfig } from './rules.ts';
import { newModelId } from './store.ts';
import { encoderOf, textOptions } from './texts.ts';

export interface TrainingPlanParts {
  datasets: Pick<Datasets, 'get' | 'file'>;
  training: Pick<Training, 'check'>;
  vectors: Pick<VectorService, 'check'>;
  models: Pick<Models, 'get' | 'folder' | 'modelHandle'>;
  quota: Pick<Quota, 'reserve'>;
}

/** Kept as a job's input. */
export interface TrainingPlan {
  modelId: string;
  name: string | null;
  type: 'classification' | 'regression';
  /** `ds_x@2` */
  dataset: string;
  config: AskedConfig;
  /** Null without text columns. */
  encoder: Encoder | null;
}

/** A model has megabytes; without even one of them free, there is nothing to train for. */
const leastFreeBytes = 1_000_000;

/** Throws ApiError for the first thing that can't be done. */
export async function planTraining(
  parts: TrainingPlanParts,
  body: BodyOf<typeof routes.trainModel>,
  { caller, signal }: { caller: Caller; signal: AbortSignal },
): Promise<TrainingPlan> {
  const { dataset_id: datasetId, model_type: type, config, name = null } = body;
  if (type === 'llm') {
    const message = 'Language models can not be trained yet: model_type must be classification or regression';
    throw new ApiError('INVALID_PARAMETER', { message, param: 'model_type' });
  }
  const { account } = caller;
  const dataset = await parts.datasets.get(account.id, datasetId, 'dataset_id');
  const encoder = encoderOf(parts.models, account.defaultModel);
  const { path: source, release } = await parts.datasets.file(dataset, signal);
  let hasText: boolean;
  try {
    const estimate = await parts.training.check(
      { kind: type, source, config: trainConfig(config), encoder },
      { signal },
    );
    hasText = estimate.features.some(({ kind }) => kind === 'text');
  } catch (error) {
    throw trainingRefused(error);
  } finally {
    release();
  }
  if (hasText && encoder) await parts.vectors.check(textOptions(encoder.name), caller);
  const reservation = await parts.quota.reserve(account, leastFreeBytes);
  await reservation.release();
  const modelId = newModelId();
  return { modelId, name, type, dataset: versionOf(dataset), config, encoder: hasText ? encoder : null };
}
