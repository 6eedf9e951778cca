// Adapters of low rank in the graphs that answer: given at every run, so that any number of them goes with one base.
//
// What a graph takes is the stack of all adapters that its tokens use: of a linear layer, the rows of every A one behind the
// other, and of every B, which holds the adapter's scale. A mask has 1 where a row is of the token's own adapter and 0 elsewhere.
// One product each way then serves all adapters at once, whatever their ranks.
import { add, input, matmul, mul, type Tensor } from '@vectorium/tensor';
import type { DecoderConfig } from './config.ts';
import { type DecoderParts, type Linear, linearsOf } from './llama.ts';

/** Linear layers that read the same and lie one behind the other share a stack, in which each has rows of its own. */
export type AdaptedKind = 'qkv' | 'o' | 'gate' | 'up' | 'down';

export const ADAPTED_KINDS: readonly AdaptedKind[] = ['qkv', 'o', 'gate', 'up', 'down'];

/** Names of the inputs of one layer: `a` f32 [rank, inner] and `b` f32 [rank, outer], outer in the order of the base's rows. */
export const adapterNames = (layer: number, kind: AdaptedKind): { a: string; b: string } => ({
  a: `adapter.${layer}.${kind}.a`,
  b: `adapter.${layer}.${kind}.b`,
});

/** Name of the mask f32 [texts, rank] of all layers of a kind. */
export const maskName = (kind: AdaptedKind): string => `mask.${kind}`;

/** `plain` and what the adapters add; `texts` names the dimension of those that have one each. Without it there is one adapter for
 *  all, and no mask. */
export function withAdapters(plain: DecoderParts['linear'], texts?: string): DecoderParts['linear'] {
  // One input for all layers of a kind.
  const masks = new Map<AdaptedKind, Tensor>();
  const maskOf = (kind: AdaptedKind, rows: string): Tensor => {
    const mask = masks.get(kind) ?? input(maskName(kind), [rows, `rank.${kind}`]);
    masks.set(kind, mask);
    return mask;
  };
  return (x, linear) => {
    const { layer, kind } = placeOf(linear);
    const rank = `rank.${kind}`;
    const names = adapterNames(layer, kind);
    const outer = linear.parts.reduce((sum, { rows }) => sum + rows, 0);
    const down: Tensor = matmul(x, input(names.a, [rank, linear.inner]), { transB: true });
    const own = texts === undefined ? down : mul(down, maskOf(kind, texts));
    return add(plain(x, linear), matmul(own, input(names.b, [rank, outer])));
  };
}

/** Every linear layer that can be adapted, with its place. */
export function adaptedLinears(config: DecoderConfig): (Linear & { layer: number; kind: AdaptedKind })[] {
  return Array.from({ length: config.layers }, (_, layer) => linearsOf(config, `layers.${layer}`))
    .flatMap(linears => Object.values(linears))
    .map(linear => ({ ...linear, ...placeOf(linear) }));
}

/** Of a linear layer, or of several that lie one behind the other. */
export function placeOf({ parts }: Linear): { layer: number; kind: AdaptedKind } {
  const [, layer = '', name = ''] = /^layers\.(\d+)\.\w+\.(\w+)_proj$/.exec(parts[0]?.name ?? '') ?? [];
  const kind = name === 'q' ? 'qkv' : ADAPTED_KINDS.find(each => each === name);
  if (!kind) throw new Error(`${parts[0]?.name} is no layer that can be adapted`);
  return { layer: Number(layer), kind };
}
