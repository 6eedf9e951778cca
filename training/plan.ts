// The plan of a run: all that is decided from the settings and the table before the first step. It is kept in the job's folder, so that
// a run that was killed goes on as it began.
import type { Reader } from '@vectorium/tables';
import { createTabular, planTabular, PlanError } from '@vectorium/nets';
import type { Feature, TabularPlan, Target } from '@vectorium/nets';
import { chooseFeatures } from './columns.ts';
import type { Candidate, LeftOut } from './columns.ts';
import { checkConfig } from './config.ts';
import { TrainingError } from './errors.ts';
import { estimateMemory } from './memory.ts';
import type { Jobs, Limits } from './protocol.ts';
import { heldOut, rowsSql, splitRows } from './split.ts';
import type { Split } from './split.ts';
import { countFeatures } from './statistics.ts';
import { chooseTarget } from './target.ts';
import type { TargetColumn } from './target.ts';
import { checkTelling, nothingTells } from './telling.ts';
import type { ModelKind, TrainConfig, TrainEstimate } from './types.ts';

type Asked = Jobs['check']['input'];

export interface RunPlan {
  kind: ModelKind;
  target: TargetColumn;
  features: Candidate[];
  leftOut: LeftOut[];
  split: Split;
  seed: number;
  tabular: TabularPlan;
  /** The numbers of a run depend on how many threads sum them up, and its order on what fits into memory. */
  threads: number;
  rowsInMemoryBytes: number;
}

/** What can be said without counting values; throws where the run could only fail. */
export async function estimate(reader: Reader, asked: Asked, limits: Limits): Promise<TrainEstimate> {
  checkConfig(asked.config);
  const { kind, config, encoder } = asked;
  const target = await chooseTarget(reader, kind, config);
  const { features } = await chooseFeatures(reader, { config, target: target.name, encoder });
  await checkTelling(reader, features, { kind, target });
  const counts = target.classes?.map(({ count }) => count);
  const plan = planned(config, {
    features: features.map(feature => standIn(feature, encoder?.dimension ?? 0)),
    target: counts ? { kind: 'classes', counts } : { kind: 'number', mean: 0, deviation: 1, min: 0, max: 1 },
    rows: target.rows,
  });
  const parts = heldOut(counts ?? [target.rows], config.validationSplit ?? 0.15);
  const largest = Math.max(...[parts.validation, parts.test].map(rows => rows.reduce((sum, count) => sum + count, 0)));
  const memoryBytes = estimateMemory(plan, createTabular(plan), { heldOut: largest, limits });
  if (memoryBytes > limits.memoryBytes)
    throw new TrainingError(
      'NOT_ENOUGH_MEMORY',
      `The training needs about ${megabytes(memoryBytes)} of memory and may have ${megabytes(limits.memoryBytes)}: name fewer features, or choose a smaller batch_size or algorithm`,
      'config',
    );
  return {
    rows: target.rows,
    features: features.map(({ name, kind: featureKind }) => ({ name, kind: featureKind })),
    target: target.name,
    memoryBytes,
  };
}

export async function makePlan(reader: Reader, asked: Asked, limits: Limits): Promise<RunPlan> {
  checkConfig(asked.config);
  const { kind, config, encoder } = asked;
  const seed = config.seed ?? 0;
  const target = await chooseTarget(reader, kind, config);
  const chosen = await chooseFeatures(reader, { config, target: target.name, encoder });
  const split = await splitRows(reader, { kind, target, seed, share: config.validationSplit });
  const rows = (features: Candidate[]) =>
    rowsSql({ table: reader.table, kind, target, seed, features, bounds: split.bounds });
  const { features, leftOut } = await countFeatures(reader, chosen.features, {
    rows,
    trainingRows: split.rows.training,
    encoderDimension: encoder?.dimension ?? 0,
  });
  if (features.length === 0) throw nothingTells(leftOut);
  const tabular = planned(config, {
    features: features.map(({ feature }) => feature),
    target: await countTarget(reader, rows([]), target),
    rows: split.rows.training,
  });
  return {
    kind,
    target,
    features: features.map(({ candidate }) => candidate),
    leftOut: [...chosen.leftOut, ...leftOut],
    split,
    seed,
    tabular,
    threads: limits.threads,
    rowsInMemoryBytes: limits.rowsInMemoryBytes,
  };
}

async function countTarget({ query }: Reader, rows: string, { classes }: TargetColumn): Promise<Target> {
  if (classes) {
    const found = await query(
      `SELECT label::DOUBLE AS label, count(*)::DOUBLE AS count FROM (${rows}) WHERE part = 0 GROUP BY label`,
    );
    const counts = classes.map(() => 0);
    for (const { label, count } of found) counts[Number(label)] = Number(count);
    return { kind: 'classes', counts };
  }
  const [row = {}] = await query(
    `SELECT avg(y) AS mean, stddev_pop(y) AS deviation, min(y) AS min, max(y) AS max FROM (${rows}) WHERE part = 0`,
  );
  const [mean, deviation, min, max] = ['mean', 'deviation', 'min', 'max'].map(name => Number(row[name]));
  return { kind: 'number', mean: mean ?? 0, deviation: deviation ?? 0, min: min ?? 0, max: max ?? 0 };
}

function planned(config: TrainConfig, table: { features: Feature[]; target: Target; rows: number }): TabularPlan {
  const { algorithm, epochs, batchSize, learningRate, seed } = config;
  try {
    return planTabular(table, {
      algorithm,
      epochs,
      batchSize: batchSize === undefined ? undefined : Math.min(batchSize, table.rows),
      learningRate,
      seed: seed ?? 0,
    });
  } catch (error) {
    if (error instanceof PlanError) throw new TrainingError('NOT_TRAINABLE', error.message, `config.${error.of}`);
    throw error;
  }
}

/** A feature of this size, before anything is counted. */
function standIn({ name, kind, distinct }: Candidate, dimension: number): Feature {
  switch (kind) {
    case 'category':
      return { name, kind, values: Array.from({ length: Math.max(2, distinct) }, (_, i) => String(i)), nulls: 1 };
    case 'text':
      return { name, kind, dimension, nulls: 1 };
    case 'boolean':
      return { name, kind, nulls: 1 };
    default:
      return { name, kind, quantiles: Array.from({ length: 257 }, (_, i) => i), mean: 128, deviation: 74, nulls: 1 };
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MB`;
