// A large batch in the memory of a small one.
import { repeat } from './control.ts';
import type { Tensor } from './expression.ts';
import { gradients } from './gradients.ts';
import { add, scalar } from './operators.ts';
import { zeros } from './optimisers.ts';
import type { Dimension } from './shape.ts';
import { type Tree, zipTrees } from './tree.ts';

/** Loss and gradients summed over `parts` turns of a loop that holds the inner values of one at a time: a large batch in the
 *  memory of a small one. `lossOf` gives the loss of a part; divide by what the whole batch counts. */
export function accumulate<T extends Tree>(
  parts: Dimension,
  parameters: T,
  lossOf: (part: Tensor) => Tensor,
): { loss: Tensor; gradients: T } {
  const start = { loss: scalar(0), gradients: zeros(parameters) };
  const { state } = repeat(parts, start, (before, part) => {
    const loss = lossOf(part);
    const [sums] = zipTrees([before.gradients, gradients(loss, parameters)], ([a, b]) => [add(a, b)] as const);
    return { state: { loss: add(before.loss, loss), gradients: sums }, collect: [] };
  });
  return state;
}
