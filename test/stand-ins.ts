// Tiny stand-in weights under real aliases, for models whose own weights a test can't fetch: the same architecture with
// random numbers (the fixtures of nets/), which shows that the path works and says nothing about meaning.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const fixtures = fileURLToPath(new URL('../nets/fixtures/encoders/', import.meta.url));
const weights = /\.safetensors(\.index\.json)?$/;

/** Which fixture has the architecture of which model. Their position tables are short (62 for XLM-RoBERTa): texts must be too. */
const architectures = {
  gte_base: { fixture: 'gte', maxTokens: 8192, config: { max_position_embeddings: 8192 } },
  e5_base: { fixture: 'xlm-roberta', maxTokens: 512, config: {} },
} as const;

/** Writes models.json into the data folder, after which these aliases are fetched from a folder beside it. */
export async function writeStandIns(dataFolder: string): Promise<void> {
  const models: Record<string, object> = {};
  for (const [alias, { fixture, maxTokens, config }] of Object.entries(architectures)) {
    const source = join(fixtures, fixture);
    const folder = join(dataFolder, 'stand-ins', alias);
    await mkdir(folder, { recursive: true });
    await cp(source, folder, { recursive: true });
    const given = JSON.parse(await readFile(join(source, 'config.json'), 'utf8')) as { hidden_size: number };
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...given, ...config }));
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
    const names = await listed(folder);
    models[alias] = {
      revision: '0'.repeat(40),
      dimension: given.hidden_size,
      maxTokens,
      matryoshka: null,
      files: names.map(path => ({ path })),
      sources: [{ kind: 'folder', path: folder }],
    };
  }
  await writeFile(join(dataFolder, 'models.json'), JSON.stringify({ models }));
}

async function listed(folder: string): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  const names = await readdir(folder);
  return names.filter(name => name === 'config.json' || name === 'tokenizer.json' || weights.test(name));
}

/** XLM-RoBERTa's kind of tokenizer with a handful of pieces; what it doesn't know is one unknown token. */
const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: ['<s>', '<pad>', '</s>', '<unk>'].map((content, id) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  })),
  normalizer: null,
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'WhitespaceSplit' },
      { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    ],
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '<s>', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '</s>', type_id: 0 } },
    ],
    pair: [
      { SpecialToken: { id: '<s>', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '</s>', type_id: 0 } },
    ],
    special_tokens: {
      '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
      '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] },
    },
  },
  decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  model: {
    type: 'Unigram',
    unk_id: 3,
    vocab: [
      ['<s>', 0],
      ['<pad>', 0],
      ['</s>', 0],
      ['<unk>', 0],
      ['▁', -2],
      ['▁the', -3],
      ['▁a', -3],
      ['s', -4],
      ['e', -4],
      ['.', -4],
      [',', -4],
    ],
  },
};
