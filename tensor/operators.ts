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

export const scalar = (value: number, dtype: DataType = 'f32'): Tensor => {
  if (dtype === 'f64') return constant(Float64Array.of(value), []);
  if (dtype === 'i64') return constant(BigInt64Array.of(BigInt(value)), []);
  if (dtype === 'u64') return constant(BigUint64Array.of(BigInt(value)), []);
  if (dtype === 'u32') return constant(Uint32Array.of(value), []);
  if (dtype === 'u8') return constant(Uint8Array.of(value), []);
  return cast(constant(Float32Array.of(value), []), dtype);
};
/** `value` everywhere. */
export const filled = (shape: Shape, value: number): Tensor => expand(scalar(value), shape);
export const integers = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  constant(BigInt64Array.from(values, BigInt), shape);

/** Texts written into the graph. */
export function strings(data: readonly string[], shape: readonly number[] = [data.length]): Tensor {
  require(product(shape) === data.length, `strings: ${data.length} texts for shape ${show(shape)}`);
  return expression('strings', [], { shape, dtype: 'string', attributes: { data } });
}

/** A weight whose bytes stay in another file. */
export function parameter(
  name: string,
  shape: readonly number[],
  { dtype = 'f32', data }: { dtype?: Exclude<DataType, 'string'>; data: External },
): Tensor {
  const bytes = Number(product(shape)) * BYTES[dtype];
  require(bytes ===
    data.bytes, `parameter ${name}: shape ${show(shape)} of ${dtype} is ${bytes} bytes, not ${data.bytes}`);
  return expression('parameter', [], { shape, dtype, attributes: { name, data } });
}

/** The number of elements of `shape` as f32 [], also when only the run knows it. */
export function count(shape: Shape): Tensor | number {
  const dimension = product(shape);
  if (typeof dimension === 'number') return dimension;
  return cast(expression('length', [], { shape: [], dtype: 'i64', attributes: { dimension } }), 'f32');
}

// ---- elementwise, with broadcasting

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
export const max = binary('max');
export const min = binary('min');
/** x to the power of an exponent; a base below zero takes whole exponents only. */
export const pow = binary('pow');

/** The sum of all operands. ONNX Runtime leaves it as it is, whereas it turns `layerNorm(add(x, y))` into its
 *  SkipLayerNormalization, which takes six times as long on a CPU (1.30; [8, 128, 384]: 1.9 ms against 0.3 ms). */
export function addAll(first: Tensor, ...others: readonly Tensor[]): Tensor {
  const shape = others.reduce((sofar, { shape: next }) => broadcast('addAll', sofar, next), first.shape);
  for (const other of others) sameType('addAll', [first, other]);
  return expression('addAll', [first, ...others], { shape, dtype: first.dtype, attributes: {} });
}
export const equal = comparison('equal');
export const greater = comparison('greater');
/** `yes` where the condition (bool) holds, `no` elsewhere. */
export function where(condition: Tensor, yes: Tensor | number, no: Tensor | number): Tensor {
  const [a, b] = tensors(yes, no);
  require(condition.dtype === 'bool', `where: a condition is bool, not ${condition.dtype} ${show(condition.shape)}`);
  const shape = broadcast('where', condition.shape, broadcast('where', a.shape, b.shape));
  return expression('where', [condition, ...sameType('where', [a, b])], { shape, dtype: a.dtype, attributes: {} });
}

