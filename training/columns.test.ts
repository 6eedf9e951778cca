// Which columns are features, and of which kind: real files, read through DuckDB.
import { openReader } from '@vectorium/tables';
import { expect, test } from 'vitest';
import { chooseFeatures } from './columns.ts';
import { workshop } from './testing.ts';

const shop = await workshop();
const encoder = { name: 'stand-in', revision: '1', dimension: 8 };
const nouns = 'river mountain harbour winter garden letter summer window stranger road'.split(' ');
const rows = Array.from({ length: 200 }, (_, i) => ({
  title: `The ${nouns[i % 10]} ${i}`,
  code: `X-${i}`,
  colour: nouns[i % 3],
  value: i,
  target: i % 2,
}));
const source = await shop.table(rows);

test.each([
  [
    'by themselves, titles and codes tell rows apart',
    undefined,
    ['colour category', 'value number'],
    ['title', 'code'],
  ],
  [
    'by name, titles are texts and codes categories',
    ['title', 'code', 'colour'],
    ['title text', 'code category', 'colour category'],
    [],
  ],
])('%s', async (_, features, kinds, leftOut) => {
  const reader = await openReader({ source, scratch: shop.folder, memoryBytes: 2 ** 28, maxSpillBytes: 2 ** 20 });
  const chosen = await chooseFeatures(reader, { config: { ...(features && { features }) }, target: 'target', encoder });
  await reader.close();
  expect(chosen.features.map(({ name, kind }) => `${name} ${kind}`)).toEqual(kinds);
  expect(chosen.leftOut.map(({ name }) => name)).toEqual(leftOut);
});
