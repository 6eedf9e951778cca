// Writes expressions as an ONNX model: one total table from operators to ONNX nodes, walked from the outputs.
import { computedFrom, type Expression, inOrder, type Operator, type Tensor } from '../expression.ts';
import { type Dimension, product, type Shape } from '../shape.ts';
import {
  type Attribute,
  modelBytes,
  ONNX_TYPE,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxNode,
} from './messages.ts';

/** One ONNX model (opset 21) that computes `outputs` from the inputs that they reach. The same expressions give the same
 *  bytes. Parameters stay in their files, whose names are relative to wherever the model is put. */
export const toOnnx = (outputs: Readonly<Record<string, Tensor>>): Uint8Array => modelBytes(toGraph(outputs));

export function toGraph(outputs: Readonly<Record<string, Tensor>>): OnnxGraph {
  const ordered = inOrder(Object.values(outputs), new Set(), computedFrom);
  const inputs = ordered.filter(tensor => tensor.op === 'input');
  const scope = new Scope(inputs);
  for (const tensor of ordered) scope.emit(tensor);
  const renamed = new Map<string, string>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const value = scope.nameOf(tensor);
    if (inputs.some(({ attributes }) => attributes.name === name))
      throw new Error(`toOnnx: an input and an output are both named ${name}`);
    // A leaf can't carry an output's name, nor can one value carry two.
    if (tensor.of.length === 0 || renamed.has(value)) scope.node('Identity', [value], { outputs: [name] });
    else renamed.set(value, name);
  }
  return {
    nodes: rename(scope.nodes, renamed),
    initializers: scope.initializers,
    inputs: inputs.map(({ attributes, dtype, shape }) => ({ name: attributes.name, dtype, shape })),
    outputs: Object.entries(outputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
  };
}

/** The nodes with other names for some values, also within bodies, which see the values around them. */
function rename(nodes: readonly OnnxNode[], names: ReadonlyMap<string, string>): OnnxNode[] {
  const renamed = (values: readonly string[]) => values.map(name => names.get(name) ?? name);
  return nodes.map(node => {
    const attributes = Object.entries(node.attributes).map(([name, value]): [string, Attribute] => {
      if (typeof value !== 'object' || !('graph' in value)) return [name, value];
      return [name, { graph: { ...value.graph, nodes: rename(value.graph.nodes, names) } }];
    });
    return {
      ...node,
      inputs: renamed(node.inputs),
      outputs: renamed(node.outputs),
      attributes: Object.fromEntries(attributes),
    };
  });
}

type Domain = 'com.microsoft' | 'ai.onnx.ml';

interface NodeOptions {
  attributes?: Readonly<Record<string, Attribute>>;
  domain?: Domain;
  outputs?: readonly string[];
}

/** The graph as it grows, or the body of a loop in it: names are given in order of appearance, so that they don't change
 *  between runs. Weights, constants and lengths belong to the whole graph, also when a body needs them. */
class Scope {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly #around: Scope | undefined;
  readonly #root: Scope;
  readonly #names = new Map<Tensor, readonly string[]>();
  readonly #taken = new Set<string>();
  readonly #runtimeSizes = new Map<string, string>();
  readonly #integers = new Map<string, string>();
  readonly #numbers = new Map<number, string>();
  readonly #once = new Map<string, readonly string[]>();
  readonly #inputs: readonly Expression<'input'>[];
  #count = 0;

  constructor(inputs: readonly Expression<'input'>[], around?: Scope) {
    this.#inputs = inputs;
    this.#around = around;
    this.#root = around ? around.#root : this;
    if (!around) for (const { attributes } of inputs) this.claim(attributes.name);
  }

