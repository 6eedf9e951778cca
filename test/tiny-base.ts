// The tiny language model of the engine's tests as an entry of a server's catalog, fetched from a folder.
import { tinyLanguage } from '../engine/tiny-language.ts';

export interface TinyBase {
  /** Where its files are. */
  path: string;
  /** What models.json says of it. */
  entry: object;
}

export async function tinyBase(pricePicodollarsPerToken: number): Promise<TinyBase> {
  const { path } = await tinyLanguage('smollm', { ends: 95 });
  const files = [
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'model.safetensors',
    'generation_config.json',
  ];
  const entry = {
    kind: 'decoder',
    model: 'me/tiny',
    revision: 'a'.repeat(40),
    maxTokens: 128,
    tier: 'budget',
    pricePicodollarsPerToken,
    languages: 'en',
    license: 'MIT',
    files: files.map(file => ({ path: file })),
    sources: [{ kind: 'folder', path }],
  };
  return { path, entry };
}
