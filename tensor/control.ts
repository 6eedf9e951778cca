// Loops, and what is computed again instead of kept.
import { expression, inOrder, outside, type Tensor } from './expression.ts';
import { output } from './operators.ts';
import { type Dimension, require, sameShape, show } from './shape.ts';
import { leaves, like, mapTree, tensorsOf, type Tree } from './tree.ts';

/** Computes `body` again and again within one run of the graph: each turn gets the state that the turn before left, and
 *  what it collects is stacked on a new first axis of length `trips`. A named `trips` is as long as the inputs that have it.
 *  `iteration` is the number of the turn, from 0 (i64 []). Whatever does not depend on state or iteration is computed once,
 *  before the loop. */
export function repeat<S extends Tree, C extends Tree>(
  trips: Dimension,
  initial: S,
  body: (state: S, iteration: Tensor) => { state: S; collect: C },
): { state: S; collected: C } {
  const state = mapTree(initial, variable);
  const iteration = variable({ shape: [], dtype: 'i64' }, 'iteration');
  const turn = body(state, iteration);
  const entries = leaves(initial);
  const next = tensorsOf(turn.state);
  require(next.length ===
    entries.length, `repeat: ${entries.length} tensors go into a turn and ${next.length} come out`);
  for (const [i, [path, before]] of entries.entries()) {
    const after = next[i];
    require(after !== undefined &&
      sameShape(after.shape, before.shape) &&
      after.dtype ===
        before.dtype, `repeat: ${path} goes in as ${described(before)} and comes out as ${after && described(after)}`);
  }
  const collect = tensorsOf(turn.collect);
  const variables = [iteration, ...tensorsOf(state)];
  const whole = expression('loop', [...tensorsOf(initial), ...outside([...next, ...collect], variables)], {
    shape: [],
    dtype: 'f32',
    attributes: { trips, iteration, state: tensorsOf(state), next, collect },
  });
  return {
    state: like(
      initial,
      next.map((tensor, i) => output(whole, i, tensor)),
    ),
    collected: like(
      turn.collect,
      collect.map(({ shape, dtype }, i) => output(whole, next.length + i, { shape: [trips, ...shape], dtype })),
    ),
  };
}

/** `compute(...operands)`, whose inner values are not kept for the backward pass: it computes them again from the operands
 *  when it gets there. `compute` must give the same expression each time, and its result is one tensor. */
export function checkpoint(
  compute: (...operands: readonly Tensor[]) => Tensor,
  ...operands: readonly Tensor[]
): Tensor {
  const result = compute(...operands);
  // What a second call takes from the first one's graph is what `compute` has from elsewhere; all else it builds anew.
  const lasting = new Set([...operands, ...inOrder([result])]);
  const taken = inOrder([compute(...operands)], lasting).flatMap(({ of }) => of);
  const captured = [...new Set(taken)].filter(tensor => lasting.has(tensor) && !operands.includes(tensor));
  const { shape, dtype } = result;
  return expression('checkpoint', [result, ...operands, ...captured], {
    shape,
    dtype,
    attributes: { arguments: operands.length, recompute: again => compute(...again) },
  });
}

/** x, whose users ONNX Runtime can't compute before it has `known` (which is not empty), nor take for those of x. */
export const after = (x: Tensor, known: Tensor): Tensor =>
  expression('after', [x, known], { shape: x.shape, dtype: x.dtype, attributes: {} });

/** x, whose value `value` has: what x is made of is not computed again for it. Gradients go on to x. */
export function recalled(x: Tensor, value: Tensor): Tensor {
  require(sameShape(x.shape, value.shape) &&
    x.dtype === value.dtype, `recalled: ${described(value)} can't be the value of ${described(x)}`);
  return expression('recalled', [x, value], { shape: x.shape, dtype: x.dtype, attributes: {} });
}

const variable = ({ shape, dtype }: Pick<Tensor, 'shape' | 'dtype'>, name: string): Tensor =>
  expression('variable', [], { shape, dtype, attributes: { name } });

const described = ({ shape, dtype }: Tensor): string => `${dtype} ${show(shape)}`;