export const neg = unary('neg');
export const abs = unary('abs');
/** −1, 0 or 1. */
export const sign = unary('sign');
export const exp = unary('exp');
/** The natural logarithm. */
export const log = unary('log');
export const sqrt = unary('sqrt');
export const sin = unary('sin');
export const cos = unary('cos');
/** 2/√π · ∫₀ˣ exp(−t²) dt. */
export const erf = unary('erf');
/** 1 / (1 + exp(−x)). */
export const sigmoid = unary('sigmoid');
/** log(1 + exp(x)). */
export const softplus = unary('softplus');
/** The greatest whole number that is not above x. */
export const floor = unary('floor');
export const isNaN = (x: Tensor): Tensor => expression('isNaN', [x], { shape: x.shape, dtype: 'bool', attributes: {} });
export const relu = unary('relu');
export const tanh = unary('tanh');
/** x · sigmoid(x). */
export const silu = unary('silu');
/** x · Φ(x), or its approximation by tanh. */
export const gelu = (x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor =>
  expression('gelu', [x], { ...alike(x), attributes: { approximate } });
/** Self-normalising: λ x above zero, λ α (exp(x) − 1) below (Klambauer et al. 2017). */
export const selu = (x: Tensor): Tensor => {
  const [lambda, alpha] = [1.0507009873554805, 1.6732632423543772];
  return add(mul(relu(x), lambda), mul(sub(exp(min(x, 0)), 1), lambda * alpha));
};
/** x · tanh(softplus(x)) (Misra 2019). */
export const mish = (x: Tensor): Tensor => mul(x, tanh(softplus(x)));
export const square = (x: Tensor): Tensor => mul(x, x);
/** x itself; gradients end here. */
export const stopGradient = unary('stopGradient');
export const cast = (x: Tensor, dtype: DataType): Tensor =>
  x.dtype === dtype ? x : expression('cast', [x], { shape: x.shape, dtype, attributes: {} });

// ---- whole numbers bit by bit

export const bitAnd = binary('bitAnd');
export const bitXor = binary('bitXor');
export const shiftLeft = (x: Tensor, bits: number): Tensor => shift(x, bits, 'LEFT');
export const shiftRight = (x: Tensor, bits: number): Tensor => shift(x, bits, 'RIGHT');

// ---- texts

/** For each text the value of its key, as i64; `otherwise` where it is none of them. */
export function codes(
  x: Tensor,
  {
    keys,
    values = keys.map((_, i) => i),
    otherwise,
  }: { keys: readonly string[]; values?: readonly number[]; otherwise: number },
): Tensor {
  text('codes', x);
  require(keys.length === values.length, `codes: ${keys.length} keys for ${values.length} values`);
  return expression('codes', [x], { shape: x.shape, dtype: 'i64', attributes: { keys, values, otherwise } });
}

/** Whether the whole text is of this pattern, in RE2's syntax. */
export function matches(x: Tensor, pattern: string): Tensor {
  text('matches', x);
  return expression('matches', [x], { shape: x.shape, dtype: 'bool', attributes: { pattern } });
}

/** The first `parts` of each text between delimiters, on a new last axis. At least one of the texts must have so many; ''
 *  stands where another has fewer. */
export function splitText(x: Tensor, delimiter: string, parts: number): Tensor {
  text('splitText', x);
  return expression('splitText', [x], { shape: [...x.shape, parts], dtype: 'string', attributes: { delimiter } });
}

/** Texts one behind the other, with broadcasting. */
export function join(x: Tensor | string, y: Tensor | string): Tensor {
  const [a, b] = [x, y].map(part => (typeof part === 'string' ? strings([part], []) : part)) as [Tensor, Tensor];
  text('join', a);
  text('join', b);
  return expression('join', [a, b], { shape: broadcast('join', a.shape, b.shape), dtype: 'string', attributes: {} });
}

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

/** Zeros as long as `length` along one axis, with `x` in them from `start`: what `slice` cuts out, put back. */
export function pad(x: Tensor, axis: number, { start, length }: { start: number; length: Dimension }): Tensor {
  const axisAt = position('pad', x.shape, axis);
  const own = at('pad', x.shape, axisAt);
  const fits = typeof own !== 'number' || typeof length !== 'number' || start + own <= length;
  require(fits, `pad: ${show(x.shape)} from ${start} is beyond ${length} along axis ${axis}`);
  const shape = x.shape.with(axisAt, length);
  return expression('pad', [x], { shape, dtype: x.dtype, attributes: { axis: axisAt, start } });
}

/** 0, 1, … length − 1 as i64. */
export const range = (length: Dimension): Tensor =>
  expression('range', [], { shape: [length], dtype: 'i64', attributes: {} });

// ---- reductions and selection

export const sum = reduction('sum');
/** The greatest along `axes`. */
export const reduceMax = reduction('reduceMax');
export function mean(x: Tensor, axes: readonly number[], keep = false): Tensor {
  const total = count(axes.map(axis => at('mean', x.shape, axis)));
  return typeof total === 'number' ? mul(sum(x, axes, keep), 1 / total) : div(sum(x, axes, keep), total);
}

/** The sum of the entries of one axis up to each one, or from each one when `reverse`. */
export const cumsum = (x: Tensor, axis: number, { reverse = false } = {}): Tensor =>
  expression('cumsum', [x], { ...alike(x), attributes: { axis: position('cumsum', x.shape, axis), reverse } });

export const softmax = (x: Tensor, axis = -1): Tensor =>
  expression('softmax', [x], { ...alike(x), attributes: { axis: position('softmax', x.shape, axis) } });

/** log(softmax(x)), exact also where the softmax is zero. */
export const logSoftmax = (x: Tensor, axis = -1): Tensor =>
  expression('logSoftmax', [x], { ...alike(x), attributes: { axis: position('logSoftmax', x.shape, axis) } });

/** 1 at the index and 0 elsewhere on a new last axis of `classes`, as f32. */
export function oneHot(indices: Tensor, classes: number): Tensor {
  require(indices.dtype === 'i64' || indices.dtype === 'i32', `oneHot: indices are integers, not ${indices.dtype}`);
  return expression('oneHot', [indices], { shape: [...indices.shape, classes], dtype: 'f32', attributes: {} });
}

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

/** `base` with `rows` added at the row numbers `indices` ([n] i64); what lands on the same row adds up. When all indices are
 *  `distinct`, which the caller must know, threads share the work; otherwise one does it all. */
export function scatterAdd(
  base: Tensor,
  indices: Tensor,
  rows: Tensor,
  { distinct = false }: { distinct?: boolean } = {},
): Tensor {
  const expected = [...indices.shape, ...base.shape.slice(1)];
  require(indices.shape.length === 1 &&
    sameShape(
      rows.shape,
      expected,
    ), `scatterAdd: rows ${show(rows.shape)} at ${show(indices.shape)} into ${show(base.shape)}; rows must be ${show(expected)}`);
  sameType('scatterAdd', [base, rows]);
  return expression('scatterAdd', [base, indices, rows], { ...alike(base), attributes: { distinct } });
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

/** A times matrices that lie token by token, b [tokens, heads, 1, size], as caches of keys and values do. With `transB`
 *  a [heads, times, rows, size] gives [heads, times, rows, tokens], without it a [heads, times, rows, tokens] gives
 *  [heads, times, rows, size]. Of a single row the product reads b where it lies, each time again; of more it packs b first. */
export function matmulByToken(a: Tensor, b: Tensor, { transB = false }: { transB?: boolean } = {}): Tensor {
  const [heads = 0, times = 0, rows = 0, inner] = a.shape;
  const [tokens = 0, headsOfB, single, size = 0] = b.shape;
  const [shared, result] = transB ? [size, tokens] : [tokens, size];
  require(a.shape.length === 4 &&
    b.shape.length === 4 &&
    single === 1 &&
    heads === headsOfB &&
    inner === shared, `matmulByToken: ${show(a.shape)} and ${transB ? 'transposed ' : ''}${show(b.shape)} do not fit`);
  return expression('matmulByToken', sameType('matmulByToken', [a, b]), {
    shape: [heads, times, rows, result],
    dtype: a.dtype,
    attributes: { transB },
  });
}

/** x in parts of these lengths along an axis, all by one operator: whoever has one of them knows that all are there. */
export function split(x: Tensor, axis: number, sizes: readonly Dimension[]): Tensor[] {
  const place = position('split', x.shape, axis);
  const whole = at('split', x.shape, place);
  const numbers = sizes.every(size => typeof size === 'number') && typeof whole === 'number';
  require(!numbers ||
    sizes.reduce<number>((a, b) => a + Number(b), 0) === whole, `split: ${show(sizes)} do not add up to ${whole}`);
  const { shape, dtype } = x;
  const made = expression('split', [x], { shape: [], dtype, attributes: { axis: place, sizes } });
  return sizes.map((size, i) => output(made, i, { shape: shape.map((d, j) => (j === place ? size : d)), dtype }));
}

// ---- helpers

export const BYTES: Readonly<Record<Exclude<DataType, 'string'>, number>> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  u64: 8,
  u32: 4,
  u8: 1,
  i8: 1,
  bool: 1,
};

const text = (operator: string, { dtype, shape }: Tensor): void =>
  require(dtype === 'string', `${operator}: takes texts, not ${dtype} ${show(shape)}`);

const alike = (x: Tensor): { shape: Shape; dtype: DataType } => ({ shape: x.shape, dtype: x.dtype });

function dataTypeOf(data: TensorData): DataType {
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof BigInt64Array) return 'i64';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof BigUint64Array) return 'u64';
  if (data instanceof Uint32Array) return 'u32';
  return data instanceof Int8Array ? 'i8' : 'u8';
}

