// Makes an encoder of a ready ONNX file: our inputs in front of its own, pooling behind its hidden states.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type Bytes,
  describeOnnx,
  graftOnnx,
  type OnnxInitializer,
  type OnnxNode,
  type ReadyModel,
} from '@vectorium/tensor';

export interface ReadyEncoder {
  bytes: Uint8Array;
  dimension: number;
  precision: 'f32' | 'q8' | 'q4';
  weightBytes: number;
}

/** The folder's ready ONNX file, or null if it has none. */
export async function findReadyOnnx(folder: string): Promise<string | null> {
  for (const name of ['onnx/model.onnx', 'model.onnx']) {
    const path = join(folder, name);
    if (
      await stat(path).then(
        found => found.isFile(),
        () => false,
      )
    )
      return path;
  }
  return null;
}

/** The model at `path` with the inputs and outputs that every encoder graph has. What it makes must lie beside `path`.
 *  Throws if the file takes something else than ids, a mask and types, or gives no hidden states. */
export function graftEncoder(path: string, pooling: 'mean' | 'first'): ReadyEncoder {
  const file = openFile(path);
  try {
    const model = describeOnnx(file);
    for (const operator of ['DynamicQuantizeLinear', 'DynamicQuantizeMatMul'])
      if (model.operators.has(operator))
        throw new Error(
          `${path} has ${operator}, which takes one scale for a whole batch: its vectors would depend on what else is in it`,
        );
    const hidden =
      model.outputs.find(({ name }) => name === 'last_hidden_state' || name === 'token_embeddings') ??
      model.outputs.find(({ shape }) => shape.length === 3);
    if (!hidden) throw new Error(`${path} gives no hidden states [batch, tokens, dimension]`);
    const dimension = hidden.shape[2];
    if (typeof dimension !== 'number') throw new Error(`${path} does not say the dimension of ${hidden.name}`);
    const before = {
      nodes: inputNodes(path, model),
      initializers: INITIALIZERS[pooling],
      inputs: [
        { name: IDS, dtype: 'i64', shape: ['batch', 'tokens'] },
        { name: MASK, dtype: 'i32', shape: ['batch', 'tokens'] },
      ],
      outputs: [
        { name: 'vectors', dtype: 'f32', shape: ['batch', dimension] },
        { name: 'hidden', dtype: 'f32', shape: ['batch', 'tokens', dimension] },
      ],
    } as const;
    const bytes = graftOnnx(file, {
      file: basename(path),
      before,
      after: poolNodes(hidden.name, pooling),
      rename: { [MASK]: own(MASK) },
    });
    const weightBytes = model.weights.reduce((total, weight) => total + weight.bytes, 0);
    return { bytes, dimension, precision: precisionOf(model), weightBytes };
  } finally {
    file.close();
  }
}

const IDS = 'input_ids';
const MASK = 'attention_mask';
/** Names of our own values, which no exporter writes. */
const own = (name: string): string => `vectorium/${name}`;

const integers = (name: string, values: readonly number[], scalar = false): OnnxInitializer => ({
  name: own(name),
  dtype: 'i64',
  shape: scalar ? [] : [values.length],
  data: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});
const INITIALIZERS: Readonly<Record<'mean' | 'first', readonly OnnxInitializer[]>> = {
  mean: [integers('row', [0, 1, -1]), integers('column', [0, -1, 1]), integers('flat', [0, -1])],
  first: [integers('zero', [0], true)],
};

/** What the file calls its inputs, computed from ours. Only the mask gets another name, since its type may differ. */
function inputNodes(path: string, { inputs }: ReadyModel): OnnxNode[] {
  return inputs.flatMap(({ name, type }) => {
    if (name === IDS && type === I64) return [];
    if (name === MASK && (type === I64 || type === I32)) return [node('Cast', [MASK], own(MASK), { to: type })];
    if (name === 'token_type_ids' && type === I64) return [node('Sub', [IDS, IDS], name)];
    throw new Error(`${path} takes ${name} of the ONNX type ${type}, which we can't give`);
  });
}

/** By operators that mean the same in every version since opset 9. The mask is cast to f32 once. */
function poolNodes(hidden: string, pooling: 'mean' | 'first'): OnnxNode[] {
  const states = node('Cast', [hidden], 'hidden', { to: FLOAT });
  if (pooling === 'first') return [states, node('Gather', ['hidden', own('zero')], 'vectors', { axis: 1 })];
  return [
    states,
    node('Cast', [MASK], own('mask'), { to: FLOAT }),
    node('Reshape', [own('mask'), own('row')], own('mask row')),
    node('Reshape', [own('mask'), own('column')], own('mask column')),
    node('MatMul', [own('mask row'), 'hidden'], own('sum')),
    node('MatMul', [own('mask row'), own('mask column')], own('count')),
    node('Div', [own('sum'), own('count')], own('mean')),
    node('Reshape', [own('mean'), own('flat')], 'vectors'),
  ];
}

/** ONNX's numbers of the types. */
const [FLOAT, I32, I64] = [1, 6, 7];

const node = (
  operator: string,
  inputs: string[],
  output: string,
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({
  operator,
  domain: '',
  inputs,
  outputs: [output],
  attributes,
});

/** Bytes of 8-bit integers (ONNX types 2 and 3) that outweigh the rest are quantised weights. */
function precisionOf({ weights }: ReadyModel): 'f32' | 'q8' {
  const small = weights.filter(({ type }) => type === 2 || type === 3).reduce((total, { bytes }) => total + bytes, 0);
  return small > weights.reduce((total, { bytes }) => total + bytes, 0) / 4 ? 'q8' : 'f32';
}

/** Reads a file in pieces, the last one kept, since its fields are read one after the other. */
function openFile(path: string): Bytes & { close(): void } {
  const handle = openSync(path, 'r');
  const { size } = fstatSync(handle);
  let piece = { start: 0, bytes: new Uint8Array() };
  return {
    length: size,
    read(start, length) {
      const end = start + length;
      if (start < piece.start || end > piece.start + piece.bytes.length) {
        const bytes = new Uint8Array(Math.max(length, Math.min(PIECE_BYTES, size - start)));
        readSync(handle, bytes, 0, bytes.length, start);
        piece = { start, bytes };
      }
      return piece.bytes.slice(start - piece.start, end - piece.start);
    },
    close: () => closeSync(handle),
  };
}

const PIECE_BYTES = 64 * 1024;
