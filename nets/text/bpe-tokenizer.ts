/**
 * Tokenizers of language models: byte-pair encoding of bytes (GPT-2, SmolLM2, Qwen2, Llama 3), or of characters with bytes
 * for those that have no piece (Llama 2, Mistral).
 *
 * The rules of tokenizer.ts hold here too. A part between added tokens is done as a whole, since these tokenizers' words
 * depend on what follows them; a text without end is paused within, but for one that is a single word.
 */
import { partsAt, type AddedTokenJson, type Part } from './added.ts';
import { Aligned } from './aligned.ts';
import { type BpeJson, join, type Pairs, pairsOf, type Symbols } from './bpe.ts';
import { BYTE_CHARACTERS, bytesOfPiece } from './bytes.ts';
import { type Decode, decoder, type DecoderJson } from './decoder.ts';
import { normalizerOf, normalizerTables, type Normalizer, type NormalizerJson } from './normalizer.ts';
import { Pause } from './pause.ts';
import { type SplitterJson, type WordSplitter, wordSplitter } from './split.ts';
import { type Encoding, Tokens, type DecodingTokenizer } from './tokens.ts';

export interface BpeTokenizerJson {
  added_tokens?: AddedTokenJson[];
  normalizer: NormalizerJson | null;
  pre_tokenizer: SplitterJson | null;
  decoder: DecoderJson | null;
  model: BpeJson;
}

export class BpeTokenizer implements DecodingTokenizer {
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly vocabularySize: number;
  readonly decode: Decode;
  readonly special: ReadonlySet<number>;
  readonly #pieces: readonly string[];
  readonly #parts: (text: string) => Iterable<Part>;
  readonly #normalizers: Normalizer[];
  readonly #splitter: WordSplitter;
  readonly #model: BpeJson;
  readonly #pairs: Pairs;
  readonly #bytes: readonly (number | undefined)[];
  readonly #unknown: number | undefined;
  /** Whether no piece goes on behind a space: then words can't join, and a text is cut before its spaces. */
  readonly #cutsAtMarkers: boolean;
  readonly #words = new Map<string, Symbols>();

  /** `pairs` where the order of joining is known otherwise than from `merges`. */
  constructor(json: BpeTokenizerJson, around: readonly [number[], number[]], pairs = pairsOf(json.model)) {
    const { model } = json;
    if (model.continuing_subword_prefix || model.end_of_word_suffix)
      throw new Error('A BPE tokenizer whose pieces are marked within words is not supported.');
    const added = json.added_tokens ?? [];
    this.#parts = partsAt(added);
    this.#normalizers = normalizerTables(json.normalizer).map(normalizerOf);
    this.#splitter = wordSplitter(json.pre_tokenizer);
    this.#model = model;
    this.#pairs = pairs;
    const pieces: string[] = [];
    for (const [piece, id] of Object.entries(model.vocab)) pieces[id] = piece;
    for (const { id, content } of added) pieces[id] = content;
    const nameOf = this.#splitter.byteLevel
      ? (byte: number) => BYTE_CHARACTERS[byte] ?? ''
      : (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    this.#bytes = Array.from({ length: 256 }, (_, byte) => model.vocab[nameOf(byte)]);
    this.#unknown = model.unk_token ? model.vocab[model.unk_token] : undefined;
    this.#cutsAtMarkers = !this.#splitter.byteLevel && Object.keys(model.vocab).every(piece => !/[^▁]▁/.test(piece));
    this.vocabularySize = pieces.length;
    this.special = new Set(added.filter(token => token.special).map(token => token.id));
    this.decode = decoder(json.decoder, pieces, this.special);
    this.#pieces = pieces;
    this.before = Int32Array.from(around[0]);
    this.after = Int32Array.from(around[1]);
  }

  pieces(): string[] {
    return Array.from(this.#pieces, (piece = '', id) => {
      if (this.special.has(id)) return '';
      return Array.from(this.#bytesOf(piece), byte => BYTE_CHARACTERS[byte] ?? '').join('');
    });
  }

  #bytesOf(piece: string): Uint8Array {
    if (this.#splitter.byteLevel) return bytesOfPiece(piece);
    const [, byte] = /^<0x([0-9A-F]{2})>$/.exec(piece) ?? [];
    return byte === undefined ? Buffer.from(piece.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte, 16));
  }

