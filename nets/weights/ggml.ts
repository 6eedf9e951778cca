// The ways in which safetensors and GGUF files store numbers, each widened to f32. Block formats as ggml defines them:
// a run of values shares a scale (and a minimum), its whole numbers are packed into halves or quarters of bytes.

/** Values in a block, bytes that it takes, and how `count` blocks become numbers. */
export interface StorageLayout {
  readonly name: string;
  readonly block: number;
  readonly bytes: number;
  widen(from: DataView, count: number, to: Float32Array): void;
}

/** By the name that `StoredTensor.type` has. */
export const layoutOf = (type: string): StorageLayout | undefined => BY_NAME.get(type);

const plain = (name: string, bytes: number, read: (from: DataView, at: number) => number): StorageLayout => ({
  name,
  block: 1,
  bytes,
  widen(from, count, to) {
    for (let i = 0; i < count; i++) to[i] = read(from, i * bytes);
  },
});

/** A layout whose blocks are widened one by one: `at` is where the block's bytes start, `out` where its values go. */
const blocks = (
  name: string,
  { block, bytes }: { block: number; bytes: number },
  widenOne: (from: DataView, at: number, to: Float32Array, out: number) => void,
): StorageLayout => ({
  name,
  block,
  bytes,
  widen(from, count, to) {
    for (let i = 0; i < count; i++) widenOne(from, i * bytes, to, i * block);
  },
});

const half = (from: DataView, at: number): number => from.getFloat16(at, true);

const bfloatBits = new Uint32Array(1);
const bfloat = new Float32Array(bfloatBits.buffer);
const F32 = plain('F32', 4, (from, at) => from.getFloat32(at, true));
const F16 = plain('F16', 2, half);
const BF16 = plain('BF16', 2, (from, at) => {
  bfloatBits[0] = from.getUint16(at, true) << 16;
  return bfloat[0] ?? NaN;
});

// Byte j of a block of 32 holds value j in its low half and value j + 16 in its high half.
const Q4_0 = blocks('Q4_0', { block: 32, bytes: 18 }, (from, at, to, out) => {
  const scale = half(from, at);
  for (let j = 0; j < 16; j++) {
    const byte = from.getUint8(at + 2 + j);
    to[out + j] = ((byte & 15) - 8) * scale;
    to[out + j + 16] = ((byte >> 4) - 8) * scale;
  }
});

const Q4_1 = blocks('Q4_1', { block: 32, bytes: 20 }, (from, at, to, out) => {
  const scale = half(from, at);
  const least = half(from, at + 2);
  for (let j = 0; j < 16; j++) {
    const byte = from.getUint8(at + 4 + j);
    to[out + j] = (byte & 15) * scale + least;
    to[out + j + 16] = (byte >> 4) * scale + least;
  }
});

// As the 4-bit formats, with the fifth bits of all 32 values in a word of their own.
const Q5_0 = blocks('Q5_0', { block: 32, bytes: 22 }, (from, at, to, out) => {
  const scale = half(from, at);
  const high = from.getUint32(at + 2, true);
  for (let j = 0; j < 16; j++) {
    const byte = from.getUint8(at + 6 + j);
    to[out + j] = (((byte & 15) | (((high >>> j) & 1) << 4)) - 16) * scale;
    to[out + j + 16] = (((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16) * scale;
  }
});

const Q5_1 = blocks('Q5_1', { block: 32, bytes: 24 }, (from, at, to, out) => {
  const scale = half(from, at);
  const least = half(from, at + 2);
  const high = from.getUint32(at + 4, true);
  for (let j = 0; j < 16; j++) {
    const byte = from.getUint8(at + 8 + j);
    to[out + j] = ((byte & 15) | (((high >>> j) & 1) << 4)) * scale + least;
    to[out + j + 16] = ((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) * scale + least;
  }
});

const Q8_0 = blocks('Q8_0', { block: 32, bytes: 34 }, (from, at, to, out) => {
  const scale = half(from, at);
  for (let j = 0; j < 32; j++) to[out + j] = from.getInt8(at + 2 + j) * scale;
});

/** Scale and minimum (6 bits each) of the sub-block `j` of 8 that a K block of 256 has, packed into 12 bytes at `at`. */
function sixBits(from: DataView, at: number, j: number): [scale: number, least: number] {
  const byte = (i: number) => from.getUint8(at + i);
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

// 256 values in 8 sub-blocks of 32; 32 bytes hold two sub-blocks, one in their low and one in their high halves.
const Q4_K = blocks('Q4_K', { block: 256, bytes: 144 }, (from, at, to, out) => {
  const scale = half(from, at);
  const least = half(from, at + 2);
  for (let j = 0; j < 8; j++) {
    const [s, m] = sixBits(from, at + 4, j);
    const bytes = at + 16 + (j >> 1) * 32;
    const shift = 4 * (j & 1);
    for (let i = 0; i < 32; i++)
      to[out + 32 * j + i] = ((from.getUint8(bytes + i) >> shift) & 15) * (scale * s) - least * m;
  }
});

const Q5_K = blocks('Q5_K', { block: 256, bytes: 176 }, (from, at, to, out) => {
  const scale = half(from, at);
  const least = half(from, at + 2);
  for (let j = 0; j < 8; j++) {
    const [s, m] = sixBits(from, at + 4, j);
    const bytes = at + 48 + (j >> 1) * 32;
    const shift = 4 * (j & 1);
    for (let i = 0; i < 32; i++) {
      const fifth = (from.getUint8(at + 16 + i) >> j) & 1;
      const whole = ((from.getUint8(bytes + i) >> shift) & 15) | (fifth << 4);
      to[out + 32 * j + i] = whole * (scale * s) - least * m;
    }
  }
});

// Two halves of 128 values: 64 bytes of low halves, 32 bytes of upper pairs of bits, a signed scale for each 16 values.
const Q6_K = blocks('Q6_K', { block: 256, bytes: 210 }, (from, at, to, out) => {
  const scale = half(from, at + 208);
  for (let h = 0; h < 2; h++) {
    for (let i = 0; i < 32; i++) {
      const [low, lower] = [from.getUint8(at + 64 * h + i), from.getUint8(at + 64 * h + 32 + i)];
      const upper = from.getUint8(at + 128 + 32 * h + i);
      const wholes = [low & 15, lower & 15, low >> 4, lower >> 4];
      for (const [k, whole] of wholes.entries()) {
        const part = from.getInt8(at + 192 + 8 * h + 2 * k + (i >> 4));
        to[out + 128 * h + 32 * k + i] = ((whole | (((upper >> (2 * k)) & 3) << 4)) - 32) * (scale * part);
      }
    }
  }
});

/** By the number that GGUF files have for them. */
export const GGML_TYPES: ReadonlyMap<number, StorageLayout> = new Map([
  [0, F32],
  [1, F16],
  [2, Q4_0],
  [3, Q4_1],
  [6, Q5_0],
  [7, Q5_1],
  [8, Q8_0],
  [12, Q4_K],
  [13, Q5_K],
  [14, Q6_K],
  [30, BF16],
]);

const BY_NAME: ReadonlyMap<string, StorageLayout> = new Map(
  [...GGML_TYPES.values()].map(layout => [layout.name, layout]),
);
