// A base with an adapter, or a model of its own, as a folder in the layout of Transformers.js: onnx/model.onnx with its weights beside
// it, and the files that Hugging Face's libraries read besides. The weights keep the precision in which this server answers.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chatTemplateOfGguf, tokenizerJsonOfGguf } from '../text/gguf.ts';
import { openLanguage } from '../text/language.ts';
import type { Gguf } from '../weights/gguf.ts';
import { readAdapter } from './adapter.ts';
import type { DecoderConfig } from './config.ts';
import { AdapterValues, portableGraph } from './portable.ts';
import { openDecoder } from './source.ts';
import { DecoderWeights, type Precision } from './weights.ts';

export interface PortableOptions {
  precision: Precision;
  /** PEFT's files. */
  adapter: { weights: string; config: string } | null;
  /** Made if it is not there. */
  folder: string;
}

/** Beside config.json and the two of onnx/, where the model has them. */
const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
];
/** As Transformers.js wants them to be called: of the base, and of the adapter. */
const [DATA, ADAPTER] = ['model.onnx_data', 'model.onnx_data_1'];

/** `path` is a folder with safetensors or a .gguf file. Throws where such a model can't be taken along. */
export async function exportPortable(
  path: string,
  { precision, adapter: files, folder }: PortableOptions,
): Promise<void> {
  const source = await openDecoder(path);
  const { config, gguf } = source;
  const onnx = join(folder, 'onnx');
  await mkdir(onnx, { recursive: true });
  const weights = new DecoderWeights(source, { precision, version: '', file: DATA });
  const adapter = files && new AdapterValues(await readAdapter(config, files), ADAPTER);
  await writeFile(join(onnx, 'model.onnx'), portableGraph(config, weights, adapter));
  await weights.write(join(onnx, DATA));
  if (adapter) await writeFile(join(onnx, ADAPTER), adapter.all);
  const json = (name: string, value: object) => writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  const own = gguf
    ? configJson(config, gguf)
    : (JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as object);
  await json('config.json', {
    ...own,
    torch_dtype: 'float32',
    'transformers.js_config': { dtype: 'fp32', kv_cache_dtype: 'float32', use_external_data_format: adapter ? 2 : 1 },
  });
  const there = gguf ? [] : await readdir(path);
  for (const name of COPIED) if (there.includes(name)) await copyFile(join(path, name), join(folder, name));
  if (gguf) await writeTokenizer(gguf, folder);
  if (!there.includes('generation_config.json')) {
    const { ends } = await openLanguage(path);
    await json('generation_config.json', { eos_token_id: [...ends].toSorted((a, b) => a - b) });
  }
}

async function writeTokenizer(gguf: Gguf, folder: string): Promise<void> {
  const tokenizer = tokenizerJsonOfGguf(gguf);
  if (!tokenizer) throw new Error(`${gguf.path}: a tokenizer of this kind can not be written as tokenizer.json`);
  const pieces = gguf.metadata.get('tokenizer.ggml.tokens');
  const token = (name: string): string | null => {
    const id = gguf.metadata.get(`tokenizer.ggml.${name}_token_id`);
    const piece: unknown = Array.isArray(pieces) && typeof id === 'number' ? pieces[id] : null;
    return typeof piece === 'string' ? piece : null;
  };
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  const settings = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: token('bos'),
    eos_token: token('eos'),
    pad_token: token('padding') ?? token('eos'),
    chat_template: chatTemplateOfGguf(gguf),
    clean_up_tokenization_spaces: false,
  };
  await writeFile(join(folder, 'tokenizer_config.json'), `${JSON.stringify(settings, null, 2)}\n`);
}

/** config.json of what a GGUF file says; how positions turn is in the graph. */
function configJson(config: DecoderConfig, { metadata }: Gguf): object {
  const architecture = metadata.get('general.architecture') === 'qwen2' ? 'qwen2' : 'llama';
  const id = (name: string) => metadata.get(`tokenizer.ggml.${name}_token_id`) ?? null;
  return {
    architectures: [architecture === 'qwen2' ? 'Qwen2ForCausalLM' : 'LlamaForCausalLM'],
    model_type: architecture,
    vocab_size: config.vocabulary,
    hidden_size: config.hidden,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    intermediate_size: config.intermediate,
    hidden_act: 'silu',
    max_position_embeddings: config.maxTokens,
    rms_norm_eps: config.epsilon,
    rope_theta: metadata.get(`${architecture}.rope.freq_base`) ?? 10_000,
    tie_word_embeddings: config.tied,
    bos_token_id: id('bos'),
    eos_token_id: id('eos'),
  };
}
