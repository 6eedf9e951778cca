// Samples as numbers alone, outside the heap of JavaScript, which has no room for an object and three arrays of each of millions.
import type { Sample } from './packing.ts';

/** A sample lies whole in one block; the longest that a setting allows has 2^15 tokens. */
const blockTokens = 2 ** 20;

/** Bytes, about; what lies in arrays that double is counted twice. */
export const sampleListBytes = ({ samples, tokens }: { samples: number; tokens: number }): number =>
  5 * tokens + 2 * 16 * samples;

export class SampleList {
  length = 0;
  /** Of all samples. */
  tokens = 0;
  readonly #blocks: Sample[] = [];
  /** Tokens of the last block that are taken. */
  #taken = blockTokens;
  /** The place of a sample's first token, counted through all blocks. */
  #starts = new Float64Array(256);
  #lengths = new Uint32Array(256);
  #rows = new Uint32Array(256);

  /** `row`: where the sample is from. Those of one row come one behind the other. */
  push({ ids, learnt }: Sample, row: number): void {
    if (this.#taken + ids.length > blockTokens) {
      this.#blocks.push({ ids: new Int32Array(blockTokens), learnt: new Uint8Array(blockTokens) });
      this.#taken = 0;
    }
    if (this.length === this.#rows.length) this.#double();
    const last = this.#blocks.length - 1;
    this.#blocks[last]?.ids.set(ids, this.#taken);
    this.#blocks[last]?.learnt.set(learnt, this.#taken);
    this.#starts[this.length] = last * blockTokens + this.#taken;
    this.#lengths[this.length] = ids.length;
    this.#rows[this.length++] = row;
    this.#taken += ids.length;
    this.tokens += ids.length;
  }

  /** A view of the sample. */
  at(index: number): Sample {
    const start = this.#starts[index] ?? 0;
    const block = this.#blocks[Math.floor(start / blockTokens)];
    if (!block || index >= this.length) throw new Error(`there is no sample ${index}`);
    const from = start % blockTokens;
    const to = from + (this.#lengths[index] ?? 0);
    return { ids: block.ids.subarray(from, to), learnt: block.learnt.subarray(from, to) };
  }

  /** Of some samples, all and those that are learnt. Nothing comes before the first token of a sample, so it is not. */
  tokensOf(indices: Uint32Array): { all: number; learnt: number } {
    const tokens = { all: 0, learnt: 0 };
    for (const index of indices) {
      const { learnt } = this.at(index);
      tokens.all += learnt.length;
      for (const each of learnt.subarray(1)) tokens.learnt += each;
    }
    return tokens;
  }

  /** Of each sample, where it is from. */
  get rows(): Uint32Array {
    return this.#rows.subarray(0, this.length);
  }

  #double(): void {
    const [starts, lengths, rows] = [this.#starts, this.#lengths, this.#rows];
    this.#starts = new Float64Array(2 * starts.length);
    this.#lengths = new Uint32Array(2 * lengths.length);
    this.#rows = new Uint32Array(2 * rows.length);
    this.#starts.set(starts);
    this.#lengths.set(lengths);
    this.#rows.set(rows);
  }
}