  encode(text: string): Encoding {
    return Pause.skip(this.#run(text, new Pause(Infinity)));
  }

  encodeSteps(text: string): Generator<void, Encoding> {
    return this.#run(text, new Pause());
  }

  *#run(given: string, pause: Pause): Generator<void, Encoding> {
    const text = given.toWellFormed();
    const tokens = new Tokens();
    for (const part of this.#parts(text)) {
      if (part.id === undefined) yield* this.#between(text, part, { tokens, pause });
      else {
        tokens.push(part.id, part.start, part.end);
        yield* pause.here();
      }
    }
    return tokens.encoding();
  }

  /** Tokens of a part without added tokens. */
  *#between(text: string, part: Part, { tokens, pause }: { tokens: Tokens; pause: Pause }): Generator<void> {
    const { units, string } = this.#normalized(text, part);
    let from = 0;
    for (const word of this.#wordsOf(string)) {
      const { ids, starts, ends } = this.#encoded(word);
      for (let i = 0; i < ids.length; i++)
        tokens.push(
          ids[i] ?? 0,
          units.starts[from + (starts[i] ?? 0)] ?? 0,
          units.ends[from + (ends[i] ?? 0) - 1] ?? 0,
        );
      from += word.length;
      yield* pause.here();
    }
  }

  #normalized(text: string, part: Part): { units: Aligned; string: string } {
    let input = new Aligned(part.end - part.start + 16);
    let output = new Aligned(part.end - part.start + 16);
    input.copy(text, part.start, part.end);
    for (const normalize of this.#normalizers) {
      output.length = 0;
      normalize(input, output);
      [input, output] = [output, input];
    }
    const { metaspace } = this.#splitter;
    if (metaspace) {
      const { marker, prepend } = metaspace;
      output.length = 0;
      const first = input.units[0];
      if (
        (prepend === 'always' || (prepend === 'first' && part.start === 0)) &&
        first !== undefined &&
        input.length > 0 &&
        first !== 32 &&
        first !== marker.charCodeAt(0)
      )
        output.pushAll(marker, input.starts[0] ?? 0, input.ends[0] ?? 0);
      for (let i = 0; i < input.length; i++) {
        const unit = input.units[i] ?? 0;
        output.push(unit === 32 ? marker.charCodeAt(0) : unit, input.starts[i] ?? 0, input.ends[i] ?? 0);
      }
      [input, output] = [output, input];
    }
    return { units: input, string: input.toString() };
  }

  *#wordsOf(string: string): Generator<string> {
    if (!this.#cutsAtMarkers) yield* this.#splitter.split(string);
    else for (const word of this.#splitter.split(string)) yield* word.split(/(?<=[^▁])(?=▁)/u);
  }

  /** Tokens of a word with ranges of its units. Most words of a text are there more than once. */
  #encoded(word: string): Symbols {
    const known = this.#words.get(word);
    if (known) return known;
    const found = this.#joined(word);
    if (word.length <= LONGEST_KEPT) {
      if (this.#words.size >= WORDS_KEPT) this.#words.clear();
      this.#words.set(word, found);
    }
    return found;
  }

  #joined(word: string): Symbols {
    if (this.#model.ignore_merges) {
      const piece = this.#splitter.byteLevel
        ? Array.from(Buffer.from(word), byte => BYTE_CHARACTERS[byte] ?? '').join('')
        : word;
      const id = Object.hasOwn(this.#model.vocab, piece) ? this.#model.vocab[piece] : undefined;
      if (id !== undefined) return { ids: [id], starts: [0], ends: [word.length] };
    }
    const symbols: Symbols = { ids: [], starts: [], ends: [] };
    let at = 0;
    for (const character of word) {
      const end = at + character.length;
      this.#addCharacter(symbols, character, { at, end });
      at = end;
    }
    return join(symbols, this.#pairs);
  }

  #addCharacter({ ids, starts, ends }: Symbols, character: string, { at, end }: { at: number; end: number }): void {
    const push = (id: number): void => {
      ids.push(id);
      starts.push(at);
      ends.push(end);
    };
    const { byteLevel } = this.#splitter;
    const { vocab, byte_fallback: fallback, fuse_unk: fuse } = this.#model;
    const own = byteLevel || !Object.hasOwn(vocab, character) ? undefined : vocab[character];
    if (own !== undefined) return push(own);
    const bytes = Array.from(Buffer.from(character), byte => this.#bytes[byte]);
    if ((byteLevel || fallback) && bytes.every(id => id !== undefined)) for (const id of bytes) push(id);
    else if (this.#unknown !== undefined) {
      if (fuse && ids.at(-1) === this.#unknown) ends[ends.length - 1] = end;
      else push(this.#unknown);
    }
  }
}

const LONGEST_KEPT = 32;
const WORDS_KEPT = 20_000;
