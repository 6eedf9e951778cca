/** Byte-pair encoding: neighbours join, those first whose pair was learnt first (Sennrich et al. 2016, arXiv:1508.07909). */

export interface BpeJson {
  type: 'BPE';
  vocab: Record<string, number>;
  /** As "a b" or [a, b], in the order in which they were learnt. */
  merges: (string | [string, string])[];
  unk_token?: string | null;
  fuse_unk?: boolean;
  /** A character without a piece becomes the pieces of its bytes, <0x00> to <0xFF>. */
  byte_fallback?: boolean;
  /** A word that is a piece is that piece, whatever the pairs say. */
  ignore_merges?: boolean;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
}

/** Symbols of a word while they join: ids, and the range of the word that each stands for. */
export interface Symbols {
  ids: number[];
  starts: number[];
  ends: number[];
}

export type Pairs = ReadonlyMap<number, { readonly rank: number; readonly id: number }>;

/** One number for two ids. */
export const pairOf = (left: number, right: number): number => left * 2 ** 26 + right;

/** Throws an error that names a pair whose parts or result are no pieces. */
export function pairsOf({ vocab, merges }: BpeJson): Pairs {
  const pairs = new Map<number, { rank: number; id: number }>();
  for (const [rank, merge] of merges.entries()) {
    const cut = typeof merge === 'string' ? merge.indexOf(' ', 1) : 0;
    const [left, right] = typeof merge === 'string' ? [merge.slice(0, cut), merge.slice(cut + 1)] : merge;
    const [a, b, id] = [vocab[left], vocab[right], vocab[left + right]];
    if (a === undefined || b === undefined || id === undefined)
      throw new Error(`The tokenizer joins ${left} and ${right}, which its vocabulary doesn't have.`);
    const key = pairOf(a, b);
    if (!pairs.has(key)) pairs.set(key, { rank, id });
  }
  return pairs;
}

/** Joins until no pair is left: the pair of the least rank first, of equals the leftmost. Takes n log n steps, since some
 *  tokenizers take a whole text for one word. */
export function join({ ids, starts, ends }: Symbols, pairs: Pairs): Symbols {
  const count = ids.length;
  const next = Int32Array.from({ length: count }, (_, i) => i + 1);
  const before = Int32Array.from({ length: count }, (_, i) => i - 1);
  const gone = new Uint8Array(count);
  const heap = new Heap();
  const offer = (left: number): void => {
    const right = next[left] ?? count;
    if (left < 0 || right >= count) return;
    const pair = pairs.get(pairOf(ids[left] ?? 0, ids[right] ?? 0));
    if (pair) heap.push(pair.rank * 2 ** 24 + left);
  };
  for (let i = 0; i < count - 1; i++) offer(i);
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const left = top % 2 ** 24;
    const right = next[left] ?? count;
    if (gone[left] || right >= count) continue;
    const pair = pairs.get(pairOf(ids[left] ?? 0, ids[right] ?? 0));
    // One of the two may have joined another since.
    if (!pair || pair.rank !== Math.floor(top / 2 ** 24)) continue;
    ids[left] = pair.id;
    ends[left] = ends[right] ?? 0;
    gone[right] = 1;
    const behind = next[right] ?? count;
    next[left] = behind;
    if (behind < count) before[behind] = left;
    offer(before[left] ?? -1);
    offer(left);
  }
  const kept = (values: number[]) => values.filter((_, i) => !gone[i]);
  return { ids: kept(ids), starts: kept(starts), ends: kept(ends) };
}

/** The least number first. */
class Heap {
  readonly #numbers: number[] = [];

  push(number: number): void {
    const all = this.#numbers;
    let at = all.length;
    all.push(number);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((all[above] ?? 0) <= number) break;
      all[at] = all[above] ?? 0;
      at = above;
    }
    all[at] = number;
  }

  pop(): number | undefined {
    const all = this.#numbers;
    const top = all[0];
    const last = all.pop();
    if (all.length === 0 || last === undefined) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= all.length) break;
      if (below + 1 < all.length && (all[below + 1] ?? 0) < (all[below] ?? 0)) below++;
      if ((all[below] ?? 0) >= last) break;
      all[at] = all[below] ?? 0;
      at = below;
    }
    all[at] = last;
    return top;
  }
}
