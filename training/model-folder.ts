// The folder of a model: `model.onnx`, `card.json` and `README.md`.
import type { TabularNetwork } from '@vectorium/nets';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stepsOf } from './batches.ts';
import { readIfThere, sha256Of, writeWhole } from './files.ts';
import type { Trained } from './loop.ts';
import type { RunPlan } from './plan.ts';
import { readmeOf } from './readme.ts';
import type { Card, TrainJob } from './types.ts';

export interface Finished {
  job: TrainJob;
  plan: RunPlan;
  network: TabularNetwork;
  trained: Trained & { temperature: number };
  model: Uint8Array;
  part: 'test' | 'validation' | null;
  results: { metrics: Record<string, unknown>; importance: Card['importance'] } | null;
}

/** The card of a folder that is complete; null when there is none. */
export async function readCard(folder: string): Promise<Card | null> {
  const bytes = await readIfThere(join(folder, 'card.json'));
  return bytes && (JSON.parse(bytes.toString()) as Card);
}

export async function writeModel(folder: string, finished: Finished): Promise<Card> {
  const described = describe(finished);
  await writeWhole(join(folder, 'model.onnx'), finished.model);
  await writeWhole(join(folder, 'README.md'), readmeOf(described));
  const files = [];
  for (const name of ['model.onnx', 'README.md']) {
    const path = join(folder, name);
    files.push({ name, bytes: (await stat(path)).size, sha256: await sha256Of(path) });
  }
  const card: Card = { ...described, files };
  await writeWhole(join(folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
  return card;
}

function describe({ job, plan, network, trained, part, results }: Finished): Omit<Card, 'files'> {
  const { tabular, target, split, features } = plan;
  const { progress, temperature } = trained;
  const { total, ...heldOut } = { total: target.rows, ...split.rows };
  return {
    card: 1,
    kind: plan.kind,
    algorithm: tabular.algorithm,
    created_at: new Date().toISOString(),
    dataset: job.dataset,
    features: features.map(({ name, kind, sqlType }) => ({ name, kind, sql_type: sqlType })),
    target: {
      name: target.name,
      sql_type: target.sqlType,
      labels: target.classes?.map(({ label }) => label) ?? null,
    },
    encoder: features.some(({ kind }) => kind === 'text') ? job.encoder : null,
    config: {
      target: target.name,
      features: features.map(({ name }) => name),
      algorithm: tabular.algorithm,
      epochs: tabular.epochs,
      batchSize: stepsOf(split.rows.training, tabular.batchSize).batch,
      learningRate: tabular.learningRate,
      validationSplit: (split.rows.validation + split.rows.test) / target.rows,
      earlyStopping: job.config.earlyStopping ?? true,
      seed: plan.seed,
      maxSeconds: job.config.maxSeconds ?? null,
      patience: tabular.patience,
      temperature,
      threads: plan.threads,
      settings: tabular.settings,
    },
    rows: { total: total + target.without, ...heldOut, without_target: target.without },
    metrics: results?.metrics ?? null,
    metrics_on: part,
    curves: progress.curves,
    best_epoch: progress.bestEpoch,
    stopped: progress.stopped ?? 'epochs',
    importance: results?.importance ?? [],
    left_out: plan.leftOut,
    parameters: network.parameters,
    seconds: progress.seconds,
  };
}
