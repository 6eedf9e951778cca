// The plain operators: each checks its operands and names the shape of its result.
import { type DataType, expression, type External, type Tensor, type TensorData } from './expression.ts';
import {
  at,
  broadcast,
  type Dimension,
  position,
  product,
  require,
  sameShape,
  type Shape,
  ShapeError,
  show,
  withLast,
} from './shape.ts';

// ---- leaves

/** A value given at run time. A named dimension takes its length from the first input that has it. */
export const input = (name: string, shape: Shape, dtype: DataType = 'f32'): Tensor =>
  expression('input', [], { shape, dtype, attributes: { name } });

/** A value written into the graph itself; the type follows from the kind of array. */
export function constant(data: TensorData, shape: readonly number[] = [data.length]): Tensor {
  require(product(shape) === data.length, `constant: ${data.length} values for shape ${show(shape)}`);
  return expression('constant', [], { shape, dtype: dataTypeOf(data), attributes: { data } });
}

export const scalar = (value: number): Tensor => constant(Float32Array.of(value), []);
export const integers = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  constant(BigInt64Array.from(values, BigInt), shape);

/** A weight whose bytes stay in another file. */
export function parameter(
  name: string,
  shape: readonly number[],
  { dtype = 'f32', data }: { dtype?: DataType; data: External },
): Tensor {
  const bytes = Number(product(shape)) * BYTES[dtype];
  require(bytes ===
    data.bytes, `parameter ${name}: shape ${show(shape)} of ${dtype} is ${bytes} bytes, not ${data.bytes}`);
  return expression('parameter', [], { shape, dtype, attributes: { name, data } });
}

// ---- elementwise, with broadcasting

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
export const max = binary('max');

/** The sum of all operands. ONNX Runtime leaves it as it is, whereas it turns `layerNorm(add(x, y))` into its
 *  SkipLayerNormalization, which takes six times as long on a CPU (1.30; [8, 128, 384]: 1.9 ms against 0.3 ms). */
export function addAll(first: Tensor, ...others: readonly Tensor[]): Tensor {
  const shape = others.reduce((sofar, { shape: next }) => broadcast('addAll', sofar, next), first.shape);
  for (const other of others) sameType('addAll', [first, other]);
  return expression('addAll', [first, ...others], { shape, dtype: first.dtype, attributes: {} });
}
export const equal = (a: Tensor, b: Tensor): Tensor =>
  expression('equal', sameType('equal', [a, b]), {
    shape: broadcast('equal', a.shape, b.shape),
    dtype: 'bool',
    attributes: {},
  });

