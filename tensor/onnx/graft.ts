// Reads ready ONNX files and gives them other inputs and outputs, without reading their weights.
import type { External } from '../expression.ts';
import { externalFields, GRAPH, graphFields, MODEL, type OnnxGraph, TENSOR, VALUE } from './messages.ts';
import { type Bytes, type Field, fields, Message, text } from './protobuf.ts';

/** A value by the number that ONNX gives its type (1 is f32, 6 is i32, 7 is i64, 10 is f16). */
export interface ReadyValue {
  readonly name: string;
  readonly type: number;
  /** A number where the file fixes the dimension, else its name or ''. */
  readonly shape: readonly (number | string)[];
}

export interface ReadyWeight {
  readonly name: string;
  readonly type: number;
  readonly bytes: number;
}

export interface ReadyModel {
  readonly inputs: readonly ReadyValue[];
  readonly outputs: readonly ReadyValue[];
  readonly weights: readonly ReadyWeight[];
  /** The kinds of its nodes, but for those inside the bodies of If and Loop. */
  readonly operators: ReadonlySet<string>;
}

/** What an ONNX file takes and gives. Throws if it is no ONNX file. */
export function describeOnnx(source: Bytes): ReadyModel {
  const parts = [...fields(source, graphOf(source).content)];
  const of = (number: number): Field[] => parts.filter(part => part.number === number);
  const weights = of(GRAPH.initializer).map(field => readWeight(source, field));
  const names = new Set(weights.map(weight => weight.name));
  return {
    // Files of old versions name their weights among the inputs too.
    inputs: of(GRAPH.input)
      .map(field => readValue(source, field))
      .filter(({ name }) => !names.has(name)),
    outputs: of(GRAPH.output).map(field => readValue(source, field)),
    weights,
    operators: new Set(of(GRAPH.node).map(field => operatorOf(source, field))),
  };
}

export interface Graft {
  /** The name of the file that `source` reads, as seen from where the new model will lie. */
  file: string;
  /** Nodes before all others, the new inputs and outputs, and weights to add. */
  before: OnnxGraph;
  /** New names for values that the model's own nodes take. Nodes inside the bodies of If and Loop keep the old ones. */
  rename: Readonly<Record<string, string>>;
  /** Nodes after all others. */
  after: OnnxGraph['nodes'];
}

/** The model with `before` and `after` around it, whose inputs and outputs replace its own. Weights stay in the old file:
 *  whatever is longer than a kilobyte is referred to. */
export function graftOnnx(source: Bytes, { file, before, after, rename }: Graft): Uint8Array {
  const graph = new Message();
  graphFields(before, graph);
  const none = { initializers: [], inputs: [], outputs: [] };
  for (const field of fields(source, graphOf(source).content)) {
    if (field.number === GRAPH.input || field.number === GRAPH.output) continue;
    const moved = field.number === GRAPH.initializer ? moveWeight(source, field, file) : null;
    if (moved) graph.message(GRAPH.initializer, moved);
    else if (field.number === GRAPH.node) graph.message(GRAPH.node, renameInputs(source, field, rename));
    else graph.raw(source.read(field.start, field.end - field.start));
  }
  graphFields({ ...none, nodes: after }, graph);
  const model = new Message();
  for (const field of fields(source))
    if (field.number === MODEL.graph) model.message(MODEL.graph, graph);
    else model.raw(source.read(field.start, field.end - field.start));
  return model.finish();
}

const INLINE_BYTES = 1024;

function graphOf(source: Bytes): Field {
  for (const field of fields(source)) if (field.number === MODEL.graph) return field;
  throw new Error('this is no ONNX file: it has no graph');
}

function renameInputs(source: Bytes, field: Field, names: Graft['rename']): Message {
  const message = new Message();
  for (const part of fields(source, field.content)) {
    const name = part.number === NODE_INPUT ? names[text(source, part)] : undefined;
    if (name === undefined) message.raw(source.read(part.start, part.end - part.start));
    else message.text(NODE_INPUT, name);
  }
  return message;
}

const NODE_INPUT = 1;
const NODE_OPERATOR = 4;

function operatorOf(source: Bytes, field: Field): string {
  const operator = [...fields(source, field.content)].find(part => part.number === NODE_OPERATOR);
  return operator ? text(source, operator) : '';
}

/** The weight with its bytes replaced by their place, or null if it is small or lies elsewhere already. */
function moveWeight(source: Bytes, field: Field, file: string): Message | null {
  const parts = [...fields(source, field.content)];
  const raw = parts.find(part => part.number === TENSOR.raw);
  if (!raw || raw.value < INLINE_BYTES) return null;
  const message = new Message();
  for (const part of parts) if (part !== raw) message.raw(source.read(part.start, part.end - part.start));
  const place: External = { file, offset: raw.content.start, bytes: Number(raw.value) };
  return externalFields(place, message);
}

function readWeight(source: Bytes, field: Field): ReadyWeight {
  const parts = [...fields(source, field.content)];
  const name = parts.find(part => part.number === TENSOR.name);
  return {
    name: name ? text(source, name) : '',
    type: Number(parts.find(part => part.number === TENSOR.type)?.value ?? 0),
    bytes: externalBytes(source, parts) ?? field.end - field.start,
  };
}

/** The length of a weight that lies in another file. */
function externalBytes(source: Bytes, parts: readonly Field[]): number | null {
  for (const entry of parts.filter(part => part.number === TENSOR.external)) {
    const [key, value] = [...fields(source, entry.content)].map(part => text(source, part));
    if (key === 'length') return Number(value);
  }
  return null;
}

/** ValueInfoProto: name, type → TypeProto.Tensor: elem_type, shape → dims: dim_value, dim_param. */
function readValue(source: Bytes, field: Field): ReadyValue {
  const child = (of: Field | undefined, number: number): Field | undefined =>
    of && [...fields(source, of.content)].find(part => part.number === number);
  const name = child(field, VALUE.name);
  const tensor = child(child(field, VALUE.type), 1);
  const shape = child(tensor, 2);
  const dimensions = shape ? [...fields(source, shape.content)] : [];
  return {
    name: name ? text(source, name) : '',
    type: Number(child(tensor, 1)?.value ?? 0),
    shape: dimensions.map(dimension => {
      const [length, label] = [child(dimension, 1), child(dimension, 2)];
      return length ? Number(length.value) : label ? text(source, label) : '';
    }),
  };
}
