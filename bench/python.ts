// Python environments of the programs that are measured beside ours, outside the repository: made on first use, with pinned versions.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where environments and the peers' copy of the model are kept. */
export function benchFolder(): string {
  const caches =
    process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches')
      : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
  return process.env.VECTORIUM_BENCH_VENV ?? join(caches, 'vectorium-bench');
}

/** The folder of programs of the environment that a file of requirements describes; it has the file's name. */
export async function environment(requirements: string): Promise<string> {
  const folder = join(benchFolder(), basename(requirements, '.txt'));
  const programs = join(folder, 'bin');
  const done = join(folder, 'bench-ready');
  if (existsSync(done)) return programs;
  console.error(`making the Python environment ${folder} (some minutes) …`);
  await mkdir(folder, { recursive: true });
  await run('python3', ['-m', 'venv', folder]);
  const limits = { timeout: 40 * 60_000, maxBuffer: 2 ** 26 };
  await run(join(programs, 'pip'), ['install', '--quiet', '-r', requirements], limits).catch(
    (error: { stderr?: string; message: string }) => {
      throw new Error(`pip: ${(error.stderr ?? error.message).trim().split('\n').at(-1)}`);
    },
  );
  await writeFile(done, '');
  return programs;
}
