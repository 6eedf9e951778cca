// What compiling puts beside the weights: files that appear under their names only when they are whole.
import { createHash, randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { StoredTensor } from './safetensors.ts';

/** Tells files apart that were put in the folder at different times. */
export async function versionOf(folder: string, stored: ReadonlyMap<string, StoredTensor>): Promise<string> {
  const files = [...new Set([...stored.values()].map(tensor => tensor.file))];
  const stats = await Promise.all(files.map(file => stat(join(folder, file))));
  return stats.map(({ size, mtimeMs }) => `${size} ${mtimeMs}`).join();
}

/** Puts a graph into `folder` under its kind and the hash of its bytes. */
export async function putGraph(folder: string, kind: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${kind}-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}.onnx`);
  await unlessThere(path, temporary => writeFile(temporary, bytes, { flush: true }));
  return path;
}

/** Lets `write` make a file that appears under `path` only when it is whole. */
export async function unlessThere(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  if (await stat(path).catch(() => null)) return;
  await removeAbandoned(path);
  const temporary = `${path}.${randomUUID()}.part`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A process that was killed leaves its part behind. One that nobody has written to for an hour is nobody's. */
async function removeAbandoned(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.part')) continue;
    const found = await stat(join(folder, name)).catch(() => null);
    if (found && Date.now() - found.mtimeMs > 3_600_000) await rm(join(folder, name), { force: true });
  }
}
