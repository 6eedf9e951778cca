// What the tests of this room share: training in a folder of its own, and real tables as Parquet files.
import { openTables } from '@vectorium/tables';
import type { Format } from '@vectorium/tables';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { openTraining } from './open.ts';
import type { OpenTraining, TrainingOptions } from './open.ts';
import type { Encoder, ModelKind, TrainConfig, TrainJob, TrainServices } from './types.ts';

export interface Workshop {
  folder: string;
  training: OpenTraining;
  /** A table of vega-datasets as a Parquet file. */
  vega(name: string): Promise<string>;
  /** Rows as a Parquet file. */
  table(rows: Record<string, unknown>[]): Promise<string>;
  /** A job with folders of its own. */
  job(kind: ModelKind, source: string, config: TrainConfig, encoder?: Encoder): TrainJob;
}

/** For jobs that have no text columns. */
export const noServices: TrainServices = { embed: () => Promise.reject(new Error('not called')) };

export async function workshop(options: Partial<TrainingOptions> = {}): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'training-'));
  const tables = openTables({ scratchFolder: join(folder, 'scratch') });
  const training = openTraining({ scratchFolder: join(folder, 'scratch'), threads: 1, ...options });
  let made = 0;
  const take = async (source: string, format: Format) => {
    const target = join(folder, `table-${++made}.parquet`);
    await tables.ingest({ source, format, options: {}, target });
    return target;
  };
  afterAll(async () => {
    await training.close();
    await tables.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    folder,
    training,
    vega: name =>
      take(
        fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets'))),
        name.endsWith('.csv') ? 'csv' : 'json',
      ),
    async table(rows) {
      const path = join(folder, `rows-${++made}.ndjson`);
      await writeFile(path, rows.map(row => JSON.stringify(row)).join('\n'));
      return take(path, 'ndjson');
    },
    job(kind, source, config, encoder) {
      const number = ++made;
      return {
        kind,
        source,
        config,
        folder: join(folder, `job-${number}`),
        target: join(folder, `model-${number}`),
        dataset: { id: 'ds_test', version: 1 },
        encoder: encoder ?? null,
      };
    },
  };
}
