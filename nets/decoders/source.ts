// Where a decoder's weights come from: a folder with config.json and safetensors, or a GGUF file, under one set of names.
import { open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Gguf, readGguf } from '../weights/gguf.ts';
import { layoutOf } from '../weights/ggml.ts';
import { findTensors, type StoredTensor } from '../weights/safetensors.ts';
import { configOfGguf, configOfJson, type DecoderConfig } from './config.ts';

export interface DecoderSource {
  readonly config: DecoderConfig;
  /** The folder that the tensors' files are in. */
  readonly folder: string;
  /** By the names that Hugging Face has for them, without 'model.': 'layers.0.self_attn.q_proj.weight'. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Heads whose rows were put in another order when the file was made, or 0: see `rowsInOrder`. */
  readonly reorderedHeads: (name: string) => number;
  /** What the file says of itself, where it is a GGUF. */
  readonly gguf: Gguf | null;
}

/** Throws when the architecture is not supported or the file is broken. */
export async function openDecoder(path: string): Promise<DecoderSource> {
  if (path.endsWith('.gguf')) return fromGguf(await readGguf(path));
  const config = configOfJson(await readFile(join(path, 'config.json'), 'utf8'));
  const stored = await findTensors(path);
  if (!stored) throw new Error(`${path} has no model.safetensors`);
  const tensors = new Map([...stored].map(([name, tensor]) => [name.replace(/^model\./, ''), tensor]));
  return { config, folder: path, tensors, reorderedHeads: () => 0, gguf: null };
}

async function fromGguf(gguf: Gguf): Promise<DecoderSource> {
  const folder = dirname(gguf.path);
  const frequencies = gguf.tensors.get('rope_freqs.weight');
  const config = configOfGguf(gguf.metadata, {
    path: gguf.path,
    tied: !gguf.tensors.has('output.weight'),
    factors: frequencies ? await readValues(folder, frequencies) : null,
  });
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of gguf.tensors) {
    const known = nameOf(name);
    if (known) tensors.set(known, tensor);
  }
  // llama.cpp turns neighbouring elements, so its converter interleaves the halves of each head of Llama's q and k.
  const interleaved = gguf.metadata.get('general.architecture') !== 'qwen2';
  const reorderedHeads = (name: string) => {
    if (!interleaved) return 0;
    if (name.includes('self_attn.q_proj')) return config.heads;
    return name.includes('self_attn.k_proj') ? config.keyValueHeads : 0;
  };
  return { config, folder, tensors, reorderedHeads, gguf };
}

const OUTER: Readonly<Record<string, string>> = {
  'token_embd.weight': 'embed_tokens.weight',
  'output_norm.weight': 'norm.weight',
  'output.weight': 'lm_head.weight',
};
const INNER: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** Hugging Face's name of a tensor that GGUF calls 'blk.0.attn_q.weight'; undefined for one that no graph takes. */
function nameOf(name: string): string | undefined {
  const [, layer, part = '', kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const inner = INNER[part];
  return inner ? `layers.${layer}.${inner}.${kind}` : OUTER[name];
}

/** For each row of a matrix of `heads` heads, which row of the file it is. The file has rows 0, half, 1, half + 1, … of
 *  each head where Hugging Face has 0, 1, 2, … */
export function rowsInOrder(rows: number, heads: number): Int32Array {
  const size = rows / heads;
  const half = size / 2;
  return Int32Array.from({ length: rows }, (_, row) => {
    const within = row % size;
    return row - within + 2 * (within % half) + Math.floor(within / half);
  });
}

/** All values of a small tensor as f32. */
export async function readValues(folder: string, tensor: StoredTensor): Promise<Float32Array> {
  const count = tensor.shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(count);
  const handle = await open(join(folder, tensor.file), 'r');
  try {
    const bytes = new Uint8Array(tensor.bytes);
    await handle.read(bytes, 0, bytes.length, tensor.offset);
    widen(tensor, bytes, values);
  } finally {
    await handle.close();
  }
  return values;
}

/** `bytes` of a tensor as f32; throws when its type is not supported or the lengths don't fit. */
export function widen(tensor: StoredTensor, bytes: Uint8Array, to: Float32Array): void {
  const layout = layoutOf(tensor.type);
  if (!layout)
    throw new Error(`${tensor.file}: tensor ${tensor.name} has the type ${tensor.type}, which is not supported`);
  const blocks = to.length / layout.block;
  if (bytes.length !== blocks * layout.bytes)
    throw new Error(`${tensor.file}: tensor ${tensor.name} has ${bytes.length} bytes, not ${blocks * layout.bytes}`);
  layout.widen(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), blocks, to);
}
