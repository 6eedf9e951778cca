/** How encoder models' tokenizers divide normalised text into words, which their models then cut into pieces. */
import type { Aligned } from './aligned.ts';
import { isWhite } from './normalizer.ts';

export type PreTokenizerJson =
  | { type: 'Sequence'; pretokenizers: PreTokenizerJson[] }
  | { type: 'WhitespaceSplit' }
  | MetaspaceJson
  | { type: 'BertPreTokenizer' };

interface MetaspaceJson {
  type: 'Metaspace';
  replacement: string;
  add_prefix_space?: boolean;
  prepend_scheme?: 'always' | 'first' | 'never';
  split?: boolean;
}

/** Goes through a block of text, adds its units to `word` and calls `flush` (which empties it) where a word ends. The
 *  last word of a block may go on in the next. */
type Splitter = (input: Aligned, word: Aligned, flush: () => void) => void;

/** A splitter for one part of a text; `first` when the part is at the text's very beginning. */
export type PreTokenizer = (first: boolean) => Splitter;

/** Throws for a kind that is not supported. */
export function preTokenizer(json: PreTokenizerJson | null): PreTokenizer {
  const parts = json?.type === 'Sequence' ? json.pretokenizers : json ? [json] : [];
  const [one, two, ...more] = parts;
  if (one?.type === 'BertPreTokenizer' && !two) return () => bert();
  const onWhite = one?.type === 'WhitespaceSplit';
  const last = onWhite ? two : one;
  if (last?.type === 'Metaspace' && last.split !== false && more.length === 0 && (onWhite || !two)) {
    const scheme = last.prepend_scheme ?? (last.add_prefix_space === false ? 'never' : 'always');
    const marker = last.replacement.charCodeAt(0);
    return first => metaspace(marker, onWhite, scheme === 'always' || (scheme === 'first' && first));
  }
  throw new Error(`A tokenizer with the pre-tokenizer ${parts.map(({ type }) => type).join(', ')} is not supported.`);
}

/** Every space becomes the marker, and a word begins at each marker. `onWhite`: all white space divides and is dropped,
 *  and every word gets a marker. A marker that is put in front has the range of the character behind it. */
function metaspace(marker: number, onWhite: boolean, prepend: boolean): Splitter {
  let fresh = true;
  return (input, word, flush) => {
    for (let at = 0; at < input.length; at++) {
      const unit = input.units[at] ?? 0;
      const start = input.starts[at] ?? 0;
      const end = input.ends[at] ?? 0;
      if (onWhite && isWhite(unit)) {
        if (word.length > 0) flush();
        fresh = true;
        continue;
      }
      if (unit === 32 || unit === marker) {
        if (word.length > 0) flush();
        word.push(marker, start, end);
      } else {
        if (fresh && prepend) word.push(marker, start, end);
        word.push(unit, start, end);
      }
      fresh = false;
    }
  };
}

/** White space divides and is dropped; every punctuation mark is a word. */
function bert(): Splitter {
  return (input, word, flush) => {
    for (let at = 0; at < input.length; at++) {
      const point = input.codePoint(at);
      const punctuation = isPunctuation(point);
      if ((punctuation || isWhite(point)) && word.length > 0) flush();
      if (isWhite(point)) continue;
      word.push(input.units[at] ?? 0, input.starts[at] ?? 0, input.ends[at] ?? 0);
      if (point > 0xffff) {
        at++;
        word.push(input.units[at] ?? 0, input.starts[at] ?? 0, input.ends[at] ?? 0);
      }
      if (punctuation) flush();
    }
  };
}

/** By code point: 0 not known yet, 1 no, 2 yes. */
const punctuationTable = new Uint8Array(0x110000);

function isPunctuation(point: number): boolean {
  const known = punctuationTable[point];
  if (known) return known === 2;
  const yes = /[!-/:-@[-`{-~\p{P}]/u.test(String.fromCodePoint(point));
  punctuationTable[point] = yes ? 2 : 1;
  return yes;
}
