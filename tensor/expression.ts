// What a tensor is: an immutable expression. Operators only build bigger expressions; nothing computes here.
import type { Dimension, Shape } from './shape.ts';

export type DataType = 'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'u64' | 'u32' | 'u8' | 'i8' | 'bool' | 'string';

export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | BigUint64Array
  | Uint32Array
  | Uint8Array
  | Int8Array;

/** Where the bytes of a parameter lie in another file, relative to the ONNX file's folder. */
export interface External {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Every operator with what it must know besides its operands. A rule about operators is a table over these keys,
 *  so an operator that a table has forgotten does not compile. */
export interface Attributes {
  // leaves
  input: { readonly name: string };
  constant: { readonly data: TensorData };
  parameter: { readonly name: string; readonly data: External };
  /** Texts written into the graph. */
  strings: { readonly data: readonly string[] };
  /** What a loop carries from turn to turn, as its body sees it. */
  variable: { readonly name: string };
  /** The length of a dimension. */
  length: { readonly dimension: Dimension };
  // elementwise
  add: None;
  sub: None;
  mul: None;
  div: None;
  max: None;
  min: None;
  pow: None;
  addAll: None;
  equal: None;
  greater: None;
  where: None;
  gelu: { readonly approximate: 'none' | 'tanh' };
  silu: None;
  relu: None;
  tanh: None;
  neg: None;
  abs: None;
  sign: None;
  exp: None;
  log: None;
  sqrt: None;
  sin: None;
  cos: None;
  erf: None;
  sigmoid: None;
  softplus: None;
  isNaN: None;
  floor: None;
  cast: None;
  stopGradient: None;
  // whole numbers bit by bit
  bitAnd: None;
  bitXor: None;
  shift: { readonly direction: 'LEFT' | 'RIGHT' };
  // texts
  /** The number that stands for each text, by a table. */
  codes: { readonly keys: readonly string[]; readonly values: readonly number[]; readonly otherwise: number };
  matches: { readonly pattern: string };
  splitText: { readonly delimiter: string };
  join: None;
  // shape
  reshape: None;
  expand: None;
  transpose: { readonly permutation: readonly number[] };
  concat: { readonly axis: number };
  slice: { readonly axis: number; readonly start: number };
  pad: { readonly axis: number; readonly start: number };
  range: None;
  // reductions and selection
  sum: { readonly axes: readonly number[]; readonly keep: boolean };
  reduceMax: { readonly axes: readonly number[]; readonly keep: boolean };
  cumsum: { readonly axis: number; readonly reverse: boolean };
  softmax: { readonly axis: number };
  logSoftmax: { readonly axis: number };
  oneHot: None;
  topK: { readonly k: number };
  nonZero: None;
  gather: { readonly axis: number };
  split: { readonly axis: number; readonly sizes: readonly Dimension[] };
  scatterAdd: { readonly distinct: boolean };
  /** One result of an operator that has several. */
  output: { readonly index: number };
  // products
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  matmulByToken: { readonly transB: boolean };
  matmulNBits: {
    readonly bits: 4 | 8;
    readonly blockSize: number;
    readonly accuracyLevel: 0 | 1 | 4;
    /** Whether zero points are the operand behind the scales. */
    readonly zeros: boolean;
  };
  matmulInt8: { readonly parts: number; readonly unit: number | null };
  gatherBlockQuantized: { readonly bits: 4 | 8; readonly blockSize: number };
  // fused
  softmaxCrossEntropy: None;
  layerNorm: { readonly epsilon: number };
  rmsNorm: { readonly epsilon: number };
  standardize: { readonly epsilon: number; readonly center: boolean };
  skipLayerNorm: { readonly epsilon: number };
  biasGelu: None;
  fastGelu: None;
  multiHeadAttention: { readonly heads: number; readonly scale: number; readonly present: readonly AttentionOperand[] };
  groupQueryAttention: {
    readonly heads: number;
    readonly keyValueHeads: number;
    readonly scale: number;
    /** −1 for none. */
    readonly window: number;
  };
  rotaryEmbedding: { readonly heads: number; readonly interleaved: boolean };
  // control
  loop: LoopBody;
  /** Its first operand, which the backward pass computes anew by `recompute` from the next `arguments`; the others are
   *  what `recompute` takes from elsewhere. */
  checkpoint: { readonly arguments: number; readonly recompute: (operands: readonly Tensor[]) => Tensor };
  /** The first operand, not before the second is known. */
  after: None;
  /** The first operand, whose value is read off the second. */
  recalled: None;
}

/** One turn of a loop: its results in terms of its variables. The operands of a loop are the first values of the state and
 *  whatever its body takes from outside. */
export interface LoopBody {
  readonly trips: Dimension;
  readonly iteration: Tensor;
  readonly state: readonly Tensor[];
  readonly next: readonly Tensor[];
  readonly collect: readonly Tensor[];
}

export type None = Readonly<Record<never, never>>;
export type AttentionOperand = 'query' | 'key' | 'value' | 'bias' | 'mask' | 'attentionBias';
export type Operator = keyof Attributes;

export interface Expression<O extends Operator> {
  readonly op: O;
  readonly of: readonly Tensor[];
  readonly shape: Shape;
  readonly dtype: DataType;
  readonly attributes: Attributes[O];
}
export type Tensor = { [O in Operator]: Expression<O> }[Operator];

/** The one place where an expression is made. */
export function expression<O extends Operator>(
  op: O,
  of: readonly Tensor[],
  result: { shape: Shape; dtype: DataType; attributes: Attributes[O] },
): Tensor {
  // A union over O can't be built from a generic O without this cast: TypeScript does not distribute here.
  return Object.freeze({ op, of, ...result }) as unknown as Tensor;
}

/** Everything that `roots` are made of, operands before what uses them, each once; neither `until` nor what only they
 *  are made of. */
export function inOrder(
  roots: readonly Tensor[],
  until: ReadonlySet<Tensor> = new Set(),
  operands: (tensor: Tensor) => readonly Tensor[] = ({ of }) => of,
): Tensor[] {
  const ordered: Tensor[] = [];
  const seen = new Set(until);
  const stack = roots.toReversed().map(tensor => ({ tensor, ready: false }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (top.ready) ordered.push(top.tensor);
    else if (!seen.has(top.tensor)) {
      seen.add(top.tensor);
      stack.push({ tensor: top.tensor, ready: true });
      for (const operand of operands(top.tensor).toReversed())
        if (!seen.has(operand)) stack.push({ tensor: operand, ready: false });
    }
  }
  return ordered;
}

/** What a tensor is computed from: some operands are there for the gradient alone. */
export function computedFrom({ op, of }: Tensor): readonly Tensor[] {
  if (op === 'recalled') return of.slice(1);
  return op === 'matmulInt8' ? of.filter((_, i) => i !== MATMUL_INT8_TRANSPOSED) : of;
}

const MATMUL_INT8_TRANSPOSED = 2;

/** What `roots` take from outside: the largest expressions in them that don't depend on any of `variables`. */
export function outside(roots: readonly Tensor[], variables: readonly Tensor[]): Tensor[] {
  const dependent = new Set(variables);
  for (const tensor of inOrder(roots, dependent)) if (tensor.of.some(x => dependent.has(x))) dependent.add(tensor);
  const users = [...dependent].filter(tensor => !variables.includes(tensor));
  return [...new Set([...roots, ...users.flatMap(({ of }) => of)])].filter(tensor => !dependent.has(tensor));
}
