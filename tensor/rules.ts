// The longer of the gradients' rules, without the table that they stand in.
import { after } from './control.ts';
import type { Tensor } from './expression.ts';
import type { BlockQuantized } from './fused.ts';
import * as t from './operators.ts';
import { at, product, type Shape } from './shape.ts';

/** d(x Φ(x)) = Φ(x) + x φ(x). */
export function geluSlope(x: Tensor): Tensor {
  const below = t.mul(t.add(t.erf(t.mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = t.mul(t.exp(t.mul(t.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return t.add(below, t.mul(x, density));
}

/** y = x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³). */
export function geluByTanhSlope(x: Tensor): Tensor {
  const c = Math.sqrt(2 / Math.PI);
  const squared = t.square(x);
  const tanh = t.tanh(t.mul(x, t.add(t.mul(squared, 0.044715 * c), c)));
  const slope = t.add(t.mul(squared, 3 * 0.044715 * c), c);
  const inner = t.mul(t.mul(x, t.sub(1, t.square(tanh))), slope);
  return t.mul(t.add(t.add(tanh, 1), inner), 0.5);
}

/** Zeros in the shape of `table` with g added at the entries that `indices` chose. */
export function scattered(
  g: Tensor,
  { table, indices, axis }: { table: Tensor; indices: Tensor; axis: number },
): Tensor {
  const rank = table.shape.length;
  const front = [axis, ...table.shape.map((_, i) => i).filter(i => i !== axis)];
  const chosen = indices.shape.map((_, i) => axis + i);
  const others = g.shape.map((_, i) => i).filter(i => !chosen.includes(i));
  const rowShape = front.slice(1).map(i => at('gather', table.shape, i));
  const rows = t.reshape(axis === 0 ? g : t.transpose(g, [...chosen, ...others]), [
    product(indices.shape),
    ...rowShape,
  ]);
  const zeros = t.filled([at('gather', table.shape, axis), ...rowShape], 0);
  const summed = t.scatterAdd(zeros, t.reshape(t.cast(indices, 'i64'), [product(indices.shape)]), rows);
  return axis === 0 || rank < 2 ? summed : t.transpose(summed, inverted(front));
}

/** C = α A B: dA = α dC Bᵀ, dB = α Aᵀ dC, each with its operand's transposition. */
export function matmulGradients(
  g: Tensor,
  [a, b]: readonly [Tensor, Tensor],
  { transA, transB, alpha }: Required<t.MatmulOptions>,
): Tensor[] {
  const da = transA
    ? t.matmul(b, g, { transA: transB, transB: true, alpha })
    : t.matmul(g, b, { transB: !transB, alpha });
  // A weight that all rows share: one product over all of them instead of a sum of products.
  const shared = b.shape.length === 2 && a.shape.length > 2 && !transA;
  const [rowsA, rowsG] = shared ? [asRows(a), asRows(g)] : [a, g];
  const db = transB
    ? t.matmul(rowsG, rowsA, { transA: true, transB: transA, alpha })
    : t.matmul(rowsA, rowsG, { transA: !transA, alpha });
  return [da, db];
}

const asRows = (x: Tensor): Tensor => t.reshape(x, [product(x.shape.slice(0, -1)), at('matmul', x.shape, -1)]);

/** A weight in blocks as f32 [rows, columns], not before g is known, so that no more than one is held at a time. */
export function unpacked({ values: packed, scales, zeros, bits, blockSize }: BlockQuantized, g: Tensor): Tensor {
  const [rows = 0, blocks = 0, bytes = 0] = packed.shape;
  const whole = wholes(after(packed, g), { bits, shape: [rows, blocks, bytes] });
  const zero = zeros ? zeroPoints(zeros, { bits, blocks: Number(blocks) }) : 2 ** (bits - 1);
  const weight = t.mul(t.sub(t.cast(whole, 'f32'), zero), t.reshape(scales, [rows, blocks, 1]));
  return t.reshape(weight, [rows, product([blocks, blockSize])]);
}

/** The whole numbers of bytes [.., bytes], in order. */
function wholes(bytes: Tensor, { bits, shape }: { bits: 4 | 8; shape: Shape }): Tensor {
  if (bits === 8) return bytes;
  const halves = [t.bitAnd(bytes, 15), t.shiftRight(bytes, 4)].map(half => t.reshape(half, [...shape, 1]));
  return t.reshape(t.concat(halves, shape.length), [...shape.slice(0, -1), 2 * Number(shape.at(-1))]);
}

/** f32 [rows, blocks, 1]. */
function zeroPoints(zeros: Tensor, { bits, blocks }: { bits: 4 | 8; blocks: number }): Tensor {
  const all = wholes(zeros, { bits, shape: zeros.shape });
  return t.reshape(t.cast(t.slice(all, 1, { start: 0, length: blocks }), 'f32'), [zeros.shape[0] ?? 0, blocks, 1]);
}

export const inverted = (permutation: readonly number[]): number[] => permutation.map((_, i) => permutation.indexOf(i));
