// Writes 16-bit weights out as f32 into a side file, a piece at a time.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Conversion } from './parameters.ts';

/** Writes every conversion at its offset into `path`. Memory stays at one piece, whatever the size of the weights. */
export async function writeSideFile(
  folder: string,
  side: { bytes: number; conversions: readonly Conversion[] },
  path: string,
): Promise<void> {
  const target = await open(path, 'w');
  try {
    await target.truncate(side.bytes);
    for (const { from, offset } of side.conversions) {
      const source = await open(join(folder, from.file), 'r');
      try {
        for (let done = 0; done < from.bytes; done += PIECE_BYTES) {
          const piece = new Uint8Array(Math.min(PIECE_BYTES, from.bytes - done));
          await source.read(piece, 0, piece.length, from.offset + done);
          const values = widen(piece, from.type);
          await target.write(values, 0, values.length, offset + 2 * done);
        }
      } finally {
        await source.close();
      }
    }
    await target.sync();
  } finally {
    await target.close();
  }
}

const PIECE_BYTES = 4 * 1024 * 1024;

/** The bytes of the same numbers as f32. bf16 is the upper half of f32; every f16 is read off a table. */
function widen(piece: Uint8Array, type: string): Uint8Array {
  const halves = new Uint16Array(piece.buffer, 0, piece.length / 2);
  const bits = new Uint32Array(halves.length);
  if (type === 'BF16') for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] ?? 0) << 16;
  else {
    const table = halfTable();
    for (let i = 0; i < halves.length; i++) bits[i] = table[halves[i] ?? 0] ?? 0;
  }
  return new Uint8Array(bits.buffer);
}

let table: Uint32Array | undefined;

/** The f32 bits of all 65,536 halves: sign, 5 bits of exponent (biased by 15), 10 bits of fraction. */
function halfTable(): Uint32Array {
  if (table) return table;
  const floats = new Float32Array(65536);
  for (let half = 0; half < 65536; half++) {
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const magnitude =
      exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1024 + fraction) * 2 ** (exponent - 25);
    floats[half] = half & 0x8000 ? -magnitude : magnitude;
  }
  table = new Uint32Array(floats.buffer);
  return table;
}
