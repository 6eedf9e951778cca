// Storage in a local folder: an object appears by a rename, after its bytes reached the disk.
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { checkKey, checkPrefix, ObjectNotFound } from './keys.ts';
import type { Scratch } from './scratch.ts';
import type { Storage } from './types.ts';
import { writeFile } from './write-file.ts';

/** `objects` is the folder of the objects, on the file system of the scratch folders. */
export async function folderStorage(objects: string, scratch: Scratch): Promise<Storage> {
  await mkdir(objects, { recursive: true });
  const placeOf = (key: string) => {
    checkKey(key);
    return join(objects, key);
  };

  /** Removes folders that became empty, from `folder` upwards. */
  async function prune(folder: string): Promise<void> {
    for (let at = folder; at.length > objects.length; at = dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return;
      }
    }
  }

  const write: Storage['write'] = async (key, bytes, { signal } = {}) => {
    const place = placeOf(key);
    const temporary = scratch.path();
    try {
      const written = await writeFile(temporary, bytes, signal);
      await publish(temporary, place);
      return { bytes: written };
    } finally {
      await rm(temporary, { force: true });
    }
  };

  async function size(key: string): Promise<number | null> {
    try {
      const found = await stat(placeOf(key));
      return found.isFile() ? found.size : null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  return {
    write,
    async adopt(key, path) {
      const place = placeOf(key);
      const file = await open(path, 'r+');
      let bytes;
      try {
        await file.sync();
        bytes = (await file.stat()).size;
      } finally {
        await file.close();
      }
      try {
        await publish(path, place);
      } catch (error) {
        if (codeOf(error) !== 'EXDEV') throw error;
        await write(key, createReadStream(path));
        await unlink(path);
      }
      return { bytes };
    },
    async read(key, { start, end = Infinity } = { start: 0 }) {
      const file = await open(placeOf(key), 'r').catch(missing(key));
      if ((await file.stat()).isDirectory()) {
        await file.close();
        throw new ObjectNotFound(key);
      }
      if (end > start) return file.createReadStream({ start, ...(end < Infinity && { end: end - 1 }) });
      await file.close();
      return Readable.from([]);
    },
    size,
    async local(key) {
      const place = placeOf(key);
      if ((await size(key)) === null) throw new ObjectNotFound(key);
      // A name of its own for the same bytes: they stay when the object is removed or replaced meanwhile.
      const path = scratch.path(extname(key));
      await link(place, path).catch(missing(key));
      return { path, release: () => void unlink(path).catch(() => {}) };
    },
    async remove(keyOrPrefix) {
      const whole = keyOrPrefix.endsWith('/');
      const place = placeOf(whole ? keyOrPrefix.slice(0, -1) : keyOrPrefix);
      try {
        await (whole ? removeBelow(place, scratch) : unlink(place));
      } catch (error) {
        if (isMissing(error) || ['EISDIR', 'EPERM'].includes(codeOf(error) ?? '')) return;
        throw error;
      }
      await syncFolders(dirname(place), dirname(place));
      await prune(dirname(place));
    },
    async *list(prefix) {
      checkPrefix(prefix);
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      for await (const found of walk(objects, folder)) if (found.key.startsWith(prefix)) yield found;
    },
    async freeBytes() {
      const { bavail, bsize } = await statfs(objects);
      return bavail * bsize;
    },
    async scratch() {
      const path = await scratch.folder();
      return { path, remove: () => rm(path, { recursive: true, force: true }) };
    },
    close: () => scratch.close(),
  };
}

/** The file at `from`, whose bytes are safe, becomes the object at `place`. */
async function publish(from: string, place: string): Promise<void> {
  // A folder that just became empty may be removed between its making and the rename.
  for (let attempt = 0; ; attempt++) {
    const made = await mkdir(dirname(place), { recursive: true });
    try {
      await rename(from, place);
      return await syncFolders(dirname(place), made ? dirname(made) : dirname(place));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === 9) throw error;
    }
  }
}

/** All at once for those who look: the folder is moved away first. */
async function removeBelow(place: string, scratch: Scratch): Promise<void> {
  const away = scratch.path();
  await rename(place, away);
  await rm(away, { recursive: true, force: true });
}

async function* walk(root: string, below: string): AsyncGenerator<{ key: string; bytes: number }> {
  const entries = await readdir(join(root, below), { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const key = `${below}${entry.name}`;
    if (entry.isDirectory()) yield* walk(root, `${key}/`);
    else {
      const found = await stat(join(root, key)).catch(() => null);
      if (found) yield { key, bytes: found.size };
    }
  }
}

/** The entries of `folder`, and of those above it up to `top`, reach the disk. */
async function syncFolders(folder: string, top: string): Promise<void> {
  for (let at = folder; at.length >= top.length; at = dirname(at)) {
    const handle = await open(at, 'r').catch(() => null);
    if (!handle) continue;
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

function missing(key: string): (error: unknown) => never {
  return error => {
    throw isMissing(error) ? new ObjectNotFound(key) : error;
  };
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
