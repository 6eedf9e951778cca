// The loss of a frozen output matrix and its gradient, a block of the vocabulary at a time: the logits of all answers, which are
// the largest values of a step by far, never exist at once, and those of a block stay in the processor's caches.
import {
  add,
  concat,
  exp,
  log,
  matmul,
  matmulInt8,
  mul,
  reduceMax,
  reshape,
  type RowQuantized,
  slice,
  softmax,
  sub,
  sum,
  type Tensor,
} from '@vectorium/tensor';
import { multiply } from './linear.ts';
import { rowsOf } from './llama.ts';
import { type Matrix, VOCABULARY_BLOCK } from './weights.ts';

/** Of hidden states h [answers, hidden], `loss` [answers], −log softmax(h Wᵀ)[target], and its gradient `dh`. Each block gives
 *  its own softmax, whose share in the whole follows from the logarithms of their sums (Milakov and Gimelshein 2018). */
export function vocabularyLoss(h: Tensor, matrix: Matrix, targets: Tensor): { loss: Tensor; dh: Tensor } {
  const blocks = blocksOf(matrix).map(block => {
    const logits = multiply(h, block, 0);
    const shares = softmax(logits);
    // The largest logit and its share tell the logarithm of the sum.
    const logSum = sub(reduceMax(logits, [1], true), log(reduceMax(shares, [1], true)));
    return { logSum, expected: weighed(shares, block) };
  });
  const all = concat(
    blocks.map(({ logSum }) => logSum),
    1,
  );
  const most = reduceMax(all, [1], true);
  const logSum = add(most, log(sum(exp(sub(all, most)), [1], true)));
  const [first, ...others] = blocks.map(({ expected, logSum: own }) => mul(expected, exp(sub(own, logSum))));
  if (!first) throw new Error('a vocabulary has words');
  const target = rowsOf(matrix, targets);
  return {
    loss: sub(reshape(logSum, ['answers']), sum(mul(h, target), [1])),
    dh: sub(others.reduce(add, first), target),
  };
}

function blocksOf(matrix: Matrix): (Tensor | RowQuantized)[] {
  if ('blocks' in matrix) return matrix.blocks;
  if (!('op' in matrix)) throw new Error('the loss takes an output matrix in blocks of rows');
  const rows = Number(matrix.shape[0]);
  return Array.from({ length: Math.ceil(rows / VOCABULARY_BLOCK) }, (_, i) => {
    const start = i * VOCABULARY_BLOCK;
    return slice(matrix, 0, { start, length: Math.min(VOCABULARY_BLOCK, rows - start) });
  });
}

/** The rows of a block added up by their shares. */
function weighed(shares: Tensor, block: Tensor | RowQuantized): Tensor {
  if ('op' in block) return matmul(shares, block);
  const { values, transposed, scales } = block;
  // Of thousands of words the rare ones count together, beside a share that is ten thousand times theirs.
  return matmulInt8(scales ? mul(shares, scales) : shares, { values: transposed, transposed: values }, { parts: 3 });
}
