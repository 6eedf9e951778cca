// The route that cleans, transforms and enriches a dataset.
import { z } from 'zod';
import {
  bothSpellings,
  column,
  data,
  exampleId,
  maxOperations,
  mebibyte,
  operation,
  operationReport,
  previewRows,
  reference,
  row,
} from './dataset-shapes.ts';
import { optional, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

const jobStatus = z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);

export const processDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/process'),
  id: 'processDataset',
  method: 'POST',
  family: 'data',
  summary: 'Clean, transform and enrich a dataset: makes its next version',
  description:
    'All operations are checked before any runs; either all take effect or none. `Prefer: wait=N` holds the answer for up to N seconds (10 without it); a job that takes longer is looked at under `/api/v2/jobs/{id}`. With `preview` nothing is made: the answer has the first rows of the result.',
  maxBodyBytes: 4 * mebibyte,
  maxBodyValues: 200_000,
  body: z.object({
    dataset_id: reference,
    operations: optional(z.array(operation).min(1, 'must have at least one operation').max(maxOperations)),
    recipe: optional(
      reference.meta({
        description: 'Instead of `operations`: the version whose recipe is to be run on this dataset.',
      }),
    ),
    preview: withDefault(z.boolean(), false),
  }),
  answer: z.object({
    job_id: z.string().nullable().meta({ description: 'null of a preview.' }),
    status: jobStatus,
    progress: z.number(),
    dataset_id: z.string(),
    version: z
      .int()
      .nullable()
      .meta({ description: 'The new version; null until there is one, and where `outputs` are made instead.' }),
    rows: z.int().nullable(),
    columns: z.array(column).nullable(),
    report: z.array(operationReport),
    outputs: z
      .array(
        z.object({
          name: z.string(),
          dataset_id: z.string(),
          version: z.int(),
          rows: z.int(),
          columns: z.array(column),
        }),
      )
      .meta({ description: 'The new datasets of `split_dataset`.' }),
    preview: z
      .array(row)
      .nullable()
      .meta({ description: `The first ${previewRows} rows of the result.` }),
    error: z
      .looseObject({ code: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'Why the job failed; nothing was made.' }),
  }),
  errors: [
    'DATASET_NOT_FOUND',
    'INVALID_OPERATION',
    'STORAGE_QUOTA_EXCEEDED',
    'MODEL_NOT_FOUND',
    'MODEL_NOT_ALLOWED',
    'MODEL_UNAVAILABLE',
  ],
  idempotent: true,
  example: {
    body: {
      dataset_id: exampleId,
      operations: [
        { type: 'clean', params: {} },
        { type: 'clean', params: { op: 'fill_nulls', columns: ['age'], strategy: 'median' } },
      ],
    },
  },
});
