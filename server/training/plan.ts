// What is to be trained, looked at as a whole before there is a job: what can't be trained is refused at once, with the reason.
import type { AnswerOf, BodyOf, routes } from '@vectorium/contract';
import type { BaseModel, Encoder, Training } from '@vectorium/training';
import { type Datasets, versionOf } from '../datasets/index.ts';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Models } from '../models/index.ts';
import type { Quota } from '../quota/index.ts';
import { type VectorService, checkAllowed, fetchModel } from '../vectors/index.ts';
import { trainingRefused } from './errors.ts';
import { type AskedConfig, languageConfig, strangeSetting, trainConfig } from './rules.ts';
import { newModelId } from './store.ts';
import { encoderOf, textOptions } from './texts.ts';

/** What is asked of the catalog: encoders of text columns, and base models. */
export type TrainingCatalog = Pick<
  Models,
  'get' | 'list' | 'folder' | 'state' | 'obtainable' | 'ensure' | 'modelHandle' | 'decoderHandle'
>;

export interface TrainingPlanParts {
  datasets: Pick<Datasets, 'get' | 'file'>;
  training: Pick<Training, 'check' | 'checkLanguage'>;
  vectors: Pick<VectorService, 'check'>;
  models: TrainingCatalog;
  quota: Pick<Quota, 'reserve'>;
}

/** Kept as a job's input. */
export interface TrainingPlan {
  modelId: string;
  name: string | null;
  type: 'classification' | 'regression' | 'llm';
  /** `ds_x@2` */
  dataset: string;
  config: AskedConfig;
  /** Null without text columns. */
  encoder: Encoder | null;
  /** Of a language model: what is taught, by its name here; null from scratch. */
  base: string | null;
  /** What it will need, about; missing in jobs of earlier versions. */
  estimate?: Estimate;
}

export type Estimate = NonNullable<AnswerOf<typeof routes.trainModel>['estimate']>;

export const defaultBase = 'smollm2_135m';

/** A model has megabytes; without even one of them free, there is nothing to train for. */
const leastFreeBytes = 1_000_000;

/** Throws ApiError for the first thing that can't be done. */
export async function planTraining(
  parts: TrainingPlanParts,
  body: BodyOf<typeof routes.trainModel>,
  { caller, signal }: { caller: Caller; signal: AbortSignal },
): Promise<TrainingPlan> {
  const { dataset_id: datasetId, model_type: type, config, name = null } = body;
  const strange = strangeSetting(type, config);
  if (strange) {
    const message = `${strange} is no setting of a model for ${type}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: `config.${strange}` });
  }
  const base = type === 'llm' ? await baseOf(parts.models, config.base_model ?? defaultBase, caller) : null;
  const { account } = caller;
  const dataset = await parts.datasets.get(account.id, datasetId, 'dataset_id');
  const encoder = encoderOf(parts.models, account.defaultModel);
  const { path: source, release } = await parts.datasets.file(dataset, signal);
  let hasText = false;
  let estimate: Estimate;
  try {
    if (type === 'llm') {
      const job = { source, config: languageConfig(config), base };
      const found = await parts.training.checkLanguage(job, { signal });
      const { memoryBytes, seconds, tokens, longer } = found;
      estimate = { memory_bytes: memoryBytes, seconds, tokens, cut_samples: longer };
    } else {
      const found = await parts.training.check(
        { kind: type, source, config: trainConfig(config), encoder },
        { signal },
      );
      estimate = { memory_bytes: found.memoryBytes, seconds: null, tokens: null, cut_samples: null };
      hasText = found.features.some(({ kind }) => kind === 'text');
    }
  } catch (error) {
    throw trainingRefused(error);
  } finally {
    release();
  }
  if (hasText && encoder) await parts.vectors.check(textOptions(encoder.name), caller);
  const reservation = await parts.quota.reserve(account, leastFreeBytes);
  await reservation.release();
  const modelId = newModelId();
  return {
    modelId,
    name,
    type,
    dataset: versionOf(dataset),
    config,
    encoder: hasText ? encoder : null,
    base: base?.name ?? null,
    estimate,
  };
}

/** Null for `scratch`. Throws for a model that there is not, that the plan does not allow, or that is not here yet. */
async function baseOf(models: TrainingCatalog, name: string, caller: Caller): Promise<BaseModel | null> {
  if (name === 'scratch') return null;
  const entry = models.get(name);
  if (entry?.kind !== 'decoder') {
    const known = models.list().flatMap(each => (each.kind === 'decoder' ? [each.alias] : []));
    const message = `There is no base model ${JSON.stringify(name)}: base_model is one of ${[...known, 'scratch'].join(', ')}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: 'config.base_model' });
  }
  checkAllowed(caller, entry);
  if (models.folder(name) === null) await fetchModel(models, entry);
  return baseModel(models, name);
}

/** A base model that is here. */
export function baseModel(models: Pick<Models, 'get' | 'decoderHandle'>, name: string): BaseModel {
  const { path, precision, id } = models.decoderHandle(name);
  return { name, model: models.get(name)?.model ?? name, revision: id.slice(name.length + 1), path, precision };
}
