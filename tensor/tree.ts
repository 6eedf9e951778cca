// Many tensors under names: the parameters of a model, their gradients, the state of an optimiser.
import type { Tensor } from './expression.ts';

/** A tensor, or a list or record of trees. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree };

/** The tensors of a tree by their paths ('layers.0.weight'), in the order of its lists and keys. */
export function leaves(tree: Tree, path = ''): (readonly [path: string, tensor: Tensor])[] {
  if (isTensor(tree)) return [[path, tree]];
  return Object.entries(tree).flatMap(([name, part]) => leaves(part, path === '' ? name : `${path}.${name}`));
}

export const tensorsOf = (tree: Tree): Tensor[] => leaves(tree).map(([, tensor]) => tensor);

/** The tree with another tensor in the place of each. */
export function mapTree<T extends Tree>(tree: T, change: (tensor: Tensor, path: string) => Tensor): T {
  const walk = (part: Tree, path: string): Tree => {
    if (isTensor(part)) return change(part, path);
    const below = (name: string) => (path === '' ? name : `${path}.${name}`);
    if (isList(part)) return part.map((child, i) => walk(child, below(String(i))));
    return Object.fromEntries(Object.entries(part).map(([name, child]) => [name, walk(child, below(name))]));
  };
  // The walk keeps every list and key, which TypeScript can't see.
  return walk(tree, '') as T;
}

/** The shape of `tree` with these tensors, given in the order of `tensorsOf`. */
export function like<T extends Tree>(tree: T, tensors: readonly Tensor[]): T {
  let next = 0;
  return mapTree(tree, tensor => tensors[next++] ?? tensor);
}

/** Walks trees of one shape together: `change` gets the tensors at one place of each and gives those of the results. */
export function zipTrees<T extends Tree, const N extends readonly T[], R extends readonly Tensor[]>(
  trees: N & readonly [T, ...T[]],
  change: (tensors: { readonly [K in keyof N]: Tensor }, path: string) => R,
): { readonly [K in keyof R]: T } {
  const lists = trees.map(tensorsOf);
  const paths = leaves(trees[0]).map(([path]) => path);
  if (lists.some(list => list.length !== paths.length))
    throw new Error(`trees of ${lists.map(list => list.length).join(', ')} tensors don't walk together`);
  // One tensor of each list and one tree for each result, which the types of tuples can't be built from.
  const results = paths.map((path, i) =>
    change(lists.map(list => list[i]) as { readonly [K in keyof N]: Tensor }, path),
  );
  const made = (results[0] ?? []).map((_, k) =>
    like(
      trees[0],
      results.flatMap(result => result[k] ?? []),
    ),
  );
  return made as unknown as { readonly [K in keyof R]: T };
}

/** The tensors by path behind a prefix: what `toOnnx` takes as outputs. */
export const named = (prefix: string, tree: Tree): Record<string, Tensor> =>
  Object.fromEntries(leaves(tree).map(([path, tensor]) => [path === '' ? prefix : `${prefix}.${path}`, tensor]));

const isTensor = (tree: Tree): tree is Tensor => 'op' in tree && typeof tree.op === 'string';
const isList = (tree: Tree): tree is readonly Tree[] => Array.isArray(tree);
