// Linear layers of a decoder on weights that may be in blocks.
import { add, type BlockQuantized, concat, matmul, matmulInt8, matmulNBits, type Tensor } from '@vectorium/tensor';
import type { Linear } from './llama.ts';
import type { Weights, Matrix } from './weights.ts';

/** x Wᵀ. On blocks, level 4 rounds x to 8 bits block by block, each row for itself; level 0 computes in f32. */
export function multiply(x: Tensor, matrix: Matrix, accuracyLevel: 0 | 4, bias?: Tensor): Tensor {
  if ('blockSize' in matrix) return matmulNBits(x, matrix, { bias, accuracyLevel });
  const product = plain(x, matrix);
  return bias ? add(product, bias) : product;
}

function plain(x: Tensor, matrix: Exclude<Matrix, BlockQuantized>): Tensor {
  if ('op' in matrix) return matmul(x, matrix, { transB: true });
  if ('blocks' in matrix)
    return concat(
      matrix.blocks.map(block => matmulInt8(x, block)),
      x.shape.length - 1,
    );
  return matmulInt8(x, matrix, 'unit' in matrix ? { unit: matrix.unit } : {});
}

/** x Wᵀ + b, without b if the weights have none. */
export function frozenLinear(x: Tensor, { parts, inner }: Linear, weights: Weights, accuracyLevel: 0 | 4): Tensor {
  const matrix = weights.matrix(
    parts.map(part => ({ ...part, name: `${part.name}.weight` })),
    inner,
  );
  const biases = parts.map(part => ({ ...part, name: `${part.name}.bias` }));
  const some = biases.filter(({ name }) => weights.has(name));
  if (some.length === 0) return multiply(x, matrix, accuracyLevel);
  const missing = biases.find(({ name }) => !weights.has(name));
  if (missing) throw new Error(`the weights have no tensor ${missing.name}, but ${some[0]?.name}`);
  return multiply(x, matrix, accuracyLevel, weights.vector(...biases));
}
