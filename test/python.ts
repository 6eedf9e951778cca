// Python packages for tests of the clients that people have: installed once, into a folder of their own outside the repository.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder for PYTHONPATH, or null where pip can't install them (no Python, no registry). */
export async function installPython(packages: string[]): Promise<string | null> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vectorium', 'python');
  const name = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12);
  const folder = join(cache, name);
  try {
    await access(folder);
    return folder;
  } catch {
    // not installed yet
  }
  const unfinished = `${folder}.${process.pid}`;
  try {
    await mkdir(cache, { recursive: true });
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', unfinished, ...packages]);
    await rename(unfinished, folder);
    return folder;
  } catch {
    await rm(unfinished, { recursive: true, force: true });
    return null;
  }
}
