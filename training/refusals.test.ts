// What can't be trained is refused before a run begins, with the reason and the place.
import { openReader } from '@vectorium/tables';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { estimate } from './plan.ts';
import { workshop } from './testing.ts';
import type { ModelKind, TrainConfig } from './types.ts';

// Runs have the lowest priority, and other tests come first.
vi.setConfig({ testTimeout: 240_000 });

const shop = await workshop();
const tight = await workshop({ memoryBytes: 2 ** 26 });
const limits = { memoryBytes: 2 ** 33, threads: 1, rowsInMemoryBytes: 2 ** 28, checkpointSeconds: 30 };
const words = 'the quick brown fox jumps over a lazy dog while seven wizards juggle vexed quartz'.split(' ');
const sentence = (i: number) => Array.from({ length: 8 }, (_, j) => words[(i * (j + 3) + j) % words.length]).join(' ');
const rows = Array.from({ length: 200 }, (_, i) => ({
  id: `row-${i}`,
  number: i % 17,
  constant: 1,
  text: `${sentence(i)} ${i}`,
  list: [i],
  some: i < 5 ? i : null,
  kind: i % 2 === 0 ? 'even' : 'odd',
  price: i * 1.5,
}));
const source = await shop.table(rows);
const empty = await shop.table([{ a: 1, kind: 'x' }]);

const constant = await shop.table(Array.from({ length: 40 }, (_, i) => ({ k: 1, label: i % 2 })));

const refusals: [string, { kind?: ModelKind; config: TrainConfig; source?: string }, object][] = [
  ['a target that is not there', { config: { target: 'nope' } }, { code: 'UNKNOWN_COLUMN', param: 'config.target' }],
  ['one class', { config: { target: 'constant' } }, { code: 'NOT_TRAINABLE', param: 'config.target' }],
  [
    'a number as classes',
    { config: { target: 'price' } },
    { code: 'NOT_TRAINABLE', message: expect.stringMatching(/regression/) },
  ],
  [
    'a text as a number',
    { kind: 'regression', config: { target: 'kind' } },
    { code: 'WRONG_TYPE', param: 'config.target' },
  ],
  [
    'one number',
    { kind: 'regression', config: { target: 'constant' } },
    { code: 'NOT_TRAINABLE', param: 'config.target' },
  ],
  [
    'a target of few rows',
    { kind: 'regression', config: { target: 'some' } },
    { code: 'NOT_TRAINABLE', message: expect.stringMatching(/5 of 200/) },
  ],
  ['too few rows', { config: {}, source: empty }, { code: 'NOT_TRAINABLE' }],
  [
    'a feature that is not there',
    { config: { target: 'kind', features: ['number', 'nope'] } },
    { code: 'UNKNOWN_COLUMN', param: 'config.features[1]' },
  ],
  [
    'a feature of a type without use',
    { config: { target: 'kind', features: ['list'] } },
    { code: 'WRONG_TYPE', param: 'config.features' },
  ],
  [
    'the target as a feature',
    { config: { target: 'kind', features: ['kind'] } },
    { code: 'INVALID_CONFIG', param: 'config.features' },
  ],
  [
    'a text without an encoder',
    { config: { target: 'kind', features: ['text'] } },
    { code: 'WRONG_TYPE', message: expect.stringMatching(/"text"/) },
  ],
  [
    'features that tell no rows apart',
    { config: { target: 'kind', features: ['constant', 'id'] } },
    {
      code: 'NOT_TRAINABLE',
      message:
        'No feature tells rows apart: "constant": all rows have the same value; "id": fewer than two values occur twice',
      param: 'config.features',
    },
  ],
  [
    'a table of one constant and its target',
    { config: {}, source: constant },
    { code: 'NOT_TRAINABLE', message: expect.stringMatching(/No feature .*"k"/), param: 'config.features' },
  ],
  [
    'no rate',
    { config: { target: 'kind', learningRate: 0 } },
    { code: 'INVALID_CONFIG', param: 'config.learning_rate' },
  ],
  ['half an epoch', { config: { target: 'kind', epochs: 0.5 } }, { code: 'INVALID_CONFIG', param: 'config.epochs' }],
  [
    'all rows held out',
    { config: { target: 'kind', validationSplit: 0.9 } },
    { code: 'INVALID_CONFIG', param: 'config.validation_split' },
  ],
];

test.each(refusals)('%s', async (_, { kind = 'classification', config, source: other = source }, expected) => {
  const reader = await openReader({
    source: other,
    scratch: shop.folder,
    memoryBytes: 2 ** 28,
    maxSpillBytes: 2 ** 20,
  });
  const refused = estimate(reader, { kind, source: other, config, encoder: null }, limits);
  await expect(refused).rejects.toMatchObject({ name: 'TrainingError', ...expected });
  reader.close();
});

test('a refusal crosses the boundary of the process with its place, and leaves no file', async () => {
  const job = { kind: 'classification' as const, source, config: { target: 'nope' }, encoder: null };
  const expected = { name: 'TrainingError', code: 'UNKNOWN_COLUMN', param: 'config.target' };
  await expect(shop.training.check(job)).rejects.toMatchObject(expected);
  expect(await readdir(join(shop.folder, 'scratch'))).toEqual([]);
});

test('what is of no use is left out where no features are named', async () => {
  const encoder = { name: 'e5_small', revision: '1', dimension: 4 };
  const { features } = await shop.training.check({
    kind: 'classification',
    source,
    config: { target: 'kind' },
    encoder,
  });
  expect(features).toEqual([
    { name: 'number', kind: 'number' },
    { name: 'constant', kind: 'number' },
    { name: 'text', kind: 'text' },
    { name: 'some', kind: 'number' },
    { name: 'price', kind: 'number' },
  ]);
});

test('a run that needs more memory than it may have is refused', async () => {
  const job = {
    kind: 'classification' as const,
    source,
    config: { target: 'kind', features: ['number'] },
    encoder: null,
  };
  await expect(tight.training.check(job)).rejects.toMatchObject({
    code: 'NOT_ENOUGH_MEMORY',
    message: expect.stringMatching(/ MB/),
  });
});
