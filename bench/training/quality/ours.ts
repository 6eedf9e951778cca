// Vectorium on one table: trained through the door of the training room, then the exported model asked about the test rows.
import { openTraining, type Card } from '@vectorium/training';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Score } from './report.ts';

/** A table as peers/tables.py writes it. */
export interface Table {
  name: string;
  task: 'classification' | 'regression';
  classes: number;
  columns: { name: string; kind: string; values: (number | string | null)[] }[];
  target: number[];
  test: number[];
}

export interface Asked {
  algorithm?: 'tabm' | 'realmlp' | 'mlp' | 'linear';
  seed: number;
  threads: number;
}

/** Default settings unless an algorithm is named. */
export async function trainAndScore(folder: string, table: Table, { algorithm, seed, threads }: Asked): Promise<Score> {
  const scratch = join(folder, `${table.name}-${process.pid}`);
  const training = openTraining({ scratchFolder: scratch, threads });
  try {
    const began = performance.now();
    const target = join(scratch, 'model');
    const job = {
      kind: table.task,
      source: join(folder, `${table.name}.parquet`),
      folder: join(scratch, 'job'),
      target,
    };
    const config = { target: 'target', seed, ...(algorithm && { algorithm }) };
    const card = await training.train(
      { ...job, config, dataset: {}, encoder: null },
      { embed: () => Promise.reject(new Error('no texts')) },
    );
    const seconds = (performance.now() - began) / 1000;
    const system = algorithm ? `Vectorium ${algorithm}` : 'Vectorium';
    return { table: table.name, system, seed, seconds, ...(await scoresOf(table, card, join(target, 'model.onnx'))) };
  } finally {
    await training.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function scoresOf(table: Table, card: Card, model: string): Promise<Partial<Score>> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
  const y = table.test.map(row => table.target[row] ?? NaN);
  const { prediction, probabilities } = await session.run(feedsOf(table, card));
  await session.release();
  const found = Array.from(prediction?.data ?? [], Number);
  if (table.task === 'regression')
    return { rmse: Math.sqrt(y.reduce((sum, value, i) => sum + (value - (found[i] ?? NaN)) ** 2, 0) / y.length) };
  // The labels are sorted texts in the table; the model has its own order.
  const labels = (card.target.labels ?? []).map(String);
  const places = labels.toSorted((a, b) => (a < b ? -1 : 1)).map(label => labels.indexOf(label));
  const shares = Array.from(probabilities?.data ?? [], Number);
  const logLoss = y.reduce((sum, label, i) => {
    const share = shares[i * labels.length + (places[label] ?? NaN)] ?? NaN;
    return sum - Math.log(Math.max(share, 1e-15));
  }, 0);
  return {
    error: y.filter((label, i) => found[i] !== places[label]).length / y.length,
    log_loss: logLoss / y.length,
  };
}

function feedsOf(table: Table, card: Card): Record<string, Tensor> {
  return Object.fromEntries(
    card.features.map(({ name, kind }) => {
      const column = table.columns.find(candidate => candidate.name === name);
      if (!column) throw new Error(`${table.name} has no column ${name}`);
      const values = table.test.map(row => column.values[row] ?? null);
      const shape = [values.length, 1];
      if (kind === 'number' || kind === 'boolean')
        return [
          name,
          new Tensor(
            'float64',
            Float64Array.from(values, value => (value === null ? NaN : Number(value))),
            shape,
          ),
        ];
      return [
        name,
        new Tensor(
          'string',
          values.map(value => (value === null ? '' : String(value))),
          shape,
        ),
      ];
    }),
  );
}
