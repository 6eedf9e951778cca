// Trained models: built from what is beside them, and what their routes ask of them.
import type { BodyOf, PredictData, routes } from '@vectorium/contract';
import type { TrainEvents, Training } from '@vectorium/training';
import type { Datasets } from '../datasets/index.ts';
import type { GenerationParts, LanguageModel, SamplingFields } from '../generation/index.ts';
import { ApiError } from '../http/index.ts';
import type { Job, ServedJobs } from '../jobs/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Known } from './answers.ts';
import { compare } from './compare.ts';
import { type ModelDownload, type ModelFormat, downloadOf } from './download.ts';
import { noModel } from './errors.ts';
import { removeLeftovers } from './files.ts';
import { answerPrompts, maxPrompts, openTrained, promptsOf, type TrainedLanguageParts } from './language.ts';
import { type TrainingCatalog, planTraining } from './plan.ts';
import { createPortable } from './portable.ts';
import type { PredictAsked, Predictions } from './predictions.ts';
import type { Alias, ReadyModel, TrainedModel } from './store.ts';
import { type TrainingParts, runTraining } from './train.ts';

export interface TrainedModelParts extends Omit<TrainingParts, 'folder'> {
  training: Training;
  datasets: Datasets;
  jobs: ServedJobs;
  models: TrainingCatalog;
  predictions: Predictions;
  /** For language models that answer. */
  language: TrainedLanguageParts & GenerationParts;
  /** Lets what is in memory of a model go. */
  forget(modelId: string): void;
  /** On the local disk, where jobs keep what they have done so far. */
  jobsFolder: string;
  log?: (event: string, fields: object) => void;
}

/** Everything about one account only; what isn't there, or is another's, throws MODEL_NOT_FOUND. Names are ids or aliases. */
export interface TrainedModels {
  jobs: ServedJobs;
  predictions: Predictions;
  /** Throws ApiError for what can't be trained. */
  train(
    body: BodyOf<typeof routes.trainModel>,
    by: { caller: Caller; signal: AbortSignal },
  ): Promise<Known & { job: Job }>;
  get(accountId: string, name: string): Promise<Known>;
  list(accountId: string, page: { limit: number; after: string | null }): Promise<Known[]>;
  /** Of a training that is under way, as far as it is. */
  epochs(known: Known): Promise<TrainEvents['epoch'][]>;
  download(
    name: string,
    format: ModelFormat,
    by: { caller: Caller; signal: AbortSignal },
  ): Promise<ModelDownload & { model: TrainedModel }>;
  cancel(accountId: string, name: string): Promise<Known>;
  /** Throws CONFLICT for a model that an alias names. */
  remove(accountId: string, name: string): Promise<TrainedModel>;
  /** Of a language model. Throws INVALID_PARAMETER for what is no prompt. */
  answer(
    model: ReadyModel,
    asked: { given: PredictData; fields: SamplingFields; asked: PredictAsked },
  ): ReturnType<typeof answerPrompts>;
  /** A trained language model of the caller's account; null when there is none of this name. */
  findLanguage(name: string, caller: Caller): Promise<LanguageModel | null>;
  /** Those that are ready, the newest thousand. */
  languageModels(accountId: string): Promise<TrainedModel[]>;
  compare(...asked: Tail<Parameters<typeof compare>>): ReturnType<typeof compare>;
  aliases(accountId: string): Promise<Alias[]>;
  setAlias(accountId: string, alias: string, name: string): Promise<Alias>;
  removeAlias(accountId: string, alias: string): Promise<void>;
  /** Resolves when what killed processes have left is removed. */
  tidied: Promise<void>;
  close(): Promise<void>;
}

type Tail<List extends unknown[]> = List extends [unknown, ...infer Rest] ? Rest : never;

const eventsAtOnce = 1000;

