// What is in a folder, for tests that look while a server still writes and removes there.
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** All files and folders below `folder`. One that is missing, or goes in this moment, has nothing in it. */
export async function entriesBelow(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const inside = await Promise.all(
    entries.map(entry => (entry.isDirectory() ? entriesBelow(join(folder, entry.name)) : [])),
  );
  return [...entries, ...inside.flat()];
}

/** Names of the files below `folder`, but for locks. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await entriesBelow(folder);
  return entries.filter(entry => entry.isFile() && !/(^|\.)lock(-|$)/.test(entry.name)).map(entry => entry.name);
}
