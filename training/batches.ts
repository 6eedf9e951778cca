// Batches of encoded rows in an order that follows from (seed, epoch) alone.
//
// The file is a sequence of blocks. What fits into memory at once is a group of blocks: an epoch shuffles the blocks, takes them a group
// at a time, and shuffles the rows of each group. A file that fits whole is one group, read once and shuffled whole.
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { randomNumbers, shuffle } from './random.ts';

export interface BatchesOptions {
  /** f32 rows of `width` values and the label. */
  path: string;
  rows: number;
  width: number;
  batch: number;
  seed: number;
  memoryBytes: number;
}

/** Rows that are in memory, and their order; the first of them has this place in the epoch. */
interface Group {
  epoch: number;
  first: number;
  rows: Uint32Array;
  data: Float32Array;
}

const blocksOfGroup = 16;
/** From so many steps an epoch on, the rows that fill no batch are left to the next epoch. */
const leastSteps = 10;

/** How many steps an epoch has, and of how many rows: in short epochs the last batch is filled up with the epoch's first rows, so that
 *  all rows take part and a batch is as large as it was asked for. */
export function stepsOf(rows: number, batch: number): { steps: number; batch: number } {
  if (rows >= leastSteps * batch) return { steps: Math.floor(rows / batch), batch };
  return { steps: Math.ceil(rows / batch), batch: Math.min(batch, rows) };
}

export class Batches {
  readonly #options: BatchesOptions;
  readonly #file: FileHandle;
  readonly #blockRows: number;
  readonly #blocks: number;
  /** The blocks of the epoch in their order, and the group that is in memory. */
  #epoch = -1;
  #order: number[] = [];
  #group: Group | null = null;

  private constructor(options: BatchesOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
    const bytes = 4 * (options.width + 1);
    const whole = options.rows * bytes <= options.memoryBytes;
    this.#blockRows = whole ? options.rows : Math.max(1, Math.floor(options.memoryBytes / blocksOfGroup / bytes));
    this.#blocks = Math.ceil(options.rows / this.#blockRows);
  }

  static async open(options: BatchesOptions): Promise<Batches> {
    return new Batches(options, await open(options.path));
  }

  /** `count` steps of an epoch from `step` on: `xs` [count, batch, width], `ys` [count, batch]. */
  async read(epoch: number, step: number, count: number): Promise<{ xs: Float32Array; ys: Float32Array }> {
    const { width, batch, rows } = this.#options;
    const [xs, ys] = [new Float32Array(count * batch * width), new Float32Array(count * batch)];
    for (let i = 0; i < count * batch; i++) {
      const place = (step * batch + i) % rows;
      const found = this.#groupOf(epoch, place);
      const group = found instanceof Promise ? await found : found;
      const start = (group.rows[place - group.first] ?? 0) * (width + 1);
      xs.set(group.data.subarray(start, start + width), i * width);
      ys[i] = group.data[start + width] ?? NaN;
    }
    return { xs, ys };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #groupOf(epoch: number, place: number): Group | Promise<Group> {
    const group = this.#group;
    if (group?.epoch === epoch && place >= group.first && place < group.first + group.rows.length) return group;
    return this.#load(epoch, place);
  }

  async #load(epoch: number, place: number): Promise<Group> {
    const { rows, seed } = this.#options;
    if (this.#epoch !== epoch) {
      this.#order = shuffle(
        Array.from({ length: this.#blocks }, (_, block) => block),
        randomNumbers(seed, epoch, 0),
      );
      this.#epoch = epoch;
    }
    const sizeOf = (block: number) => Math.min(this.#blockRows, rows - block * this.#blockRows);
    let first = 0;
    for (let index = 0; index * blocksOfGroup < this.#blocks; index++) {
      const blocks = this.#order.slice(index * blocksOfGroup, (index + 1) * blocksOfGroup);
      const size = blocks.reduce((sum, block) => sum + sizeOf(block), 0);
      if (place < first + size) {
        const data = this.#blocks === 1 && this.#group ? this.#group.data : await this.#readBlocks(blocks, sizeOf);
        const order = Uint32Array.from({ length: size }, (_, row) => row);
        shuffle(order, randomNumbers(seed, epoch, index + 1));
        return (this.#group = { epoch, first, rows: order, data });
      }
      first += size;
    }
    throw new Error(`an epoch has no row ${place}`);
  }

  async #readBlocks(blocks: number[], sizeOf: (block: number) => number): Promise<Float32Array> {
    const stride = this.#options.width + 1;
    // The group before is let go first: memory holds one.
    this.#group = null;
    const data = new Float32Array(blocks.reduce((sum, block) => sum + sizeOf(block), 0) * stride);
    let at = 0;
    for (const block of blocks) {
      const values = data.subarray(at, at + sizeOf(block) * stride);
      await readWhole(this.#file, values, block * this.#blockRows * stride * 4);
      at += values.length;
    }
    return data;
  }
}

/** Fills an array with the file's bytes from a position on. */
export async function readWhole(file: FileHandle, into: Float32Array | Float64Array, position: number): Promise<void> {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw new Error('the file of encoded rows is shorter than it was');
    done += bytesRead;
  }
}
