/** The tokenizer that a GGUF file carries in its metadata, and the template by which it writes a conversation. */
import type { Gguf, GgufValue } from '../weights/gguf.ts';
import type { AddedTokenJson } from './added.ts';
import { pairOf, type Pairs } from './bpe.ts';
import { BpeTokenizer, type BpeTokenizerJson } from './bpe-tokenizer.ts';
import type { SplitterJson } from './split.ts';
import type { DecodingTokenizer } from './tokens.ts';

/** Throws an error that names the file and the key when it has no tokenizer, or one of a kind that is not supported. */
export function tokenizerOfGguf(gguf: Gguf): DecodingTokenizer {
  const { json, before, pairs } = partsOfGguf(gguf);
  return pairs ? new BpeTokenizer(json, [before, []], pairs) : new BpeTokenizer(json, [before, []]);
}

/** The same as Hugging Face's tokenizer.json; null for sentencepiece's, which names no pairs of pieces that join. */
export function tokenizerJsonOfGguf(gguf: Gguf): object | null {
  const { json, before, pairs } = partsOfGguf(gguf);
  if (pairs) return null;
  const added = json.added_tokens?.map(token => ({ ...token, normalized: false }));
  const decoder = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const whole = { dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null, unk_token: null };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: json.normalizer,
    pre_tokenizer: json.pre_tokenizer,
    post_processor: postProcessor(json, before),
    decoder,
    model: { ...whole, fuse_unk: false, byte_fallback: false, ...json.model },
  };
}

/** What puts these tokens in front of a text, as tokenizer.json has it. */
function postProcessor({ added_tokens: added = [] }: BpeTokenizerJson, before: readonly number[]): object | null {
  if (before.length === 0) return null;
  const tokens = added.filter(({ id }) => before.includes(id));
  const first = tokens.map(({ content: id }) => ({ SpecialToken: { id, type_id: 0 } }));
  const single = [...first, { Sequence: { id: 'A', type_id: 0 } }];
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: Object.fromEntries(
      tokens.map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}

/** `before`: tokens in front of a text. `pairs` where the file has no list of merges. */
function partsOfGguf({ path, metadata }: Gguf): { json: BpeTokenizerJson; before: number[]; pairs: Pairs | null } {
  const refuse = (what: string): never => {
    throw new Error(`${path}: ${what}`);
  };
  const list = <Value extends 'string' | 'number'>(key: string, type: Value): readonly GgufValue[] => {
    const value = metadata.get(`tokenizer.ggml.${key}`);
    if (!Array.isArray(value) || value.some(element => typeof element !== type))
      return refuse(`tokenizer.ggml.${key} must be a list of ${type}s`);
    return value;
  };
  const flag = (key: string, otherwise: boolean): boolean =>
    metadata.get(`tokenizer.ggml.${key}`) === undefined ? otherwise : metadata.get(`tokenizer.ggml.${key}`) === true;
  const pieces = list('tokens', 'string').map(String);
  const types = list('token_type', 'number').map(Number);
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const added = pieces.flatMap((content, id) => {
    const special = types[id] === CONTROL || types[id] === UNKNOWN;
    if (!special && types[id] !== USER_DEFINED) return [];
    return [{ id, content, special, single_word: false, lstrip: false, rstrip: false }];
  });
  const model = metadata.get('tokenizer.ggml.model');
  const bos = Number(metadata.get('tokenizer.ggml.bos_token_id') ?? -1);
  const name = metadata.get('tokenizer.ggml.pre') ?? 'default';
  // Files of Llama 3 don't say so: llama.cpp knows it of them.
  const before = flag('add_bos_token', model === 'llama' || name === 'llama-bpe') && bos >= 0 ? [bos] : [];
  if (model === 'gpt2') {
    const words =
      (typeof name === 'string' && WORDS[name]) || refuse(`tokenizer.ggml.pre ${String(name)} is not supported`);
    const merges = list('merges', 'string').map(String);
    const json = byteLevel({ vocab, merges, added, words, ignoreMerges: name === 'llama-bpe' });
    return { json, before, pairs: null };
  }
  if (model === 'llama') {
    const scores = list('scores', 'number').map(Number);
    const unknown = pieces[types.indexOf(UNKNOWN)] ?? null;
    const prefix = flag('add_space_prefix', true);
    return { json: sentencePieces({ vocab, added, unknown, prefix }), before, pairs: pairsByScore(vocab, scores) };
  }
  return refuse(`tokenizer.ggml.model ${String(model)} is none of gpt2, llama`);
}

/** The template of `tokenizer.chat_template`, if there is one. */
export function chatTemplateOfGguf({ metadata }: Gguf): string | null {
  const template = metadata.get('tokenizer.chat_template');
  return typeof template === 'string' ? template : null;
}

const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

const split = (Regex: string): SplitterJson => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
});
const bytes = (regex: boolean): SplitterJson => ({ type: 'ByteLevel', add_prefix_space: false, use_regex: regex });
const LETTERS_AND_DIGITS = (digits: string) =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** How a text is divided into words, by the names that llama.cpp has for it. */
const WORDS: Readonly<Record<string, { normalizer: 'NFC' | null; steps: SplitterJson[] }>> = {
  default: { normalizer: null, steps: [bytes(true)] },
  'gpt-2': { normalizer: null, steps: [bytes(true)] },
  smollm: { normalizer: null, steps: [{ type: 'Digits', individual_digits: true }, bytes(true)] },
  qwen2: { normalizer: 'NFC', steps: [split(LETTERS_AND_DIGITS(String.raw`\p{N}`)), bytes(false)] },
  'llama-bpe': { normalizer: null, steps: [split(LETTERS_AND_DIGITS(String.raw`\p{N}{1,3}`)), bytes(false)] },
};

