// A folder of this machine that holds a model's files, laid out as in the catalog.
import { constants } from 'node:fs';
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CatalogEntry } from '../catalog.ts';
import { hashFile } from './download.ts';
import type { FileRecord, ModelSource } from './source.ts';

export function folderSource(entry: CatalogEntry, path: string): ModelSource {
  return {
    name: `folder ${path}`,
    reachable: () =>
      stat(path).then(
        found => found.isDirectory(),
        () => false,
      ),
    async fetch(job) {
      const found = await Promise.all(
        entry.files.map(async file => {
          const size = await stat(join(path, file.path)).catch(() => null);
          if (!size?.isFile()) throw new Error(`there is no ${file.path}`);
          return { file, bytes: size.size };
        }),
      );
      const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
      await job.reserve(total);
      const records: Record<string, FileRecord> = {};
      let done = 0;
      for (const { file, bytes } of found) {
        job.signal.throwIfAborted();
        const target = join(job.files, file.path);
        await mkdir(dirname(target), { recursive: true });
        // A copy on write where the file system can: never a link, which would let a later edit of the folder in.
        await copyFile(join(path, file.path), target, constants.COPYFILE_FICLONE);
        const got = await hashFile(target);
        if (file.sha256 && got.sha256 !== file.sha256)
          throw new Error(`${file.path} has SHA-256 ${got.sha256}, expected ${file.sha256}`);
        records[file.path] = { sha256: got.sha256, bytes, verified: file.sha256 ? 'catalog' : 'first use' };
        done += bytes;
        job.report(done, total);
      }
      return records;
    },
  };
}