function sameType(operator: string, [a, b]: readonly [Tensor, Tensor]): readonly Tensor[] {
  require(a.dtype === b.dtype, `${operator}: ${a.dtype} ${show(a.shape)} with ${b.dtype} ${show(b.shape)}`);
  return [a, b];
}

/** Numbers become scalars of the other operand's type. */
function tensors(a: Tensor | number, b: Tensor | number): readonly [Tensor, Tensor] {
  if (typeof a !== 'number') return [a, typeof b === 'number' ? scalar(b, a.dtype) : b];
  return typeof b === 'number' ? [scalar(a), scalar(b)] : [scalar(a, b.dtype), b];
}

function binary(op: 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min' | 'pow' | 'bitAnd' | 'bitXor') {
  return (x: Tensor | number, y: Tensor | number): Tensor => {
    const [a, b] = tensors(x, y);
    const of = sameType(op, [a, b]);
    return expression(op, of, { shape: broadcast(op, a.shape, b.shape), dtype: a.dtype, attributes: {} });
  };
}

function comparison(op: 'equal' | 'greater') {
  return (x: Tensor | number, y: Tensor | number): Tensor => {
    const [a, b] = tensors(x, y);
    const of = sameType(op, [a, b]);
    return expression(op, of, { shape: broadcast(op, a.shape, b.shape), dtype: 'bool', attributes: {} });
  };
}

