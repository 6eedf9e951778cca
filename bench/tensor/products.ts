// The matrix products of a graph, alone: the ceiling of any program that computes it by such products.
import { gather, inOrder, input, integers, matmul, reshape, type Tensor } from '@vectorium/tensor';

export interface Bare {
  /** One element of each product, so that none is left out and nothing else costs time. */
  outputs: Record<string, Tensor>;
  inputs: { name: string; shape: readonly number[] }[];
  flop: number;
}

/** The products that `roots` are made of, each from inputs of its own. Those inside fused operators (the forward pass of
 *  attention) don't count, nor do sums written as products with a row of ones. */
export function bareProducts(roots: readonly Tensor[]): Bare {
  const bare: Bare = { outputs: {}, inputs: [], flop: 0 };
  for (const { op, of, shape, attributes } of inOrder(roots)) {
    if (op !== 'matmul' || of.some(operand => operand.shape.at(-2) === 1)) continue;
    const index = Object.keys(bare.outputs).length;
    const operands = of.map((operand, i) => {
      const given = { name: `x${index}_${i}`, shape: operand.shape.map(Number) };
      bare.inputs.push(given);
      return input(given.name, given.shape);
    });
    const [a, b] = operands;
    if (!a || !b) continue;
    const product = matmul(a, b, attributes);
    const size = shape.map(Number).reduce((x, y) => x * y, 1);
    bare.outputs[`y${index}`] = gather(reshape(product, [size]), integers([0]));
    bare.flop += 2 * size * Number(a.shape.at(attributes.transA ? -2 : -1));
  }
  return bare;
}
