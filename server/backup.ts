// The whole backup: the database's dump and, behind it in the same file, the files of datasets and models of the local storage.
import { join } from 'node:path';
import { backup, restore } from './database/index.ts';
import { append, appendixOf, readPart } from './files/appendix.ts';
import type { Settings } from './settings.ts';
import { openStorage, pack, unpack } from './storage/index.ts';

export interface Contents {
  /** Null when files are kept elsewhere, or were left out. */
  files: { count: number; bytes: number } | null;
}

/**
 * Writes `toFile`, also while a server runs. The database is as of one moment; files that come into being later are in it too and go at
 * the first start, as no row names them. A bucket (`S3_URL`) is not copied. Throws when the file exists.
 */
export async function backUp(settings: Settings, toFile: string, { withFiles = true } = {}): Promise<Contents> {
  const copies = withFiles && settings.files.s3Url === undefined;
  const files = { count: 0, bytes: 0 };
  await backup(place(settings), toFile, async unfinished => {
    if (!copies) return;
    const storage = await openStorage({ folder: storageFolder(settings) });
    try {
      await append(
        unfinished,
        pack(storage, (_, bytes) => {
          files.count++;
          files.bytes += bytes;
        }),
      );
    } finally {
      await storage.close();
    }
  });
  return { files: copies ? files : null };
}

/** Fills an empty folder or database. Files go to the storage that the settings name, before the rows that name them. */
export async function restoreAll(settings: Settings, fromFile: string): Promise<Contents> {
  let files: Contents['files'] = null;
  await restore(fromFile, place(settings), async () => {
    const appendix = await appendixOf(fromFile);
    if (!appendix) return;
    const { s3Url, stagedBytes } = settings.files;
    const storage = await openStorage({
      folder: storageFolder(settings),
      ...(s3Url !== undefined && { s3: { ...settings.s3, url: s3Url, stagedBytes } }),
    });
    try {
      const { objects: count, bytes } = await unpack(readPart(fromFile, appendix), storage);
      files = { count, bytes };
    } finally {
      await storage.close();
    }
  });
  return { files };
}

const place = (settings: Settings) => ({ url: settings.databaseUrl, folder: settings.dataFolder });
const storageFolder = (settings: Settings) => join(settings.dataFolder, 'storage');
