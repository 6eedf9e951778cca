// Vectors of text columns: asked of the server in parts, and each part kept at once, so that none is asked (and paid) for twice.
import type { Reader } from '@vectorium/tables';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainingError } from './errors.ts';
import type { RunPlan } from './plan.ts';
import { rowsSql } from './split.ts';
import { readWhole } from './batches.ts';
import type { TrainServices } from './types.ts';

const rowsOfPart = 256;

export interface EmbedOptions {
  folder: string;
  dimension: number;
  services: TrainServices;
  progress: (fraction: number) => void;
}

export const vectorsPath = (folder: string, feature: number): string => join(folder, `vectors-${feature}.f32`);

/** Fills a file for each text column: one vector a row that has a target, in their order; zeros where there is no text. */
export async function embedTexts(reader: Reader, plan: RunPlan, options: EmbedOptions): Promise<void> {
  const columns = plan.features.flatMap(({ kind }, index) => (kind === 'text' ? [index] : []));
  const { training, validation, test } = plan.split.rows;
  const parts = Math.ceil((training + validation + test) / rowsOfPart);
  for (const [order, index] of columns.entries()) {
    const file = await open(vectorsPath(options.folder, index), 'a+');
    try {
      await embedColumn(reader, plan, {
        ...options,
        index,
        file,
        firstPart: order * parts,
        parts: columns.length * parts,
      });
    } finally {
      await file.close();
    }
  }
}

async function embedColumn(
  reader: Reader,
  plan: RunPlan,
  {
    index,
    file,
    dimension,
    services,
    firstPart,
    parts,
    progress,
  }: EmbedOptions & { index: number; file: FileHandle; firstPart: number; parts: number },
): Promise<void> {
  const feature = plan.features[index];
  if (!feature) return;
  const partBytes = rowsOfPart * dimension * 4;
  // A part that was being written when the process was killed is written again.
  let part = Math.floor((await file.stat()).size / partBytes);
  const { training, validation, test } = plan.split.rows;
  const rows = training + validation + test;
  if ((await file.stat()).size === rows * dimension * 4) return;
  await file.truncate(part * partBytes);
  let skipped = part * rowsOfPart;
  let waiting: string[] = [];
  const sql = `SELECT c0 FROM (${rowsSql({ ...plan, table: reader.table, features: [feature], bounds: plan.split.bounds })})`;
  for await (const { columns } of reader.stream(sql)) {
    const [batch = []] = columns;
    const fresh = Array.from(batch, String).slice(skipped);
    skipped = Math.max(0, skipped - batch.length);
    waiting.push(...fresh);
    while (waiting.length >= rowsOfPart) {
      await embedPart(waiting.slice(0, rowsOfPart));
      waiting = waiting.slice(rowsOfPart);
    }
  }
  if (waiting.length > 0) await embedPart(waiting);

  async function embedPart(texts: string[]): Promise<void> {
    const asked = texts.map(text => (text === '' ? null : text));
    const vectors = asked.every(text => text === null)
      ? asked.map(() => null)
      : await services.embed(asked, firstPart + part);
    const values = new Float32Array(texts.length * dimension);
    for (const [row, vector] of vectors.entries()) {
      if (vector && vector.length !== dimension)
        throw new TrainingError('EMBEDDING_FAILED', `A vector has ${vector.length} numbers, not ${dimension}`);
      if (vector) values.set(vector, row * dimension);
    }
    await file.appendFile(new Uint8Array(values.buffer));
    await file.datasync();
    part++;
    progress((firstPart + part) / parts);
  }
}

/** Reads vectors of rows in their order. */
export class VectorFiles {
  readonly #files: { feature: number; file: FileHandle }[];
  readonly #dimension: number;

  private constructor(files: { feature: number; file: FileHandle }[], dimension: number) {
    this.#files = files;
    this.#dimension = dimension;
  }

  static async open(plan: RunPlan, { folder, dimension }: { folder: string; dimension: number }): Promise<VectorFiles> {
    const files: { feature: number; file: FileHandle }[] = [];
    for (const [feature, { kind }] of plan.features.entries())
      if (kind === 'text') files.push({ feature, file: await open(vectorsPath(folder, feature)) });
    return new VectorFiles(files, dimension);
  }

  /** By feature: the vectors of rows [first, first + rows). */
  async read(first: number, rows: number): Promise<Map<number, Float32Array>> {
    const found = new Map<number, Float32Array>();
    for (const { feature, file } of this.#files) {
      const vectors = new Float32Array(rows * this.#dimension);
      await readWhole(file, vectors, first * this.#dimension * 4);
      found.set(feature, vectors);
    }
    return found;
  }

  async close(): Promise<void> {
    for (const { file } of this.#files) await file.close();
  }
}
