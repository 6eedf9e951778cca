// Python environments of the peers, outside the repository: made on first use, with pinned versions.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const PEERS = new URL('peers/', import.meta.url).pathname;

/** Where environments and the peers' copy of the model are kept. */
export function benchFolder(): string {
  const caches =
    process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches')
      : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
  return process.env.VECTORIUM_BENCH_VENV ?? join(caches, 'vectorium-bench');
}

/** The folder of programs of the environment `name`, which peers/<name>.txt describes. */
export async function environment(name: 'libraries' | 'infinity'): Promise<string> {
  const folder = join(benchFolder(), name);
  const programs = join(folder, 'bin');
  const done = join(folder, 'bench-ready');
  if (existsSync(done)) return programs;
  console.error(`making the Python environment ${folder} (several GB, some minutes) …`);
  await mkdir(folder, { recursive: true });
  await run('python3', ['-m', 'venv', folder]);
  const limits = { timeout: 40 * 60_000, maxBuffer: 2 ** 26 };
  await run(join(programs, 'pip'), ['install', '--quiet', '-r', join(PEERS, `${name}.txt`)], limits).catch(
    (error: { stderr?: string; message: string }) => {
      throw new Error(`pip: ${(error.stderr ?? error.message).trim().split('\n').at(-1)}`);
    },
  );
  await writeFile(done, '');
  return programs;
}

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
  await run(join(await environment('libraries'), 'python'), [join(PEERS, 'export.py'), folder, `${onnx}-part`]);
  await rename(`${onnx}-part`, onnx);
  return folder;
}

const sentenceTransformersModule = (name: string, number: number) => ({
  idx: number,
  name: String(number),
  path: number === 0 ? '' : `${number}_${name}`,
  type: `sentence_transformers.models.${name}`,
});
