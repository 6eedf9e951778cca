import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readRooms, violations } from './rooms.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

test('arrows between rooms go one way, and rooms and features are entered by their doors', () => {
  const files = readRooms(root).filter(file => file.path !== 'test/rooms.test.ts'); // which plants violations below
  expect(files.length).toBeGreaterThan(20);
  expect(violations(files)).toEqual([]);
});

test.each([
  ['tensor/graph.ts', `import { loadTokenizer } from '@vectorium/nets';`],
  ['tensor/graph.ts', `import { loadTokenizer } from '../nets/index.ts';`],
  ['nets/text/a.ts', `export * from '@vectorium/tensor/bytes.ts';`],
  ['contract/a.ts', `const server = await import('@vectorium/server');`],
  ['server/vectors/routes.ts', `import { insert } from '../usage/store.ts';`],
  ['engine/a.ts', `new Worker(new URL('../server/main.ts', import.meta.url))`],
])('a planted violation in %s is found: %s', (path, text) => {
  expect(violations([{ path, text }])).toHaveLength(1);
});

test.each([
  ['engine/a.ts', `import { loadTokenizer } from '@vectorium/nets';`],
  ['server/vectors/routes.ts', `import { type Ledger } from '../usage/index.ts';`],
  ['server/main.ts', `import { openModels } from './models/index.ts';`],
  ['tensor/a.ts', `// import { x } from '@vectorium/server'`],
])('an allowed import in %s passes: %s', (path, text) => {
  expect(violations([{ path, text }])).toEqual([]);
});
