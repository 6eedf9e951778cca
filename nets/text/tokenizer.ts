/**
 * Tokenizers from Hugging Face's tokenizer.json: here those of encoder models (Unigram and WordPiece), in bpe-tokenizer.ts
 * those of language models.
 *
 * Why not a library: Hugging Face's Rust library takes 1.1 to 1.8 s for a million characters, 340 MB for XLM-R's
 * vocabulary, answers by promise only and counts code points; its JavaScript library has no offsets and takes 5 s.
 * This one takes 0.2 to 0.5 s and holds 26 MB, and a test compares its ids with the Rust library's.
 *
 * Rules:
 * 1. The ids are those that Hugging Face gives for the whole text: truncation and padding settings are ignored, and so
 *    is where a long text is cut for the work to be done in turns.
 * 2. As there, an added token's own string ("<s>", "[SEP]") in a text becomes that token.
 * 3. A lone surrogate counts as U+FFFD.
 * 4. Offsets are UTF-16 units of the given string. Several tokens can come of one character ("½"), and then have its
 *    range; starts and ends never decrease.
 * 5. Two differences from the Rust library are left: BERT's normaliser classes characters by this Node's Unicode, the
 *    Rust library by an older one (some 650 rare marks and signs); and added tokens are looked for in the text as it is,
 *    also those that Hugging Face would find after normalising.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { partsAt, type AddedTokenJson, type Part } from './added.ts';
import { Aligned } from './aligned.ts';
import { BpeTokenizer, type BpeTokenizerJson } from './bpe-tokenizer.ts';
import { decoder, type DecoderJson } from './decoder.ts';
import { modelOf, modelTables, type Model, type ModelJson, type ModelTables } from './models.ts';
import {
  cutsNothing,
  isWhite,
  normalizerOf,
  normalizerTables,
  type Normalizer,
  type NormalizerJson,
  type NormalizerTables,
} from './normalizer.ts';
import { Pause } from './pause.ts';
import { preTokenizer, type PreTokenizer, type PreTokenizerJson } from './pretokenizer.ts';
import { type DecodingTokenizer, type Encoding, type Tokenizer, Tokens } from './tokens.ts';

export type { DecodingTokenizer, Encoding, Tokenizer } from './tokens.ts';

export interface LoadedTokenizer extends DecodingTokenizer {
  /** For `openTokenizer` in another thread; null for a kind that can't be had there. */
  readonly tables: TokenizerTables | null;
}

/** All that encoding needs, as plain data whose bulk is in shared memory: sending it to a thread copies next to nothing. */
export interface TokenizerTables {
  added: AddedTokenJson[];
  normalizers: NormalizerTables[];
  preTokenizer: PreTokenizerJson | null;
  model: ModelTables;
  before: number[];
  after: number[];
  vocabularySize: number;
}

interface PostProcessorJson {
  type: string;
  single?: ({ SpecialToken: { id: string } } | { Sequence: { id: string } })[];
  special_tokens?: Record<string, { ids: number[] }>;
  cls?: [string, number];
  sep?: [string, number];
  processors?: PostProcessorJson[];
}
interface TokenizerJson {
  added_tokens?: AddedTokenJson[];
  normalizer: NormalizerJson | null;
  pre_tokenizer: PreTokenizerJson | null;
  post_processor: PostProcessorJson | null;
  decoder: DecoderJson | null;
  model: ModelJson;
}

/** Reads `tokenizer.json` of a model folder. Throws when it uses a part that is not supported. */
export async function loadTokenizer(folder: string): Promise<LoadedTokenizer> {
  const path = join(folder, 'tokenizer.json');
  const json = JSON.parse(await readFile(path, 'utf8')) as TokenizerJson | (BpeTokenizerJson & Around);
  if (isBpe(json)) return Object.assign(new BpeTokenizer(json, around(json.post_processor)), { tables: null });
  const added = json.added_tokens ?? [];
  const { pieces, tables: model } = modelTables(json.model);
  for (const { id, content } of added) pieces[id] = content;
  const [before, after] = around(json.post_processor);
  const tables: TokenizerTables = {
    added,
    normalizers: normalizerTables(json.normalizer),
    preTokenizer: json.pre_tokenizer,
    model,
    before,
    after,
    vocabularySize: pieces.length,
  };
  const special = new Set(added.filter(token => token.special).map(token => token.id));
  return Object.assign(openTokenizer(tables), { tables, special, decode: decoder(json.decoder, pieces, special) });
}

