// Gives an architecture its weights as parameters of a graph, and notes which it took.
import { createHash } from 'node:crypto';
import { type BlockQuantized, parameter, type Tensor } from '@vectorium/tensor';
import type { StoredTensor } from './safetensors.ts';

/** A tensor that must become f32 in the side file before the graph can run. */
export interface Conversion {
  readonly from: StoredTensor;
  readonly offset: number;
}

/** Rows of a stored matrix, from `start`. */
export interface Rows {
  readonly start: number;
  readonly count: number;
}

/** The weights of one model under `prefix`. f32 values are used where they lie; others get a place in a side file. */
export class Parameters {
  readonly prefix: string;
  readonly #stored: ReadonlyMap<string, StoredTensor>;
  readonly #taken = new Map<string, Tensor>();
  readonly #used = new Map<string, number>();
  readonly #conversions = new Map<string, Conversion>();
  readonly #sideFile: string;
  #sideBytes = 0;

  /** `version` tells the content of the weights apart from what lay there before, for the name of the side file. */
  constructor(stored: ReadonlyMap<string, StoredTensor>, { prefix, version }: { prefix: string; version: string }) {
    this.#stored = stored;
    this.prefix = prefix;
    const layout = [...stored.values()].map(tensor => Object.values(tensor).join()).join('\n');
    const hash = createHash('sha256').update(version).update(layout).digest('hex').slice(0, 16);
    this.#sideFile = `weights-f32-${hash}.bin`;
  }

  has(name: string): boolean {
    return this.#stored.has(this.prefix + name);
  }

  /** The tensor, which must have just this shape. */
  tensor(name: string, shape: readonly number[]): Tensor {
    return this.#take(name, { expected: shape, shape });
  }

  /** Some rows of a tensor of the shape [rows, …]: as if they were stored alone. */
  rows(name: string, shape: readonly number[], { start, count }: Rows): Tensor {
    return this.#take(name, { expected: shape, shape: [count, ...shape.slice(1)], start });
  }

  /** One row of a matrix as a vector. */
  row(name: string, [rows, columns]: readonly [number, number], row: number): Tensor {
    return this.#take(name, { expected: [rows, columns], shape: [columns], start: row });
  }

  isQuantized(name: string): boolean {
    return this.has(`${name}.q4`);
  }

  /** A 4-bit matrix [rows, columns] for products, or with `flat` for lookups. */
  quantized(name: string, [rows, columns]: readonly [number, number], flat = false): BlockQuantized {
    const blocks = columns / Q4_BLOCK;
    const expected = [rows, blocks, Q4_BLOCK / 2];
    const values = this.#take(`${name}.q4`, { expected, shape: flat ? [rows, columns / 2] : expected });
    return { values, scales: this.tensor(`${name}.q4_scale`, [rows, blocks]), bits: 4, blockSize: Q4_BLOCK };
  }

  /** Stored names that no one took. */
  unused(): string[] {
    return [...this.#stored.keys()].filter(name => !this.#used.has(name));
  }

  /** What must be in the side file, and its name; null if all is used in place. */
  get sideFile(): { name: string; bytes: number; conversions: readonly Conversion[] } | null {
    if (this.#conversions.size === 0) return null;
    return { name: this.#sideFile, bytes: this.#sideBytes, conversions: [...this.#conversions.values()] };
  }

  /** Bytes of all values that the graph reads. */
  get bytes(): number {
    return [...this.#used.values()].reduce((total, bytes) => total + bytes, 0);
  }

  #take(name: string, want: { expected: readonly number[]; shape: readonly number[]; start?: number }): Tensor {
    const stored = this.#stored.get(this.prefix + name);
    if (!stored) throw new Error(`the weights have no tensor ${this.prefix}${name}`);
    if (stored.shape.join() !== want.expected.join())
      throw new Error(
        `tensor ${stored.name} is [${stored.shape.join(', ')}], the configuration wants [${want.expected.join(', ')}]`,
      );
    const label = [
      stored.name,
      ...(want.shape.join() === want.expected.join() ? [] : [want.start ?? 0, want.shape.join('x')]),
    ].join(':');
    const known = this.#taken.get(label);
    if (known) return known;
    const place = this.#place(stored);
    this.#used.set(
      stored.name,
      stored.shape.reduce((a, b) => a * b, place.size),
    );
    const bytes = want.shape.reduce((a, b) => a * b, place.size);
    const rowBytes = want.expected.slice(1).reduce((a, b) => a * b, place.size);
    const offset = place.offset + (want.start ?? 0) * rowBytes;
    const dtype = place.size === 1 ? 'u8' : 'f32';
    const tensor = parameter(label, want.shape, { dtype, data: { file: place.file, offset, bytes } });
    this.#taken.set(label, tensor);
    return tensor;
  }

  /** Where the graph reads the values: in the weights themselves, or in the side file if they are 16 bits wide. */
  #place(stored: StoredTensor): { file: string; offset: number; size: number } {
    if (stored.type === 'U8') return { ...stored, size: 1 };
    if (stored.type === 'F32') return { ...stored, size: 4 };
    if (!CONVERTIBLE.has(stored.type)) throw new Error(`tensor ${stored.name} has the type ${stored.type}`);
    let conversion = this.#conversions.get(stored.name);
    if (!conversion) {
      conversion = { from: stored, offset: this.#sideBytes };
      this.#conversions.set(stored.name, conversion);
      const bytes = 4 * stored.shape.reduce((a, b) => a * b, 1);
      this.#sideBytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    }
    return { file: this.#sideFile, offset: conversion.offset, size: 4 };
  }
}

const Q4_BLOCK = 32;
const ALIGNMENT = 64;
const CONVERTIBLE = new Set(['F16', 'BF16']);
