// For tests of the server alone: a training that learns nothing and obeys, with a real model file in the agreed signature.
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  add,
  cast,
  concat,
  input,
  mul,
  reshape,
  sigmoid,
  sub,
  sum,
  toOnnx,
  where,
  greater,
  scalar,
} from '@vectorium/tensor';
import { type Card, type FeatureKind, type TrainJob, type Training, TrainingError } from '@vectorium/training';

/** May be changed between trainings. */
export interface StandIn {
  features: Card['features'];
  labels: (string | number | boolean)[];
  epochs: number;
  epochMs: number;
}

const people: Card['features'] = [
  { name: 'age', kind: 'number', sql_type: 'BIGINT' },
  { name: 'member', kind: 'boolean', sql_type: 'BOOLEAN' },
];

/**
 * Answers classes by `age > 40`, with the probability `sigmoid((age - 40) / 10)` of the second label; numbers as `2 age + member`. A text
 * feature adds the sum of its vector. Refuses a target named `nothing`.
 */
export function standInTraining(): Training & { jobs: TrainJob[]; options: StandIn } {
  const jobs: TrainJob[] = [];
  const options: StandIn = { features: people, labels: ['no', 'yes'], epochs: 2, epochMs: 10 };
  return {
    jobs,
    options,
    async check({ config, encoder }) {
      const { features } = options;
      if (config.target === 'nothing')
        throw new TrainingError('NOT_TRAINABLE', 'The target nothing has one class', 'config.target');
      if (features.some(({ kind }) => kind === 'text') && !encoder) throw new Error('no encoder');
      const shown = features.map(({ name, kind }) => ({ name, kind }));
      return { rows: 3, features: shown, target: config.target ?? 'churned', memoryBytes: 1 };
    },
    async train(job, services, { signal, onEvent, onProgress } = {}) {
      jobs.push(job);
      const { features, labels, epochs, epochMs } = options;
      const rows = { training: 2, validation: 1, test: 0 };
      onEvent?.('started', { rows, features: features.length, algorithm: 'linear', parameters: 2 });
      if (features.some(({ kind }) => kind === 'text')) await services.embed(['one text', null], 0);
      const curves: Card['curves'] = [];
      for (let epoch = 1; epoch <= epochs; epoch++) {
        await sleep(epochMs, undefined, signal ? { signal } : {});
        const loss = 1 / epoch;
        curves.push({ epoch, step: epoch, training_loss: loss, validation_loss: loss, metrics: {}, seconds: epoch });
        onEvent?.('epoch', curves[epoch - 1] ?? never());
        onProgress?.(epoch / epochs);
      }
      return writeModel(job, { features, labels, curves });
    },
    checkLanguage: () => Promise.reject(new Error('not called')),
    trainLanguage: () => Promise.reject(new Error('not called')),
    exportLanguage: () => Promise.reject(new Error('not called')),
    async close() {},
  };
}

function never(): never {
  throw new Error('an epoch that is not there');
}

async function writeModel(
  job: TrainJob,
  {
    features,
    labels,
    curves,
  }: { features: Card['features']; labels: Card['target']['labels']; curves: Card['curves'] },
): Promise<Card> {
  const bytes = graphOf(job, features);
  const classes = job.kind === 'classification';
  const { maxSeconds = null, ...config } = job.config;
  const card: Card = {
    card: 1,
    kind: job.kind,
    algorithm: 'linear',
    created_at: new Date().toISOString(),
    dataset: job.dataset,
    features,
    target: { name: config.target ?? 'churned', sql_type: 'VARCHAR', labels: classes ? labels : null },
    encoder: job.encoder,
    config: {
      target: config.target ?? 'churned',
      features: features.map(({ name }) => name),
      algorithm: 'linear',
      epochs: config.epochs ?? 2,
      batchSize: config.batchSize ?? 32,
      learningRate: config.learningRate ?? 0.001,
      validationSplit: config.validationSplit ?? 0,
      earlyStopping: config.earlyStopping ?? true,
      seed: config.seed ?? 0,
      maxSeconds,
    },
    rows: { total: 3, training: 2, validation: 1, test: 0, without_target: 0 },
    metrics: classes ? { accuracy: 1 } : { rmse: 0.5 },
    metrics_on: 'validation',
    curves,
    best_epoch: curves.length,
    stopped: 'epochs',
    left_out: [],
    importance: features.map(({ name }) => ({ feature: name, importance: 0.5, deviation: 0.1 })),
    parameters: 2,
    seconds: curves.length,
    files: [{ name: 'model.onnx', bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }],
  };
  const making = `${job.target}.making`;
  await mkdir(making, { recursive: true });
  await writeFile(join(making, 'model.onnx'), bytes);
  await writeFile(join(making, 'card.json'), JSON.stringify(card));
  await rename(making, job.target);
  return card;
}

const column = (name: string) => reshape(input(name, ['rows', 1], 'f64'), ['rows']);

function graphOf({ kind, encoder }: TrainJob, features: Card['features']): Uint8Array {
  const has = (wanted: FeatureKind, name: string) => features.some(each => each.kind === wanted && each.name === name);
  const age = has('number', 'age') ? column('age') : scalar(41, 'f64');
  const member = has('boolean', 'member') ? column('member') : scalar(0, 'f64');
  const texts = features.filter(each => each.kind === 'text');
  const extra = texts.map(({ name }) => sum(input(name, ['rows', encoder?.dimension ?? 1], 'f32'), [1]));
  const withTexts = extra.reduce((total, each) => add(total, cast(each, 'f64')), age);
  if (kind === 'regression') return toOnnx({ prediction: add(mul(withTexts, 2), member) });
  const p = reshape(sigmoid(cast(mul(sub(withTexts, 40), 0.1), 'f32')), ['rows', 1]);
  const prediction = where(greater(withTexts, 40), scalar(1, 'f64'), scalar(0, 'f64'));
  return toOnnx({ prediction, probabilities: concat([sub(1, p), p], 1) });
}
