// Model folders on disk: what makes one complete, how one is put there in a single step, and how one is checked.
//
// `<models>/<alias>/<revision>/` appears by one rename of a finished folder, with `vectorium.json` in it, so that whatever
// is killed at whatever moment, a half model is never seen. What is unfinished lies in `<models>/<alias>/.pull-<revision>/`.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { CatalogEntry } from './catalog.ts';
import { hashFile } from './sources/download.ts';

const RECORD = 'vectorium.json';

const recordSchema = z.object({
  alias: z.string(),
  model: z.string(),
  revision: z.string(),
  precision: z.enum(['f32', 'q8', 'q4']),
  source: z.string(),
  pulledAt: z.string(),
  files: z.record(
    z.string(),
    z.object({
      sha256: z.string(),
      bytes: z.number(),
      verified: z.enum(['catalog', 'hub', 'wheel', 'first use']),
    }),
  ),
});
/** What `vectorium.json` says of a model folder. */
export type ModelRecord = z.infer<typeof recordSchema>;

export interface Installed {
  folder: string;
  record: ModelRecord;
}

/** The complete folder of a model, the one pulled last when there are several revisions or precisions; null when there is none. */
export function findInstalled(models: string, entry: CatalogEntry): Installed | null {
  const wanted = new Set<string>([
    entry.revision,
    ...entry.sources.flatMap(source => ('revision' in source && source.revision ? [source.revision] : [])),
  ]);
  let best: Installed | null = null;
  for (const revision of namesIn(join(models, entry.alias))) {
    if (!wanted.has(revision)) continue;
    const folder = join(models, entry.alias, revision);
    const record = readRecord(folder);
    if (record && (!best || record.pulledAt > best.record.pulledAt)) best = { folder, record };
  }
  return best;
}

/** The record of a folder whose files are all there with their sizes, or null. */
function readRecord(folder: string): ModelRecord | null {
  try {
    const parsed = recordSchema.safeParse(JSON.parse(readFileSync(join(folder, RECORD), 'utf8')));
    if (!parsed.success) return null;
    const whole = Object.entries(parsed.data.files).every(
      ([name, file]) => statSync(join(folder, name)).size === file.bytes,
    );
    return whole ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Where a model is assembled before its folder appears. */
function stagingOf(models: string, alias: string, revision: string) {
  const root = join(models, alias, `.pull-${revision}`);
  return { root, files: join(root, 'files'), downloads: join(root, 'downloads') };
}

/** Makes the finished files of a staging folder the model's folder, durably and in one step; tidies all staging of the model. */
export async function putInPlace(models: string, record: ModelRecord): Promise<string> {
  const { alias, revision } = record;
  const staging = stagingOf(models, alias, revision);
  const target = join(models, alias, revision);
  for (const name of await readdir(staging.files, { recursive: true })) {
    const path = join(staging.files, name);
    if (name.endsWith('.partial')) await rm(path);
    else await flush(path);
  }
  await writeFile(join(staging.files, RECORD), `${JSON.stringify(record, null, 2)}\n`, { flush: true });
  await flush(staging.files);
  // Only a damaged or deliberately replaced folder can be in the way.
  await rm(target, { recursive: true, force: true });
  await rename(staging.files, target);
  await flush(join(models, alias));
  for (const name of namesIn(join(models, alias)))
    if (name.startsWith('.pull-')) await rm(join(models, alias, name), { recursive: true, force: true });
  return target;
}

export interface Verification {
  ok: boolean;
  /** For each file: null when its bytes are those recorded, else what is wrong. */
  files: Record<string, string | null>;
}

/** Reads and hashes every file of a model folder again. A damaged folder is set aside, so that it isn't loaded any more. */
export async function verifyFolder({ folder, record }: Installed): Promise<Verification> {
  const files: Record<string, string | null> = {};
  for (const [name, expected] of Object.entries(record.files)) {
    const got = await hashFile(join(folder, name)).catch(() => null);
    if (!got) files[name] = 'missing';
    else files[name] = got.sha256 === expected.sha256 ? null : `SHA-256 ${got.sha256}, expected ${expected.sha256}`;
  }
  const ok = Object.values(files).every(problem => problem === null);
  if (!ok) await rename(join(folder, RECORD), join(folder, `${RECORD}.damaged`));
  return { ok, files };
}

const STALE_MS = 7 * 24 * 3_600_000;

/** Removes what was left of pulls that nobody took up again for a week. */
export async function removeStale(models: string): Promise<void> {
  for (const alias of namesIn(models)) {
    for (const name of namesIn(join(models, alias))) {
      if (!name.startsWith('.pull-')) continue;
      const path = join(models, alias, name);
      const newest = await Promise.all(
        [path, ...(await readdir(path, { recursive: true })).map(inner => join(path, inner))].map(one =>
          stat(one).then(
            found => found.mtimeMs,
            () => 0,
          ),
        ),
      );
      if (Date.now() - Math.max(...newest) > STALE_MS) await rm(path, { recursive: true, force: true });
    }
  }
}

export async function prepareStaging(models: string, alias: string, revision: string) {
  const staging = stagingOf(models, alias, revision);
  await mkdir(staging.files, { recursive: true });
  await mkdir(staging.downloads, { recursive: true });
  return staging;
}

/** Onto the disk itself: a file's or a folder's. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(item => item.isDirectory())
      .map(item => item.name);
  } catch {
    return [];
  }
}
