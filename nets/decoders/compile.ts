// Turns a model's folder or GGUF file into graphs that ONNX Runtime can load, and one file of weights beside them.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { putGraph, unlessThere, versionOf } from '../weights/files.ts';
import { type Adapter, type AdapterFiles, readAdapter, rotatedAdapter } from './adapter.ts';
import { batchGraph } from './batch.ts';
import type { DecoderConfig } from './config.ts';
import { togetherGraph } from './inference.ts';
import { promptGraph } from './prompt.ts';
import { type DecoderSource, openDecoder } from './source.ts';
import { DecoderWeights, type Precision } from './weights.ts';

export interface DecoderGraphs {
  config: DecoderConfig;
  /** See `promptGraph`: one text, any number of tokens. */
  prompt: string;
  /** See `togetherGraph`: a token of each of `texts` texts. */
  together: string;
  texts: number;
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
  const weights = await weightsOf(source, precision);
  const graphs = [promptGraph(source.config, weights.prompt), togetherGraph(source.config, weights.next, texts)];
  const [prompt, together] = await put(folder, weights, graphs);
  if (!prompt || !together) throw new Error('two graphs have two paths');
  return { config: source.config, prompt, together, texts };
}

/** Graphs for answering many at once: see `promptGraph`, `togetherGraph` of one text, and `batchGraph`. */
export interface AnsweringGraphs {
  config: DecoderConfig;
  prompt: string;
  one: string;
  batch: string;
  /** What sessions of all three hold of the weights. */
  weightBytes: number;
}

/** As `compileDecoder`, of the graphs that go with continuous batching; those with adapters are graphs of their own. */
export async function compileAnswering(
  path: string,
  { precision, texts, adapters, folder }: CompileOptions & { adapters: boolean },
): Promise<AnsweringGraphs> {
  const source = await openDecoder(path);
  const { config } = source;
  const weights = await weightsOf(source, precision);
  const [prompt, one, batch] = await put(folder, weights, [
    promptGraph(config, weights.prompt, { adapter: adapters }),
    togetherGraph(config, weights.next, 1, { adapter: adapters }),
    batchGraph(config, weights.next, { texts, adapters }),
  ]);
  if (!prompt || !one || !batch) throw new Error('three graphs have three paths');
  return { config, prompt, one, batch, weightBytes: weights.prompt.bytes + 2 * weights.next.bytes };
}

interface AnsweringWeights {
  /** For prompts, of whose many tokens whole numbers are multiplied faster. */
  prompt: DecoderWeights;
  /** For one token of each text, where reading the weights takes the time: as few bits as there are. */
  next: DecoderWeights;
}

async function weightsOf(source: DecoderSource, precision: Precision): Promise<AnsweringWeights> {
  const version = await versionOf(source.folder, source.tensors);
  const next = new DecoderWeights(source, { precision, version, rotated: isRotated(precision) });
  return { next, prompt: next.inForm('rows') };
}

/** Whole numbers of 8 bits with one rounding of the hidden states are faster than blocks where tokens are many, but not enough
 *  smaller for one token where blocks have 4 bits. */
const isRotated = (precision: Precision): boolean => precision === 'q8';

/** An adapter in PEFT's layout for the graphs of the model at `path`. */
export async function openAdapter(
  path: string,
  { precision, files }: { precision: Precision; files: AdapterFiles },
): Promise<Adapter> {
  const source = await openDecoder(path);
  const adapter = await readAdapter(source.config, files);
  return isRotated(precision) ? rotatedAdapter(adapter, source) : adapter;
}

/** The paths of the graphs, beside their weights. */
async function put(folder: string, { next }: AnsweringWeights, graphs: readonly Uint8Array[]): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  await unlessThere(join(folder, next.file), temporary => next.write(temporary));
  return Promise.all(graphs.map(bytes => putGraph(folder, 'decoder', bytes)));
}
