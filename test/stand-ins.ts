// Tiny stand-in weights under real aliases, for models whose own weights a test can't fetch: the same architecture with
// random numbers (the fixtures of nets/), which shows that the path works and says nothing about meaning.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const fixtures = fileURLToPath(new URL('../nets/fixtures/encoders/', import.meta.url));
const weights = /\.safetensors(\.index\.json)?$/;

/** Which fixture has the architecture of which model, and what its configuration says in place of the fixture's. */
const architectures = {
  gte_base: { fixture: 'gte', maxTokens: 8192, config: { max_position_embeddings: 8192 } },
  e5_base: { fixture: 'xlm-roberta', maxTokens: 512, config: { max_position_embeddings: 514 } },
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
    for (const name of names)
      if (name.endsWith('.safetensors')) await lengthen(join(folder, name), config.max_position_embeddings);
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
  const names = await readdir(folder);
  return names.filter(name => name === 'config.json' || name === 'tokenizer.json' || weights.test(name));
}

/**
 * Gives the position table of a safetensors file, where it has one, as many rows as the model has: its own over and over,
 * behind the other values; the former table stays as a gap.
 */
async function lengthen(path: string, rows: number): Promise<void> {
  const bytes = await readFile(path);
  const values = bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
  const header = JSON.parse(bytes.toString('utf8', 8, values.byteOffset - bytes.byteOffset)) as Record<string, Stored>;
  const table = Object.entries(header).find(([name]) => name.endsWith('position_embeddings.weight'))?.[1];
  if (!table) return;
  const [given, width] = table.shape;
  const former = values.subarray(...table.data_offsets);
  const added = Buffer.alloc((former.length / given) * rows, former);
  table.shape = [rows, width];
  table.data_offsets = [values.length, values.length + added.length];
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path, Buffer.concat([length, json, values, added]));
}

interface Stored {
  shape: [rows: number, width: number];
  data_offsets: [start: number, end: number];
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
