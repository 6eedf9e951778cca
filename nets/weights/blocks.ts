// Numbers rounded into blocks of 4 or 8 bits as MatMulNBits reads them.

/** Values that share a scale. ggml's blocks are as long, so that its own whole numbers can be kept. */
export const BLOCK = 32;

/** Bytes of a row of `columns` values in `bits`: of its whole numbers, its scales and its zero points. */
export function rowBytes(columns: number, bits: 4 | 8): { values: number; scales: number; zeros: number } {
  const blocks = columns / BLOCK;
  return { values: (columns * bits) / 8, scales: 4 * blocks, zeros: bits === 4 ? Math.ceil(blocks / 2) : 0 };
}

export interface RowBlocks {
  readonly values: Uint8Array;
  readonly scales: Float32Array;
  /** Which whole number is zero; of 8 bits it is always 128. */
  readonly zeros: Uint8Array;
}

/** Rounds one row. 8 bits are symmetric about 128. 4 bits have a zero point, which lies on a whole number, so that zero
 *  stays zero; the range of a block is widened until it holds zero. */
export function roundRow(row: Float32Array, bits: 4 | 8, to: RowBlocks): void {
  to.zeros.fill(0);
  for (let block = 0; block * BLOCK < row.length; block++) {
    const part = row.subarray(block * BLOCK, (block + 1) * BLOCK);
    if (bits === 8) to.scales[block] = roundTo8(part, to.values.subarray(block * BLOCK));
    else {
      const { scale, zero } = roundTo4(part, to.values.subarray((block * BLOCK) / 2));
      to.scales[block] = scale;
      to.zeros[block >> 1] = (to.zeros[block >> 1] ?? 0) | (zero << (4 * (block & 1)));
    }
  }
}

/** The numbers that a rounded row stands for. */
export function unpackRow({ values, scales, zeros }: RowBlocks, bits: 4 | 8, to: Float32Array): void {
  for (let i = 0; i < to.length; i++) {
    const block = Math.floor(i / BLOCK);
    const whole = bits === 8 ? (values[i] ?? 0) : half(values, i);
    const zero = bits === 8 ? 128 : half(zeros, block);
    to[i] = (whole - zero) * (scales[block] ?? 0);
  }
}

/** Of bytes that hold two numbers each, the lower one first. */
const half = (bytes: Uint8Array, i: number): number => ((bytes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;

function roundTo8(part: Float32Array, to: Uint8Array): number {
  let greatest = 0;
  for (const value of part) greatest = Math.max(greatest, Math.abs(value));
  const scale = greatest / 127;
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < part.length; i++) to[i] = 128 + Math.round((part[i] ?? 0) * inverse);
  return scale;
}

/** Of some scales up to the one that reaches the ends, the one with the least squared error. */
function roundTo4(part: Float32Array, to: Uint8Array): { scale: number; zero: number } {
  let [least, most] = [0, 0];
  for (const value of part) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (least === most) {
    to.fill(0x88, 0, part.length / 2);
    return { scale: 0, zero: 8 };
  }
  const reaching = (most - least) / 15;
  const zero = Math.round(-least / reaching);
  let best = { scale: reaching, error: Infinity };
  for (const share of SHARES) {
    const scale = reaching * share;
    let error = 0;
    for (const value of part) {
      const whole = Math.min(15 - zero, Math.max(-zero, Math.round(value / scale)));
      error += (whole * scale - value) ** 2;
    }
    if (error < best.error) best = { scale, error };
  }
  const { scale } = best;
  const wholeOf = (value: number) => Math.min(15, Math.max(0, Math.round(value / scale) + zero));
  for (let i = 0; i < part.length; i += 2) to[i / 2] = wholeOf(part[i] ?? 0) | (wholeOf(part[i + 1] ?? 0) << 4);
  return { scale, zero };
}

const SHARES = [0.9, 0.95, 1];
