/** What a tokenizer promises and gives. */

/** Tokens of a text: ids and ranges in UTF-16 units of the JavaScript string, each `[tokens]`. */
export interface Encoding {
  ids: Int32Array;
  starts: Int32Array;
  ends: Int32Array;
}

export interface Tokenizer {
  /** The whole text without special tokens or prefix, never truncated. Linear in the length. */
  encode(text: string): Encoding;
  /** The same, pausing after about every 5 ms, so that a long text doesn't hold up short ones. */
  encodeSteps(text: string): Generator<void, Encoding>;
  /** Special tokens in front of every input, such as `[0]`. */
  readonly before: Int32Array;
  /** Special tokens behind every input, such as `[2]`. */
  readonly after: Int32Array;
  /** Ids are below this. */
  readonly vocabularySize: number;
}

export interface DecodingTokenizer extends Tokenizer {
  /** The text of tokens, without special ones. */
  decode(ids: Iterable<number>): string;
  /** Tokens that are no text, such as those that begin and end a message. */
  readonly special: ReadonlySet<number>;
  /** The bytes of each token by its id, in the characters by which GPT-2 writes them; empty for special ones. Missing where tokens have
   *  none of their own. */
  pieces?(): string[];
}

/** Tokens while they are found. */
export class Tokens {
  private length = 0;
  private ids = new Int32Array(64);
  private starts = new Int32Array(64);
  private ends = new Int32Array(64);

  push(id: number, start: number, end: number): void {
    if (this.length === this.ids.length) {
      this.ids = doubled(this.ids);
      this.starts = doubled(this.starts);
      this.ends = doubled(this.ends);
    }
    this.ids[this.length] = id;
    this.starts[this.length] = start;
    this.ends[this.length++] = end;
  }

  encoding(): Encoding {
    const { length } = this;
    return { ids: this.ids.slice(0, length), starts: this.starts.slice(0, length), ends: this.ends.slice(0, length) };
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}
