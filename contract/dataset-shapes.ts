// What datasets, their versions and their columns look like in requests and answers.
import { z } from 'zod';
import { line, withDefault } from './fields.ts';

export const mebibyte = 1024 * 1024;
export const uploadFormats = ['csv', 'tsv', 'json', 'ndjson', 'parquet', 'arrow', 'xlsx', 'custom'] as const;
export const downloadFormats = ['csv', 'json', 'ndjson', 'parquet'] as const;
/** Rows of one page, and of a preview. */
export const maxRowsPerPage = 1000;
export const previewRows = 100;
export const maxOperations = 200;

export const data = { tag: 'Data', auth: 'key', scope: 'data', dialect: 'vectorial' } as const;

/** The same route without `/api`, as the samples of the document spell it. */
export function bothSpellings(path: `/api/v2/${string}`) {
  return { path, aliases: [path.slice('/api'.length)] } as const;
}

export const reference = z
  .string()
  .min(1)
  .max(100)
  .meta({ description: 'A dataset, `ds_…` (its newest version), or one version of it, `ds_…@2`.' });
export const identity = z.object({ id: reference });

const isStorable = (value: string) => value.isWellFormed() && !value.includes('\0');
export const name = line(200);
export const description = z.string().max(10_000).refine(isStorable, 'holds characters that are not allowed');

export const format = z.enum(uploadFormats);
export const column = z.object({
  name: z.string(),
  type: z.string().meta({ description: "As DuckDB's SQL writes it, e.g. `BIGINT`, `VARCHAR`, `FLOAT[]`." }),
  nulls: z.int(),
});
const rejected = z.object({
  count: z.int().meta({ description: 'Lines of the file that are no rows.' }),
  samples: z.array(z.object({ line: z.int(), column: z.string().nullable(), reason: z.string(), text: z.string() })),
});
export const operation = z.object({
  type: z.enum(['clean', 'transform', 'enrich']),
  params: withDefault(z.record(z.string(), z.unknown()), {}).meta({
    description: '`op` and what it takes: docs/operations.md. `clean` without `op` is the automatic cleaning.',
  }),
});
export const row = z.record(z.string(), z.unknown());
export const operationReport = z.looseObject({
  type: z.string(),
  op: z.string(),
  rows_in: z.int(),
  rows_out: z.int(),
  cells_changed: z.record(z.string(), z.int()),
  columns_added: z.array(z.string()),
  columns_removed: z.array(z.string()),
});

/** What every answer about a dataset has, of one of its versions. */
export const dataset = z.object({
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

export const columnProfile = column.extend({
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

export const wholeDataset = dataset.extend({
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

export const exampleId = 'ds_019a2b3c4d5e7f80919293a4b5c6d7e8';
export const exampleDataset = {
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
