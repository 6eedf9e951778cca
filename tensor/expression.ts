// What a tensor is: an immutable expression. Operators only build bigger expressions; nothing computes here.
import type { Shape } from './shape.ts';

export type DataType = 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'u8' | 'i8' | 'bool';

export type TensorData = Float32Array | BigInt64Array | Int32Array | Uint8Array | Int8Array;

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
  // elementwise
  add: None;
  sub: None;
  mul: None;
  div: None;
  max: None;
  addAll: None;
  equal: None;
  gelu: { readonly approximate: 'none' | 'tanh' };
  silu: None;
  relu: None;
  tanh: None;
  cast: None;
  // shape
  reshape: None;
  expand: None;
  transpose: { readonly permutation: readonly number[] };
  concat: { readonly axis: number };
  slice: { readonly axis: number; readonly start: number };
  range: None;
  // reductions and selection
  sum: { readonly axes: readonly number[]; readonly keep: boolean };
  softmax: { readonly axis: number };
  topK: { readonly k: number };
  nonZero: None;
  gather: { readonly axis: number };
  scatterAdd: None;
  /** One result of an operator that has several. */
  output: { readonly index: number };
  // products
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  matmulNBits: { readonly bits: 4 | 8; readonly blockSize: number; readonly accuracyLevel: 0 | 1 | 4 };
  gatherBlockQuantized: { readonly bits: 4 | 8; readonly blockSize: number };
  // fused
  layerNorm: { readonly epsilon: number };
  skipLayerNorm: { readonly epsilon: number };
  biasGelu: None;
  fastGelu: None;
  multiHeadAttention: { readonly heads: number; readonly scale: number; readonly present: readonly AttentionOperand[] };
  rotaryEmbedding: { readonly heads: number; readonly interleaved: boolean };
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

/** Everything that `roots` are made of, operands before what uses them, each once. */
export function inOrder(roots: readonly Tensor[]): Tensor[] {
  const ordered: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack = roots.toReversed().map(tensor => ({ tensor, ready: false }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (top.ready) ordered.push(top.tensor);
    else if (!seen.has(top.tensor)) {
      seen.add(top.tensor);
      stack.push({ tensor: top.tensor, ready: true });
      for (const operand of top.tensor.of.toReversed())
        if (!seen.has(operand)) stack.push({ tensor: operand, ready: false });
    }
  }
  return ordered;
}
