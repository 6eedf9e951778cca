// The routes of trained models: train, predict, look at, name, compare, take along, delete. The API reference of Vectorial names the
// first two.
import { z } from 'zod';
import { line, optional, wholeNumber, withDefault } from './fields.ts';
import { sampling, temperature } from './generation.ts';
import { eventStream, jobStatuses } from './jobs.ts';
import { type Route, defineRoute } from './route.ts';
import { maxPredictRows, predictData } from './rows.ts';

const mebibyte = 1024 * 1024;
export const modelTypes = ['classification', 'regression', 'llm'] as const;
export const algorithms = ['tabm', 'realmlp', 'mlp', 'linear'] as const;
/** Linear layers that an adapter may be for. */
const adaptable = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export const modelFormats = ['zip', 'onnx', 'card', 'peft', 'gguf'] as const;
/** `churn@production` */
export const aliasPattern = /^[a-z0-9][\w.-]{0,63}@[a-z0-9][\w.-]{0,63}$/i;

const models = { tag: 'Models', auth: 'key', scope: 'models', dialect: 'vectorial' } as const;

/** The same route without `/api`, as the samples of the document spell it. */
function bothSpellings(path: `/api/v2/${string}`) {
  return { path, aliases: [path.slice('/api'.length)] } as const;
}

const reference = line(200).meta({ description: 'A model, `model_…`, or an alias of one, `churn@production`.' });
const identity = z.object({ id: reference });
const columnName = z.string().min(1).max(1000);

const config = z.strictObject({
  target: optional(
    columnName.meta({ description: 'Default: a column named target, label, class or y, else the last.' }),
  ),
  features: optional(
    z.array(columnName).min(1).max(10_000).meta({ description: 'Default: all other usable columns.' }),
  ),
  algorithm: optional(z.enum(algorithms)),
  epochs: optional(z.int().min(1).max(100_000).meta({ description: 'The most; the best one is kept.' })),
  batch_size: optional(z.int().min(1).max(65_536)),
  learning_rate: optional(z.number().gt(0).max(10)),
  validation_split: optional(
    z.number().min(0).max(0.5).meta({ description: 'Share of the rows; default 0.15, none under 50 rows.' }),
  ),
  early_stopping: optional(z.boolean().meta({ default: true })),
  seed: optional(z.int().min(0).max(4_294_967_295)),
  max_seconds: optional(z.number().gt(0).max(31_536_000)),
  base_model: optional(
    line(100).meta({
      description:
        'Of llm: the model that is taught (`smollm2_135m` unless named), or `scratch` for a small one from nothing.',
    }),
  ),
  lora: optional(
    z
      .strictObject({
        rank: optional(z.int().min(1).max(256)),
        alpha: optional(z.number().gt(0).max(10_000)),
        layers: optional(z.array(z.enum(adaptable)).min(1)),
      })
      .meta({ description: 'Of llm: the adapter. Default: rank 16, alpha twice the rank, all linear layers.' }),
  ),
  max_length: optional(
    z
      .int()
      .min(16)
      .max(32_768)
      .meta({ description: 'Of llm: tokens of a sample; default 512, from scratch 256. Longer ones are cut.' }),
  ),
  messages: optional(
    columnName.meta({ description: 'Of llm: the column of conversations, JSON lists of `{role, content}`.' }),
  ),
  prompt: optional(columnName.meta({ description: 'Of llm: the column of prompts.' })),
  completion: optional(columnName.meta({ description: 'Of llm: the column of what answers the prompts.' })),
  text: optional(columnName.meta({ description: 'Of llm: a column of plain text, which is learnt whole.' })),
});

const status = z.enum(jobStatuses);
const failure = z
  .looseObject({ code: z.string(), message: z.string() })
  .nullable()
  .meta({ description: 'Why the training failed.' });
const feature = z.object({
  name: z.string(),
  kind: z.enum(['number', 'category', 'date', 'boolean', 'text']),
  sql_type: z.string().meta({ description: "Of the dataset's column, as DuckDB writes it." }),
});
const epoch = z.object({
  epoch: z.int(),
  step: z.int(),
  training_loss: z.number(),
  validation_loss: z.number().nullable(),
  metrics: z.record(z.string(), z.number()),
  seconds: z.number(),
});
const metrics = z.record(z.string(), z.unknown());
const estimate = z
  .object({
    memory_bytes: z.int(),
    seconds: z.int().nullable().meta({
      description: 'Of all epochs, where two cores are free for it; right within a factor of two. Null for tables.',
    }),
    tokens: z.int().nullable().meta({ description: 'Of one epoch of a language model.' }),
    cut_samples: z
      .int()
      .nullable()
      .meta({ description: 'Of a language model: those with more than `max_length` tokens.' }),
  })
  .nullable()
  .meta({
    description:
      'What the training was expected to need, before it began; null when it has succeeded, and where its job is not kept any more.',
  });

