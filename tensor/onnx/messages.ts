// The messages of an ONNX file as far as we write them, by the field numbers of onnx.proto (ONNX 1.17).
import type { DataType, External } from '../expression.ts';
import type { Shape } from '../shape.ts';
import { Message } from './protobuf.ts';

export const ONNX_TYPE: Readonly<Record<DataType, number>> = {
  f32: 1,
  u8: 2,
  i8: 3,
  i32: 6,
  u32: 12,
  u64: 13,
  i64: 7,
  bool: 9,
  f16: 10,
  f64: 11,
  bf16: 16,
  string: 8,
};

/** ONNX numbers of fields that readers need too. */
export const MODEL = { irVersion: 1, producer: 2, graph: 7, opset: 8 } as const;
export const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
export const TENSOR = { dims: 1, type: 2, name: 8, raw: 9, external: 13, location: 14 } as const;
export const VALUE = { name: 1, type: 2 } as const;
export const OPSET = { domain: 1, version: 2 } as const;

/** IR 10 and opset 21: ONNX Runtime 1.22 and later load them. */
const IR_VERSION = 10;
const OPSETS: readonly (readonly [domain: string, version: number])[] = [
  ['', 21],
  ['com.microsoft', 1],
  ['ai.onnx.ml', 3],
];

/** A whole number is written as an integer; a float attribute must say so, since 1 is both. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly strings: readonly string[] }
  | { readonly float: number }
  | { readonly graph: OnnxGraph };

export interface OnnxNode {
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface OnnxInitializer {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | External | readonly string[];
}

export interface OnnxValue {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: Shape;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export function modelBytes(graph: OnnxGraph): Uint8Array {
  const message = new Message().integer(MODEL.irVersion, IR_VERSION).text(MODEL.producer, 'vectorium');
  message.message(MODEL.graph, graphFields(graph, new Message()).text(GRAPH.name, 'graph'));
  for (const [domain, version] of OPSETS) message.message(MODEL.opset, opset(domain, version));
  return message.finish();
}

/** Adds what `graph` has to a graph message that may already have more. */
export function graphFields(graph: OnnxGraph, message: Message): Message {
  for (const node of graph.nodes) message.message(GRAPH.node, nodeMessage(node));
  for (const initializer of graph.initializers) message.message(GRAPH.initializer, initializerMessage(initializer));
  for (const value of graph.inputs) message.message(GRAPH.input, valueMessage(value));
  for (const value of graph.outputs) message.message(GRAPH.output, valueMessage(value));
  return message;
}

export const opset = (domain: string, version: number): Message =>
  new Message().text(OPSET.domain, domain).integer(OPSET.version, version);

export function externalFields({ file, offset, bytes }: External, message: Message): Message {
  return message
    .message(TENSOR.external, entry('location', file))
    .message(TENSOR.external, entry('offset', offset))
    .message(TENSOR.external, entry('length', bytes))
    .integer(TENSOR.location, 1);
}

const entry = (key: string, value: string | number): Message => new Message().text(1, key).text(2, String(value));

function nodeMessage(node: OnnxNode): Message {
  const message = new Message();
  for (const name of node.inputs) message.text(1, name);
  for (const name of node.outputs) message.text(2, name);
  message.text(4, node.operator);
  for (const [name, value] of Object.entries(node.attributes)) message.message(5, attributeMessage(name, value));
  if (node.domain !== '') message.text(7, node.domain);
  return message;
}

/** AttributeProto: f=2, i=3, s=4, g=6, ints=8, type=20 with FLOAT=1, INT=2, STRING=3, GRAPH=5, INTS=7, STRINGS=8. */
function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message().text(1, name);
  if (typeof value === 'number') return message.integer(3, value).integer(20, 2);
  if (typeof value === 'string') return message.text(4, value).integer(20, 3);
  if ('strings' in value) {
    for (const one of value.strings) message.text(9, one);
    return message.integer(20, 8);
  }
  if ('float' in value) return message.float(2, value.float).integer(20, 1);
  if ('graph' in value) {
    const graph = graphFields(value.graph, new Message()).text(GRAPH.name, name);
    return message.message(6, graph).integer(20, 5);
  }
  return message.integers(8, value).integer(20, 7);
}

function initializerMessage({ name, dtype, shape, data }: OnnxInitializer): Message {
  const message = new Message()
    .integers(TENSOR.dims, shape)
    .integer(TENSOR.type, ONNX_TYPE[dtype])
    .text(TENSOR.name, name);
  if (data instanceof Uint8Array) return message.bytes(TENSOR.raw, data);
  if ('file' in data) return externalFields(data, message);
  for (const one of data) message.text(6, one);
  return message;
}

function valueMessage({ name, dtype, shape }: OnnxValue): Message {
  const dimensions = new Message();
  for (const dimension of shape) {
    const one = new Message();
    dimensions.message(1, typeof dimension === 'number' ? one.integer(1, dimension) : one.text(2, dimension));
  }
  const tensor = new Message().integer(1, ONNX_TYPE[dtype]).message(2, dimensions);
  return new Message().text(VALUE.name, name).message(VALUE.type, new Message().message(1, tensor));
}
