/**
 * Chunks of a long text, each short enough for a model.
 *
 * The tokens are given, so a chunk is a range of tokens and the characters that these stand for. Chunks are packed one
 * after the other: each takes as many tokens as it may and then steps back to the best place to end. That is one pass
 * over the text, and it can stop at any moment.
 *
 * Rules, each with its test:
 *  1. Cover: the first chunk starts at 0, the last ends at the text's end, none starts behind the end of the one before;
 *     likewise for tokens. A chunk is an exact substring.
 *  2. No chunk has more than `maxTokens` tokens.
 *  3. A text that fits is one chunk.
 *  4. Every chunk starts and ends behind the one before it.
 *  5. A chunk ends at the last sentence end that it reaches; else between words; else between graphemes; else between
 *     tokens. Never within a surrogate pair.
 *  6. Neighbours share about `overlap` of the first one's tokens: between half and one and a half times that when a
 *     sentence (or else a word) starts there, else exactly that; and never more than halfway between that and all.
 *  7. With `overlap` 0 neighbours share no token, and no character unless several tokens stand for one character.
 *  8. `fixed` is plain windows: every chunk but the last has `maxTokens` tokens.
 *  9. The same input gives the same chunks; pausing changes nothing.
 */
import { isWhite } from './normalizer.ts';
import { Pause } from './pause.ts';
import type { Encoding } from './tokenizer.ts';

/** A part of a text: characters in UTF-16 units `[start, end)` and tokens `[from, to)`. */
export interface Chunk {
  start: number;
  end: number;
  from: number;
  to: number;
}

export interface ChunkOptions {
  /** The most tokens of a chunk, at least 1. */
  maxTokens: number;
  /** Share of a chunk's tokens that the next one repeats, 0 to 0.8. */
  overlap: number;
  method: 'sentence_aware' | 'fixed';
}

/** Divides a text by the rules above. Linear in the length of the text. */
export function chunk(text: string, encoding: Encoding, options: ChunkOptions): Chunk[] {
  return Pause.skip(steps(text, encoding, { ...options, pause: new Pause(Infinity) }));
}

/** The same, pausing after about every 5 ms. */
export function chunkSteps(text: string, encoding: Encoding, options: ChunkOptions): Generator<void, Chunk[]> {
  return steps(text, encoding, { ...options, pause: new Pause() });
}

type Options = ChunkOptions & { pause: Pause };

function* steps(text: string, encoding: Encoding, options: Options): Generator<void, Chunk[]> {
  const { maxTokens, overlap, method, pause } = options;
  if (!(maxTokens >= 1 && overlap >= 0 && overlap <= 0.8)) throw new RangeError('maxTokens or overlap out of range');
  const total = encoding.ids.length;
  if (total <= maxTokens) return [{ start: 0, end: text.length, from: 0, to: total }];
  const cuts = new Cuts(text, encoding);
  const aware = method === 'sentence_aware';
  if (aware) yield* cuts.findSentences(pause);
  const chunks: Chunk[] = [];
  for (let from = 0, done = 0; ;) {
    let to = Math.min(from + maxTokens, total);
    if (aware && to < total)
      to = cuts.lastSentence(done, to) ?? cuts.lastWord(done, to) ?? cuts.lastGrapheme(done, to) ?? to;
    chunks.push({ start: cuts.start(from), end: cuts.end(to), from, to });
    if (to === total) return chunks;
    done = to;
    from = to - shared(cuts, { from, to, overlap, aware });
    yield* pause.here();
  }
}

/** How many of a chunk's tokens the next one repeats (rule 6). */
function shared(
  cuts: Cuts,
  { from, to, overlap, aware }: { from: number; to: number; overlap: number; aware: boolean },
): number {
  const size = to - from;
  const wanted = Math.min(Math.round(overlap * size), size - 1);
  if (!aware || wanted === 0) return wanted;
  const most = Math.min(Math.floor(1.5 * wanted), Math.floor((wanted + size) / 2), size - 1);
  const least = Math.ceil(wanted / 2);
  const start = cuts.nearest(to - wanted, to - most, to - least);
  return to - start;
}

/** The places between tokens: place `i` is in front of token `i`. */
class Cuts {
  private readonly text: string;
  private readonly encoding: Encoding;
  /** 1 for places at which a sentence starts. */
  private readonly sentences: Uint8Array;
  private readonly words: Marks;
  private readonly graphemes: Marks;
  private readonly total: number;

  constructor(text: string, encoding: Encoding) {
    this.text = text;
    this.encoding = encoding;
    this.total = encoding.ids.length;
    this.sentences = new Uint8Array(this.total + 1);
    this.words = noMarks(wordSegmenter, this.total + 1);
    this.graphemes = noMarks(graphemeSegmenter, this.total + 1);
  }

  /** Where a chunk's text starts that begins with token `place`. */
  start(place: number): number {
    return place === 0 ? 0 : (this.encoding.starts[place] ?? 0);
  }

  /** Where a chunk's text ends whose last token is in front of `place`: white space between tokens goes with the earlier
   *  chunk, and a character for which several tokens stand is in both. */
  end(place: number): number {
    if (place === this.total) return this.text.length;
    return Math.max(this.encoding.starts[place] ?? 0, this.encoding.ends[place - 1] ?? 0);
  }

