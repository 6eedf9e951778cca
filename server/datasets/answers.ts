// Datasets as answers show them.
import type { AnswerOf, routes } from '@vectorium/contract';
import type { ColumnProfile, OperationReport, Value } from '@vectorium/tables';
import type { Job } from '../jobs/index.ts';
import { type Plan, recipeOf } from './plan.ts';
import type { Made } from './process.ts';
import type { Dataset, VersionSummary } from './store.ts';

export function shownDataset({
  id,
  name,
  description,
  format,
  version,
}: Dataset): AnswerOf<typeof routes.uploadDataset> {
  return {
    dataset_id: id,
    name,
    description,
    format,
    rows: version.rows,
    columns: version.columns,
    rejected: version.rejected,
    notes: version.notes,
    size_bytes: version.sizeBytes,
    sha256: version.sha256,
    version: version.number,
    created_at: version.createdAt.toISOString(),
  };
}

export function shownWhole(
  dataset: Dataset,
  { newest, count }: { newest: VersionSummary[]; count: number },
  profile: ColumnProfile[] | null,
): AnswerOf<typeof routes.getDataset> {
  const { version } = dataset;
  return {
    ...shownDataset(dataset),
    updated_at: dataset.updatedAt.toISOString(),
    statistics: profile && profile.map(shownProfile),
    versions: newest.map(each => ({
      version: each.number,
      rows: each.rows,
      size_bytes: each.sizeBytes,
      created_at: each.createdAt.toISOString(),
      parents: each.parents,
      job_id: each.jobId,
    })),
    version_count: count,
    lineage: {
      parents: version.parents,
      operations: version.operations,
      report: version.report.map(shownReport),
      output: version.output,
      job_id: version.jobId,
    },
    recipe: recipeOf(dataset),
  };
}

export function shownProfile(profile: ColumnProfile) {
  const { standardDeviation, quantiles, ...rest } = profile;
  const [p5, p25, p50, p75, p95] = quantiles ?? [];
  return {
    ...rest,
    standard_deviation: standardDeviation,
    quantiles: quantiles && { p5, p25, p50, p75, p95 },
  };
}

export function shownReport({ type, op, details, ...report }: OperationReport) {
  return {
    type,
    op,
    rows_in: report.rowsIn,
    rows_out: report.rowsOut,
    cells_changed: report.cellsChanged,
    columns_added: report.columnsAdded,
    columns_removed: report.columnsRemoved,
    ...(details && { details }),
  };
}

type ProcessAnswer = AnswerOf<typeof routes.processDataset>;

const nothingYet = { version: null, rows: null, columns: null, report: [], outputs: [], preview: null, error: null };

export function shownProcess(job: Job): ProcessAnswer {
  const { status, progress } = job;
  const [id = ''] = (job.input as Plan).dataset.split('@');
  const made = job.status === 'succeeded' ? (job.result as Made) : null;
  return {
    ...nothingYet,
    job_id: job.id,
    status,
    progress,
    dataset_id: id,
    ...made,
    error: job.error,
  };
}

export function shownPreview(
  plan: Plan,
  { rows, report }: { rows: Record<string, Value>[]; report: OperationReport[] },
): ProcessAnswer {
  const [id = ''] = plan.dataset.split('@');
  return {
    ...nothingYet,
    job_id: null,
    status: 'succeeded',
    progress: 1,
    dataset_id: id,
    report: report.map(shownReport),
    preview: rows,
  };
}
