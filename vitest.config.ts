// One test run over all rooms; real parts make tests slower than the default time-outs expect.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Tests wait for processes and disks about as long as they compute.
    maxWorkers: '100%',
    globalSetup: 'test/temporary.ts',
  },
});
