// A language model as Transformers.js loads it: put together when somebody asks for it, since it is many times what is kept of the model.
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Training } from '@vectorium/training';
import type { LanguageModel } from '../generation/index.ts';
import type { Storage } from '../storage/index.ts';
import { type ModelDownload, type ZipEntry, zipOf } from './download.ts';
import type { ReadyModel } from './store.ts';

interface PortableParts {
  storage: Pick<Storage, 'scratch' | 'read' | 'size'>;
  training: Pick<Training, 'exportLanguage'>;
}

/** One at a time: each takes a core and some hundred megabytes for seconds. */
export function createPortable({ storage, training }: PortableParts) {
  let before: Promise<unknown> = Promise.resolve();
  return (model: ReadyModel, language: LanguageModel, signal: AbortSignal): Promise<ModelDownload> => {
    const made = before.then(() => make(model, language, signal));
    before = made.catch(() => {});
    return made;
  };

  async function make(
    { ready }: ReadyModel,
    { handle, adapter }: LanguageModel,
    signal: AbortSignal,
  ): Promise<ModelDownload> {
    signal.throwIfAborted();
    const scratch = await storage.scratch();
    try {
      const target = join(scratch.path, 'model');
      const opened = adapter && (await adapter.open());
      try {
        const { path, precision } = handle;
        // Only what another process can be sent.
        const files = opened && { weights: opened.weights, config: opened.config };
        await training.exportLanguage({ base: { path, precision }, adapter: files, target }, { signal });
      } finally {
        opened?.release();
      }
      const entries = await entriesOf(target);
      for (const name of ['card.json', 'README.md']) {
        const key = `${ready.folder}${name}`;
        entries.push({ name, bytes: (await storage.size(key)) ?? 0, open: () => storage.read(key) });
      }
      const zip = await zipOf(entries);
      zip.stream.once('close', () => void scratch.remove());
      return zip;
    } catch (error) {
      await scratch.remove();
      throw error;
    }
  }
}

async function entriesOf(folder: string): Promise<ZipEntry[]> {
  const found = (await readdir(folder, { withFileTypes: true, recursive: true })).filter(each => each.isFile());
  const paths = found.map(({ parentPath, name }) => join(parentPath, name)).toSorted();
  return Promise.all(
    paths.map(async path => ({
      name: relative(folder, path),
      bytes: (await stat(path)).size,
      open: async () => createReadStream(path),
    })),
  );
}
