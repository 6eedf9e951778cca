// Reads an adapter in PEFT's layout (adapter_model.safetensors and adapter_config.json) into what the graphs take (adapted.ts).
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { readTensors, type StoredTensor } from '../weights/safetensors.ts';
import { ADAPTED_KINDS, type AdaptedKind, adaptedLinears } from './adapted.ts';
import type { DecoderConfig } from './config.ts';
import { ResidualRotation } from './residual-rotation.ts';
import { type DecoderSource, readValues } from './source.ts';
import type { Part } from './weights.ts';

/** Of one linear layer: `a` [rank, inner] and `b` [rank, outer] with the scale in it. */
export interface AdapterLayer {
  a: Float32Array;
  b: Float32Array;
}

/** All linear layers of a kind, of one rank; what is not adapted has rows of zeros. */
export interface AdapterStack {
  rank: number;
  layers: AdapterLayer[];
}

export interface Adapter {
  stacks: Record<AdaptedKind, AdapterStack>;
  bytes: number;
}

export interface AdapterFiles {
  weights: string;
  config: string;
}

interface PeftConfig {
  peft_type?: string;
  r?: number;
  lora_alpha?: number;
  use_rslora?: boolean;
  use_dora?: boolean;
  bias?: string;
  fan_in_fan_out?: boolean;
  rank_pattern?: object;
  alpha_pattern?: object;
  modules_to_save?: string[] | null;
}

/** Throws an error that says what of the adapter is not supported, or does not fit the base model. */
export async function readAdapter(config: DecoderConfig, files: AdapterFiles): Promise<Adapter> {
  const scale = scaleOf(JSON.parse(await readFile(files.config, 'utf8')) as PeftConfig);
  const folder = dirname(files.weights);
  const stored = new Map(
    (await readTensors(folder, basename(files.weights))).map(tensor => [
      tensor.name.replace(/^base_model\.model\.(model\.)?/, '').replace('.default.', '.'),
      tensor,
    ]),
  );
  const linears = adaptedLinears(config);
  const known = new Set(
    linears.flatMap(({ parts }) => parts.flatMap(({ name }) => [`${name}.lora_A.weight`, `${name}.lora_B.weight`])),
  );
  const strange = [...stored.keys()].find(name => !known.has(name));
  if (strange)
    throw new Error(`the adapter has a tensor ${strange}, which does not belong to a layer of the base model`);
  const made = await Promise.all(
    linears.map(async ({ parts, inner, ...place }) => ({
      ...place,
      inner,
      ...(await readLinear({ folder, stored, scale }, parts, inner)),
    })),
  );
  const stackOf = (kind: AdaptedKind): AdapterStack => {
    const layers = made.filter(each => each.kind === kind);
    const rank = Math.max(1, ...layers.map(each => each.rank));
    return {
      rank,
      layers: layers.map(({ a, b, inner, outer }) => ({ a: padded(a, rank * inner), b: padded(b, rank * outer) })),
    };
  };
  const stacks = Object.fromEntries(ADAPTED_KINDS.map(kind => [kind, stackOf(kind)])) as Adapter['stacks'];
  const bytes = Object.values(stacks)
    .flatMap(({ layers }) => layers)
    .reduce((sum, { a, b }) => sum + a.byteLength + b.byteLength, 0);
  return { stacks, bytes };
}

/** The same for a base whose hidden states are in the basis of `ResidualRotation`, with the scales of norms in its weights. Takes
 *  the adapter's own memory. */
export async function rotatedAdapter(adapter: Adapter, source: DecoderSource): Promise<Adapter> {
  const rotation = new ResidualRotation(source.config.hidden);
  for (const { kind, layer, parts, inner } of adaptedLinears(source.config)) {
    const { a, b } = adapter.stacks[kind].layers[layer] ?? missing(kind);
    const [{ reads, adds } = {}] = parts;
    if (reads) {
      const norm = source.tensors.get(`${reads}.weight`) ?? missing(reads);
      const scale = await readValues(source.folder, norm);
      for (let i = 0; i < a.length; i++) a[i] = (a[i] ?? 0) * (scale[i % inner] ?? 0);
      rotation.rows(a);
    }
    if (adds) rotation.rows(b);
  }
  return adapter;
}

function missing(what: string): never {
  throw new Error(`there is no ${what}`);
}

function scaleOf(peft: PeftConfig): number {
  if (peft.peft_type !== 'LORA') refuse(`peft_type ${String(peft.peft_type)} is not LORA`);
  if (peft.use_dora) refuse('use_dora is not supported');
  if (peft.fan_in_fan_out) refuse('fan_in_fan_out is not supported');
  if ((peft.bias ?? 'none') !== 'none') refuse(`bias ${peft.bias} is not supported`);
  if (peft.modules_to_save?.length) refuse('modules_to_save is not supported');
  if (Object.keys({ ...peft.rank_pattern, ...peft.alpha_pattern }).length > 0)
    refuse('ranks and alphas of single layers are not supported');
  const { r: rank, lora_alpha: alpha } = peft;
  if (!rank || !alpha) return refuse('r and lora_alpha must be numbers');
  return alpha / (peft.use_rslora ? Math.sqrt(rank) : rank);
}

function refuse(what: string): never {
  throw new Error(`adapter_config.json: ${what}`);
}

interface From {
  folder: string;
  stored: ReadonlyMap<string, StoredTensor>;
  scale: number;
}

/** What is added to parts that read the same, each through rows of its own. */
async function readLinear({ folder, stored, scale }: From, parts: readonly Part[], inner: number) {
  const outer = parts.reduce((sum, { rows }) => sum + rows, 0);
  const found = parts.flatMap(part => {
    const [a, b] = ['A', 'B'].map(which => stored.get(`${part.name}.lora_${which}.weight`));
    if (!a && !b) return [];
    if (a?.shape[1] !== inner || b?.shape[0] !== part.rows || a.shape[0] !== b.shape[1])
      throw new Error(`the adapter of ${part.name} does not fit the base model`);
    const from = parts.slice(0, parts.indexOf(part)).reduce((sum, { rows }) => sum + rows, 0);
    return [{ part, from, a, b, rank: a.shape[0] ?? 0 }];
  });
  const rank = found.reduce((sum, each) => sum + each.rank, 0);
  const [a, b] = [new Float32Array(rank * inner), new Float32Array(rank * outer)];
  let row = 0;
  for (const each of found) {
    a.set(await readValues(folder, each.a), row * inner);
    const values = await readValues(folder, each.b);
    for (let i = 0; i < each.part.rows; i++)
      for (let r = 0; r < each.rank; r++)
        b[(row + r) * outer + each.from + i] = scale * (values[i * each.rank + r] ?? 0);
    row += each.rank;
  }
  return { rank, outer, a, b };
}

function padded(values: Float32Array, length: number): Float32Array {
  const all = new Float32Array(length);
  all.set(values);
  return all;
}
