// How conversations and texts become tokens: those of the base model, or of a tokenizer learnt from the texts.
import {
  chatTemplate,
  chatTemplateOfFolder,
  chatTemplateOfGguf,
  type DecodingTokenizer,
  loadTokenizer,
  type Message,
  readGguf,
  trainBpe,
} from '@vectorium/nets';
import { tokenizerOfGguf } from '@vectorium/nets';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, writeWhole } from '../files.ts';
import type { BaseModel } from './types.ts';

export interface Vocabulary {
  tokenizer: DecodingTokenizer;
  /** Ends a text and an answer. */
  end: number;
  /** Writes a conversation; null for a model that knows none. */
  write: ((messages: readonly Message[], prompt: boolean) => string) | null;
  /** Tokens in front of a plain text. */
  before: number[];
  /** GGUF's name of the architecture, where it is known. */
  architecture: string;
}

/** How conversations with a model from scratch are written (ChatML). */
export const scratchTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const scratchSpecial = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];

export async function vocabularyOf(base: BaseModel): Promise<Vocabulary> {
  return base.path.endsWith('.gguf') ? vocabularyOfGguf(base.path) : vocabularyOfFolder(base.path);
}

async function vocabularyOfGguf(path: string): Promise<Vocabulary> {
  const gguf = await readGguf(path);
  const tokenizer = tokenizerOfGguf(gguf);
  const template = chatTemplateOfGguf(gguf);
  const tokens = gguf.metadata.get('tokenizer.ggml.tokens');
  const textOf = (key: string): string => {
    const id = Number(gguf.metadata.get(`tokenizer.ggml.${key}`) ?? -1);
    return Array.isArray(tokens) ? String(tokens[id] ?? '') : '';
  };
  return {
    tokenizer,
    end: Number(gguf.metadata.get('tokenizer.ggml.eos_token_id') ?? 0),
    write: template ? writer(template, { bos_token: textOf('bos_token_id'), eos_token: textOf('eos_token_id') }) : null,
    before: [...tokenizer.before],
    architecture: String(gguf.metadata.get('general.architecture')),
  };
}

async function vocabularyOfFolder(folder: string): Promise<Vocabulary> {
  const tokenizer = await loadTokenizer(folder);
  const [settings, config] = await Promise.all(
    ['tokenizer_config.json', 'config.json'].map(
      async name => JSON.parse(await readFile(join(folder, name), 'utf8')) as Record<string, unknown>,
    ),
  );
  const textOf = (name: string): string => {
    const token = settings?.[name];
    if (typeof token === 'string') return token;
    return typeof token === 'object' && token !== null && 'content' in token ? String(token.content) : '';
  };
  const template = await chatTemplateOfFolder(folder, settings ?? {});
  const end = tokenizer.encode(textOf('eos_token')).ids.at(-1);
  if (end === undefined) throw new Error('tokenizer_config.json names no eos_token');
  return {
    tokenizer,
    end,
    write: template ? writer(template, { bos_token: textOf('bos_token'), eos_token: textOf('eos_token') }) : null,
    before: [...tokenizer.before],
    architecture: config?.['model_type'] === 'qwen2' ? 'qwen2' : 'llama',
  };
}

function writer(template: string, tokens: Record<string, string>): Vocabulary['write'] {
  const write = chatTemplate(template);
  return (messages, prompt) => write(messages, { prompt, tokens });
}

/** A tokenizer of the job's own: the one that its folder has, or a new one of `texts`. */
export async function learntVocabulary(
  folder: string,
  texts: () => AsyncIterable<string>,
  size: number,
): Promise<Vocabulary> {
  const path = join(folder, 'tokenizer', 'tokenizer.json');
  if (!(await readIfThere(path))) {
    const all: string[] = [];
    let characters = 0;
    for await (const text of texts()) {
      all.push(text);
      characters += text.length;
      if (characters > mostCharacters) break;
    }
    await mkdir(join(folder, 'tokenizer'), { recursive: true });
    const settings = {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: '<|endoftext|>',
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      chat_template: scratchTemplate,
      clean_up_tokenization_spaces: false,
    };
    await writeWhole(join(folder, 'tokenizer', 'tokenizer_config.json'), `${JSON.stringify(settings, null, 2)}\n`);
    await writeWhole(join(folder, 'tokenizer', 'config.json'), '{"model_type": "llama"}\n');
    await writeWhole(path, JSON.stringify({ version: '1.0', ...trainBpe(all, { size, special: scratchSpecial }) }));
  }
  return vocabularyOfFolder(join(folder, 'tokenizer'));
}

/** More texts teach a small tokenizer nothing new. */
const mostCharacters = 20_000_000;
