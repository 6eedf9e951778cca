// Numbers as waves: what lets a network bend sharply along one column.
import { add, concat, cos, matmul, mul, normal, reshape, type Tensor, transpose } from '@vectorium/tensor';
import { evenly, type NextDraw } from './architecture.ts';

/** Frequencies of an embedded number, and the values that it becomes (itself among them). */
const FREQUENCIES = 16;
export const EMBEDDED = 4;

export type Periodic = { frequency: Tensor; phase: Tensor; weight: Tensor; bias: Tensor };

/** The "PBLD" embedding of RealMLP (Holzmüller et al. 2024), one for each of `columns`. */
export function periodicStart(columns: number, next: NextDraw): Periodic {
  const bound = 1 / Math.sqrt(FREQUENCIES);
  return {
    frequency: mul(normal(next(), [columns, 1, FREQUENCIES]), 0.1),
    phase: evenly(next(), [columns, 1, FREQUENCIES], Math.PI),
    weight: evenly(next(), [columns, FREQUENCIES, EMBEDDED - 1], bound),
    bias: evenly(next(), [columns, 1, EMBEDDED - 1], bound),
  };
}

/** Each number as itself and a linear map of cosines of it: [rows, columns] → [rows, 4 · columns]. */
export function embedNumbers(x: Tensor, { frequency, phase, weight, bias }: Periodic): Tensor {
  const [rows = 0, columns = 0] = x.shape;
  const own = reshape(transpose(x, [1, 0]), [columns, rows, 1]);
  const waves = cos(add(mul(own, mul(frequency, 2 * Math.PI)), phase));
  const embedded = concat([add(matmul(waves, weight), bias), own], 2);
  return reshape(transpose(embedded, [1, 0, 2]), [rows, Number(columns) * EMBEDDED]);
}
