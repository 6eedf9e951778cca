// The text of an answer while its tokens come: whole characters only, and nothing that may still become a stop string. Pure.

export class AnswerText {
  readonly #decode: (ids: Iterable<number>) => string;
  readonly #stops: readonly string[];
  readonly #ids: number[];
  /** Tokens before `#read` are in the text already; those from `#context` on are decoded with them, since what a token
   *  reads as depends on the one before it. */
  #context = 0;
  #read: number;
  #held = '';
  stopped = false;

  /** `before` are the last tokens of the prompt: at the beginning of a text some tokenizers leave a space out. */
  constructor(decode: (ids: Iterable<number>) => string, stops: readonly string[], before: readonly number[] = []) {
    this.#decode = decode;
    this.#stops = stops;
    this.#ids = before.slice();
    this.#read = before.length;
  }

  /** What the answer grows by. */
  push(id: number): string {
    this.#ids.push(id);
    const before = this.#decode(this.#ids.slice(this.#context, this.#read));
    const now = this.#decode(this.#ids.slice(this.#context));
    // The bytes of a character may come in several tokens.
    if (now.length <= before.length || now.endsWith('\ufffd')) return '';
    this.#context = this.#read;
    this.#read = this.#ids.length;
    return this.#release(now.slice(before.length));
  }

  /** What is left when no token follows. */
  end(): string {
    if (this.stopped) return '';
    const before = this.#decode(this.#ids.slice(this.#context, this.#read));
    const rest = this.#decode(this.#ids.slice(this.#context)).slice(before.length);
    const released = this.#release(rest);
    const held = this.stopped ? '' : this.#held;
    this.#held = '';
    return released + held;
  }

  #release(text: string): string {
    this.#held += text;
    const found = this.#stops.map(stop => this.#held.indexOf(stop)).filter(at => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      return this.#held.slice(0, Math.min(...found));
    }
    const kept = Math.max(0, ...this.#stops.map(stop => beginning(this.#held, stop)));
    const out = this.#held.slice(0, this.#held.length - kept);
    this.#held = this.#held.slice(out.length);
    return out;
  }
}

/** The length of the longest end of `text` that `stop` begins with. */
function beginning(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