/** Before the jobs start: the job kind `train` is done here. */
export function createTrainedModels(parts: TrainedModelParts): TrainedModels {
  const { store, storage, jobs, predictions, jobsFolder: folder, log = () => {} } = parts;
  const closing = new AbortController();
  jobs.handle('train', job => runTraining({ ...parts, folder }, job));

  async function tidy(): Promise<void> {
    try {
      const removed = await removeLeftovers({ storage, store }, closing.signal);
      if (removed > 0) log('training.leftovers_removed', { files: removed });
    } catch (error) {
      if (!closing.signal.aborted) log('training.not_tidied', { message: messageOf(error) });
    }
  }
  const tidied = tidy();
  const portable = createPortable(parts);

  async function known(accountId: string, model: TrainedModel): Promise<Known> {
    if (model.ready) return { model, job: null };
    const job = await jobs.get(accountId, model.jobId);
    // It may have become ready between the two.
    const now = job?.finishedAt ? await store.get(accountId, model.id) : null;
    return { model: now ?? model, job };
  }

  async function get(accountId: string, name: string): Promise<Known> {
    const model = await store.get(accountId, name);
    if (!model) throw noModel(name);
    return known(accountId, model);
  }

  /** The rows are gone; files that can't be removed now are found at the next start. */
  async function removeFiles(model: TrainedModel): Promise<void> {
    if (!model.ready) return;
    await storage.remove(model.ready.folder).catch((error: unknown) => {
      log('training.files_not_removed', { message: messageOf(error) });
    });
  }

  return {
    jobs,
    predictions,
    tidied,
    get,

    async train(body, by) {
      const plan = await planTraining(parts, body, by);
      const { account, key } = by.caller;
      const job = await jobs.enqueue({ kind: 'train', accountId: account.id, keyId: key.id, input: plan });
      const { modelId: id, name, type, dataset, config } = plan;
      await store.add({ id, accountId: account.id, jobId: job.id, name, type, dataset, config });
      const model = await store.get(account.id, id);
      if (!model) throw noModel(id);
      return { model, job };
    },

    async list(accountId, page) {
      return Promise.all((await store.list(accountId, page)).map(model => known(accountId, model)));
    },

    async epochs({ model, job }) {
      if (model.ready || !job) return [];
      // After a restart, epochs since the last checkpoint come again.
      const byNumber = new Map<number, TrainEvents['epoch']>();
      for (let after = 0; ;) {
        const events = await jobs.events(job, after, eventsAtOnce);
        for (const { type, data } of events) {
          const epoch = data as TrainEvents['epoch'];
          if (type === 'epoch') byNumber.set(epoch.epoch, epoch);
        }
        after = events.at(-1)?.number ?? after;
        if (events.length < eventsAtOnce) return [...byNumber.values()];
      }
    },

    async download(name, format, { caller, signal }) {
      const model = await predictions.ready(caller.account.id, name);
      if (format === 'onnx' && model.ready.card.language) {
        const language = await openTrained(parts.language, model, caller);
        return { ...(await portable(model, language, signal)), model };
      }
      return { ...(await downloadOf(storage, model, format)), model };
    },

    async answer(model, { given, fields, asked }) {
      if (given.kind !== 'prompts' || given.prompts.length > maxPrompts) {
        const message = `${model.id} is a language model: input.data has texts or lists of messages, at most ${maxPrompts}`;
        throw new ApiError('INVALID_PARAMETER', { message, param: 'input.data' });
      }
      const prompts = promptsOf(model, given.prompts);
      const language = await openTrained(parts.language, model, asked.caller);
      return answerPrompts(parts.language, language, { prompts, fields, asked });
    },

    async languageModels(accountId) {
      const all = await store.list(accountId, { limit: 1000, after: null });
      return all.filter(({ ready }) => ready?.card.language);
    },

    async findLanguage(name, caller) {
      const found = await store.get(caller.account.id, name);
      if (!found || (found.ready && !found.ready.card.language)) return null;
      return openTrained(parts.language, await predictions.ready(caller.account.id, name, 'model'), caller);
    },

    async cancel(accountId, name) {
      const { model } = await get(accountId, name);
      if (!model.ready) await jobs.cancel(accountId, model.jobId);
      return known(accountId, model);
    },

    async remove(accountId, name) {
      const found = await store.get(accountId, name);
      if (!found) throw noModel(name);
      if (!found.ready && found.aliases.length === 0) await jobs.cancel(accountId, found.jobId);
      const outcome = await store.remove(accountId, found.id);
      if (!outcome) throw noModel(name);
      const { model, removed } = outcome;
      if (!removed) {
        const message = `${model.aliases.join(', ')} names the model ${model.id}: move or remove it first`;
        throw new ApiError('CONFLICT', { message });
      }
      predictions.changed();
      parts.forget(model.id);
      await removeFiles(model);
      return model;
    },

    compare: (body, asked) => compare(parts, body, asked),
    aliases: accountId => store.aliases(accountId),

    async setAlias(accountId, alias, name) {
      const { id } = await predictions.ready(accountId, name);
      const set = await store.setAlias(accountId, alias, id);
      predictions.changed();
      if (!set) throw noModel(name, 'model_id');
      return set;
    },

    async removeAlias(accountId, alias) {
      const removed = await store.removeAlias(accountId, alias);
      predictions.changed();
      if (!removed) throw new ApiError('MODEL_NOT_FOUND', { message: `There is no alias ${alias}` });
    },

    async close() {
      closing.abort();
      await tidied;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