/** A tokenizer that another thread has loaded. */
export function openTokenizer(tables: TokenizerTables): Tokenizer {
  return new TablesTokenizer(tables);
}

interface Around {
  post_processor: PostProcessorJson | null;
}
const isBpe = (json: TokenizerJson | (BpeTokenizerJson & Around)): json is BpeTokenizerJson & Around =>
  json.model.type === 'BPE';

/** Text is normalised in blocks of about this many UTF-16 units, so that the work stays in the processor's cache. */
const BLOCK = 4096;

class TablesTokenizer implements Tokenizer {
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly vocabularySize: number;
  private readonly parts: (text: string) => Iterable<Part>;
  private readonly normalizers: Normalizer[];
  private readonly preTokenizer: PreTokenizer;
  private readonly newModel: () => Model;

  constructor(tables: TokenizerTables) {
    this.parts = partsAt(tables.added);
    this.normalizers = tables.normalizers.map(normalizerOf);
    this.preTokenizer = preTokenizer(tables.preTokenizer);
    this.newModel = modelOf(tables.model);
    this.vocabularySize = tables.vocabularySize;
    this.before = Int32Array.from(tables.before);
    this.after = Int32Array.from(tables.after);
  }

  encode(text: string): Encoding {
    return Pause.skip(this.run(text, new Pause(Infinity)));
  }

  encodeSteps(text: string): Generator<void, Encoding> {
    return this.run(text, new Pause());
  }

  private *run(given: string, pause: Pause): Generator<void, Encoding> {
    const text = given.toWellFormed();
    const tokens = new Tokens();
    for (const part of this.parts(text)) {
      if (part.id === undefined) yield* this.between(text, part, { tokens, pause });
      else {
        tokens.push(part.id, part.start, part.end);
        yield* pause.here();
      }
    }
    return tokens.encoding();
  }

  /** Tokens of a part without added tokens. */
  private *between(text: string, part: Part, { tokens, pause }: { tokens: Tokens; pause: Pause }): Generator<void> {
    const word = new Aligned(64);
    const pieces = this.newModel();
    const split = this.preTokenizer(part.start === 0);
    const flush = (): void => {
      pieces.finish(word, (id, from, to) => tokens.push(id, word.starts[from] ?? 0, word.ends[to - 1] ?? 0));
      word.length = 0;
    };
    const capacity = Math.min(part.end - part.start + 16, 2 * BLOCK);
    let input = new Aligned(capacity);
    let output = new Aligned(capacity);
    for (let from = part.start; from < part.end;) {
      const to = blockEnd(text, from, part.end);
      input.length = 0;
      input.copy(text, from, to);
      for (const normalize of this.normalizers) {
        output.length = 0;
        normalize(input, output);
        [input, output] = [output, input];
      }
      split(input, word, flush);
      pieces.advance(word);
      from = to;
      yield* pause.here();
    }
    if (word.length > 0) flush();
  }
}

/** Where a block that starts at `from` can end so that nothing sees the cut: at a space, or else within a run of letters. */
function blockEnd(text: string, from: number, end: number): number {
  for (let at = from + BLOCK; at < end; at++) {
    if (at < from + 2 * BLOCK ? text.charCodeAt(at) === 32 && !isWhite(text.charCodeAt(at - 1)) : cutsNothing(text, at))
      return at;
  }
  return end;
}

/** Special tokens before and after a single text. */
function around(json: PostProcessorJson | null): [number[], number[]] {
  if (json?.type === 'TemplateProcessing' && json.single) {
    const ids = json.single.map(part =>
      'SpecialToken' in part ? (json.special_tokens?.[part.SpecialToken.id]?.ids ?? []) : undefined,
    );
    const place = ids.indexOf(undefined);
    return [ids.slice(0, place).flatMap(id => id ?? []), ids.slice(place + 1).flatMap(id => id ?? [])];
  }
  if (json?.cls && json.sep) return [[json.cls[1]], [json.sep[1]]];
  for (const part of json?.processors ?? []) {
    const found = around(part);
    if (found.flat().length > 0) return found;
  }
  return [[], []];
}
