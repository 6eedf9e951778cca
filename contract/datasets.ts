// The routes of the data platform: files in, datasets out, in versions. The API reference of Vectorial names the first two.
import { z } from 'zod';
import { line, optional, wholeNumber, withDefault } from './fields.ts';
import { type Route, defineRoute } from './route.ts';

const mebibyte = 1024 * 1024;
export const uploadFormats = ['csv', 'tsv', 'json', 'ndjson', 'parquet', 'arrow', 'xlsx', 'custom'] as const;
export const downloadFormats = ['csv', 'json', 'ndjson', 'parquet'] as const;
/** Rows of one page, and of a preview. */
export const maxRowsPerPage = 1000;
export const previewRows = 100;
const maxOperations = 200;

const data = { tag: 'Data', auth: 'key', scope: 'data', dialect: 'vectorial' } as const;

/** The same route without `/api`, as the samples of the document spell it. */
function bothSpellings(path: `/api/v2/${string}`) {
  return { path, aliases: [path.slice('/api'.length)] } as const;
}

const reference = z
  .string()
  .min(1)
  .max(100)
  .meta({ description: 'A dataset, `ds_…` (its newest version), or one version of it, `ds_…@2`.' });
const identity = z.object({ id: reference });

const isStorable = (value: string) => value.isWellFormed() && !value.includes('\0');
const name = line(200);
const description = z.string().max(10_000).refine(isStorable, 'holds characters that are not allowed');

const format = z.enum(uploadFormats);
const column = z.object({
  name: z.string(),
  type: z.string().meta({ description: "As DuckDB's SQL writes it, e.g. `BIGINT`, `VARCHAR`, `FLOAT[]`." }),
  nulls: z.int(),
});
const rejected = z.object({
  count: z.int().meta({ description: 'Lines of the file that are no rows.' }),
  samples: z.array(z.object({ line: z.int(), column: z.string().nullable(), reason: z.string(), text: z.string() })),
});
const operation = z.object({
  type: z.enum(['clean', 'transform', 'enrich']),
  params: withDefault(z.record(z.string(), z.unknown()), {}).meta({
    description: '`op` and what it takes: docs/operations.md. `clean` without `op` is the automatic cleaning.',
  }),
});
const row = z.record(z.string(), z.unknown());
const operationReport = z.looseObject({
  type: z.string(),
  op: z.string(),
  rows_in: z.int(),
  rows_out: z.int(),
  cells_changed: z.record(z.string(), z.int()),
  columns_added: z.array(z.string()),
  columns_removed: z.array(z.string()),
});

/** What every answer about a dataset has, of one of its versions. */
const dataset = z.object({
  dataset_id: z.string(),
  name: z.string().nullable(),
  description: z.string().nullable(),
  format: z.string().meta({ description: 'Of the file that was uploaded.' }),
  rows: z.int(),
  columns: z.array(column),
  rejected,
  notes: z
    .array(z.string())
    .meta({ description: 'What was decided for the uploaded file, e.g. its encoding. For people.' }),
  size_bytes: z
    .int()
    .meta({ description: 'Of the uploaded file; of a version that was processed, of its Parquet file.' }),
  sha256: z.string().nullable().meta({ description: 'Of the uploaded file; null of a version that was processed.' }),
  version: z.int(),
  created_at: z.iso.datetime().meta({ description: 'Of the version.' }),
});

const columnProfile = column.extend({
  count: z.int().meta({ description: 'Values that are not null.' }),
  distinct: z.int(),
  min: z.unknown(),
  max: z.unknown(),
  mean: z.number().nullable(),
  standard_deviation: z.number().nullable(),
  quantiles: z
    .object({ p5: z.unknown(), p25: z.unknown(), p50: z.unknown(), p75: z.unknown(), p95: z.unknown() })
    .nullable(),
  histogram: z.array(z.object({ from: z.unknown(), to: z.unknown(), count: z.int() })).nullable(),
  top: z.array(z.object({ value: z.unknown(), count: z.int() })),
});

const wholeDataset = dataset.extend({
  updated_at: z.iso.datetime(),
  statistics: z
    .array(columnProfile)
    .nullable()
    .meta({ description: 'null while they are being computed; the route `profile` waits for them.' }),
  versions: z
    .array(
      z.object({
        version: z.int(),
        rows: z.int(),
        size_bytes: z.int(),
        created_at: z.iso.datetime(),
        parents: z.array(z.string()),
        job_id: z.string().nullable(),
      }),
    )
    .meta({ description: 'The newest hundred, newest first.' }),
  version_count: z.int(),
  lineage: z.object({
    parents: z.array(z.string()).meta({ description: 'The versions that this one was made from; none of an upload.' }),
    operations: z.array(operation),
    report: z.array(operationReport),
    output: z.string().nullable().meta({ description: 'Which part of a `split_dataset` it is.' }),
    job_id: z.string().nullable(),
  }),
  recipe: z
    .array(operation)
    .meta({ description: 'All operations from the upload to this version, as `operations` of `process` takes them.' }),
});