/** What a list shows of each. */
const summary = z.object({
  model_id: z.string(),
  name: z.string().nullable(),
  model_type: z.enum(modelTypes),
  status,
  progress: z.number().meta({ description: '0 to 1.' }),
  job_id: z.string(),
  dataset_id: z.string(),
  dataset_version: z.int(),
  target: z.string().nullable(),
  metrics: metrics.nullable().meta({ description: 'On rows that were held out; null until there are any.' }),
  aliases: z.array(z.string()),
  size_bytes: z.int().meta({ description: "What the model's files take of the plan's storage." }),
  error: failure,
  created_at: z.iso.datetime(),
  ready_at: z.iso.datetime().nullable(),
});

const wholeModel = summary.extend({
  config: z.record(z.string(), z.unknown()).meta({
    description: 'Of a model that is ready everything, also what was decided for it; until then what was asked for.',
  }),
  dataset: z.record(z.string(), z.unknown()).meta({ description: "The version's id, number and hash." }),
  algorithm: z.string().nullable(),
  features: z.array(feature).nullable().meta({ description: 'In the order of rows given as lists.' }),
  labels: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .nullable()
    .meta({ description: 'The classes, as they were in the data.' }),
  encoder: z
    .object({ name: z.string(), revision: z.string(), dimension: z.int() })
    .nullable()
    .meta({ description: 'Turns the text columns into vectors.' }),
  example: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: 'A row of the data, as `predict` takes it.' }),
  rows: z
    .object({
      total: z.int(),
      training: z.int(),
      validation: z.int(),
      test: z.int(),
      without_target: z.int(),
    })
    .nullable(),
  metrics_on: z.enum(['test', 'validation']).nullable(),
  curves: z.array(epoch),
  best_epoch: z.int().nullable(),
  stopped: z.string().nullable().meta({ description: '`epochs`, `early_stopping`, `max_seconds` or `diverged`.' }),
  importance: z
    .array(z.object({ feature: z.string(), importance: z.number(), deviation: z.number() }))
    .nullable()
    .meta({ description: 'How much worse the held-out rows are predicted when a column is shuffled.' }),
  left_out: z
    .array(z.object({ name: z.string(), reason: z.string() }))
    .nullable()
    .meta({ description: 'Columns that are no features, and why.' }),
  parameters: z.int().nullable(),
  estimate,
  seconds: z.number().nullable().meta({ description: 'Of training.' }),
  cost_usd: z.number().nullable().meta({ description: 'Of training, vectors of text columns included.' }),
  language: z.looseObject({}).nullable().meta({
    description:
      'Of a language model: its base and adapter, columns, tokens, samples that were cut, and what it answered before the first step, during the run and at its end.',
  }),
  files: z.array(z.object({ name: z.string(), bytes: z.int(), sha256: z.string() })),
});

const exampleModel = 'model_019a2b3c4d5e7f80919293a4b5c6d7e8';
const exampleJob = 'job_019a2b3c4d5e7f80919293a4b5c6d7e9';
const exampleDataset = 'ds_019a2b3c4d5e7f80919293a4b5c6d7e8';
const exampleSummary = {
  model_id: exampleModel,
  name: 'churn',
  model_type: 'classification',
  status: 'succeeded',
  progress: 1,
  job_id: exampleJob,
  dataset_id: exampleDataset,
  dataset_version: 2,
  target: 'churned',
  metrics: { accuracy: 0.91, roc_auc: 0.95 },
  aliases: ['churn@production'],
  size_bytes: 1_240_112,
  error: null,
  created_at: '2026-01-31T12:00:00.000Z',
  ready_at: '2026-01-31T12:01:10.000Z',
} as const;

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

const label = z.union([z.string(), z.number(), z.boolean()]);

const predictDefaults = {
  probabilities: true,
  temperature: 0,
  max_tokens: undefined,
  top_p: 1,
  top_k: undefined,
  repetition_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  stop: [],
  seed: undefined,
};

