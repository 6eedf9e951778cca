/** Text on its way through a tokenizer: UTF-16 units, each with the range of the original text that it came from. */

export class Aligned {
  units: Uint16Array;
  starts: Int32Array;
  ends: Int32Array;
  length = 0;

  constructor(capacity: number) {
    this.units = new Uint16Array(capacity);
    this.starts = new Int32Array(capacity);
    this.ends = new Int32Array(capacity);
  }

  push(unit: number, start: number, end: number): void {
    if (this.length === this.units.length) this.grow();
    this.units[this.length] = unit;
    this.starts[this.length] = start;
    this.ends[this.length++] = end;
  }

  /** Every unit of `text` with the same range. */
  pushAll(text: string, start: number, end: number): void {
    for (let i = 0; i < text.length; i++) this.push(text.charCodeAt(i), start, end);
  }

  /** `text[from, to)` as it is; both halves of a surrogate pair have the pair's range. */
  copy(text: string, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const unit = text.charCodeAt(i);
      if ((unit & 0xfc00) === 0xd800) {
        this.push(unit, i, i + 2);
        this.push(text.charCodeAt(++i), i - 1, i + 1);
      } else this.push(unit, i, i + 1);
    }
  }

  /** The code point at `index`; the text is well formed. */
  codePoint(index: number): number {
    const unit = this.units[index] ?? 0;
    if ((unit & 0xfc00) !== 0xd800) return unit;
    return 0x10000 + ((unit & 0x3ff) << 10) + ((this.units[index + 1] ?? 0) & 0x3ff);
  }

  toString(): string {
    return Buffer.from(this.units.buffer, this.units.byteOffset, 2 * this.length).toString('utf16le');
  }

  private grow(): void {
    const larger = new Aligned(2 * this.units.length);
    larger.units.set(this.units);
    larger.starts.set(this.starts);
    larger.ends.set(this.ends);
    this.units = larger.units;
    this.starts = larger.starts;
    this.ends = larger.ends;
  }
}
