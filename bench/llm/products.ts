// The matrix products of a token alone, each of which gives the next something to multiply: what no graph of these operators goes below.
import type { DecoderConfig } from '@vectorium/nets';
import { add, constant, input, matmulInt8, matmulNBits, slice, type Tensor, toOnnx } from '@vectorium/tensor';

const BLOCK = 32;

/** `x` f32 [texts, hidden] → `logits` [texts, vocabulary]; random weights in the forms that answers are computed with. */
export function productsGraph(config: DecoderConfig, precision: 'q4' | 'q8'): Uint8Array {
  const { hidden, heads, keyValueHeads, headSize, intermediate, layers, vocabulary } = config;
  const context = heads * headSize;
  const behindNorm = (x: Tensor, rows: number) => (precision === 'q8' ? inUnits(x, rows) : inBlocks(x, rows, 4));
  const other = (x: Tensor, rows: number) => inBlocks(x, rows, precision === 'q8' ? 8 : 4);
  let x = input('x', ['texts', hidden]);
  for (let layer = 0; layer < layers; layer++) {
    const packed = behindNorm(x, context + 2 * keyValueHeads * headSize);
    const between = other(slice(packed, 1, { start: 0, length: context }), hidden);
    x = other(add(behindNorm(between, intermediate), behindNorm(between, intermediate)), hidden);
  }
  return toOnnx({ logits: precision === 'q8' ? inUnits(x, vocabulary) : inBlocks(x, vocabulary, 8) });
}

function inUnits(x: Tensor, rows: number): Tensor {
  const inner = Number(x.shape.at(-1));
  const values = constant(noise(new Int8Array(inner * rows)), [inner, rows]);
  return matmulInt8(x, { values, scales: constant(new Float32Array(rows).fill(1e-3)) }, { unit: 1 / 32 });
}

function inBlocks(x: Tensor, rows: number, bits: 4 | 8): Tensor {
  const inner = Number(x.shape.at(-1));
  const [blocks, bytes] = [inner / BLOCK, (BLOCK * bits) / 8];
  const values = constant(noise(new Uint8Array(rows * blocks * bytes)), [rows, blocks, bytes]);
  const scales = constant(new Float32Array(rows * blocks).fill(1e-3), [rows, blocks]);
  return matmulNBits(x, { values, scales, bits, blockSize: BLOCK }, { accuracyLevel: 4 });
}

function noise<Values extends Int8Array | Uint8Array>(values: Values): Values {
  for (let i = 0; i < values.length; i++) values[i] = Math.imul(i + 1, 2_654_435_761) >>> 25;
  return values;
}
