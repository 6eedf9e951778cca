// Texts that grow with each operation end their job alone, with a message that says why.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Operation, Services } from './types.ts';
import { workshop } from './testing.ts';

const shop = await workshop({ memoryBytes: 2 ** 28 });
const small = await shop.take('a,b\nxy,z\n', 'csv');
const none = () => Promise.reject(new Error('not called'));
const services: Services = { embed: none, count: none, affords: none, chunk: none, predict: none };

const doubling: Operation[] = Array.from({ length: 40 }, () => ({
  type: 'clean',
  params: { op: 'regex_replace', columns: ['a'], pattern: '.+', replacement: '\\0\\0' },
}));
/** Each is as long as the two before. */
const adding: Operation[] = Array.from({ length: 60 }, (_, index) => ({
  type: 'transform',
  params: { op: 'merge_columns', columns: [`c${index}`, `c${index + 1}`], into: `c${index + 2}`, delimiter: '' },
}));
const named: Operation = { type: 'transform', params: { op: 'rename', mapping: { a: 'c0', b: 'c1' } } };

/** What the guard of these two does not see: the memory of the process ends it. */
const derived: Operation[] = Array.from({ length: 40 }, () => ({
  type: 'transform',
  params: { op: 'derive', name: 'a', expression: 'a || a' },
}));

test.each([
  [
    'regex_replace',
    doubling,
    /OPERATION_FAILED|OUT_OF_MEMORY/,
    /params\.columns: a text of more than \d+ bytes|needs more memory/,
  ],
  ['merge_columns', [named, ...adding], /OPERATION_FAILED/, /^operations\[\d+\]\.params\.columns: a text of more/],
  ['derive', derived, /OUT_OF_MEMORY/, /needs more memory/],
])('%s', { timeout: 300_000 }, async (name, operations, code, message) => {
  const folder = join(shop.folder, name);
  await mkdir(folder);
  const job = { source: small.target, operations, datasets: {}, folder };
  const other = shop.tables.process({ ...job, operations: [named], folder: shop.folder }, services);
  const grown = shop.tables.process(job, services);
  await expect(grown).rejects.toMatchObject({
    code: expect.stringMatching(code),
    message: expect.stringMatching(message),
  });
  expect((await other).outputs[0]?.rows).toBe(1);
  expect(await shop.tables.rows(small.target, { offset: 0, limit: 1 })).toEqual([{ a: 'xy', b: 'z' }]);
});
