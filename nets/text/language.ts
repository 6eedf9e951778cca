/** What a language model reads and writes besides numbers: its tokens, its chat template, and the tokens that end an answer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Gguf, readGguf } from '../weights/gguf.ts';
import { chatTemplate, type Message } from './chat.ts';
import { chatTemplateOfGguf, tokenizerOfGguf } from './gguf.ts';
import { loadTokenizer } from './tokenizer.ts';
import type { DecodingTokenizer } from './tokens.ts';

export interface Language {
  tokenizer: DecodingTokenizer;
  /** Ids that end an answer. */
  ends: ReadonlySet<number>;
  /** The text that the model continues as its answer; null for a model without a template. Throws when the template refuses. */
  chat: ((messages: readonly Message[]) => string) | null;
  /** The tokens of that text. What a message says is text: a special token's name in it is no such token. */
  encodeChat: ((messages: readonly Message[]) => number[]) | null;
}

/** Of a .gguf file, or of a folder with tokenizer.json and tokenizer_config.json. */
export async function openLanguage(path: string): Promise<Language> {
  return path.endsWith('.gguf') ? ofGguf(await readGguf(path)) : ofFolder(path);
}

function ofGguf(gguf: Gguf): Language {
  const tokenizer = tokenizerOfGguf(gguf);
  const id = (name: string): number[] => {
    const value = gguf.metadata.get(`tokenizer.ggml.${name}_token_id`);
    return typeof value === 'number' ? [value] : [];
  };
  const pieces = gguf.metadata.get('tokenizer.ggml.tokens');
  const pieceOf = (name: string): string => {
    const [at] = id(name);
    const piece: unknown = Array.isArray(pieces) && at !== undefined ? pieces[at] : undefined;
    return typeof piece === 'string' ? piece : '';
  };
  const tokens = { bos_token: pieceOf('bos'), eos_token: pieceOf('eos') };
  return languageOf(tokenizer, { template: chatTemplateOfGguf(gguf), tokens, ends: [...id('eos'), ...id('eot')] });
}

interface TokenizerConfig {
  chat_template?: string | { name: string; template: string }[] | null;
  bos_token?: string | { content: string } | null;
  eos_token?: string | { content: string } | null;
}

async function ofFolder(folder: string): Promise<Language> {
  const tokenizer = await loadTokenizer(folder);
  const json = async <T>(name: string): Promise<Partial<T>> => JSON.parse((await text(folder, name)) ?? '{}') as T;
  const config = await json<TokenizerConfig>('tokenizer_config.json');
  const template = await chatTemplateOfFolder(folder, config);
  const contentOf = (token: TokenizerConfig['eos_token']) =>
    typeof token === 'string' ? token : (token?.content ?? '');
  const tokens = { bos_token: contentOf(config.bos_token), eos_token: contentOf(config.eos_token) };
  const ids = await Promise.all(
    ['generation_config.json', 'config.json'].map(name => json<{ eos_token_id: number | number[] | null }>(name)),
  );
  return languageOf(tokenizer, { template, tokens, ends: ids.flatMap(each => each.eos_token_id ?? []) });
}

/** The template of a folder's conversations, if there is one: in a file of its own, as transformers writes it now, or in
 *  tokenizer_config.json. */
export async function chatTemplateOfFolder(
  folder: string,
  { chat_template: own }: Pick<TokenizerConfig, 'chat_template'>,
): Promise<string | null> {
  const given = typeof own === 'string' ? own : own?.find(({ name }) => name === 'default')?.template;
  return (await text(folder, 'chat_template.jinja')) ?? given ?? null;
}

/** How models of this family are known to end an answer, whatever their files name as the end of a text. */
const ENDS = ['<|im_end|>', '<|endoftext|>', '<|eot_id|>', '</s>'];

function languageOf(
  tokenizer: DecodingTokenizer,
  {
    template,
    tokens,
    ends,
  }: { template: string | null; tokens: { bos_token: string; eos_token: string }; ends: number[] },
): Language {
  const alone = [...ENDS, tokens.eos_token].flatMap(each => {
    const { ids } = tokenizer.encode(each);
    return ids.length === 1 && ids[0] !== undefined ? [ids[0]] : [];
  });
  const write = template === null ? null : chatTemplate(template);
  const chat = write && ((messages: readonly Message[]) => write(messages, { tokens }));
  const encodeChat = chat && ((messages: readonly Message[]) => encodeSaid(tokenizer, chat, messages));
  return { tokenizer, ends: new Set([...ends, ...alone]), chat, encodeChat };
}

/** A noncharacter of Unicode, which no text has: stands within names of special tokens in messages, until the template is done. */
const APART = '\ufdd0';

/** Whoever only says something can neither end his turn nor begin another's. */
function encodeSaid(tokenizer: DecodingTokenizer, chat: NonNullable<Language['chat']>, messages: readonly Message[]) {
  const apart = (content: string): string => {
    const said = content.replaceAll(APART, '\ufffd');
    const { ids, starts, ends } = tokenizer.encode(said);
    const parts: string[] = [];
    let done = 0;
    for (const [i, id] of ids.entries()) {
      if (!tokenizer.special.has(id)) continue;
      // Some take the white space before them.
      const name = said.slice(starts[i], ends[i]).trimStart();
      const at = (ends[i] ?? 0) - name.length + 1;
      parts.push(said.slice(done, at));
      done = at;
    }
    return [...parts, said.slice(done)].join(APART);
  };
  const whole = chat(messages.map(({ content, ...message }) => ({ ...message, content: apart(content) })));
  return whole.split(APART).flatMap(part => [...tokenizer.encode(part).ids]);
}

function text(folder: string, name: string): Promise<string | null> {
  return readFile(join(folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