const predict = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/predict'),
  id: 'predict',
  method: 'POST',
  family: 'data',
  summary: 'Predict with a trained model',
  description: `Rows as objects (columns that the model doesn't know are ignored, missing ones are nulls) or as lists in the order of the model's \`features\`; at most ${maxPredictRows.toLocaleString('en')}. A value of the wrong type is refused with its row and column. To a language model: texts, or conversations as lists of \`{role, content}\`, at most 64. Options that don't apply to a kind of model are ignored. For a whole dataset see \`enrich\` with \`op: "predict"\`.`,
  maxBodyBytes: 64 * mebibyte,
  maxBodyValues: 5_000_000,
  body: z.object({
    model_id: reference,
    input: z.object({
      data: predictData.meta({
        type: 'array',
        minItems: 1,
        maxItems: maxPredictRows,
        items: { anyOf: [{ type: 'object' }, { type: 'array' }] },
      }),
    }),
    options: withDefault(
      z.object({
        probabilities: withDefault(
          z.boolean().meta({ description: 'Of classes: whether the answer has their probabilities.' }),
          true,
        ),
        temperature: withDefault(temperature, 0),
        ...sampling,
      }),
      predictDefaults,
    ),
  }),
  answer: z.object({
    model_id: z.string(),
    predictions: z
      .array(z.union([label.nullable(), z.object({ text: z.string(), finish_reason: z.enum(['stop', 'length']) })]))
      .meta({ description: 'Labels as they were in the data, or numbers; of a language model texts.' }),
    probabilities: z
      .array(z.record(z.string(), z.number()))
      .optional()
      .meta({ description: 'Of classes: one object a row.' }),
    usage: z.object({
      rows: z.int(),
      prompt_tokens: z
        .int()
        .meta({ description: 'Of text columns, under the tokenizer of the model that encodes them; of prompts.' }),
      completion_tokens: z.int().optional().meta({ description: 'Of what a language model said.' }),
      total_tokens: z.int(),
    }),
  }),
  errors: [
    'INVALID_PARAMETER',
    'MODEL_NOT_FOUND',
    'MODEL_NOT_READY',
    'MODEL_NOT_ALLOWED',
    'MODEL_UNAVAILABLE',
    'INSUFFICIENT_BALANCE',
    'KEY_BUDGET_EXCEEDED',
    'BUDGET_EXCEEDED',
    'QUEUE_FULL',
    'WORKER_LOST',
  ],
  example: {
    body: {
      model_id: 'churn@production',
      input: { data: [{ age: 41, plan: 'basic', signed_up: '2025-03-01' }] },
    },
    answer: {
      model_id: exampleModel,
      predictions: ['yes'],
      probabilities: [{ no: 0.18, yes: 0.82 }],
      usage: { rows: 1, prompt_tokens: 0, total_tokens: 0 },
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

const aliasName = line(129)
  .regex(aliasPattern, 'must be two names with an @ between them, such as churn@production')
  .meta({ examples: ['churn@production'] });
const alias = z.object({ alias: z.string(), model_id: z.string(), updated_at: z.iso.datetime() });
const exampleAlias = {
  alias: 'churn@production',
  model_id: exampleModel,
  updated_at: '2026-01-31T12:05:00.000Z',
};

const listAliases = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/aliases'),
  id: 'listModelAliases',
  method: 'GET',
  family: 'read',
  summary: 'Aliases and the models that they name',
  answer: z.object({ data: z.array(alias), has_more: z.literal(false) }),
  errors: [],
  example: { answer: { data: [exampleAlias], has_more: false } },
});

const setAlias = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/aliases/{alias}'),
  id: 'setModelAlias',
  method: 'PUT',
  family: 'data',
  summary: 'Let an alias name a model',
  description: 'Moves it when it names another: whoever predicts with the alias has the new model from then on.',
  params: z.object({ alias: aliasName }),
  body: z.object({ model_id: reference }),
  answer: alias,
  errors: ['INVALID_PARAMETER', 'MODEL_NOT_FOUND', 'MODEL_NOT_READY'],
  example: { body: { model_id: exampleModel }, answer: exampleAlias },
});

const deleteAlias = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/aliases/{alias}'),
  id: 'deleteModelAlias',
  method: 'DELETE',
  family: 'data',
  summary: 'Remove an alias; the model stays',
  params: z.object({ alias: aliasName }),
  answer: z.object({ alias: z.string(), deleted: z.literal(true) }),
  errors: ['INVALID_PARAMETER', 'MODEL_NOT_FOUND'],
});

const compared = z.object({
  model_id: z.string(),
  metrics: z.record(z.string(), z.unknown()),
  better: z.array(z.string()).meta({ description: 'The metrics in which it is ahead of the other.' }),
});

const compareModels = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/compare'),
  id: 'compareModels',
  method: 'POST',
  family: 'data',
  summary: 'Compare two models on the same held-out rows',
  description:
    'On the rows of a dataset that has the target and that neither was trained on, e.g. a part of `split_dataset`. Without `dataset_id` on the rows that were held out in training, if both were trained on the same version with the same split.',
  body: z.object({
    models: z.array(reference).length(2, 'must name two models'),
    dataset_id: optional(line(100)),
  }),
  answer: z.object({
    model_type: z.enum(modelTypes),
    target: z.string(),
    dataset_id: z.string(),
    rows: z.int().meta({ description: 'On which both were measured.' }),
    models: z.array(compared),
    agreement: z
      .object({ same: z.int(), both_right: z.int(), only_first_right: z.int(), only_second_right: z.int() })
      .nullable()
      .meta({ description: 'Of classes, on the rows of a dataset.' }),
  }),
  errors: ['INVALID_PARAMETER', 'MODEL_NOT_FOUND', 'MODEL_NOT_READY', 'DATASET_NOT_FOUND', 'INSUFFICIENT_BALANCE'],
  example: { body: { models: ['churn@production', exampleModel], dataset_id: exampleDataset } },
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
