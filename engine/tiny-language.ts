// For tests and nothing else: a small random language model of the fixtures with a tokenizer of one character a token.
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AdapterHandle, DecoderHandle } from './types.ts';

const FIXTURES = join(import.meta.dirname, '../nets/fixtures/decoders');
/** Ids 0 to 94; 95 is a special token, which ends answers only where that is asked for. */
const pieces = ['Ġ', ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))];

/** The text of tokens. */
export const tinyWords = (ids: readonly number[]): string =>
  ids.map(id => (id === 95 ? '' : id === 0 ? ' ' : (pieces[id] ?? ''))).join('');

/** In a new folder, gone when the test has finished. `ends` is the id that ends an answer. */
export async function tinyLanguage(name: 'smollm' | 'qwen2', { ends }: { ends?: number } = {}): Promise<DecoderHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tiny-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeTinyLanguage(folder, name, { ends });
  return { id: folder, path: folder, precision: 'f32', maxTokens: 128 };
}

/** The same in a folder that there is. */
export async function writeTinyLanguage(
  folder: string,
  name: 'smollm' | 'qwen2',
  { ends }: { ends?: number | undefined } = {},
): Promise<void> {
  for (const file of ['config.json', 'model.safetensors'])
    await copyFile(join(FIXTURES, name, file), join(folder, file));
  const special = { id: 95, content: '<|end|>', single_word: false, lstrip: false, rstrip: false, special: true };
  const tokenizer = {
    added_tokens: [special],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: [] },
  };
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  const template = "{% for m in messages %}{{ m['role'] + ':' + m['content'] + ';' }}{% endfor %}";
  await writeFile(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ chat_template: template, eos_token: ends === 95 ? special.content : null }),
  );
  await writeFile(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: ends ?? null }));
}

export function tinyAdapter(name: 'smollm' | 'qwen2', adapter: 'all' | 'few'): AdapterHandle {
  const folder = join(FIXTURES, name, 'adapters', adapter);
  return {
    id: adapter,
    open: async () => ({
      weights: join(folder, 'adapter_model.safetensors'),
      config: join(folder, 'adapter_config.json'),
      release: () => {},
    }),
  };
}

/** What transformers and peft say: the greedy continuation of some prompts, without an adapter or with one. */
export async function tinyExpected(
  name: 'smollm' | 'qwen2',
  adapter?: 'all' | 'few',
): Promise<{ ids: number[]; continued: number[] }[]> {
  const folder = join(FIXTURES, name, ...(adapter ? ['adapters', adapter] : []));
  const json: unknown = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'));
  return adapter
    ? (json as { ids: number[]; continued: number[] }[])
    : (json as { texts: { ids: number[]; continued: number[] }[] }).texts;
}