const exampleId = 'ds_019a2b3c4d5e7f80919293a4b5c6d7e8';
const exampleDataset = {
  dataset_id: exampleId,
  name: 'customers',
  description: 'From the shop',
  format: 'csv',
  rows: 2,
  columns: [
    { name: 'name', type: 'VARCHAR', nulls: 0 },
    { name: 'age', type: 'BIGINT', nulls: 1 },
  ],
  rejected: { count: 0, samples: [] },
  notes: [],
  size_bytes: 21,
  sha256: 'eceeb069acc24ab748d811ffe563bcd6994a734eab6bc22ee7c5a9bdd723a0d2',
  version: 1,
  created_at: '2026-01-31T12:00:00.000Z',
};

const uploadForm = z.object({
  file: z.file(),
  format,
  name: optional(name),
  description: optional(description),
  options: optional(z.string().meta({ description: 'JSON.' })),
  metadata: optional(z.string().meta({ description: 'JSON.' })),
});

const uploadDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/upload'),
  id: 'uploadDataset',
  method: 'POST',
  family: 'data',
  summary: 'Upload a file and make a dataset of it',
  description:
    'The file as base64 in JSON, or as a part of a form; up to 5 GiB decoded. Its bytes are read as they arrive, keys and parts may come in any order; a key that comes twice is refused, unknown ones are ignored. The base64 needs its padding; the URL-safe alphabet, line breaks and a `data:` URL are taken too. The answer comes when the dataset is ready.',
  streamed: true,
  bodies: { 'multipart/form-data': uploadForm },
  body: z.object({
    file: z.string().min(1).meta({ description: 'The file as base64.' }),
    format,
    options: optional(
      z.record(z.string(), z.unknown()).meta({
        description: 'How the file is to be read: `on_error`, and the dialect, pattern or widths of `custom`.',
      }),
    ),
    metadata: optional(z.object({ name: optional(name), description: optional(description) })),
  }),
  answer: dataset,
  errors: ['INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED'],
  idempotent: true,
  example: {
    body: {
      file: 'bmFtZSxhZ2UKQWRhLDM2CkJvYiwK',
      format: 'csv',
      metadata: { name: 'customers', description: 'From the shop' },
    },
    answer: exampleDataset,
  },
});

const putDataset = defineRoute({
  ...data,
  ...bothSpellings('/api/v2/data/upload'),
  id: 'putDataset',
  method: 'PUT',
  family: 'data',
  summary: 'Upload a file as the body itself and make a dataset of it',
  description: 'Of any Content-Type, up to 5 GiB, with or without Content-Length.',
  streamed: true,
  bodies: { 'application/octet-stream': z.file() },
  query: uploadForm.omit({ file: true }),
  answer: dataset,
  errors: ['INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED'],
  idempotent: true,
  example: { answer: exampleDataset },
});

/** The tus protocol; what its answers have is in their headers. */
const resumable = {
  ...data,
  family: 'data',
  answer: z.unknown(),
  errors: ['NOT_FOUND', 'BAD_REQUEST'],
} as const;
const uploadId = z.object({ id: z.string().max(100) });

const createResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads'),
  id: 'createResumableUpload',
  method: 'POST',
  summary: 'Begin an upload that can be resumed (tus 1.0)',
  description:
    "With `Tus-Resumable: 1.0.0`, `Upload-Length`, and `Upload-Metadata` of `format`, `name`, `description`, `options` and `metadata` (the last two are JSON). Answers 201 with the upload's address in `Location`; any tus client does all this. The body may have the first bytes. An unfinished upload is kept for a day.",
  streamed: true,
  bodies: { 'application/offset+octet-stream': z.file() },
  errors: [...resumable.errors, 'INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED'],
});

const getResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads/{id}'),
  id: 'getResumableUpload',
  method: 'HEAD',
  family: 'read',
  summary: 'How much of an upload has arrived (`Upload-Offset`)',
  params: uploadId,
});

const continueResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads/{id}'),
  id: 'continueResumableUpload',
  method: 'PATCH',
  family: 'read',
  summary: 'Send the bytes from `Upload-Offset` on',
  description:
    'Answers 204 with the new `Upload-Offset`; the last bytes are answered with the dataset (200, as `uploadDataset`). Counted as reading, so that a file in many pieces is one upload of the plan.',
  streamed: true,
  bodies: { 'application/offset+octet-stream': z.file() },
  params: uploadId,
  errors: [...resumable.errors, 'INVALID_FILE', 'STORAGE_QUOTA_EXCEEDED', 'CONFLICT'],
});

const deleteResumableUpload = defineRoute({
  ...resumable,
  ...bothSpellings('/api/v2/data/uploads/{id}'),
  id: 'deleteResumableUpload',
  method: 'DELETE',
  summary: 'Give an upload up',
  description: 'Answers 204. The dataset of a finished upload stays.',
  params: uploadId,
});

const listDatasets = defineRoute({
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

const getDataset = defineRoute({
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

const getProfile = defineRoute({
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

const getRows = defineRoute({
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

const downloadDataset = defineRoute({
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

const patchDataset = defineRoute({
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

const deleteDataset = defineRoute({
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

const jobStatus = z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);

const processDataset = defineRoute({
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
    operations: optional(z.array(operation).min(1, 'needs at least one operation').max(maxOperations)),
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

export const datasetRoutes = {
  uploadDataset,
  putDataset,
  createResumableUpload,
  getResumableUpload,
  continueResumableUpload,
  deleteResumableUpload,
  listDatasets,
  getDataset,
  getProfile,
  getRows,
  downloadDataset,
  patchDataset,
  deleteDataset,
  processDataset,
} satisfies Record<string, Route>;
