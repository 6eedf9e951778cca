// Which texts go on together, and the memory in which they lie side by side, as the graph of next tokens takes them.
//
// A text's own cache is the truth: a prompt writes there, and beginnings are copied from there. One that goes on alone runs on it.
// Several run on a working copy, from which each new row goes back, so that a copy can be thrown away between any two runs.
//
// The longest text says how many rows all have, and what is hidden before the others is read all the same. So texts of very
// different lengths are in different groups, which run one after the other.
import type { DecoderConfig } from '@vectorium/nets';
import type { CachePool, TextCache } from './caches.ts';

/** Rows whose padding costs less than another run. */
const FEW_ROWS = 256;
/** A rebuild has room for so many more rows at least, unless no text becomes so long. */
const ROOM = 128;
/** A free column is computed like any other, which takes as long as copying so many rows. */
const ROWS_OF_A_COLUMN = 64;

/** Texts as one run takes them. */
export interface Side {
  /** Null where nobody is. */
  readonly columns: readonly (TextCache | null)[];
  /** [rows, columns · keyValueHeads · headSize] each; the next row is `end`. */
  readonly layers: TextCache['layers'];
  readonly end: number;
  /** Rows before it that somebody sees. */
  readonly seen: number;
  /** The new row is there. */
  written(): void;
}

export class Groups {
  readonly #config: DecoderConfig;
  readonly #pool: CachePool;
  #groups: Group[] = [];

  constructor(config: DecoderConfig, pool: CachePool) {
    this.#config = config;
    this.#pool = pool;
    pool.copies = this;
  }

  get bytes(): number {
    return this.#groups.reduce((sum, { rows }) => sum + this.#pool.bytesOf(rows), 0);
  }

  /** Lets the copies go. */
  clear(): void {
    this.#groups = [];
  }

  /** Each of the texts in one of the groups that go on now. */
  arrange(texts: readonly TextCache[]): Side[] {
    const here = new Set(texts);
    for (const group of this.#groups) group.members = group.members.filter(text => here.has(text));
    this.#groups = this.#groups.filter(({ members }) => members.length > 1);
    for (const { members } of this.#groups) for (const text of members) here.delete(text);
    for (const text of here) {
      const group = this.#groups.find(({ members }) => this.#fit([...members, text]));
      if (group) group.members = [...group.members, text];
      else this.#groups.push(new Group(this.#config, [text]));
    }
    const all = this.#groups;
    this.#groups = all.filter(({ members }) => members.length > 1);
    return all.flatMap((group): Side[] => {
      const { members } = group;
      if (members.length > 1 && this.#prepare(group)) return [group];
      return members.map(text => this.#alone(text));
    });
  }

  #fit(texts: readonly TextCache[]): boolean {
    const seen = texts.map(text => seenOf(text, this.#config));
    const longest = Math.max(...seen);
    return longest <= FEW_ROWS || longest * texts.length <= 2 * seen.reduce((sum, each) => sum + each, 0);
  }

  /** False where there is no memory for a copy. */
  #prepare(group: Group): boolean {
    if (group.takeIn()) return true;
    const { columns, rows } = group.wanted();
    group.release();
    if (!this.#pool.makeRoom(this.#pool.bytesOf(columns * rows))) return false;
    group.build(rows);
    return true;
  }

  #alone(text: TextCache): Side {
    const { layers, length } = text;
    return { columns: [text], layers, end: length, seen: seenOf(text, this.#config), written: () => {} };
  }
}

class Group implements Side {
  members: TextCache[];
  columns: (TextCache | null)[] = [];
  layers: TextCache['layers'] = [];
  end = 0;
  readonly #config: DecoderConfig;
  #capacity = 0;
  /** Columns that were computed for nobody since the copy was made. */
  #idle = 0;

  constructor(config: DecoderConfig, members: TextCache[]) {
    this.#config = config;
    this.members = members;
  }

  /** Of all columns together. */
  get rows(): number {
    return this.#capacity * this.columns.length;
  }

  get seen(): number {
    return Math.max(...this.members.map(text => seenOf(text, this.#config)));
  }

  get #rowSize(): number {
    return this.#config.keyValueHeads * this.#config.headSize;
  }

  /** Gives newcomers the columns of those who left; false if the copy has to be built anew. */
  takeIn(): boolean {
    const here = new Set(this.members);
    this.columns = this.columns.map(text => (text && here.has(text) ? text : null));
    const newcomers = this.members.filter(text => !this.columns.includes(text));
    const free = this.columns.length - this.members.length;
    this.#idle += free;
    if (free < 0 || this.seen > this.end || this.end === this.#capacity) return false;
    if (this.#idle * ROWS_OF_A_COLUMN > this.members.length * this.seen) return false;
    for (const text of newcomers) this.#put(text, this.columns.indexOf(null));
    return true;
  }

  wanted(): { columns: number; rows: number } {
    const most = Math.max(...this.members.map(({ capacity, length }) => capacity - length));
    return { columns: this.members.length, rows: this.seen + Math.min(most, Math.max(ROOM, this.seen >> 1)) };
  }

  release(): void {
    this.columns = [];
    this.layers = [];
    this.#capacity = 0;
    this.#idle = 0;
  }

  build(rows: number): void {
    this.columns = this.members.map(() => null);
    this.#capacity = rows;
    this.end = this.seen;
    const size = rows * this.columns.length * this.#rowSize;
    this.layers = Array.from({ length: this.#config.layers }, () => ({
      key: new Float32Array(size),
      value: new Float32Array(size),
    }));
    for (const [column, text] of this.members.entries()) this.#put(text, column);
  }

  written(): void {
    for (const [column, text] of this.columns.entries())
      if (text) this.#copy(text, column, { at: this.end, row: text.length, rows: 1, back: true });
    this.end++;
  }

  #put(text: TextCache, column: number): void {
    const seen = seenOf(text, this.#config);
    this.columns[column] = text;
    this.#copy(text, column, { at: this.end - seen, row: text.length - seen, rows: seen, back: false });
  }

  /** Rows of a text, there or back. */
  #copy(
    text: TextCache,
    column: number,
    { at, row, rows, back }: { at: number; row: number; rows: number; back: boolean },
  ): void {
    const size = this.#rowSize;
    const all = { stride: this.columns.length * size, start: (at * this.columns.length + column) * size };
    const own = { stride: size, start: row * size };
    const [source, target] = back ? [all, own] : [own, all];
    for (const [layer, here] of this.layers.entries()) {
      const there = text.layers[layer];
      if (!there) throw new Error('caches of one model have equally many layers');
      const [from, to] = back ? [here, there] : [there, here];
      for (let i = 0; i < rows; i++) {
        const [first, place] = [source.start + i * source.stride, target.start + i * target.stride];
        to.key.set(from.key.subarray(first, first + size), place);
        to.value.set(from.value.subarray(first, first + size), place);
      }
    }
  }
}

/** Rows of a text that its next token sees. */
export const seenOf = ({ length }: TextCache, { window }: DecoderConfig): number =>
  window === null ? length : Math.min(length, window - 1);
