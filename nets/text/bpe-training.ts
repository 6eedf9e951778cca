/** A byte-pair tokenizer learnt from texts: the pair of neighbours that is there most often becomes a piece, again and again
 *  (Sennrich et al. 2016, arXiv:1508.07909), on bytes within GPT-2's words. */
import type { AddedTokenJson } from './added.ts';
import { pairOf } from './bpe.ts';
import type { BpeTokenizerJson } from './bpe-tokenizer.ts';
import { BYTE_CHARACTERS } from './bytes.ts';
import { type SplitterJson, wordSplitter } from './split.ts';

const SPLITTER: SplitterJson = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
/** A longer word is taken in pieces, so that one without spaces costs no more than a text. */
const LONGEST_WORD = 64;

export interface BpeTrainingOptions {
  /** Pieces at most: special ones, 256 bytes, and what is learnt. */
  size: number;
  /** Texts of tokens that stand for no text, in the order of their ids from 0 on. */
  special: readonly string[];
}

interface Word {
  ids: number[];
  count: number;
}

/** As tokenizer.json, without what is not used. Of pairs that are there equally often the one with the lower ids comes first,
 *  so the same texts give the same tokenizer. */
export function trainBpe(
  texts: Iterable<string>,
  { size, special }: BpeTrainingOptions,
): BpeTokenizerJson & { post_processor: null } {
  const pieces = [...special, ...BYTE_CHARACTERS];
  const words = wordsOf(texts, special.length);
  const counts = new Map<number, number>();
  const places = new Map<number, Set<Word>>();
  const count = (word: Word, sign: 1 | -1) => {
    for (let i = 0; i + 1 < word.ids.length; i++) {
      const pair = pairOf(word.ids[i] ?? 0, word.ids[i + 1] ?? 0);
      counts.set(pair, (counts.get(pair) ?? 0) + sign * word.count);
      if (sign > 0) places.set(pair, (places.get(pair) ?? new Set()).add(word));
    }
  };
  for (const word of words) count(word, 1);
  const merges: [string, string][] = [];
  while (pieces.length < size) {
    const best = mostFrequent(counts);
    if (best === undefined) break;
    const [left, right] = [Math.floor(best / 2 ** 26), best % 2 ** 26];
    const id = pieces.length;
    for (const word of places.get(best) ?? []) {
      count(word, -1);
      word.ids = joined(word.ids, { left, right, id });
      count(word, 1);
    }
    counts.delete(best);
    places.delete(best);
    merges.push([pieces[left] ?? '', pieces[right] ?? '']);
    pieces.push((pieces[left] ?? '') + (pieces[right] ?? ''));
  }
  const added: AddedTokenJson[] = special.map((content, id) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  }));
  return {
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: SPLITTER,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges },
  };
}

function wordsOf(texts: Iterable<string>, firstByte: number): Word[] {
  const { split } = wordSplitter(SPLITTER);
  const found = new Map<string, number>();
  for (const text of texts)
    for (const word of split(text.toWellFormed()))
      for (let from = 0; from < word.length; from += LONGEST_WORD) {
        const piece = word.slice(from, from + LONGEST_WORD);
        found.set(piece, (found.get(piece) ?? 0) + 1);
      }
  return [...found].map(([word, count]) => ({ ids: Array.from(Buffer.from(word), byte => firstByte + byte), count }));
}

/** Undefined where no pair is there twice. */
function mostFrequent(counts: ReadonlyMap<number, number>): number | undefined {
  let [best, most]: [number | undefined, number] = [undefined, 1];
  for (const [pair, count] of counts)
    if (count > most || (count === most && best !== undefined && pair < best)) [best, most] = [pair, count];
  return best;
}

function joined(ids: readonly number[], { left, right, id }: { left: number; right: number; id: number }): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      result.push(id);
      i++;
    } else result.push(ids[i] ?? 0);
  }
  return result;
}
