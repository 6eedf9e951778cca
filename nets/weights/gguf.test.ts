// GGUF files against what the package `gguf` writes and reads (fixtures/make_decoders.py), and blocks against products.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { roundRow, rowBytes } from './blocks.ts';
import { layoutOf } from './ggml.ts';
import { readGguf } from './gguf.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/decoders');
const quants = JSON.parse(await readFile(join(FIXTURES, 'quants.json'), 'utf8')) as Record<
  string,
  { shape: [number, number]; bytes: string; values: string }
>;

test.each(Object.keys(quants))('%s becomes the numbers of the reference', type => {
  const { shape, bytes, values } = quants[type] ?? { shape: [0, 0], bytes: '', values: '' };
  const layout = layoutOf(type);
  const stored = Uint8Array.from(Buffer.from(bytes, 'base64'));
  const expected = new Float32Array(Uint8Array.from(Buffer.from(values, 'base64')).buffer);
  const count = (shape[0] * shape[1]) / (layout?.block ?? NaN);
  expect(stored.length).toBe(count * (layout?.bytes ?? NaN));
  const found = new Float32Array(expected.length);
  layout?.widen(new DataView(stored.buffer), count, found);
  for (const [i, value] of expected.entries())
    expect(Math.abs((found[i] ?? NaN) - value), `value ${i}`).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(value)));
});

test('metadata and places are those that were written', async () => {
  const { metadata, tensors } = await readGguf(join(FIXTURES, 'smollm.gguf'));
  expect(metadata.get('general.architecture')).toBe('llama');
  expect(metadata.get('llama.attention.head_count_kv')).toBe(2);
  expect(tensors.get('blk.1.ffn_down.weight')).toMatchObject({ type: 'F32', shape: [32, 64], bytes: 4 * 32 * 64 });
});

test('a file that is cut off anywhere, or broken in any byte of its head, is an error that names it, or reads', async () => {
  const whole = await readFile(join(FIXTURES, 'smollm.gguf'));
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-gguf-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'broken.gguf');
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), async length => {
      await writeFile(path, whole.subarray(0, length));
      await expect(readGguf(path)).rejects.toThrow('broken.gguf');
    }),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(2500), fc.nat(255), async (at, byte) => {
      const changed = Buffer.from(whole);
      changed[at] = byte;
      await writeFile(path, changed);
      await readGguf(path).catch((error: unknown) => expect(String(error)).toContain('broken.gguf'));
    }),
    { numRuns: 100 },
  );
});

test('rounding to 8 or 4 bits misses no value by more than the step of its block', () => {
  const row = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(row, fc.constantFrom(4 as const, 8 as const), (values, bits) => {
      const size = rowBytes(32, bits);
      const to = {
        values: new Uint8Array(size.values),
        scales: new Float32Array(1),
        zeros: new Uint8Array(size.zeros),
      };
      roundRow(Float32Array.from(values), bits, to);
      const [least, most] = [Math.min(0, ...values), Math.max(0, ...values)];
      const step = bits === 8 ? Math.max(most, -least) / 127 : (most - least) / 15;
      const zero = bits === 8 ? 128 : (to.zeros[0] ?? 0) & 15;
      const wholeOf = (i: number) =>
        bits === 8 ? (to.values[i] ?? 0) : ((to.values[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
      for (const [i, value] of values.entries()) {
        const back = (wholeOf(i) - zero) * (to.scales[0] ?? 0);
        // In 4 bits the ends may be cut for the sake of the others, by at most a tenth of the range.
        expect(Math.abs(back - value)).toBeLessThanOrEqual((bits === 8 ? 0.51 : 2.1) * step + 1e-6);
      }
    }),
  );
});
