// The plan of a training run: what the caller chose, and for all else what suits the table.
import { informative, layoutOf } from './encoding.ts';
import type { Algorithm, Feature, TabularPlan, Target } from './types.ts';

export interface Choices {
  algorithm?: Algorithm | undefined;
  epochs?: number | undefined;
  batchSize?: number | undefined;
  learningRate?: number | undefined;
  patience?: number | undefined;
  seed?: number | undefined;
  settings?: Record<string, number | boolean | string> | undefined;
}

/** Why a table can't be trained on; the message is for the caller. */
export class PlanError extends Error {
  override name = 'PlanError';
  readonly of: 'features' | 'target';

  constructor(message: string, of: 'features' | 'target' = 'features') {
    super(message);
    this.of = of;
  }
}

/** `features` and `target` as counted over the `rows` training rows. Throws PlanError with the reason where nothing can be learnt. */
export function planTabular(
  table: { features: readonly Feature[]; target: Target; rows: number },
  choices: Choices = {},
): TabularPlan {
  const { target, rows } = table;
  const features = table.features.map(bounded);
  if (features.length === 0) throw new PlanError('there are no features');
  const reserved = features.find(({ name }) => RESERVED.has(name));
  if (reserved) throw new PlanError(`a feature can not be named ${reserved.name}: a result of the model has that name`);
  if (informative(features).length === 0)
    throw new PlanError('every feature is constant, so rows can not be told apart');
  if (target.kind === 'classes' && target.counts.filter(count => count > 0).length < 2)
    throw new PlanError('the target has one class only', 'target');
  if (target.kind === 'number' && !(target.deviation > 0)) throw new PlanError('the target is constant', 'target');
  const algorithm = choices.algorithm ?? 'tabm';
  const batchSize = choices.batchSize ?? batchOf(rows);
  const { numeric, width } = layoutOf(features);
  const defaults = DEFAULTS[algorithm]({
    target,
    rows,
    numeric,
    width,
    batchSize,
    stepsOfEpoch: Math.ceil(rows / batchSize),
  });
  const epochs = choices.epochs ?? defaults.epochs;
  return {
    algorithm,
    features,
    target,
    rows,
    epochs,
    batchSize,
    learningRate: choices.learningRate ?? defaults.learningRate,
    patience: choices.patience ?? Math.min(defaults.patience, epochs),
    seed: choices.seed ?? 0,
    settings: { ...defaults.settings, ...choices.settings },
  };
}

// ---- helpers

/** About sixteen batches an epoch of a small table, so that it gets enough steps; a power of two from 16 to 256. */
const batchOf = (rows: number): number =>
  Math.min(rows, 2 ** Math.min(8, Math.max(4, Math.round(Math.log2(rows / 16)))));

const RESERVED: ReadonlySet<string> = new Set(['prediction', 'probabilities', 'encoded']);

/** Values of one category that are kept; the rest counts as unseen. */
const MOST_VALUES = 2000;

const bounded = (feature: Feature): Feature =>
  feature.kind === 'category' ? { ...feature, values: feature.values.slice(0, MOST_VALUES) } : feature;

/** Numbers beyond which waves of each cost more than they bring. */
const LARGEST_PERIODIC = 128;
/** Rows for each number below which waves fit noise: on twelve small tables they helped where there were more, and did harm
 *  where there were fewer. */
const ROWS_OF_PERIODIC = 50;

interface Shape {
  target: Target;
  rows: number;
  numeric: number;
  width: number;
  batchSize: number;
  stepsOfEpoch: number;
}
type Defaults = (shape: Shape) => Pick<TabularPlan, 'epochs' | 'learningRate' | 'patience' | 'settings'>;

/** Epochs of about so many steps in all. */
const epochsOf = (stepsOfEpoch: number, { steps, most }: { steps: number; most: number }): number =>
  Math.min(most, Math.max(10, Math.round(steps / stepsOfEpoch)));

const DEFAULTS: Readonly<Record<Algorithm, Defaults>> = {
  linear: ({ stepsOfEpoch }) => ({
    epochs: epochsOf(stepsOfEpoch, { steps: 20_000, most: 64 }),
    learningRate: 0.02,
    patience: 64,
    settings: { weightDecay: 0.01 },
  }),
  mlp: ({ stepsOfEpoch }) => ({
    epochs: epochsOf(stepsOfEpoch, { steps: 20_000, most: 100 }),
    learningRate: 1e-3,
    patience: 20,
    settings: { width: 256, depth: 2, dropout: 0.1, weightDecay: 0.01 },
  }),
  // Its rate has a cycle to go through, whose last part is the best: it is not ended early.
  realmlp: ({ target, numeric, stepsOfEpoch }) => ({
    epochs: epochsOf(stepsOfEpoch, { steps: 20_000, most: 256 }),
    learningRate: target.kind === 'classes' ? 0.04 : 0.2,
    patience: 256,
    settings: {
      width: 256,
      depth: 3,
      dropout: 0.15,
      weightDecay: 0.02,
      labelSmoothing: target.kind === 'classes' ? 0.1 : 0,
      periodic: numeric <= LARGEST_PERIODIC,
    },
  }),
  // Sizes that two cores get through in a minute or two at 10,000 rows. More members help small tables most; with very wide
  // rows each of them costs a pass over all columns.
  tabm: ({ rows, numeric, width, batchSize, stepsOfEpoch }) => ({
    epochs: epochsOf(stepsOfEpoch, { steps: 20_000, most: 256 }),
    // By the square root of the batch, whose noise shrinks as much.
    learningRate: Math.min(2e-3, 1e-3 * Math.sqrt(batchSize / 32)),
    patience: 20,
    settings: {
      members: width > 1000 ? 4 : 16,
      width: 128,
      depth: 2,
      dropout: 0.1,
      weightDecay: 3e-4,
      periodic: numeric <= LARGEST_PERIODIC && rows >= ROWS_OF_PERIODIC * numeric,
    },
  }),
};
