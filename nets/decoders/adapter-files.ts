// A trained adapter as the files that others read: PEFT's safetensors with its configuration, and llama.cpp's GGUF.
import { ggufOf } from '../weights/write-gguf.ts';
import { type NamedTensor, safetensorsOf } from '../weights/write-safetensors.ts';
import type { DecoderConfig } from './config.ts';
import { rowsInOrder } from './source.ts';
import type { Lora } from './training.ts';

/** `tensors` are named as `Trained`: 'layers.0.self_attn.q_proj.a'. */
export function peftFiles(
  tensors: readonly NamedTensor[],
  { lora, base, revision }: { lora: Lora; base: string; revision: string },
): { weights: Uint8Array[]; config: object } {
  const named = tensors.map(({ name, ...tensor }) => {
    const [, layer = '', kind = ''] = /^(.*)\.([ab])$/.exec(name) ?? [];
    return { ...tensor, name: `base_model.model.model.${layer}.lora_${kind.toUpperCase()}.weight` };
  });
  return {
    weights: safetensorsOf(named, { format: 'pt' }),
    config: {
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: base,
      revision,
      r: lora.rank,
      lora_alpha: lora.alpha,
      lora_dropout: 0,
      bias: 'none',
      target_modules: [...lora.layers],
      fan_in_fan_out: false,
      inference_mode: true,
      init_lora_weights: true,
      modules_to_save: null,
      use_dora: false,
      use_rslora: false,
    },
  };
}

const GGUF_NAMES: Readonly<Record<string, string>> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** `architecture` as GGUF files call it: llama, qwen2. */
export function ggufAdapter(
  tensors: readonly NamedTensor[],
  { lora, config, architecture }: { lora: Lora; config: DecoderConfig; architecture: string },
): Uint8Array[] {
  const named = tensors.map(tensor => {
    const [, layer = '', part = '', kind = ''] = /^layers\.(\d+)\.(.*)\.([ab])$/.exec(tensor.name) ?? [];
    const heads = headsOf(part, config);
    const data = kind === 'b' && heads > 0 && architecture !== 'qwen2' ? interleaved(tensor, heads) : tensor.data;
    return { ...tensor, data, name: `blk.${layer}.${GGUF_NAMES[part]}.weight.lora_${kind}` };
  });
  return ggufOf(named, {
    'general.architecture': architecture,
    'general.type': 'adapter',
    'adapter.type': 'lora',
    'adapter.lora.alpha': lora.alpha,
  });
}

function headsOf(part: string, { heads, keyValueHeads }: DecoderConfig): number {
  if (part === 'self_attn.q_proj') return heads;
  return part === 'self_attn.k_proj' ? keyValueHeads : 0;
}

/** The rows of a matrix in the order in which llama.cpp turns them: the way back of `rowsInOrder`. */
function interleaved({ shape: [rows = 0, columns = 0], data }: NamedTensor, heads: number): Float32Array {
  const moved = new Float32Array(data.length);
  rowsInOrder(rows, heads).forEach((at, row) => {
    moved.set(data.subarray(row * columns, (row + 1) * columns), at * columns);
  });
  return moved;
}
