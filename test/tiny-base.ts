// The tiny language model of the engine's tests as an entry of a server's catalog, fetched from a folder.
import { mkdir } from 'node:fs/promises';
import { writeTinyLanguage } from '../engine/tiny-language.ts';

/** What models.json says of it; its files are put into `folder`. */
export async function tinyBase(folder: string, pricePicodollarsPerToken = 0): Promise<object> {
  await mkdir(folder, { recursive: true });
  await writeTinyLanguage(folder, 'smollm', { ends: 95 });
  const files = [
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'model.safetensors',
    'generation_config.json',
  ];
  return {
    kind: 'decoder',
    model: 'me/tiny',
    revision: 'a'.repeat(40),
    maxTokens: 128,
    tier: 'budget',
    pricePicodollarsPerToken,
    languages: 'en',
    license: 'MIT',
    files: files.map(file => ({ path: file })),
    sources: [{ kind: 'folder', path: folder }],
  };
}
