// What the peers that are Python programs need: environments, and a copy of the model in the layout that they expect.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { benchFolder, environment } from '../python.ts';

const run = promisify(execFile);
export const PEERS = new URL('peers/', import.meta.url).pathname;

/** The folder of programs of the environment that peers/<name>.txt describes. */
export const peerPrograms = (name: 'libraries' | 'infinity'): Promise<string> =>
  environment(join(PEERS, `${name}.txt`));

/** A folder in the layout that the peers expect, of the same weights: 512 tokens for each of them, and no padding to a fixed
 *  length, which the tokenizer's own file asks for and which would slow some of them down. */
export async function peerModel(modelFolder: string): Promise<string> {
  const folder = join(benchFolder(), 'model');
  if (existsSync(join(folder, 'onnx', 'model.onnx'))) return folder;
  await mkdir(join(folder, '1_Pooling'), { recursive: true });
  for (const file of ['config.json', 'model.safetensors']) await copyFile(join(modelFolder, file), join(folder, file));
  const tokenizer: unknown = JSON.parse(await readFile(join(modelFolder, 'tokenizer.json'), 'utf8'));
  const tokens = {
    unk_token: '[UNK]',
    sep_token: '[SEP]',
    pad_token: '[PAD]',
    cls_token: '[CLS]',
    mask_token: '[MASK]',
  };
  const files: Record<string, unknown> = {
    'tokenizer.json': { ...(tokenizer as object), padding: null, truncation: null },
    'tokenizer_config.json': {
      ...tokens,
      do_lower_case: true,
      tokenizer_class: 'BertTokenizer',
      model_max_length: 512,
    },
    'special_tokens_map.json': tokens,
    'sentence_bert_config.json': { max_seq_length: 512, do_lower_case: false },
    'modules.json': ['Transformer', 'Pooling', 'Normalize'].map(sentenceTransformersModule),
    '1_Pooling/config.json': {
      word_embedding_dimension: 384,
      pooling_mode_cls_token: false,
      pooling_mode_mean_tokens: true,
      pooling_mode_max_tokens: false,
      pooling_mode_mean_sqrt_len_tokens: false,
    },
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(content));
  const onnx = join(folder, 'onnx');
  await run(join(await peerPrograms('libraries'), 'python'), [join(PEERS, 'export.py'), folder, `${onnx}-part`]);
  await rename(`${onnx}-part`, onnx);
  return folder;
}

const sentenceTransformersModule = (name: string, number: number) => ({
  idx: number,
  name: String(number),
  path: number === 0 ? '' : `${number}_${name}`,
  type: `sentence_transformers.models.${name}`,
});
