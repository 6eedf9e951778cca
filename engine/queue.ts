// The queue of one model: which waiting texts make the next batch. Pure; the rules are cited by their tests.
//
// On one core a batch gains little over single runs (all-MiniLM-L6: 2.9 k tokens/s for one text of 16 tokens, 4.1 k for
// 32 of them, nothing from 64 tokens on), and padding is computed like text. So batches are small, made of texts of
// nearly one length, and the order of the queue can follow fairness instead of throughput.
//
// 1. Budget. longest × count ≤ maxBatchTokens, and longest² × count ≤ maxBatchSquare (attention scores take that much
//    memory). One text is always admitted, however long.
// 2. Padding. A text joins a batch only when the padding that this adds costs less than a run of its own would.
// 3. Fair order. Requests share the model: a text's rank is the virtual time (tokens served ÷ requests waiting) at which
//    its request came, plus the tokens before it in its request (Demers, Keshav, Shenker 1989). Every other batch at
//    least holds the lowest rank, so nothing starves, and a single text does not wait for a thousand of another request.
// 4. Short before long. When the shortest waiting text has at most half the length of the one whose turn it is, the
//    shortest go first, but never twice in a row. So a text waits for at most one batch of longer ones, plus those
//    batches that texts shorter than itself fill.

export interface Queued {
  /** Tokens, special tokens and prefix included. */
  readonly length: number;
  /** Makes a batch of its own. */
  alone: boolean;
}

interface Flow {
  waiting: number;
}

interface Entry<T> {
  item: T;
  rank: number;
  order: number;
  flow: Flow;
}

/** What one run costs beside its tokens, in tokens (measured: 5 to 8). */
const runOverheadTokens = 8;
/** 16 texts of 512 tokens: with 12 heads, 200 MB of attention scores. */
const maxBatchSquare = 16 * 512 * 512;

export class BatchQueue<T extends Queued> {
  /** By length, then rank, then order of arrival. */
  readonly #sorted: Entry<T>[] = [];
  readonly #entries = new Map<T, Entry<T>>();
  #tokens = 0;
  #flows = 0;
  #virtualTime = 0;
  #order = 0;
  #jumped = false;

  get size(): number {
    return this.#sorted.length;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Adds the texts of one request. */
  add(items: Iterable<T>): void {
    const flow: Flow = { waiting: 0 };
    let rank = this.#virtualTime;
    const entries: Entry<T>[] = [];
    for (const item of items) {
      const entry = { item, rank, order: this.#order++, flow };
      rank += item.length;
      entries.push(entry);
      this.#entries.set(item, entry);
      this.#tokens += item.length;
      if (flow.waiting++ === 0) this.#flows++;
    }
    if (entries.length < 32) for (const entry of entries) this.#sorted.splice(this.#position(entry), 0, entry);
    else {
      for (const entry of entries) this.#sorted.push(entry);
      this.#sorted.sort(compare);
    }
  }

  /** Takes a text out whose callers have left; false when it does not wait here. */
  remove(item: T): boolean {
    const entry = this.#entries.get(item);
    if (entry) this.#cut(this.#position(entry), 1);
    return entry !== undefined;
  }

  /** Takes everything out. */
  clear(): T[] {
    return this.#cut(0, this.#sorted.length);
  }

  /** The next batch under `maxBatchTokens`, empty when nothing waits. */
  take(maxBatchTokens: number): T[] {
    const shortest = this.#sorted[0];
    if (!shortest) return [];
    let turn = shortest;
    for (const entry of this.#sorted)
      if (entry.rank < turn.rank || (entry.rank === turn.rank && entry.order < turn.order)) turn = entry;
    const jump = !this.#jumped && shortest.item.length * 2 <= turn.item.length;
    const first = jump ? shortest : turn;

    const { from, to } = this.#grow(this.#position(first), maxBatchTokens);
    // A batch that happens to hold the text whose turn it is jumps over nobody.
    const position = this.#position(turn);
    this.#jumped = jump && !(from <= position && position < to);
    const flows = this.#flows;
    const batch = this.#cut(from, to - from);
    this.#virtualTime += batch.reduce((sum, item) => sum + item.length, 0) / flows;
    return batch;
  }

  /** Extends a batch from one text to its neighbours in length, the nearer one first. */
  #grow(index: number, maxBatchTokens: number): { from: number; to: number } {
    const anchor = this.#sorted[index]?.item;
    if (!anchor || anchor.alone) return { from: index, to: index + 1 };
    let from = index;
    let to = index + 1;
    let longest = anchor.length;
    const fits = (length: number, count: number) =>
      length * count <= maxBatchTokens && length * length * count <= maxBatchSquare;
    for (;;) {
      const count = to - from;
      const shorter = this.#sorted[from - 1]?.item;
      const longer = this.#sorted[to]?.item;
      const shorterPadding = shorter && !shorter.alone ? longest - shorter.length : Infinity;
      const longerPadding = longer && !longer.alone ? (longer.length - longest) * count : Infinity;
      if (longer && longerPadding <= Math.min(shorterPadding, runOverheadTokens) && fits(longer.length, count + 1)) {
        longest = longer.length;
        to++;
      } else if (shorterPadding <= runOverheadTokens && fits(longest, count + 1)) from--;
      else return { from, to };
    }
  }

  /** The index at which an entry stands, or would stand. */
  #position(entry: Entry<T>): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#sorted[middle];
      if (other && compare(other, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #cut(from: number, count: number): T[] {
    return this.#sorted.splice(from, count).map(({ item, flow }) => {
      this.#entries.delete(item);
      this.#tokens -= item.length;
      if (--flow.waiting === 0) this.#flows--;
      return item;
    });
  }
}

function compare<T extends Queued>(a: Entry<T>, b: Entry<T>): number {
  return a.item.length - b.item.length || a.rank - b.rank || a.order - b.order;
}
