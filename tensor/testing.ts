// What the tests share: runs expressions in ONNX Runtime, and the plain arithmetic that they are compared with.
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import type { Tensor } from './expression.ts';
import { toOnnx } from './onnx/emit.ts';

/** Numbers in a shape, row-major. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const values = (shape: readonly number[], data: readonly number[]): Values => ({ shape, data });

/** Numbers between −1 and 1 that look random and are the same at every run. */
export function noise(...shape: readonly number[]): Values {
  const length = shape.reduce((a, b) => a * b, 1);
  return values(
    shape,
    Array.from({ length }, (_, i) => Math.fround((Math.sin(i * 12.9898 + length) * 43758.5453) % 1)),
  );
}

export type Feeds = Readonly<Record<string, Values>>;
type Types = Readonly<Record<string, 'int64' | 'int32'>>;

/** What the graph of `output` computes from `feeds`. Feeds are f32 unless named in `types`. */
export async function evaluate(output: Tensor, feeds: Feeds = {}, types: Types = {}): Promise<Values> {
  const { run, release } = await prepare({ output }, types);
  const { output: result } = await run(feeds);
  await release();
  if (!result) throw new Error('the graph gave nothing');
  return result;
}

/** A graph that is run several times. */
export async function prepare(
  outputs: Readonly<Record<string, Tensor>>,
  types: Types = {},
): Promise<{ run: (feeds: Feeds) => Promise<Record<string, Values>>; release: () => Promise<void> }> {
  const session = await InferenceSession.create(toOnnx(outputs));
  const feed = (name: string, { shape, data }: Values): OrtTensor => {
    if (types[name] === 'int64') return new OrtTensor('int64', BigInt64Array.from(data, BigInt), shape);
    if (types[name] === 'int32') return new OrtTensor('int32', Int32Array.from(data), shape);
    return new OrtTensor('float32', Float32Array.from(data), shape);
  };
  const run = async (feeds: Feeds) => {
    const used = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
    const inputs = Object.fromEntries(used.map(([name, given]) => [name, feed(name, given)]));
    const results = Object.entries(await session.run(inputs));
    return Object.fromEntries(
      results.map(([name, { dims, data }]) => {
        const known = outputs[name]?.shape.map((d, i) => (typeof d === 'number' ? d : dims[i]));
        expect(dims, 'the shape that the expression promised').toEqual(known);
        return [name, values(dims, Array.from<unknown, number>(data as ArrayLike<unknown>, Number))];
      }),
    );
  };
  return { run, release: () => session.release() };
}

export function expectClose(actual: Values, expected: Values, tolerance = 1e-5): void {
  expect(actual.shape).toEqual(expected.shape);
  const far = actual.data.findIndex((x, i) => !(Math.abs(x - (expected.data[i] ?? NaN)) <= tolerance));
  if (far >= 0) expect.fail(`element ${far} is ${actual.data[far]}, not ${expected.data[far]}`);
}

/** The numbers of the row-major index `flat` in `shape`. */
export function indexOf(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const d of shape.toReversed()) {
    index.unshift(rest % d);
    rest = Math.floor(rest / d);
  }
  return index;
}

/** The element at `index`, whose axes broadcast and may be more than the values have. */
export function pick({ shape, data }: Values, index: readonly number[]): number {
  const own = index.slice(index.length - shape.length);
  const flat = shape.reduce((at, d, i) => at * d + (d === 1 ? 0 : (own[i] ?? 0)), 0);
  return data[flat] ?? NaN;
}

/** A value for each index of `shape`. */
export function build(shape: readonly number[], of: (index: number[]) => number): Values {
  const length = shape.reduce((a, b) => a * b, 1);
  return values(
    shape,
    Array.from({ length }, (_, i) => of(indexOf(i, shape))),
  );
}

export const last = (shape: readonly number[]): number => shape.at(-1) ?? 0;

/** alpha · A B over the last two axes of matrices with the same leading axes. */
export function product(a: Values, b: Values, alpha = 1): Values {
  const shape = [...a.shape.slice(0, -1), last(b.shape)];
  return build(shape, index => {
    const [lead, row, column] = [index.slice(0, -2), index.at(-2) ?? 0, index.at(-1) ?? 0];
    let sum = 0;
    for (let k = 0; k < last(a.shape); k++) sum += pick(a, [...lead, row, k]) * pick(b, [...lead, k, column]);
    return alpha * sum;
  });
}

/** The values with their last two axes exchanged. */
export const swapped = (a: Values): Values =>
  build([...a.shape.slice(0, -2), last(a.shape), a.shape.at(-2) ?? 0], index =>
    pick(a, [...index.slice(0, -2), index.at(-1) ?? 0, index.at(-2) ?? 0]),
  );

export const map = (a: Values, f: (x: number) => number): Values => values(a.shape, a.data.map(f));

/** x Φ(x); the error function by its series, exact to f32 for |x| < 4. */
export function gelu(x: number): number {
  const z = x / Math.SQRT2;
  let term = z;
  let sum = z;
  for (let n = 1; n < 80; n++) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return (x * (1 + (2 / Math.sqrt(Math.PI)) * sum)) / 2;
}

export const geluByTanh = (x: number): number =>
  (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2;

/** Softmax of the last axis. */
export function softmax(a: Values): Values {
  const size = last(a.shape);
  const data = a.data.map((_, i) => {
    const row = a.data.slice(Math.floor(i / size) * size, Math.floor(i / size) * size + size);
    const greatest = Math.max(...row);
    return Math.exp((a.data[i] ?? 0) - greatest) / row.reduce((sum, x) => sum + Math.exp(x - greatest), 0);
  });
  return values(a.shape, data);
}

/** (x − mean) / √(variance + epsilon) · scale + shift over the last axis. */
export function layerNorm(a: Values, scale: Values, shift: Values, epsilon: number): Values {
  const size = last(a.shape);
  const data = a.data.map((x, i) => {
    const row = a.data.slice(Math.floor(i / size) * size, Math.floor(i / size) * size + size);
    const mean = row.reduce((s, v) => s + v, 0) / size;
    const variance = row.reduce((s, v) => s + (v - mean) ** 2, 0) / size;
    return ((x - mean) / Math.sqrt(variance + epsilon)) * (scale.data[i % size] ?? 0) + (shift.data[i % size] ?? 0);
  });
  return values(a.shape, data);
}