type Unary =
  | ('neg' | 'abs' | 'sign' | 'exp' | 'log' | 'sqrt' | 'sin' | 'cos' | 'erf')
  | ('sigmoid' | 'softplus' | 'relu' | 'tanh' | 'silu' | 'stopGradient' | 'floor');
function unary(op: Unary) {
  return (x: Tensor): Tensor => expression(op, [x], { ...alike(x), attributes: {} });
}

function reduction(op: 'sum' | 'reduceMax') {
  return (x: Tensor, axes: readonly number[], keep = false): Tensor => {
    const positions = axes.map(axis => position(op, x.shape, axis));
    const shape = x.shape.flatMap((d, i) => (positions.includes(i) ? (keep ? [1] : []) : [d]));
    return expression(op, [x], { shape, dtype: x.dtype, attributes: { axes: positions, keep } });
  };
}

function shift(x: Tensor, bits: number, direction: 'LEFT' | 'RIGHT'): Tensor {
  return expression('shift', [x, scalar(bits, x.dtype)], { ...alike(x), attributes: { direction } });
}

/** One result of an operator that has several. */
export const output = (of: Tensor, index: number, { shape, dtype }: { shape: Shape; dtype: DataType }): Tensor =>
  expression('output', [of], { shape, dtype, attributes: { index } });