export const relu = unary('relu');
export const tanh = unary('tanh');
/** x · sigmoid(x). */
export const silu = unary('silu');
/** x · Φ(x), or its approximation by tanh. */
export const gelu = (x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor =>
  expression('gelu', [x], { ...alike(x), attributes: { approximate } });
export const cast = (x: Tensor, dtype: DataType): Tensor =>
  x.dtype === dtype ? x : expression('cast', [x], { shape: x.shape, dtype, attributes: {} });

// ---- shape

/** The same elements in another shape; named dimensions must multiply to the same product. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  require(product(x.shape) === product(shape), `reshape: ${show(x.shape)} has not the elements of ${show(shape)}`);
  return expression('reshape', [x], { shape, dtype: x.dtype, attributes: {} });
}

export function expand(x: Tensor, shape: Shape): Tensor {
  const result = broadcast('expand', x.shape, shape);
  require(sameShape(result, shape), `expand: ${show(x.shape)} does not expand to ${show(shape)}`);
  return expression('expand', [x], { shape, dtype: x.dtype, attributes: {} });
}

export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  const complete = permutation.toSorted((a, b) => a - b).every((axis, i) => axis === i);
  require(complete &&
    permutation.length === x.shape.length, `transpose: ${show(permutation)} permutes not the axes of ${show(x.shape)}`);
  const shape = permutation.map(axis => at('transpose', x.shape, axis));
  return expression('transpose', [x], { shape, dtype: x.dtype, attributes: { permutation } });
}

/** The operands one behind the other along `axis`; their other dimensions are equal. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw new ShapeError('concat: nothing to join');
  const axisAt = position('concat', first.shape, axis);
  for (const part of parts) {
    const fits = sameShape(part.shape.with(axisAt, 0), first.shape.with(axisAt, 0)) && part.dtype === first.dtype;
    require(fits, `concat: ${part.dtype} ${show(part.shape)} behind ${first.dtype} ${show(first.shape)} along axis ${axis}`);
  }
  const lengths = parts.map(part => at('concat', part.shape, axisAt));
  const total = lengths.every(length => typeof length === 'number')
    ? lengths.reduce((a, b) => a + b, 0)
    : lengths.join('+');
  return expression('concat', parts, {
    shape: first.shape.with(axisAt, total),
    dtype: first.dtype,
    attributes: { axis: axisAt },
  });
}

/** `length` entries of one axis from `start`; a named length is read when the graph runs. */
export function slice(x: Tensor, axis: number, { start, length }: { start: number; length: Dimension }): Tensor {
  const axisAt = position('slice', x.shape, axis);
  const whole = at('slice', x.shape, axisAt);
  const fits = typeof whole !== 'number' || typeof length !== 'number' || start + length <= whole;
  require(fits, `slice: ${start} + ${length} is beyond axis ${axis} of ${show(x.shape)}`);
  return expression('slice', [x], {
    shape: x.shape.with(axisAt, length),
    dtype: x.dtype,
    attributes: { axis: axisAt, start },
  });
}

/** 0, 1, … length − 1 as i64. */
export const range = (length: Dimension): Tensor =>
  expression('range', [], { shape: [length], dtype: 'i64', attributes: {} });

// ---- reductions and selection

export function sum(x: Tensor, axes: readonly number[], keep = false): Tensor {
  const positions = axes.map(axis => position('sum', x.shape, axis));
  const shape = x.shape.flatMap((d, i) => (positions.includes(i) ? (keep ? [1] : []) : [d]));
  return expression('sum', [x], { shape, dtype: x.dtype, attributes: { axes: positions, keep } });
}

export const softmax = (x: Tensor, axis = -1): Tensor =>
  expression('softmax', [x], { ...alike(x), attributes: { axis: position('softmax', x.shape, axis) } });

/** The k greatest of the last axis, descending, and where they are (i64); of equals the first comes first. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const last = at('topK', x.shape, -1);
  require(typeof last !== 'number' || k <= last, `topK: ${k} of the last axis of ${show(x.shape)}`);
  const shape = withLast(x.shape, k);
  const both = expression('topK', [x], { shape, dtype: x.dtype, attributes: { k } });
  return { values: output(both, 0, { shape, dtype: x.dtype }), indices: output(both, 1, { shape, dtype: 'i64' }) };
}

/** Where `x` is not zero: [rank, found] i64 in row-major order; `found` names the length, which only the run knows. */
export const nonZero = (x: Tensor, found: string): Tensor =>
  expression('nonZero', [x], { shape: [x.shape.length, found], dtype: 'i64', attributes: {} });

/** Entries of one axis of `table` by index: that axis is replaced by the shape of `indices`. */
export function gather(table: Tensor, indices: Tensor, axis = 0): Tensor {
  const axisAt = position('gather', table.shape, axis);
  require(indices.dtype === 'i64' || indices.dtype === 'i32', `gather: indices are integers, not ${indices.dtype}`);
  const shape = [...table.shape.slice(0, axisAt), ...indices.shape, ...table.shape.slice(axisAt + 1)];
  return expression('gather', [table, indices], { shape, dtype: table.dtype, attributes: { axis: axisAt } });
}

/** `base` with `rows` added at the row numbers `indices` ([n] i64); what lands on the same row adds up. */
export function scatterAdd(base: Tensor, indices: Tensor, rows: Tensor): Tensor {
  const expected = [...indices.shape, ...base.shape.slice(1)];
  require(indices.shape.length === 1 &&
    sameShape(
      rows.shape,
      expected,
    ), `scatterAdd: rows ${show(rows.shape)} at ${show(indices.shape)} into ${show(base.shape)}; rows must be ${show(expected)}`);
  sameType('scatterAdd', [base, rows]);
  return expression('scatterAdd', [base, indices, rows], { ...alike(base), attributes: {} });
}

// ---- products

export interface MatmulOptions {
  transA?: boolean;
  transB?: boolean;
  alpha?: number;
}

/** alpha · A B over the last two axes, either transposed; the axes before them broadcast. */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transA = false, transB = false, alpha = 1 }: MatmulOptions = {},
): Tensor {
  sameType('matmul', [a, b]);
  const [rows, inner] = transA ? [-1, -2] : [-2, -1];
  const [inner2, columns] = transB ? [-1, -2] : [-2, -1];
  const [k, k2] = [at('matmul', a.shape, inner), at('matmul', b.shape, inner2)];
  const how = `${transA ? 'transposed ' : ''}${show(a.shape)} and ${transB ? 'transposed ' : ''}${show(b.shape)}`;
  require(k === k2, `matmul: ${how} do not fit (${k} against ${k2})`);
  const lead = broadcast('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...lead, at('matmul', a.shape, rows), at('matmul', b.shape, columns)];
  return expression('matmul', [a, b], { shape, dtype: a.dtype, attributes: { transA, transB, alpha } });
}

// ---- helpers

export const BYTES: Readonly<Record<DataType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  u8: 1,
  i8: 1,
  bool: 1,
};

const alike = (x: Tensor): { shape: Shape; dtype: DataType } => ({ shape: x.shape, dtype: x.dtype });

function dataTypeOf(data: TensorData): DataType {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof BigInt64Array) return 'i64';
  if (data instanceof Int32Array) return 'i32';
  return data instanceof Int8Array ? 'i8' : 'u8';
}

function sameType(operator: string, [a, b]: readonly [Tensor, Tensor]): readonly Tensor[] {
  require(a.dtype === b.dtype, `${operator}: ${a.dtype} ${show(a.shape)} with ${b.dtype} ${show(b.shape)}`);
  return [a, b];
}

function binary(op: 'add' | 'sub' | 'mul' | 'div' | 'max') {
  return (a: Tensor, b: Tensor | number): Tensor => {
    const other = typeof b === 'number' ? scalar(b) : b;
    const of = sameType(op, [a, other]);
    return expression(op, of, { shape: broadcast(op, a.shape, other.shape), dtype: a.dtype, attributes: {} });
  };
}

function unary(op: 'relu' | 'tanh' | 'silu') {
  return (x: Tensor): Tensor => expression(op, [x], { ...alike(x), attributes: {} });
}

const output = (of: Tensor, index: number, { shape, dtype }: { shape: Shape; dtype: DataType }): Tensor =>
  expression('output', [of], { shape, dtype, attributes: { index } });
