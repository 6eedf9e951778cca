// Turns a model's folder or GGUF file into graphs that ONNX Runtime can load, and one file of weights beside them.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { putGraph, unlessThere, versionOf } from '../weights/files.ts';
import { type Adapter, type AdapterFiles, readAdapter, rotatedAdapter } from './adapter.ts';
import type { DecoderConfig } from './config.ts';
import { nextGraph } from './inference.ts';
import { promptGraph } from './prompt.ts';
import { type DecoderSource, openDecoder } from './source.ts';
import { DecoderWeights, type Precision } from './weights.ts';

/** Graphs for answering: see `promptGraph` and `nextGraph`. */
export interface DecoderGraphs {
  config: DecoderConfig;
  prompt: string;
  next: string;
  /** What sessions of both hold of the weights. */
  weightBytes: number;
}

export interface CompileOptions {
  precision: Precision;
  /** Graphs that take adapters are graphs of their own. */
  adapters?: boolean;
  /** Where graphs and weights are put; made if it is not there. */
  folder: string;
}

/** Makes the graphs of the model at `path` (a folder with safetensors, or a .gguf file) unless they are there already. All
 *  files have names made of their content and appear whole, so calls may overlap. Throws when the architecture is not
 *  supported or the weights don't fit the configuration. */
export async function compileDecoder(
  path: string,
  { precision, adapters = false, folder }: CompileOptions,
): Promise<DecoderGraphs> {
  const source = await openDecoder(path);
  const { config } = source;
  const weights = await weightsOf(source, precision);
  const [prompt, next] = await put(folder, weights, [
    promptGraph(config, weights.prompt, { adapters }),
    nextGraph(config, weights.next, { adapters }),
  ]);
  if (!prompt || !next) throw new Error('two graphs have two paths');
  return { config, prompt, next, weightBytes: weights.prompt.bytes + weights.next.bytes };
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
