// Turns a model folder into an ONNX file that ONNX Runtime can load: the architecture traced, the weights left where they are.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cast, div, input, matmul, max, reshape, slice, sum, type Tensor, toOnnx } from '@vectorium/tensor';
import { writeSideFile } from '../weights/convert.ts';
import { putGraph, unlessThere, versionOf } from '../weights/files.ts';
import { findReadyOnnx, graftEncoder } from '../weights/onnx.ts';
import { Parameters } from '../weights/parameters.ts';
import { findTensors, type StoredTensor } from '../weights/safetensors.ts';
import { bert } from './bert.ts';
import { Config, positionsOf } from './config.ts';
import { gte } from './gte.ts';
import type { Encoder } from './layers.ts';
import { mpnet } from './mpnet.ts';
import { nomic } from './nomic.ts';

/** How the hidden states become one vector: their mean, or the first token's. */
export type Pooling = 'mean' | 'first';

export interface EncoderGraph {
  /** The ONNX file. Inputs: `input_ids` i64 [batch, tokens] and `attention_mask` i32 [batch, tokens], 1 for a token and 0
   *  for padding, which stands on the right; every text has a token. Outputs: `vectors` f32 [batch, dimension], not
   *  normalised, and `hidden` f32 [batch, tokens, dimension]; a run that fetches only one does not compute the other. */
  path: string;
  precision: 'f32' | 'q8' | 'q4';
  /** Bytes of the weights that the graph reads. */
  weightBytes: number;
  dimension: number;
  /** Tokens that one input may have, special ones included. */
  maxTokens: number;
}

/** Makes the graph of the model in `folder` unless it is there already: of config.json and safetensors weights, or of a
 *  ready ONNX file. What it makes lies beside the weights under a name made of its content, whole or not at all, so calls
 *  may overlap. Throws when the architecture is unknown or the weights don't fit the configuration. */
export async function compileEncoder(folder: string, { pooling }: { pooling: Pooling }): Promise<EncoderGraph> {
  const config = new Config(await readFile(join(folder, 'config.json'), 'utf8'));
  const { count, first } = positionsOf(config);
  const stored = await findTensors(folder);
  if (stored) {
    const weights = new Parameters(stored, { prefix: prefixOf(stored), version: await versionOf(folder, stored) });
    const { bytes, dimension } = traceEncoder(config, weights, pooling);
    const side = weights.sideFile;
    if (side) await unlessThere(join(folder, side.name), path => writeSideFile(folder, side, path));
    const path = await putGraph(folder, 'encoder', bytes);
    const precision = [...stored.keys()].some(name => name.endsWith('.q4')) ? 'q4' : 'f32';
    return { path, precision, weightBytes: weights.bytes, dimension, maxTokens: count - first };
  }
  const ready = await findReadyOnnx(folder);
  if (!ready) throw new Error(`${folder} has neither model.safetensors nor model.onnx`);
  const { bytes, ...graph } = graftEncoder(ready, pooling);
  return { path: await putGraph(dirname(ready), 'encoder', bytes), ...graph, maxTokens: count - first };
}

/** The graph of the architecture that `config` names, with pooling. */
export function traceEncoder(
  config: Config,
  weights: Parameters,
  pooling: Pooling,
): { bytes: Uint8Array; dimension: number } {
  const name = config.text('model_type', '');
  const architecture = ARCHITECTURES[name];
  if (!architecture)
    throw new Error(`config.json: model_type ${name} is none of ${Object.keys(ARCHITECTURES).join(', ')}`);
  const ids = input('input_ids', ['batch', 'tokens'], 'i64');
  const mask = input('attention_mask', ['batch', 'tokens'], 'i32');
  const hidden = architecture(config, weights, { ids, mask });
  return { bytes: toOnnx({ vectors: pool(hidden, mask, pooling), hidden }), dimension: Number(hidden.shape[2]) };
}

/** What stands before the architecture's own names, such as 'bert.'. */
export function prefixOf(stored: ReadonlyMap<string, StoredTensor>): string {
  const anchor = 'embeddings.word_embeddings.weight';
  const name = [...stored.keys()].find(key => key.endsWith(anchor) || key.endsWith(`${anchor}.q4`));
  return name?.slice(0, name.indexOf(anchor)) ?? '';
}

const ARCHITECTURES: Readonly<Record<string, Encoder>> = {
  bert,
  roberta: bert,
  'xlm-roberta': bert,
  camembert: bert,
  mpnet,
  new: gte,
  nomic_bert: nomic,
};

/** [batch, dimension] of hidden [batch, tokens, dimension]; padding has no part in it. */
function pool(hidden: Tensor, mask: Tensor, pooling: Pooling): Tensor {
  const vectors = ['batch', hidden.shape[2] ?? 0];
  if (pooling === 'first') return reshape(slice(hidden, 1, { start: 0, length: 1 }), vectors);
  const weights = cast(mask, 'f32');
  const total = reshape(matmul(reshape(weights, ['batch', 1, 'tokens']), hidden), vectors);
  return div(total, max(sum(weights, [1], true), 1));
}
