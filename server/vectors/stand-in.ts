// For tests: a tiny BERT with random weights, so that routes can be tried under any alias without fetching anything.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Letters and signs are tokens of their own, and words are made of them: `Hi you` has five tokens. */
const CHARACTERS = [...'abcdefghijklmnopqrstuvwxyz0123456789.,:;!?\'"()-üöşığçéñ世界'];
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'];

/** Writes config.json, tokenizer.json and model.safetensors; the same `seed` gives the same weights. */
export async function writeStandIn(
  folder: string,
  { dimension, maxTokens, seed = 1 }: { dimension: number; maxTokens: number; seed?: number },
): Promise<void> {
  const vocabulary = [...SPECIAL, ...CHARACTERS, ...CHARACTERS.map(character => `##${character}`)];
  const config = {
    architectures: ['BertModel'],
    model_type: 'bert',
    hidden_size: dimension,
    num_attention_heads: 4,
    num_hidden_layers: 1,
    intermediate_size: 32,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-12,
    max_position_embeddings: maxTokens,
    position_embedding_type: 'absolute',
    pad_token_id: 0,
    type_vocab_size: 2,
    vocab_size: vocabulary.length,
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer(vocabulary)));
  await writeFile(join(folder, 'model.safetensors'), safetensors(tensorsOf(config), seed));
}

const specialToken = { special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };

function tokenizer(vocabulary: string[]) {
  const single = [
    { SpecialToken: { id: '[CLS]', type_id: 0 } },
    { Sequence: { id: 'A', type_id: 0 } },
    { SpecialToken: { id: '[SEP]', type_id: 0 } },
  ];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({ id, content, ...specialToken })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: false,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, { Sequence: { id: 'B', type_id: 1 } }, { SpecialToken: { id: '[SEP]', type_id: 1 } }],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    },
  };
}

interface Sizes {
  hidden_size: number;
  intermediate_size: number;
  max_position_embeddings: number;
  type_vocab_size: number;
  vocab_size: number;
}

/** Names and shapes as BertModel publishes them. */
function tensorsOf(sizes: Sizes): [string, number[]][] {
  const { hidden_size: hidden, intermediate_size: inner } = sizes;
  const layer = 'encoder.layer.0';
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [hidden]],
    [`${name}.bias`, [hidden]],
  ];
  return [
    ['embeddings.word_embeddings.weight', [sizes.vocab_size, hidden]],
    ['embeddings.position_embeddings.weight', [sizes.max_position_embeddings, hidden]],
    ['embeddings.token_type_embeddings.weight', [sizes.type_vocab_size, hidden]],
    ...norm('embeddings.LayerNorm'),
    ...['query', 'key', 'value'].flatMap(part => linear(`${layer}.attention.self.${part}`, hidden, hidden)),
    ...linear(`${layer}.attention.output.dense`, hidden, hidden),
    ...norm(`${layer}.attention.output.LayerNorm`),
    ...linear(`${layer}.intermediate.dense`, hidden, inner),
    ...linear(`${layer}.output.dense`, inner, hidden),
    ...norm(`${layer}.output.LayerNorm`),
  ];
}

function linear(name: string, from: number, to: number): [string, number[]][] {
  return [
    [`${name}.weight`, [to, from]],
    [`${name}.bias`, [to]],
  ];
}

/** Eight bytes of header length, the header as JSON, then the values. */
function safetensors(tensors: [string, number[]][], seed: number): Buffer {
  const random = randomNumbers(seed);
  const header: Record<string, object> = {};
  const values: Buffer[] = [];
  let offset = 0;
  for (const [name, shape] of tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    const isNormWeight = name.endsWith('LayerNorm.weight');
    const numbers = Float32Array.from({ length: count }, () => (isNormWeight ? 1 : random() / 4));
    values.push(Buffer.from(numbers.buffer));
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + 4 * count] };
    offset += 4 * count;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...values]);
}

/** From -1 to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
