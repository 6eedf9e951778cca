import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tryLock, waitForLock } from './lock.ts';

const fresh = () => join(mkdtempSync(join(tmpdir(), 'lock-')), 'lock');

test('a second holder is refused until the first releases', () => {
  const path = fresh();
  const first = tryLock(path);
  expect(first).not.toBeNull();
  expect(tryLock(path)).toBeNull();
  first?.release();
  const second = tryLock(path);
  expect(second).not.toBeNull();
  second?.release();
});

test('a lock is free again when its process is killed', async () => {
  const path = fresh();
  const program = `import { tryLock } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)};
    console.log(tryLock(${JSON.stringify(path)}) !== null); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [said] = await once(child.stdout, 'data');
  expect(String(said).trim()).toBe('true');
  expect(tryLock(path)).toBeNull();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = await waitForLock(path, { signal: AbortSignal.timeout(5000) });
  lock.release();
});
