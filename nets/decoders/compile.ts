// Turns a model's folder or GGUF file into graphs that ONNX Runtime can load, and one file of weights beside them.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { putGraph, unlessThere, versionOf } from '../weights/files.ts';
import { batchGraph } from './batch.ts';
import type { DecoderConfig } from './config.ts';
import { promptGraph, togetherGraph } from './inference.ts';
import { openDecoder } from './source.ts';
import { DecoderWeights, type Precision } from './weights.ts';

export interface DecoderGraphs {
  config: DecoderConfig;
  /** See `promptGraph`: one text, any number of tokens. */
  prompt: string;
  /** See `togetherGraph`: a token of each of `texts` texts. */
  together: string;
  texts: number;
  weightBytes: number;
}

export interface CompileOptions {
  precision: Precision;
  /** Texts that `together` goes on with in one run. */
  texts: number;
  /** Where graphs and weights are put; made if it is not there. */
  folder: string;
}

/** Makes the graphs of the model at `path` (a folder with safetensors, or a .gguf file) unless they are there already. All
 *  files have names made of their content and appear whole, so calls may overlap. Throws when the architecture is not
 *  supported or the weights don't fit the configuration. */
export async function compileDecoder(
  path: string,
  { precision, texts, folder }: CompileOptions,
): Promise<DecoderGraphs> {
  const source = await openDecoder(path);
  const version = await versionOf(source.folder, source.tensors);
  const weights = new DecoderWeights(source, { precision, version });
  const graphs = [promptGraph(source.config, weights), togetherGraph(source.config, weights, texts)] as const;
  await mkdir(folder, { recursive: true });
  await unlessThere(join(folder, weights.file), temporary => weights.write(temporary));
  const [prompt, together] = await Promise.all(graphs.map(bytes => putGraph(folder, 'decoder', bytes)));
  if (!prompt || !together) throw new Error('two graphs have two paths');
  return { config: source.config, prompt, together, texts, weightBytes: weights.bytes };
}

/** Graphs for answering many at once: see `togetherGraph` of one text, and `batchGraph`. */
export interface AnsweringGraphs {
  config: DecoderConfig;
  one: string;
  batch: string;
  weightBytes: number;
}

/** As `compileDecoder`, of the graphs that go with continuous batching; those with adapters are graphs of their own. */
export async function compileAnswering(
  path: string,
  { precision, texts, adapters, folder }: CompileOptions & { adapters: boolean },
): Promise<AnsweringGraphs> {
  const source = await openDecoder(path);
  const { config } = source;
  const version = await versionOf(source.folder, source.tensors);
  const weights = new DecoderWeights(source, { precision, version });
  const graphs = [
    togetherGraph(config, weights, 1, { adapter: adapters }),
    batchGraph(config, weights, { texts, adapters }),
  ];
  await mkdir(folder, { recursive: true });
  await unlessThere(join(folder, weights.file), temporary => weights.write(temporary));
  const [one, batch] = await Promise.all(graphs.map(bytes => putGraph(folder, 'decoder', bytes)));
  if (!one || !batch) throw new Error('two graphs have two paths');
  return { config, one, batch, weightBytes: weights.bytes };
}