  /** The body of a loop, which sees what is around it. */
  body(): Scope {
    return new Scope(this.#inputs, this);
  }

  /** Gives a variable of a body its name. */
  bind(variable: Tensor): string {
    const name = this.fresh(variable.op);
    this.#names.set(variable, [name]);
    return name;
  }

  emit(tensor: Tensor): void {
    const of = computedFrom(tensor).map(operand => this.nameOf(operand));
    // The table's row for `op` takes exactly the expression that has this `op`.
    const rule = EMIT[tensor.op] as Emit<Operator>;
    this.#names.set(tensor, rule(this, tensor as Expression<Operator>, of));
  }

  nameOf(tensor: Tensor, index = 0): string {
    const name = this.#names.get(tensor)?.[index] ?? this.#around?.nameOf(tensor, index);
    if (name === undefined) throw new Error(`toOnnx: ${tensor.op} has no result ${index}`);
    return name;
  }

  node(operator: string, inputs: readonly string[], { attributes = {}, domain, outputs }: NodeOptions = {}): string[] {
    const names = outputs ?? [this.fresh(operator)];
    this.nodes.push({ operator, domain: domain ?? '', inputs, outputs: names, attributes });
    return [...names];
  }

  /** As `node`, for an operator with one result that another node takes. */
  value(operator: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const [name] = this.node(operator, inputs, options);
    if (name === undefined) throw new Error(`toOnnx: ${operator} has no result`);
    return name;
  }

  initializer(initializer: OnnxInitializer): string {
    this.#root.initializers.push(initializer);
    return initializer.name;
  }

  fresh(stem: string): string {
    let name = '';
    do name = `${stem}_${this.#root.#count++}`;
    while (this.#root.#taken.has(name));
    return this.claim(name);
  }

  claim(name: string): string {
    if (this.#root.#taken.has(name)) throw new Error(`toOnnx: two values are named ${name}`);
    this.#root.#taken.add(name);
    return name;
  }

  /** A constant list of i64, shared by all that need the same one. */
  integers(values: readonly number[]): string {
    const key = values.join();
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    const name =
      this.#root.#integers.get(key) ??
      this.initializer({ name: this.fresh('integers'), dtype: 'i64', shape: [values.length], data });
    this.#root.#integers.set(key, name);
    return name;
  }

  /** A constant number, shared by all that need the same one: ONNX Runtime sees only then that two nodes compute the same. */
  number(value: number): string {
    const name =
      this.#root.#numbers.get(value) ??
      this.initializer({ name: this.fresh('number'), dtype: 'f32', shape: [], data: floats([value]) });
    this.#root.#numbers.set(value, name);
    return name;
  }

  /** The values that `make` gives, made by the first who asks for `key`. */
  once(key: string, make: () => readonly string[]): readonly string[] {
    const values = this.#once.get(key) ?? make();
    this.#once.set(key, values);
    return values;
  }

  /** A shape as a list of i64. One unknown is left to ONNX as −1 where `infer` allows it. */
  shape(shape: Shape, infer = false): string {
    const unknown = shape.filter(dimension => typeof dimension === 'string');
    const known = shape.every(dimension => dimension !== 0);
    if (unknown.length === 0 || (infer && unknown.length === 1 && known))
      return this.integers(shape.map(dimension => (typeof dimension === 'number' ? dimension : -1)));
    return this.#root.value(
      'Concat',
      shape.map(dimension => this.size(dimension)),
      { attributes: { axis: 0 } },
    );
  }

  /** One dimension as a list of one i64; a named one is read off the first input that has it. */
  size(dimension: Dimension): string {
    if (typeof dimension === 'number') return this.integers([dimension]);
    if (this.#root !== this) return this.#root.size(dimension);
    const known = this.#runtimeSizes.get(dimension);
    if (known !== undefined) return known;
    const factors = dimension.split('*');
    const [first = '', ...rest] = factors.map(factor =>
      factors.length === 1 ? this.#readSize(factor) : this.size(Number(factor) || factor),
    );
    const name = rest.reduce((a, b) => this.value('Mul', [a, b]), first);
    this.#runtimeSizes.set(dimension, name);
    return name;
  }

  #readSize(dimension: string): string {
    for (const { attributes, shape } of this.#inputs) {
      const axis = shape.indexOf(dimension);
      if (axis >= 0) return this.value('Shape', [attributes.name], { attributes: { start: axis, end: axis + 1 } });
    }
    throw new Error(`toOnnx: no input has the dimension ${dimension}, so its length can't be known`);
  }
}

type Emit<O extends Operator> = (scope: Scope, tensor: Expression<O>, of: readonly string[]) => readonly string[];

const plain =
  <O extends Operator>(
    operator: string,
    attributes: (tensor: Expression<O>) => Record<string, Attribute> = () => ({}),
    domain?: 'com.microsoft',
  ): Emit<O> =>
  (scope, tensor, of) =>
    scope.node(operator, of, { attributes: attributes(tensor), ...(domain && { domain }) });

const microsoft = <O extends Operator>(
  operator: string,
  attributes?: (tensor: Expression<O>) => Record<string, Attribute>,
): Emit<O> => plain(operator, attributes, 'com.microsoft');

const EMIT: { readonly [O in Operator]: Emit<O> } = {
  input: (_, { attributes }) => [attributes.name],
  constant: (scope, { attributes: { data }, shape, dtype }) => [
    scope.initializer({
      name: scope.fresh('constant'),
      dtype,
      shape: shape.map(Number),
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }),
  ],
  parameter: (scope, { attributes: { name, data }, shape, dtype }) => [
    scope.initializer({ name: scope.claim(name), dtype, shape: shape.map(Number), data }),
  ],
  strings: (scope, { attributes: { data }, shape, dtype }) => [
    scope.initializer({ name: scope.fresh('strings'), dtype, shape: shape.map(Number), data }),
  ],
  variable: (_, { attributes }) => {
    throw new Error(`toOnnx: ${attributes.name} belongs to a loop and is used outside of it`);
  },
  length: (scope, { attributes }) => scope.node('Squeeze', [scope.size(attributes.dimension)]),
  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  max: plain('Max'),
  min: plain('Min'),
  pow: plain('Pow'),
  addAll: plain('Sum'),
  equal: plain('Equal'),
  greater: plain('Greater'),
  where: plain('Where'),
  neg: plain('Neg'),
  abs: plain('Abs'),
  sign: plain('Sign'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  sin: plain('Sin'),
  cos: plain('Cos'),
  erf: plain('Erf'),
  sigmoid: plain('Sigmoid'),
  softplus: plain('Softplus'),
  isNaN: plain('IsNaN'),
  floor: plain('Floor'),
  codes: (scope, { attributes: { keys, values, otherwise } }, of) =>
    scope.node('LabelEncoder', of, {
      attributes: { keys_strings: { strings: keys }, values_int64s: values, default_int64: otherwise },
      domain: 'ai.onnx.ml',
    }),
  matches: plain('RegexFullMatch', ({ attributes }) => ({ pattern: attributes.pattern })),
  splitText: (scope, { shape, attributes: { delimiter } }, of) => {
    const parts = scope.value('StringSplit', of, {
      attributes: { delimiter },
      outputs: [scope.fresh('StringSplit'), scope.fresh('StringSplit')],
    });
    const last = scope.integers([shape.length - 1]);
    return scope.node('Slice', [parts, scope.integers([0]), scope.size(shape.at(-1) ?? 0), last]);
  },
  join: plain('StringConcat'),
  stopGradient: plain('Identity'),
  bitAnd: plain('BitwiseAnd'),
  bitXor: plain('BitwiseXor'),
  shift: plain('BitShift', ({ attributes }) => ({ direction: attributes.direction })),
  gelu: plain('Gelu', ({ attributes }) => ({ approximate: attributes.approximate })),
  silu: microsoft('QuickGelu', () => ({ alpha: { float: 1 } })),
  relu: plain('Relu'),
  tanh: plain('Tanh'),
  cast: plain('Cast', ({ dtype }) => ({ to: ONNX_TYPE[dtype] })),
  reshape: (scope, { shape }, [x = '']) => scope.node('Reshape', [x, scope.shape(shape, true)]),
  expand: (scope, { shape }, [x = '']) => scope.node('Expand', [x, scope.shape(shape)]),
  transpose: plain('Transpose', ({ attributes }) => ({ perm: attributes.permutation })),
  concat: plain('Concat', ({ attributes }) => ({ axis: attributes.axis })),
  slice: (scope, { shape, attributes: { axis, start } }, [x = '']) => {
    const length = scope.size(shape[axis] ?? 0);
    const end = start === 0 ? length : scope.value('Add', [length, scope.integers([start])]);
    return scope.node('Slice', [x, scope.integers([start]), end, scope.integers([axis])]);
  },
  pad: (scope, { of: [part], shape, attributes: { axis, start } }, [x = '']) => {
    const whole = shape[axis] ?? 0;
    const length = part?.shape[axis] ?? 0;
    const numbers = typeof whole === 'number' && typeof length === 'number';
    const rest = numbers
      ? scope.integers([whole - length - start])
      : scope.value('Sub', [scope.value('Sub', [scope.size(whole), scope.size(length)]), scope.integers([start])]);
    const around = scope.value('Concat', [scope.integers([start]), rest], { attributes: { axis: 0 } });
    return scope.node('Pad', [x, around, '', scope.integers([axis])]);
  },
  range: (scope, { shape }) => {
    const scalar = (list: string) => scope.value('Squeeze', [list]);
    return scope.node('Range', [
      scalar(scope.integers([0])),
      scalar(scope.size(shape[0] ?? 0)),
      scalar(scope.integers([1])),
    ]);
  },
  sum: (scope, { attributes }, [x = '']) =>
    scope.node('ReduceSum', [x, scope.integers(attributes.axes)], {
      attributes: { keepdims: attributes.keep ? 1 : 0 },
    }),
  reduceMax: (scope, { attributes }, [x = '']) =>
    scope.node('ReduceMax', [x, scope.integers(attributes.axes)], {
      attributes: { keepdims: attributes.keep ? 1 : 0 },
    }),
  cumsum: (scope, { attributes }, [x = '']) =>
    scope.node('CumSum', [x, scope.integers([attributes.axis])], {
      attributes: { reverse: Number(attributes.reverse) },
    }),
  softmax: plain('Softmax', ({ attributes }) => ({ axis: attributes.axis })),
  logSoftmax: plain('LogSoftmax', ({ attributes }) => ({ axis: attributes.axis })),
  oneHot: (scope, { shape }, [indices = '']) => {
    const offAndOn = { name: scope.fresh('offAndOn'), dtype: 'f32', shape: [2], data: floats([0, 1]) } as const;
    const classes = scope.integers([Number(shape.at(-1))]);
    return scope.node('OneHot', [indices, classes, scope.initializer(offAndOn)], { attributes: { axis: -1 } });
  },
  topK: (scope, { attributes }, [x = '']) =>
    scope.node('TopK', [x, scope.integers([attributes.k])], { outputs: [scope.fresh('TopK'), scope.fresh('TopK')] }),
  nonZero: plain('NonZero'),
  gather: plain('Gather', ({ attributes }) => ({ axis: attributes.axis })),
  scatterAdd: (scope, { of: [, , rows], attributes: { distinct } }, [base = '', indices = '', values = '']) => {
    const attributes = { reduction: 'add' };
    if (distinct)
      return scope.node('ScatterND', [base, scope.value('Unsqueeze', [indices, scope.integers([1])]), values], {
        attributes,
      });
    // Threads of ScatterND lose what others add to the same row (1.30; half of the sum with two); this one has no threads.
    const shape = rows?.shape ?? [];
    const column = scope.value('Reshape', [indices, scope.integers([-1, ...shape.slice(1).map(() => 1)])]);
    const places = scope.value('Expand', [column, scope.shape(shape)]);
    return scope.node('ScatterElements', [base, places, values], { attributes: { axis: 0, ...attributes } });
  },
  split: (scope, { attributes: { axis, sizes } }, [x = '']) =>
    scope.node('Split', [x, scope.shape(sizes)], {
      attributes: { axis },
      outputs: sizes.map(() => scope.fresh('Split')),
    }),
  output: (scope, { of: [whole], attributes }) => (whole ? [scope.nameOf(whole, attributes.index)] : []),
  matmul: (scope, { attributes: { transA, transB, alpha } }, of) =>
    transA || transB || alpha !== 1
      ? scope.node('FusedMatMul', of, {
          attributes: { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } },
          domain: 'com.microsoft',
        })
      : scope.node('MatMul', of),
  matmulByToken: microsoft('FusedMatMul', ({ attributes: { transHeads, transB, alpha } }) => ({
    transBatchA: Number(transHeads),
    transB: Number(transB),
    transBatchB: 1,
    alpha: { float: alpha },
  })),
  matmulNBits: (scope, tensor, [x = '', values = '', scales = '', ...others]) => {
    const { bits, blockSize, accuracyLevel, zeros } = tensor.attributes;
    const [rows, inner] = [Number(tensor.shape.at(-1)), Number(tensor.of[0]?.shape.at(-1))];
    const [zero = '', bias = ''] = zeros ? others : ['', ...others];
    const inputs = [x, values, scales, zero, '', bias];
    return scope.node('MatMulNBits', inputs.slice(0, inputs.findLastIndex(Boolean) + 1), {
      attributes: { K: inner, N: rows, bits, block_size: blockSize, accuracy_level: accuracyLevel },
      domain: 'com.microsoft',
    });
  },
  matmulInt8: (
    scope,
    { of: [from, values], shape, attributes: { parts, unit: known } },
    [x = '', whole = '', scales = ''],
  ) => {
    const [inner = 0, rows = 0] = (values?.shape ?? []).map(Number);
    const byColumn = scales || scope.value('Expand', [scope.number(1), scope.integers([rows])]);
    if (known !== null) {
      const [zero, step] = [
        scope.value('Cast', [scope.number(128)], { attributes: { to: ONNX_TYPE.u8 } }),
        scope.number(known),
      ];
      const [rounded = ''] = scope.once(`${x} in units of ${known}`, () => [
        scope.value('QuantizeLinear', [x, step, zero]),
      ]);
      return scope.node('MatMulIntegerToFloat', [rounded, whole, step, byColumn, zero], { domain: 'com.microsoft' });
    }
    // ONNX Runtime computes it once for each product that takes it, if it is written more than once.
    const [unit = '', ofRows = '', ...quantised] = scope.once(`${x} in ${parts} parts`, () => {
      const all = scope.value('Reshape', [x, scope.integers([-1, inner])]);
      const [, scale] = from?.op === 'rmsNorm' ? from.of : [];
      return scale
        ? unitOfNorm(scope, all, { scale: scope.nameOf(scale), inner, parts })
        : unitsOfRows(scope, all, { rows: product(shape.slice(0, -1)), parts });
    });
    const products = quantised.map((part, i) => {
      const own = ofRows ? scope.number(INT8_UNIT ** i) : scope.value('Mul', [unit, scope.number(INT8_UNIT ** i)]);
      return scope.value('MatMulIntegerToFloat', [part, whole, own, byColumn, int8Zero(scope)], {
        domain: 'com.microsoft',
      });
    });
    const summed = products.reduce((a, b) => scope.value('Add', [a, b]));
    const result = ofRows ? scope.value('Mul', [summed, ofRows]) : summed;
    return scope.node('Reshape', [result, scope.shape(shape, true)]);
  },
  gatherBlockQuantized: microsoft('GatherBlockQuantized', ({ attributes: { bits, blockSize } }) => ({
    bits,
    block_size: blockSize,
    gather_axis: 0,
    quantize_axis: 1,
  })),
  softmaxCrossEntropy: (scope, _, [logits = '', labels = '']) => {
    const last = scope.integers([-1]);
    const logarithms = scope.value('LogSoftmax', [logits], { attributes: { axis: -1 } });
    const chosen = scope.value('GatherElements', [logarithms, scope.value('Unsqueeze', [labels, last])], {
      attributes: { axis: -1 },
    });
    return scope.node('Neg', [scope.value('Squeeze', [chosen, last])]);
  },
  layerNorm: plain('LayerNormalization', ({ attributes }) => ({ axis: -1, epsilon: { float: attributes.epsilon } })),
  rmsNorm: plain('SimplifiedLayerNormalization', ({ attributes }) => ({
    axis: -1,
    epsilon: { float: attributes.epsilon },
  })),
  standardize: (scope, { shape, attributes: { epsilon, center } }, [x = '']) => {
    const size = Number(shape.at(-1));
    const data = floats(Array.from({ length: size }, () => 1));
    const ones = scope.initializer({ name: scope.fresh('ones'), dtype: 'f32', shape: [size], data });
    const operator = center ? 'LayerNormalization' : 'SimplifiedLayerNormalization';
    return scope.node(operator, [x, ones], {
      attributes: { axis: -1, epsilon: { float: epsilon } },
      outputs: Array.from({ length: center ? 3 : 2 }, () => scope.fresh(operator)),
    });
  },
  skipLayerNorm: microsoft('SkipLayerNormalization', ({ attributes }) => ({ epsilon: { float: attributes.epsilon } })),
  biasGelu: microsoft('BiasGelu'),
  fastGelu: microsoft('FastGelu'),
  multiHeadAttention: (scope, { attributes: { heads, scale, present } }, of) => {
    const operand = (name: (typeof present)[number]) => of[present.indexOf(name)] ?? '';
    const inputs = [
      operand('query'),
      operand('key'),
      operand('value'),
      operand('bias'),
      operand('mask'),
      operand('attentionBias'),
    ];
    return scope.node('MultiHeadAttention', inputs.slice(0, inputs.findLastIndex(Boolean) + 1), {
      attributes: { num_heads: heads, scale: { float: scale } },
      domain: 'com.microsoft',
    });
  },
  groupQueryAttention: (scope, { of: [query, , , past], attributes }, of) => {
    const { heads, keyValueHeads, scale, window } = attributes;
    const [tokens, before] = [scope.size(query?.shape[1] ?? 0), scope.size(past?.shape[2] ?? 0)];
    const [last = '', total = ''] = scope.once(`rows of ${tokens} behind ${before}`, () => {
      const rows = scope.value('Add', [tokens, before]);
      return [scope.value('Sub', [rows, scope.integers([1])]), rows].map(each =>
        scope.value('Cast', [each], { attributes: { to: ONNX_TYPE.i32 } }),
      );
    });
    // A sink for nothing. Without one ONNX Runtime 1.30 works in blocks, which takes twice the time: it computes what is hidden
    // too, with shares that are too small for f32.
    const [sink = ''] = scope.once(`a sink of ${heads} heads`, () => {
      const data = floats(Array.from({ length: heads }, () => -1e30));
      return [scope.initializer({ name: scope.fresh('sink'), dtype: 'f32', shape: [heads], data })];
    });
    return scope.node('GroupQueryAttention', [...of, last, total, '', '', '', '', sink], {
      attributes: { num_heads: heads, kv_num_heads: keyValueHeads, scale: { float: scale }, local_window_size: window },
      outputs: ['attention', 'keys', 'values'].map(stem => scope.fresh(stem)),
      domain: 'com.microsoft',
    });
  },
  rotaryEmbedding: microsoft('RotaryEmbedding', ({ attributes }) => ({
    num_heads: attributes.heads,
    interleaved: Number(attributes.interleaved),
  })),
  loop: (scope, { of, attributes: { trips, iteration, state, next, collect } }, initial) => {
    const body = scope.body();
    const [iterationName, ...stateNames] = [iteration, ...state].map(variable => body.bind(variable));
    const going = scope.fresh('going');
    for (const tensor of inOrder([...next, ...collect], new Set([...of, iteration, ...state]), computedFrom))
      body.emit(tensor);
    // A body may give back only what it computed, and one value once; of everything else it gives a copy.
    const own = new Set(body.nodes.flatMap(({ outputs }) => outputs));
    const result = (name: string) => (own.delete(name) ? name : body.value('Identity', [name]));
    const outputs = [
      { name: result(going), dtype: 'bool', shape: [] } as const,
      ...[...next, ...collect].map(tensor => ({
        name: result(body.nameOf(tensor)),
        dtype: tensor.dtype,
        shape: tensor.shape,
      })),
    ];
    const inputs = [
      { name: iterationName ?? '', dtype: 'i64', shape: [] } as const,
      { name: going, dtype: 'bool', shape: [] } as const,
      ...state.map(({ dtype, shape }, i) => ({ name: stateNames[i] ?? '', dtype, shape })),
    ];
    return scope.node('Loop', [scope.size(trips), '', ...initial.slice(0, state.length)], {
      attributes: { body: { graph: { nodes: body.nodes, initializers: [], inputs, outputs } } },
      outputs: outputs.slice(1).map(() => scope.fresh('Loop')),
    });
  },
  checkpoint: (_, __, [result = '']) => [result],
  recalled: (_, __, [value = '']) => [value],
  after: (scope, { shape }, [x = '', known = '']) => {
    // A reshape to the shape that x has, plus a zero that ONNX Runtime can't know before it has the other value.
    const first = scope.value('Slice', [
      scope.value('Reshape', [known, scope.integers([-1])]),
      scope.integers([0]),
      scope.integers([1]),
    ]);
    const bit = scope.value('Cast', [first], { attributes: { to: ONNX_TYPE.bool } });
    const never = scope.value('And', [bit, scope.value('Not', [bit])]);
    const zero = scope.value('Cast', [never], { attributes: { to: ONNX_TYPE.i64 } });
    return scope.node('Reshape', [x, scope.value('Add', [scope.shape(shape), zero])]);
  },
};

/** Rows of `matmulInt8` become whole numbers from 64 − 63 to 64 + 63; what a part leaves is at most half of its unit, so that
 *  the unit of the next is a 126th. */
const [INT8_ZERO, INT8_MOST] = [64, 63];
const INT8_UNIT = 1 / (2 * INT8_MOST);

const int8Zero = (scope: Scope) => scope.value('Cast', [scope.number(INT8_ZERO)], { attributes: { to: ONNX_TYPE.u8 } });

/** The parts of [rows, inner] with a unit for each row, which is its largest value: no unit for all, the rows' units [rows, 1],
 *  then the parts u8. */
function unitsOfRows(scope: Scope, all: string, { rows, parts }: { rows: Dimension; parts: number }): string[] {
  // Two reductions only read, where an absolute value would be written.
  const [most = '', least = ''] = ['ReduceMax', 'ReduceMin'].map(operator =>
    scope.value(operator, [all, scope.integers([-1])], { attributes: { keepdims: 0 } }),
  );
  // A row of zeros has a unit too.
  const largest = scope.value('Max', [most, scope.value('Neg', [least]), scope.number(1e-30)]);
  const unit = scope.value('Mul', [largest, scope.number(1 / INT8_MOST)]);
  const [zeros = ''] = scope.once(`zeros of ${rows} rows`, () => [
    scope.value('Expand', [int8Zero(scope), scope.value('Shape', [unit])]),
  ]);
  const whole = partsOf(scope, all, { unit, zeros, parts });
  return ['', scope.value('Unsqueeze', [unit, scope.integers([1])]), ...whole];
}

/** The same of what a norm gives, which is at most √inner of its scale: that unit for all rows, nothing, then the parts. */
function unitOfNorm(
  scope: Scope,
  all: string,
  { scale, inner, parts }: { scale: string; inner: number; parts: number },
): string[] {
  const largest = scope.value('ReduceMax', [scope.value('Abs', [scale])], { attributes: { keepdims: 0 } });
  const reached = scope.value('Mul', [largest, scope.number(Math.sqrt(inner) / INT8_MOST)]);
  const unit = scope.value('Max', [reached, scope.number(1e-30)]);
  return [unit, '', ...partsOf(scope, all, { unit, zeros: int8Zero(scope), parts })];
}

function partsOf(
  scope: Scope,
  all: string,
  { unit, zeros, parts }: { unit: string; zeros: string; parts: number },
): string[] {
  const byRow = { attributes: { axis: 0 } };
  const quantised: string[] = [];
  let rest = all;
  for (let part = 0; part < parts; part++) {
    const own = part === 0 ? unit : scope.value('Mul', [unit, scope.number(INT8_UNIT ** part)]);
    const whole = scope.value('QuantizeLinear', [rest, own, zeros], byRow);
    quantised.push(whole);
    if (part < parts - 1)
      rest = scope.value('Sub', [rest, scope.value('DequantizeLinear', [whole, own, zeros], byRow)]);
  }
  return quantised;
}

const floats = (numbers: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);