  /** The last sentence start in `(after, upTo]`. */
  lastSentence(after: number, upTo: number): number | undefined {
    for (let place = upTo; place > after; place--) if (this.sentences[place]) return place;
    return undefined;
  }

  /** The last word start among the last tokens before `upTo`; at white space, or, in languages without, by dictionary. */
  lastWord(after: number, upTo: number): number | undefined {
    const lowest = Math.max(after, upTo - NEAR);
    for (let place = upTo; place > lowest; place--) if (this.atWhite(place)) return place;
    for (let place = upTo; place > lowest; place--) if (this.isMarked(this.words, place)) return place;
    return undefined;
  }

  /** The last place among the last tokens before `upTo` that is not within a grapheme. */
  lastGrapheme(after: number, upTo: number): number | undefined {
    const lowest = Math.max(after, upTo - NEAR);
    for (let place = upTo; place > lowest; place--) if (this.isMarked(this.graphemes, place)) return place;
    return undefined;
  }

  /** The sentence start in `[low, high]` that is nearest to `wanted`, else the nearest word start, else `wanted`. */
  nearest(wanted: number, low: number, high: number): number {
    const search = (fits: (place: number) => boolean, reach: number): number | undefined => {
      for (let distance = 0; distance <= reach; distance++) {
        if (wanted - distance >= low && fits(wanted - distance)) return wanted - distance;
        if (wanted + distance <= high && fits(wanted + distance)) return wanted + distance;
      }
      return undefined;
    };
    const sentence = search(place => this.sentences[place] === 1, Math.max(wanted - low, high - wanted));
    if (sentence !== undefined) return sentence;
    const white = search(place => this.atWhite(place), NEAR);
    if (white !== undefined) return white;
    const word = search(place => this.isMarked(this.words, place), NEAR);
    return word ?? search(place => this.isMarked(this.graphemes, place), NEAR) ?? wanted;
  }

  /** Marks the places at which sentences start, paragraph by paragraph: a sentence never goes over a line's end. */
  *findSentences(pause: Pause): Generator<void> {
    const { text, total } = this;
    let place = 1;
    for (let from = 0; from < text.length;) {
      const line = text.indexOf('\n', from);
      const to = line < 0 ? text.length : line + 1;
      for (const { index } of sentenceSegmenter.segment(text.slice(from, to))) {
        const start = from + index;
        while (place < total && this.contentStart(place) < start) place++;
        // A token that reaches over the sentence's start leaves no place for a cut.
        if (place < total && (this.encoding.ends[place - 1] ?? 0) <= start) this.sentences[place] = 1;
        if ((index & 63) === 0) yield* pause.here();
      }
      from = to;
      yield* pause.here();
    }
  }

  /** Where token `place` starts behind the white space that it may begin with. */
  private contentStart(place: number): number {
    const end = this.encoding.ends[place] ?? 0;
    let start = this.encoding.starts[place] ?? 0;
    while (start < end && isWhite(this.text.charCodeAt(start))) start++;
    return start;
  }

  /** Whether no character has tokens on both sides. */
  private isClean(place: number): boolean {
    return (this.encoding.starts[place] ?? 0) >= (this.encoding.ends[place - 1] ?? 0);
  }

  private atWhite(place: number): boolean {
    const start = this.start(place);
    return this.isClean(place) && (isWhite(this.text.charCodeAt(start)) || isWhite(this.text.charCodeAt(start - 1)));
  }

  /** Whether a segment starts at a place; found out for a block of places at once, when first asked. */
  private isMarked(marks: Marks, place: number): boolean {
    const block = Math.floor(place / BLOCK);
    if (!marks.blocks[block]) {
      marks.blocks[block] = 1;
      this.mark(marks, block * BLOCK, Math.min((block + 1) * BLOCK, this.total));
    }
    return marks.places[place] === 1;
  }

  private mark(marks: Marks, low: number, high: number): void {
    // A few tokens more on both sides, since segments depend on what stands around them.
    const from = this.start(Math.max(0, low - MARGIN));
    const text = this.text.slice(from, this.end(Math.min(this.total, high + MARGIN)));
    let place = low;
    for (const { index, isWordLike } of marks.segmenter.segment(text)) {
      while (place < high && this.start(place) < from + index) place++;
      if (isWordLike === false || place >= high || this.start(place) !== from + index) continue;
      if (this.isClean(place)) marks.places[place] = 1;
    }
  }
}

/** Places at which segments start: 1 in `places`, as far as 1 in `blocks`. */
interface Marks {
  segmenter: Intl.Segmenter;
  places: Uint8Array;
  blocks: Uint8Array;
}

function noMarks(segmenter: Intl.Segmenter, places: number): Marks {
  return { segmenter, places: new Uint8Array(places), blocks: new Uint8Array(Math.ceil(places / BLOCK)) };
}

/** A word's or a grapheme's end is looked for among this many tokens. */
const NEAR = 32;
const BLOCK = 256;
const MARGIN = 8;

const sentenceSegmenter = new Intl.Segmenter('und', { granularity: 'sentence' });
const wordSegmenter = new Intl.Segmenter('und', { granularity: 'word' });
const graphemeSegmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
