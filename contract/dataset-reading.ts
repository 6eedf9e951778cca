// The routes that show, download, rename and delete datasets.
import { z } from 'zod';
import {
  bothSpellings,
  columnProfile,
  data,
  dataset,
  description,
  downloadFormats,
  exampleDataset,
  exampleId,
  identity,
  maxRowsPerPage,
  name,
  reference,
  row,
  wholeDataset,
} from './dataset-shapes.ts';
import { optional, wholeNumber, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

export const listDatasets = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data'),
  id: 'listDatasets',
  method: 'GET',
  family: 'read',
  summary: "The account's datasets, newest first",
  query: z.object({
    limit: withDefault(wholeNumber(1, 1000), 100),
    after: optional(reference.meta({ description: 'The `dataset_id` of the last item of the page before.' })),
  }),
  answer: z.object({
    data: z.array(dataset),
    has_more: z.boolean(),
    storage: z.object({
      used_bytes: z.int().meta({ description: 'What all versions of the account count.' }),
      limit_bytes: z.int().nullable().meta({ description: "Of the account's plan; null: no limit." }),
    }),
  }),
  errors: [],
  example: {
    answer: {
      data: [exampleDataset],
      has_more: false,
      storage: { used_bytes: 21, limit_bytes: 200_000_000_000 },
    },
  },
});

export const getDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/{id}'),
  id: 'getDataset',
  method: 'GET',
  family: 'read',
  summary: 'One dataset: schema, statistics, versions, lineage and recipe',
  params: identity,
  answer: wholeDataset,
  errors: ['DATASET_NOT_FOUND'],
});

export const getProfile = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/{id}/profile'),
  id: 'getDatasetProfile',
  method: 'GET',
  family: 'read',
  summary: 'Statistics of every column',
  description: 'Computed when they are first asked for, then kept with the version. The answer waits for them.',
  params: identity,
  answer: z.object({ dataset_id: z.string(), version: z.int(), rows: z.int(), columns: z.array(columnProfile) }),
  errors: ['DATASET_NOT_FOUND'],
});

export const getRows = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/{id}/rows'),
  id: 'getDatasetRows',
  method: 'GET',
  family: 'read',
  summary: 'A page of rows, in the order of the dataset',
  description: 'A page ends early when its rows are large; `has_more` tells whether rows follow.',
  params: identity,
  query: z.object({
    offset: withDefault(wholeNumber(0, 1_000_000_000_000), 0),
    limit: withDefault(wholeNumber(1, maxRowsPerPage), 100),
    columns: optional(
      z
        .union([z.string(), z.array(z.string())])
        .meta({ description: 'Names separated by commas; the parameter may also be given several times.' }),
    ),
  }),
  answer: z.object({
    dataset_id: z.string(),
    version: z.int(),
    rows: z.int().meta({ description: 'Of the whole dataset.' }),
    offset: z.int(),
    data: z.array(row),
    has_more: z.boolean(),
  }),
  errors: ['DATASET_NOT_FOUND', 'INVALID_PARAMETER'],
  example: {
    answer: {
      dataset_id: exampleId,
      version: 1,
      rows: 2,
      offset: 0,
      data: [
        { name: 'Ada', age: 36 },
        { name: 'Bob', age: null },
      ],
      has_more: false,
    },
  },
});

export const downloadDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/{id}/download'),
  id: 'downloadDataset',
  method: 'GET',
  family: 'read',
  summary: 'A version as a file',
  params: identity,
  query: z.object({ format: withDefault(z.enum(downloadFormats), 'csv') }),
  answer: z.string(),
  contentType: 'text/csv',
  alternatives: {
    'application/json': 'With `format=json`: one array of objects.',
    'application/x-ndjson': 'With `format=ndjson`: one object a line.',
    'application/vnd.apache.parquet': 'With `format=parquet`.',
  },
  errors: ['DATASET_NOT_FOUND', 'INVALID_PARAMETER'],
});

export const patchDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/{id}'),
  id: 'patchDataset',
  method: 'PATCH',
  family: 'data',
  summary: "Change a dataset's name or description",
  description:
    'A field that is null is emptied; one that is left out stays. Belongs to the dataset, so all versions show it.',
  params: identity,
  body: z.object({ name: name.nullable().optional(), description: description.nullable().optional() }),
  answer: dataset,
  errors: ['DATASET_NOT_FOUND'],
  example: { body: { name: 'customers of 2026' } },
});

export const deleteDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/{id}'),
  id: 'deleteDataset',
  method: 'DELETE',
  family: 'data',
  summary: 'Delete a dataset with all its versions and files, or one version of several',
  description:
    '`ds_…` deletes everything. `ds_…@2` deletes that version and its file; the only version there is can be deleted with the dataset alone (409).',
  params: identity,
  answer: z.object({
    dataset_id: z.string(),
    versions: z.array(z.int()).meta({ description: 'Those that were deleted.' }),
    freed_bytes: z.int().meta({ description: 'Of the storage quota.' }),
    deleted: z.literal(true),
  }),
  errors: ['DATASET_NOT_FOUND', 'CONFLICT'],
});
