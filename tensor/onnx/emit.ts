// Writes expressions as an ONNX model: one total table from operators to ONNX nodes, walked from the outputs.
import { computedFrom, type Expression, inOrder, type Operator, type Tensor } from '../expression.ts';
import { matmulInt8 } from './int8.ts';
import { type Attribute, modelBytes, ONNX_TYPE, type OnnxGraph, type OnnxNode } from './messages.ts';
import { type Emit, floats, type Rules, Scope } from './scope.ts';

/** One ONNX model (opset 21) that computes `outputs` from the inputs that they reach. The same expressions give the same
 *  bytes. Parameters stay in their files, whose names are relative to wherever the model is put. */
export const toOnnx = (outputs: Readonly<Record<string, Tensor>>): Uint8Array => modelBytes(toGraph(outputs));

export function toGraph(outputs: Readonly<Record<string, Tensor>>): OnnxGraph {
  const ordered = inOrder(Object.values(outputs), new Set(), computedFrom);
  const inputs = ordered.filter(tensor => tensor.op === 'input');
  const scope = new Scope(inputs, RULES);
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

const RULES: Rules = {
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
  matmulByToken: microsoft('FusedMatMul', ({ attributes: { transB } }) => ({
    transB: Number(transB),
    transBatchB: 1,
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
  matmulInt8,
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
