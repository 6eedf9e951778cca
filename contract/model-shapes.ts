// What the routes of trained models have in common: configurations, a model as it is shown, examples.
import { z } from 'zod';
import { line, optional } from './fields.ts';
import { jobStatuses } from './jobs.ts';

export const modelTypes = ['classification', 'regression', 'llm'] as const;
const algorithms = ['tabm', 'realmlp', 'mlp', 'linear'] as const;
/** Linear layers that an adapter may be for. */
const adaptable = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export const modelFormats = ['zip', 'onnx', 'card', 'peft', 'gguf'] as const;
/** `churn@production` */
export const aliasPattern = /^[a-z0-9][\w.-]{0,63}@[a-z0-9][\w.-]{0,63}$/i;

export const models = { tag: 'Models', auth: 'key', scope: 'models', dialect: 'vectorial' } as const;

/** The same route without `/api`, as the samples of the document spell it. */
export function bothSpellings(path: `/api/v2/${string}`) {
  return { path, aliases: [path.slice('/api'.length)] } as const;
}

export const reference = line(200).meta({ description: 'A model, `model_…`, or an alias of one, `churn@production`.' });
export const identity = z.object({ id: reference });
const columnName = z.string().min(1).max(1000);

export const config = z.strictObject({
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

export const status = z.enum(jobStatuses);
export const failure = z
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
export const metrics = z.record(z.string(), z.unknown());
export const estimate = z
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
export const summary = z.object({
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

export const wholeModel = summary.extend({
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

export const exampleModel = 'model_019a2b3c4d5e7f80919293a4b5c6d7e8';
export const exampleJob = 'job_019a2b3c4d5e7f80919293a4b5c6d7e9';
export const exampleDataset = 'ds_019a2b3c4d5e7f80919293a4b5c6d7e8';
export const exampleSummary = {
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
