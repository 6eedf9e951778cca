// What the algorithms have in common: an encoded row taken apart, and layers.
import {
  add,
  cast,
  concat,
  constant,
  type Draw,
  equal,
  filled,
  gather,
  integers,
  matmul,
  mul,
  normal,
  reshape,
  type Setting,
  type Shape,
  slice,
  sub,
  type Tensor,
  type Tree,
  uniform,
} from '@vectorium/tensor';
import type { Layout } from './encoding.ts';

/** One algorithm: its weights before the first step, what it computes, and how it is trained. */
export interface Architecture<Weights extends Tree> {
  /** Networks in one, whose results are averaged. */
  members: number;
  start(next: NextDraw): Weights;
  /** Encoded rows [rows, width] → [rows, members, outputs]. */
  forward(x: Tensor, weights: Weights, training?: Training): Tensor;
  optimiser: Optimiser;
}

/** Each call draws from another stream of random numbers. */
export type NextDraw = () => Draw;

export interface Training {
  next: NextDraw;
  /** Share of the run's steps that are done, f32 []. */
  progress: Tensor;
}

export interface Optimiser {
  betas: readonly [number, number];
  /** Factor of the learning rate. */
  schedule(progress: Tensor): Tensor;
  weightDecay(progress: Tensor): Setting;
  /** Of the gradients' norm. */
  clip?: number;
  decays?: (path: string) => boolean;
  rates?: (path: string) => number;
  /** Share of a label that is spread over all classes. */
  labelSmoothing: number;
}

export interface Sizes {
  layout: Layout;
  outputs: number;
}

/** A number of the plan's settings. */
export function numberOf(settings: Readonly<Record<string, number | boolean | string>>, name: string): number {
  const value = settings[name];
  if (typeof value !== 'number') throw new Error(`the plan has no number ${name} in its settings`);
  return value;
}

// ---- an encoded row

/** Categories with up to this many codes become ones and zeros, others a vector each. */
const LARGEST_ONE_HOT = 9;
const EMBEDDING = 8;

const hotSizes = ({ categories }: Layout): { column: number; size: number }[] =>
  categories.flatMap((size, column) => (size <= LARGEST_ONE_HOT ? [{ column, size }] : []));
const embeddedSizes = ({ categories }: Layout): { column: number; size: number }[] =>
  categories.flatMap((size, column) => (size > LARGEST_ONE_HOT ? [{ column, size: size + 1 }] : []));

/** Columns of `flat`. */
export const flatWidth = (layout: Layout): number =>
  layout.numeric +
  layout.other +
  hotSizes(layout).reduce((sum, { size }) => sum + size, 0) +
  EMBEDDING * embeddedSizes(layout).length;

/** The vectors of all category columns with many values, one below the other, or nothing. What training doesn't see stays 0. */
export function embeddingStart(layout: Layout, next: NextDraw): Tensor[] {
  const columns = embeddedSizes(layout);
  if (columns.length === 0) return [];
  const rows = columns.reduce((sum, { size }) => sum + size, 0);
  const seen = new Float32Array(rows).fill(1);
  let end = 0;
  for (const { size } of columns) seen[(end += size) - 1] = 0;
  return [mul(normal(next(), [rows, EMBEDDING]), constant(seen, [rows, 1]))];
}

export const numericOf = (x: Tensor, { numeric }: Layout): Tensor => slice(x, 1, { start: 0, length: numeric });

/** Everything but the numbers and dates: parts of [rows, n] to be put beside one another. */
export function othersOf(x: Tensor, layout: Layout, embedding: readonly Tensor[]): Tensor[] {
  const { numeric, other, categories } = layout;
  const others = other > 0 ? [slice(x, 1, { start: numeric, length: other })] : [];
  if (categories.length === 0) return others;
  const codes = slice(x, 1, { start: numeric + other, length: categories.length });
  return [...others, ...hot(codes, layout), ...embedding.map(table => embedded(codes, layout, table))];
}

export const beside = (parts: readonly Tensor[]): Tensor => {
  const [first] = parts;
  return first && parts.length === 1 ? first : concat(parts, 1);
};

/** A code without a meaning gives zeros alone. */
function hot(codes: Tensor, layout: Layout): Tensor[] {
  const places = hotSizes(layout).flatMap(({ column, size }) =>
    Array.from({ length: size }, (_, code) => ({ column, code })),
  );
  if (places.length === 0) return [];
  const spread = gather(codes, integers(places.map(({ column }) => column)), 1);
  return [
    cast(
      equal(
        spread,
        constant(
          Float32Array.from(places, ({ code }) => code),
          [1, places.length],
        ),
      ),
      'f32',
    ),
  ];
}

function embedded(codes: Tensor, layout: Layout, table: Tensor): Tensor {
  const columns = embeddedSizes(layout);
  const starts = columns.map((_, i) => columns.slice(0, i).reduce((sum, { size }) => sum + size, 0));
  const own = cast(gather(codes, integers(columns.map(({ column }) => column)), 1), 'i64');
  const rows = gather(table, add(own, integers(starts, [1, starts.length])));
  return reshape(rows, [codes.shape[0] ?? 0, columns.length * EMBEDDING]);
}

// ---- layers

export type Linear = { weight: Tensor; bias: Tensor };

/** x W + b, [rows, in] → [rows, out]. */
export const linear = (x: Tensor, { weight, bias }: Linear): Tensor => add(matmul(x, weight), bias);

/** Evenly between ±1/√in, as PyTorch's Linear. */
export function linearStart(next: NextDraw, inner: number, outer: number): Linear {
  const bound = 1 / Math.sqrt(inner);
  return { weight: evenly(next(), [inner, outer], bound), bias: evenly(next(), [outer], bound) };
}

export const evenly = (draw: Draw, shape: readonly number[], bound: number): Tensor =>
  mul(sub(uniform(draw, shape), 0.5), 2 * bound);

export const ones = (shape: Shape): Tensor => filled(shape, 1);
export const none = (shape: readonly number[]): Tensor => filled(shape, 0);
