// Keys and values of texts, and which of them are kept for texts that begin alike.
//
// Memory is set aside for the longest that a text may become, so that one that was let in never has to stop for want of it; the
// system gives pages only where rows are written. What a text has computed stays when it ends, until somebody needs the room,
// and a new text copies the rows of the longest beginning that it shares with another of the same adapter, also of one that is
// still going on: copying a row costs a thousandth of computing it.
import type { DecoderConfig } from '@vectorium/nets';

/** A beginning that is shorter is not worth a look. */
const SHORTEST_SHARED = 4;

export class TextCache {
  readonly capacity: number;
  readonly adapter: string | null;
  /** Tokens whose rows are there. */
  ids: number[] = [];
  /** Keys and values of each layer, [capacity, keyValueHeads · headSize]. */
  readonly layers: { key: Float32Array; value: Float32Array }[];
  inUse = true;
  usedAt = 0;

  constructor(config: DecoderConfig, { capacity, adapter }: { capacity: number; adapter: string | null }) {
    this.capacity = capacity;
    this.adapter = adapter;
    const size = capacity * config.keyValueHeads * config.headSize;
    this.layers = Array.from({ length: config.layers }, () => ({
      key: new Float32Array(size),
      value: new Float32Array(size),
    }));
  }

  get length(): number {
    return this.ids.length;
  }
}

export class CachePool {
  readonly #config: DecoderConfig;
  readonly #budgetBytes: number;
  readonly #caches = new Set<TextCache>();
  /** Working copies, which are in the budget too and go when a text needs the room. */
  copies: { readonly bytes: number; clear(): void } | null = null;
  #turn = 0;

  constructor(config: DecoderConfig, budgetBytes: number) {
    this.#config = config;
    this.#budgetBytes = budgetBytes;
  }

  get bytes(): number {
    return [...this.#caches].reduce((sum, cache) => sum + this.bytesOf(cache.capacity), this.copies?.bytes ?? 0);
  }

  bytesOf(tokens: number): number {
    const { layers, keyValueHeads, headSize } = this.#config;
    return 8 * layers * keyValueHeads * headSize * tokens;
  }

  /** A cache for a text of at most `capacity` tokens, with the rows of a shared beginning in it; null when there is no room
   *  beside those in use. The last token of `ids` is never among the rows: its logits are wanted. */
  open(ids: readonly number[], { capacity, adapter }: { capacity: number; adapter: string | null }): TextCache | null {
    const source = this.longestShared(ids, adapter);
    const bytes = this.bytesOf(capacity);
    const inUse = [...this.#caches].reduce((sum, cache) => sum + (cache.inUse ? this.bytesOf(cache.capacity) : 0), 0);
    if (inUse + bytes > this.#budgetBytes) return null;
    if (!this.makeRoom(bytes, source?.cache)) {
      this.copies?.clear();
      this.makeRoom(bytes, source?.cache);
    }
    const cache = new TextCache(this.#config, { capacity, adapter });
    cache.usedAt = ++this.#turn;
    this.#caches.add(cache);
    if (source && source.length >= SHORTEST_SHARED) {
      this.#copy(source.cache, cache, source.length);
      // A conversation that goes on has all of it: what it came from is not needed twice.
      if (!source.cache.inUse && source.length >= source.cache.length - 1) this.#caches.delete(source.cache);
    }
    return cache;
  }

  /** The cache with the longest beginning that a text shares with it. */
  longestShared(ids: readonly number[], adapter: string | null): { cache: TextCache; length: number } | null {
    let best: { cache: TextCache; length: number } | null = null;
    for (const cache of this.#caches) {
      if (cache.adapter !== adapter) continue;
      const length = sharedLength(cache.ids, ids);
      if (length > (best?.length ?? 0)) best = { cache, length };
    }
    return best;
  }

  /** Its text has ended. */
  close(cache: TextCache): void {
    cache.inUse = false;
    cache.usedAt = ++this.#turn;
  }

  /** Lets what is kept of an adapter go, or of all. */
  forget(adapter?: string): void {
    for (const cache of this.#caches)
      if (!cache.inUse && (adapter === undefined || cache.adapter === adapter)) this.#caches.delete(cache);
  }

  /** Lets go what is kept until so many bytes fit beside those in use; false if they don't. */
  makeRoom(bytes: number, keep?: TextCache): boolean {
    const kept = [...this.#caches].filter(cache => !cache.inUse).toSorted((a, b) => a.usedAt - b.usedAt);
    // Where it is to be copied from goes last.
    const order = [...kept.filter(cache => cache !== keep), ...kept.filter(cache => cache === keep)];
    for (const cache of order) {
      if (this.bytes + bytes <= this.#budgetBytes) return true;
      this.#caches.delete(cache);
    }
    return this.bytes + bytes <= this.#budgetBytes;
  }

  #copy(from: TextCache, to: TextCache, rows: number): void {
    const size = rows * this.#config.keyValueHeads * this.#config.headSize;
    for (const [layer, { key, value }] of to.layers.entries()) {
      const source = from.layers[layer];
      if (!source) throw new Error('caches of one model have equally many layers');
      key.set(source.key.subarray(0, size));
      value.set(source.value.subarray(0, size));
    }
    to.ids = from.ids.slice(0, rows);
  }
}

/** Tokens that both begin with, but for the last of `ids`. */
export function sharedLength(kept: readonly number[], ids: readonly number[]): number {
  const most = Math.min(kept.length, ids.length - 1);
  let length = 0;
  while (length < most && kept[length] === ids[length]) length++;
  return Math.max(0, length);
}
