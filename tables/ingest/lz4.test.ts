// LZ4 as pyarrow writes it, and frames that are damaged.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { duckdb, workshop } from '../testing.ts';
import { decodeLz4Frame } from './lz4.ts';

const shop = await workshop();
const fixture = (name: string) => readFile(join(import.meta.dirname, '..', 'fixtures', name));

test('long columns of pyarrow come in whole', async () => {
  const { rows, target } = await shop.take(await fixture('long-lz4.arrow'), 'arrow');
  expect(rows).toBe(20_000);
  const same = `t = 'word ' || (i * i % 97) || ' of ' || (i % 13) AND same = repeat('x', 50)`;
  const [[all, right, sum] = []] = await duckdb(
    `SELECT count(*)::INTEGER, (count(*) FILTER (WHERE ${same}))::INTEGER, sum(i)::INTEGER FROM '${target}'`,
  );
  expect([all, right, sum]).toEqual([20_000, 20_000, 199_990_000]);
});

/** The first frame of a file, and what follows it. */
async function frame(): Promise<Buffer> {
  const bytes = await fixture('long-lz4.arrow');
  const start = bytes.indexOf(Buffer.from([0x04, 0x22, 0x4d, 0x18]));
  return bytes.subarray(start);
}

test('damaged frames are refused or give other bytes, and never more than their blocks may have', async () => {
  const whole = await frame();
  const { length } = decodeLz4Frame(whole);
  expect(length).toBeGreaterThan(100_000);
  let refused = 0;
  for (let at = 0; at < 500; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    try {
      expect(decodeLz4Frame(damaged).length).toBeLessThan(16 * 2 ** 22);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(50);
  for (const end of [0, 3, 7, 12, 100]) expect(() => decodeLz4Frame(whole.subarray(0, end))).toThrow(RangeError);
});