interface ByteLevel {
  vocab: Record<string, number>;
  merges: string[];
  added: AddedTokenJson[];
  words: { normalizer: 'NFC' | null; steps: SplitterJson[] };
  ignoreMerges: boolean;
}

const byteLevel = ({ vocab, merges, added, words, ignoreMerges }: ByteLevel): BpeTokenizerJson => ({
  added_tokens: added,
  normalizer: words.normalizer && { type: words.normalizer },
  pre_tokenizer: { type: 'Sequence', pretokenizers: words.steps },
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab, merges, ignore_merges: ignoreMerges },
});

interface SentencePieces {
  vocab: Record<string, number>;
  added: AddedTokenJson[];
  unknown: string | null;
  prefix: boolean;
}

const sentencePieces = ({ vocab, added, unknown, prefix }: SentencePieces): BpeTokenizerJson => ({
  added_tokens: added,
  normalizer: {
    type: 'Sequence',
    normalizers: [
      ...(prefix ? [{ type: 'Prepend', prepend: '▁' } as const] : []),
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 } as const] : []),
    ],
  },
  model: { type: 'BPE', vocab, merges: [], unk_token: unknown, fuse_unk: true, byte_fallback: true },
});

/** sentencepiece keeps no pairs: any two pieces join whose whole is one, those of the highest score first. */
function pairsByScore(vocab: Readonly<Record<string, number>>, scores: readonly number[]): Pairs {
  const order = scores.map((_, id) => id).toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const ranks = new Int32Array(scores.length);
  order.forEach((id, rank) => (ranks[id] = rank));
  const pairs = new Map<number, { rank: number; id: number }>();
  for (const [piece, id] of Object.entries(vocab)) {
    for (let cut = 1; cut < piece.length; cut++) {
      const [left, right] = [vocab[piece.slice(0, cut)], vocab[piece.slice(cut)]];
      if (left !== undefined && right !== undefined) pairs.set(pairOf(left, right), { rank: ranks[id] ?? 0, id });
    }
  }
  return pairs;
}
