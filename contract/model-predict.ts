// The route that predicts with a trained model.
import { z } from 'zod';
import { withDefault } from './fields.ts';
import { answerErrors, sampling, temperature } from './generation.ts';
import { defineRoute } from './route.ts';
import { maxPredictRows, predictData } from './rows.ts';
import { bothSpellings, exampleModel, models, reference } from './model-shapes.ts';

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

export const predict = defineRoute({
  ...models,
  ...bothSpellings('/api/v2/models/predict'),
  id: 'predict',
  method: 'POST',
  family: 'data',
  summary: 'Predict with a trained model',
  description: `Rows as objects (columns that the model doesn't know are ignored, missing ones are nulls) or as lists in the order of the model's \`features\`; at most ${maxPredictRows.toLocaleString('en')}. A value of the wrong type is refused with its row and column. To a language model: texts, or conversations as lists of \`{role, content}\`, at most 64. Options that don't apply to a kind of model are ignored. For a whole dataset see \`enrich\` with \`op: "predict"\`.`,
  maxBodyBytes: 64 * 2 ** 20,
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
  errors: [...answerErrors, 'BUDGET_EXCEEDED'],
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
