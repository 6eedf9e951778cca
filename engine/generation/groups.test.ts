// Copies of texts that come and leave at random: what a run sees is what each text has, and what it writes comes back.
import type { DecoderConfig } from '@vectorium/nets';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CachePool, TextCache } from './caches.ts';
import { Groups, type Side } from './groups.ts';

const shape = { layers: 2, keyValueHeads: 1, headSize: 2 };
const SIZE = 2;
const configOf = (window: number | null) => ({ ...shape, window }) as DecoderConfig;

/** Every row of every text is another number. */
let written = 0;

function textOf(config: DecoderConfig, length: number): TextCache {
  const text = new TextCache(config, { capacity: length + 400, adapter: null });
  for (let row = 0; row < length; row++) {
    text.ids.push(row);
    for (const { key, value } of text.layers)
      for (const each of [key, value]) each.fill(++written, row * SIZE, (row + 1) * SIZE);
  }
  return text;
}

/** As the graph does: reads what is seen, writes the next row of every column. */
function run(side: Side, config: DecoderConfig): void {
  const { columns, layers, end, seen } = side;
  const at = (row: number, column: number) => (row * columns.length + column) * SIZE;
  let wrong = 0;
  for (const [column, text] of columns.entries()) {
    if (!text) continue;
    const own = Math.min(text.length, config.window === null ? Infinity : config.window - 1);
    if (own > seen) wrong++;
    for (const [layer, { key, value }] of layers.entries())
      for (let back = 1; back <= own; back++) {
        const of = text.layers[layer];
        const [here, there] = [at(end - back, column), (text.length - back) * SIZE];
        if (key[here] !== of?.key[there] || value[here + 1] !== of?.value[there + 1]) wrong++;
      }
  }
  expect(wrong).toBe(0);
  for (const column of columns.keys())
    for (const { key, value } of layers)
      for (const each of [key, value]) each.fill(++written, at(end, column), at(end, column) + SIZE);
  const rows = columns.map((_, column) => layers.map(({ key }) => key[at(end, column)]));
  side.written();
  for (const [column, text] of columns.entries()) {
    expect(text?.layers.map(({ key }) => key[text.length * SIZE]) ?? rows[column]).toEqual(rows[column]);
    text?.ids.push(0);
  }
}

test('whoever comes and leaves, each text sees its own rows and has the new ones', () => {
  const change = fc.oneof(
    fc.record({ come: fc.constantFrom(1, 3, 10, 60, 300) }),
    fc.record({ leave: fc.nat(7) }),
    fc.record({ steps: fc.constantFrom(1, 5, 150) }),
  );
  fc.assert(
    fc.property(fc.array(change, { maxLength: 15 }), fc.constantFrom(null, 4, 200), (changes, window) => {
      const config = configOf(window);
      const groups = new Groups(config, new CachePool(config, Infinity));
      const texts: TextCache[] = [];
      for (const each of changes) {
        if ('come' in each && texts.length < 8) texts.push(textOf(config, each.come));
        if ('leave' in each) texts.splice(each.leave, 1);
        for (let step = 0; step < ('steps' in each ? each.steps : 1); step++) {
          const going = texts.filter(({ length, capacity }) => length < capacity);
          const sides = groups.arrange(going);
          const placed = sides.flatMap(({ columns }) => columns.filter(text => text !== null));
          expect(new Set(placed)).toEqual(new Set(going));
          expect(placed).toHaveLength(going.length);
          for (const side of sides) run(side, config);
        }
      }
    }),
    { numRuns: 25 },
  );
});

test('texts of very different lengths are apart; who has left is soon computed no more, and one alone has no copy', () => {
  const config = configOf(null);
  const groups = new Groups(config, new CachePool(config, Infinity));
  const [long, ...short] = [1000, 4, 5, 6].map(length => textOf(config, length));
  if (!long) throw new Error('there are four');
  expect(groups.arrange([...short, long]).map(({ columns }) => columns.length)).toEqual([3, 1]);
  const two = short.slice(1);
  expect(groups.arrange(two)[0]?.columns).toHaveLength(2);
  const many = Array.from({ length: 4 }, () => textOf(config, 300));
  expect(groups.arrange(many)[0]?.columns).toHaveLength(4);
  const three = many.slice(1);
  expect(groups.arrange(three)[0]?.columns).toHaveLength(4);
  for (let step = 0; step < 40; step++) for (const side of groups.arrange(three)) run(side, config);
  expect(groups.arrange(three)[0]?.columns).toEqual(three);
  expect(groups.bytes).toBeGreaterThan(0);
  expect(groups.arrange(three.slice(1, 2))[0]?.layers).toBe(three[1]?.layers);
  expect(groups.bytes).toBe(0);
});
