// For tests and nothing else: a BERT of random weights with a word-piece tokenizer, small enough to make in a millisecond.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ModelHandle } from './types.ts';

export interface TinyBert {
  hidden?: number;
  layers?: number;
  maxTokens?: number;
  seed?: number;
  pooling?: 'mean' | 'first';
  normalize?: boolean;
  prefixes?: ModelHandle['prefixes'];
}

const words = Array.from({ length: 200 }, (_, index) => `w${index}`);
const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'query', ':', '.', ',', ...words, '##x'];

/** A text of `length` tokens. */
export function tinyText(length: number, seed = 1): string {
  return Array.from({ length }, (_, index) => words[(index * 7 + seed * 13) % words.length]).join(' ');
}

/** Makes the model in a new folder under the system's temporary one, gone when the test has finished. */
export async function tinyBert(options: TinyBert = {}): Promise<ModelHandle> {
  const {
    hidden = 32,
    layers = 2,
    maxTokens = 64,
    seed = 1,
    pooling = 'mean',
    normalize = true,
    prefixes = {},
  } = options;
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-tiny-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const intermediate = hidden * 2;
  const config = {
    model_type: 'bert',
    vocab_size: vocabulary.length,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    intermediate_size: intermediate,
    max_position_embeddings: maxTokens,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: 'gelu',
    pad_token_id: 0,
  };
  const shapes: Record<string, number[]> = {
    'embeddings.word_embeddings.weight': [vocabulary.length, hidden],
    'embeddings.position_embeddings.weight': [maxTokens, hidden],
    'embeddings.token_type_embeddings.weight': [2, hidden],
    'embeddings.LayerNorm.weight': [hidden],
    'embeddings.LayerNorm.bias': [hidden],
  };
  for (let layer = 0; layer < layers; layer++) {
    const linear = (name: string, inner: number, outer: number) => {
      shapes[`encoder.layer.${layer}.${name}.weight`] = [outer, inner];
      shapes[`encoder.layer.${layer}.${name}.bias`] = [outer];
    };
    for (const name of ['attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense'])
      linear(name, hidden, hidden);
    linear('intermediate.dense', hidden, intermediate);
    linear('output.dense', intermediate, hidden);
    for (const name of ['attention.output.LayerNorm', 'output.LayerNorm']) {
      shapes[`encoder.layer.${layer}.${name}.weight`] = [hidden];
      shapes[`encoder.layer.${layer}.${name}.bias`] = [hidden];
    }
  }
  await Promise.all([
    writeFile(join(folder, 'config.json'), JSON.stringify(config)),
    writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer())),
    writeFile(join(folder, 'model.safetensors'), safetensors(shapes, seed)),
  ]);
  return { id: `tiny@${folder}`, folder, pooling, maxTokens, dimension: hidden, normalize, prefixes };
}

function safetensors(shapes: Record<string, number[]>, seed: number): Uint8Array {
  const header: Record<string, object> = {};
  const values: number[] = [];
  let state = seed;
  for (const [name, shape] of Object.entries(shapes)) {
    const start = values.length * 4;
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    for (let i = 0; i < size; i++) {
      state = (state * 16807) % 2147483647;
      values.push((state / 2147483647 - 0.5) * 0.6 + (name.endsWith('LayerNorm.weight') ? 1 : 0));
    }
    header[name] = { dtype: 'F32', shape, data_offsets: [start, values.length * 4] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, Buffer.from(Float32Array.from(values).buffer)]);
}

function tokenizer(): object {
  const special = (content: string) => ({
    id: vocabulary.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map(special),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [once('[CLS]'), sequence('A', 0), once('[SEP]')],
      pair: [once('[CLS]'), sequence('A', 0), once('[SEP]'), sequence('B', 1), once('[SEP]')],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map(id => [id, { id, ids: [vocabulary.indexOf(id)], tokens: [id] }]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((word, index) => [word, index])),
    },
  };
}

function once(id: string): object {
  return { SpecialToken: { id, type_id: 0 } };
}

function sequence(id: string, type: number): object {
  return { Sequence: { id, type_id: type } };
}
