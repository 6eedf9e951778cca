// The routes that name trained models and compare them.
import { z } from 'zod';
import { line, optional } from './fields.ts';
import { defineRoute } from './route.ts';
import {
  aliasPattern,
  bothSpellings,
  exampleDataset,
  exampleModel,
  modelTypes,
  models,
  reference,
} from './model-shapes.ts';

const aliasName = line(129)
  .regex(aliasPattern, 'must be two names with an @ between them, such as churn@production')
  .meta({ examples: ['churn@production'] });
const alias = z.object({ alias: z.string(), model_id: z.string(), updated_at: z.iso.datetime() });
const exampleAlias = {
  alias: 'churn@production',
  model_id: exampleModel,
  updated_at: '2026-01-31T12:05:00.000Z',
};

export const listAliases = defineRoute({
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

export const setAlias = defineRoute({
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

export const deleteAlias = defineRoute({
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

export const compareModels = defineRoute({
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
