// The routes of trained models: train, look at, take along, delete. The API reference of Vectorial names the first one, and predict.
import { z } from 'zod';
import { line, optional, wholeNumber, withDefault } from './fields.ts';
import { eventStream } from './jobs.ts';
import { type Route, defineRoute } from './route.ts';
import { compareModels, deleteAlias, listAliases, setAlias } from './model-aliases.ts';
import { predict } from './model-predict.ts';
import {
  bothSpellings,
  config,
  estimate,
  exampleDataset,
  exampleJob,
  exampleModel,
  exampleSummary,
  failure,
  identity,
  metrics,
  modelFormats,
  modelTypes,
  models,
  status,
  summary,
  wholeModel,
} from './model-shapes.ts';

const trainModel = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/train'),
  id: 'trainModel',
  method: 'POST',
  family: 'data',
  summary: 'Train a model on a dataset',
  description:
    'A job: the answer comes at once, or with `Prefer: wait=N` when it has ended, after N seconds at most (60). What can not be trained is refused before the job starts, with the reason. Raw values go into the model: what prepares them is part of it.',
  body: z.object({
    dataset_id: line(100).meta({
      description: 'A dataset, `ds_…` (its newest version), or one version of it, `ds_…@2`.',
    }),
    model_type: z.enum(modelTypes),
    config: withDefault(config, config.parse({})),
    name: optional(line(200).meta({ description: 'For people; aliases are what programs use.' })),
  }),
  answer: z.object({
    model_id: z.string(),
    job_id: z.string(),
    status,
    progress: z.number(),
    model_type: z.enum(modelTypes),
    dataset_id: z.string(),
    dataset_version: z.int(),
    metrics: metrics.nullable(),
    estimate,
    seconds: z.number().nullable(),
    cost_usd: z.number().nullable(),
    error: failure,
  }),
  errors: [
    'INVALID_PARAMETER',
    'DATASET_NOT_FOUND',
    'MODEL_NOT_ALLOWED',
    'MODEL_UNAVAILABLE',
    'INSUFFICIENT_BALANCE',
    'STORAGE_QUOTA_EXCEEDED',
  ],
  idempotent: true,
  example: {
    body: {
      dataset_id: exampleDataset,
      model_type: 'classification',
      config: { epochs: 100, batch_size: 32, learning_rate: 0.001, target: 'churned' },
    },
    answer: {
      model_id: exampleModel,
      job_id: exampleJob,
      status: 'queued',
      progress: 0,
      model_type: 'classification',
      dataset_id: exampleDataset,
      dataset_version: 2,
      metrics: null,
      estimate: { memory_bytes: 310_000_000, seconds: null, tokens: null, cut_samples: null },
      seconds: null,
      cost_usd: null,
      error: null,
    },
  },
});

const listModels = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models'),
  id: 'listTrainedModels',
  method: 'GET',
  family: 'read',
  summary: "The account's trained models, newest first",
  query: z.object({
    limit: withDefault(wholeNumber(1, 1000), 100),
    after: optional(line(100).meta({ description: 'The `model_id` of the last item of the page before.' })),
  }),
  answer: z.object({ data: z.array(summary), has_more: z.boolean() }),
  errors: ['INVALID_PARAMETER'],
  example: { answer: { data: [exampleSummary], has_more: false } },
});

const getModel = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/{id}'),
  id: 'getTrainedModel',
  method: 'GET',
  family: 'read',
  summary: 'One model: status, metrics, curves, importance of columns, config, cost',
  description: 'With `Prefer: wait=N` the answer comes when the training has ended, or after N seconds (60 at most).',
  params: identity,
  answer: wholeModel,
  errors: ['MODEL_NOT_FOUND'],
});

const deleteModel = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/{id}'),
  id: 'deleteTrainedModel',
  method: 'DELETE',
  family: 'data',
  summary: 'Delete a model with its files',
  description:
    'Cancels its training if that is still under way. Takes the model itself: one that an alias names is kept until the alias is moved or removed (409).',
  params: identity,
  answer: z.object({
    model_id: z.string(),
    freed_bytes: z.int().meta({ description: 'Of the storage quota.' }),
    deleted: z.literal(true),
  }),
  errors: ['MODEL_NOT_FOUND', 'CONFLICT'],
});

const downloadModel = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/{id}/download'),
  id: 'downloadModel',
  method: 'GET',
  family: 'read',
  summary: "A model's files",
  description:
    '`onnx` takes raw columns and gives predictions in any ONNX Runtime (1.22 or later); `card` says what its inputs are and how it was made. Of a language model `peft` (a zip) and `gguf` are the adapter, and `onnx` (a zip) is base and adapter in one as Transformers.js loads it, put together in some seconds; `zip` has all that there is.',
  params: identity,
  query: z.object({ format: withDefault(z.enum(modelFormats), 'zip') }),
  answer: z.string(),
  contentType: 'application/zip',
  alternatives: {
    'application/octet-stream': 'With `format=gguf`, and with `format=onnx` of rows.',
    'application/json': 'With `format=card`.',
  },
  errors: ['MODEL_NOT_FOUND', 'MODEL_NOT_READY', 'INVALID_PARAMETER'],
});

const getModelEvents = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/{id}/events'),
  id: 'getModelEvents',
  method: 'GET',
  family: 'read',
  summary: 'What happens in a training, as it happens',
  description:
    'The events of its job, as `/api/v2/jobs/{id}/events`: `started` with the rows and the size of the model, `epoch` with losses and metrics, `progress`, `status`.',
  params: identity,
  ...eventStream,
  errors: ['INVALID_PARAMETER', 'MODEL_NOT_FOUND', 'JOB_NOT_FOUND'],
});

const cancelModel = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/{id}/cancel'),
  id: 'cancelTraining',
  method: 'POST',
  family: 'data',
  summary: 'Cancel a training',
  description: 'The answer waits up to two seconds for it to stop. A training that has ended stays as it is.',
  params: identity,
  answer: summary,
  errors: ['MODEL_NOT_FOUND'],
});

export const modelRoutes = {
  trainModel,
  predict,
  listTrainedModels: listModels,
  getTrainedModel: getModel,
  deleteTrainedModel: deleteModel,
  downloadModel,
  getModelEvents,
  cancelTraining: cancelModel,
  listModelAliases: listAliases,
  setModelAlias: setAlias,
  deleteModelAlias: deleteAlias,
  compareModels,
} satisfies Record<string, Route>;
