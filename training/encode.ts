// One pass over the table: raw columns through the encoding graph into files of f32 rows, one file a part.
//
// A row is its encoded values and what it teaches as f32. Labels of held-out rows are kept as f64 beside them, for the metrics.
import type { Reader } from '@vectorium/tables';
import type { TabularNetwork } from '@vectorium/nets';
import type { FileHandle } from 'node:fs/promises';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, writeWhole } from './files.ts';
import type { RunPlan } from './plan.ts';
import { rawFeeds, rawRows } from './raw-rows.ts';
import { floatsOf, openGraph } from './session.ts';
import { parts } from './split.ts';
import type { Part } from './split.ts';

export const rowsPath = (folder: string, part: Part): string => join(folder, `rows-${part}.f32`);
const labelsPath = (folder: string, part: Part): string => join(folder, `labels-${part}.f64`);
const donePath = (folder: string): string => join(folder, 'encoded');

export interface EncodeOptions {
  folder: string;
  dimension: number;
  signal: AbortSignal;
  progress: (fraction: number) => void;
}

export async function isEncoded(folder: string): Promise<boolean> {
  return (await readIfThere(donePath(folder))) !== null;
}

export async function encodeRows(
  reader: Reader,
  { plan, network }: { plan: RunPlan; network: TabularNetwork },
  { folder, dimension, signal, progress }: EncodeOptions,
): Promise<void> {
  const graph = await openGraph(network.encoding(), plan.threads);
  const names = Object.keys(parts) as Part[];
  const files: { rows: FileHandle; labels: FileHandle }[] = [];
  try {
    for (const part of names)
      files.push({ rows: await open(rowsPath(folder, part), 'w'), labels: await open(labelsPath(folder, part), 'w') });
    const written = names.map(() => 0);
    const total = names.reduce((sum, part) => sum + plan.split.rows[part], 0);
    for await (const raw of rawRows(reader, plan, { folder, dimension })) {
      signal.throwIfAborted();
      const encoded = floatsOf(await graph.run(rawFeeds(plan, raw.columns)), 'encoded');
      for (const [part, file] of files.entries()) {
        const mine = Array.from({ length: raw.rows }, (_, row) => row).filter(row => raw.parts[row] === part);
        if (mine.length === 0) continue;
        await file.rows.appendFile(bytesOf(withLabels(encoded, raw.ys.map(network.learnt), mine, network.width)));
        await file.labels.appendFile(bytesOf(Float64Array.from(mine, row => raw.ys[row] ?? NaN)));
        written[part] = (written[part] ?? 0) + mine.length;
      }
      progress(written.reduce((sum, count) => sum + count, 0) / total);
    }
    for (const [part, name] of names.entries())
      if (written[part] !== plan.split.rows[name])
        throw new Error(`${written[part]} ${name} rows were read, not ${plan.split.rows[name]}: the file has changed`);
    for (const { rows, labels } of files) {
      await rows.datasync();
      await labels.datasync();
    }
  } finally {
    for (const { rows, labels } of files) {
      await rows.close();
      await labels.close();
    }
    await graph.release();
  }
  await writeWhole(donePath(folder), '');
}

/** The exact labels of a part. */
export async function readLabels(folder: string, part: Part): Promise<Float64Array> {
  const bytes = await readFile(labelsPath(folder, part));
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function withLabels(encoded: Float32Array, ys: Float64Array, rows: number[], width: number): Float32Array {
  const result = new Float32Array(rows.length * (width + 1));
  for (const [i, row] of rows.entries()) {
    result.set(encoded.subarray(row * width, (row + 1) * width), i * (width + 1));
    result[i * (width + 1) + width] = ys[row] ?? NaN;
  }
  return result;
}

const bytesOf = (values: Float32Array | Float64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
