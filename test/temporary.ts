// A temporary folder for the whole test run, which goes with it, also with what killed processes have left.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function temporary(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'vectorium-tests-'));
  // The user of a PostgreSQL server must get through.
  chmodSync(folder, 0o755);
  // Processes of tests, and those that they start, make their folders there.
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
