// The adapters that the texts of one run have, put together as the graphs take them.
import { ADAPTED_KINDS, type Adapter, adapterNames, maskName } from '@vectorium/nets';
import { Tensor } from 'onnxruntime-node';

/** Several at once are copied together, which is kept for as long as the same texts go on. */
const STACKS_KEPT = 4;

interface Stack {
  feeds: Record<string, Tensor>;
  ids: readonly string[];
}

export class AdapterStacks {
  readonly adapters = new Map<string, Adapter>();
  readonly #stacks = new Map<string, Stack>();

  get bytes(): number {
    return [...this.adapters.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  drop(id: string): void {
    this.adapters.delete(id);
    this.#stacks.clear();
  }

  /** Inputs of one adapter. */
  only(id: string): Record<string, Tensor> {
    return this.#stackOf([id]).feeds;
  }

  /** Inputs for texts whose adapters are named one by one, and which rows are each text's own. */
  feeds(ofTexts: readonly (string | null)[]): Record<string, Tensor> {
    const ids = [...new Set(ofTexts.filter(id => id !== null))].toSorted();
    return { ...this.#stackOf(ids).feeds, ...this.#masks(ofTexts, ids) };
  }

  #stackOf(ids: readonly string[]): Stack {
    const key = JSON.stringify(ids);
    const known = this.#stacks.get(key);
    if (known) return known;
    const adapters = ids.map(id => this.#adapter(id));
    const feeds: Record<string, Tensor> = {};
    for (const kind of ADAPTED_KINDS) {
      const stacks = adapters.map(({ stacks: each }) => each[kind]);
      const rank = stacks.reduce((sum, each) => sum + each.rank, 0);
      for (let layer = 0; layer < (stacks[0]?.layers.length ?? 0); layer++) {
        const names = adapterNames(layer, kind);
        for (const which of ['a', 'b'] as const) {
          const values = joined(stacks.map(({ layers }) => layers[layer]?.[which] ?? new Float32Array()));
          feeds[names[which]] = new Tensor('float32', values, [rank, values.length / rank]);
        }
      }
    }
    if (this.#stacks.size >= STACKS_KEPT) this.#stacks.clear();
    const made = { feeds, ids };
    this.#stacks.set(key, made);
    return made;
  }

  #masks(ofTexts: readonly (string | null)[], ids: readonly string[]): Record<string, Tensor> {
    const masks: Record<string, Tensor> = {};
    for (const kind of ADAPTED_KINDS) {
      const ranks = ids.map(id => this.#adapter(id).stacks[kind].rank);
      const rank = ranks.reduce((sum, each) => sum + each, 0);
      const mask = new Float32Array(ofTexts.length * rank);
      for (const [text, id] of ofTexts.entries()) {
        const at = id === null ? -1 : ids.indexOf(id);
        if (at < 0) continue;
        const from = text * rank + ranks.slice(0, at).reduce((sum, each) => sum + each, 0);
        mask.fill(1, from, from + (ranks[at] ?? 0));
      }
      masks[maskName(kind)] = new Tensor('float32', mask, [ofTexts.length, rank]);
    }
    return masks;
  }

  #adapter(id: string): Adapter {
    const adapter = this.adapters.get(id);
    if (!adapter) throw new Error(`the adapter ${id} is not loaded`);
    return adapter;
  }
}

/** One behind the other; a single one as it is. */
function joined(parts: readonly Float32Array[]): Float32Array {
  const [only, ...others] = parts;
  if (only && others.length === 0) return only;
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
