/** The two ways in which encoder models cut a word into pieces: Unigram (XLM-R, T5) and WordPiece (BERT). */
import type { Aligned } from './aligned.ts';
import { inSharedMemory } from './shared.ts';
import { Trie, TrieBuilder, type TrieTables } from './trie.ts';

export type ModelJson =
  | { type: 'Unigram'; unk_id: number | null; vocab: [string, number][]; byte_fallback?: boolean }
  | WordPieceJson;

interface WordPieceJson {
  type: 'WordPiece';
  unk_token: string;
  continuing_subword_prefix: string;
  max_input_chars_per_word: number;
  vocab: Record<string, number>;
}

/** What a model knows, as plain data whose bulk is in shared memory. */
export type ModelTables = UnigramTables | WordPieceTables;

interface UnigramTables {
  type: 'Unigram';
  trie: TrieTables;
  scores: Float64Array;
  /** UTF-16 units of the longest piece. */
  longest: number;
  unknown: number;
  unknownScore: number;
}

interface WordPieceTables {
  type: 'WordPiece';
  trie: TrieTables;
  unknown: number;
  maxCharacters: number;
}

/** Receives the pieces of a word in order, each with its range of units in the word. */
type Emit = (id: number, from: number, to: number) => void;

/** Cuts one word after the other. A word may grow between calls of `advance`; `finish` ends it. */
export interface Model {
  /** Does what can be done before the word's end is known, so that a word of a million characters is done in turns. */
  advance(word: Aligned): void;
  finish(word: Aligned, emit: Emit): void;
}

/** The vocabulary by id, and the tables of a model. Throws for a kind that is not supported. */
export function modelTables(json: ModelJson): { pieces: string[]; tables: ModelTables } {
  if (json.type === 'Unigram' && !json.byte_fallback) return unigramTables(json.vocab, json.unk_id ?? 0);
  if (json.type === 'WordPiece') return wordPieceTables(json);
  throw new Error(`A tokenizer with the model ${json.type} is not supported.`);
}

/** Gives a model in its first state each time. */
export function modelOf(tables: ModelTables): () => Model {
  return tables.type === 'Unigram' ? unigram(tables) : wordPiece(tables);
}

function unigramTables(vocab: [string, number][], unknown: number): { pieces: string[]; tables: UnigramTables } {
  const trie = new TrieBuilder(1);
  const scores = Float64Array.from(vocab, ([, score]) => score);
  vocab.forEach(([piece], id) => trie.add(0, piece, id));
  return {
    pieces: vocab.map(([piece]) => piece),
    tables: {
      type: 'Unigram',
      trie: trie.tables(),
      scores: inSharedMemory(scores),
      longest: vocab.reduce((most, [piece]) => Math.max(most, piece.length), 1),
      unknown,
      unknownScore: scores.reduce((a, b) => Math.min(a, b), Infinity) - 10,
    },
  };
}

/**
 * The most probable sequence of pieces (Kudo 2018, arXiv:1804.10959) by Viterbi's algorithm, with the penalty for unknown
 * characters and the joining of neighbours that are unknown as in sentencepiece. Ties go to the earlier start.
 */
function unigram({ trie: tables, scores, longest, unknown, unknownScore }: UnigramTables): () => Model {
  const trie = new Trie(tables);
  return () => {
    // The best path to each unit: its score, where its last piece starts (-1: not reached) and which piece that is.
    let best = new Float64Array(64);
    let starts = new Int32Array(64).fill(-1);
    let ids = new Int32Array(64);
    let at = 0;
    const offer = (to: number, id: number, score: number): void => {
      if (starts[to] !== -1 && score <= (best[to] ?? 0)) return;
      best[to] = score;
      starts[to] = at;
      ids[to] = id;
    };
    const forward = (word: Aligned, limit: number): void => {
      const { units, length } = word;
      if (best.length <= length) {
        const size = 2 * length;
        best = enlarged(best, new Float64Array(size));
        starts = enlarged(starts, new Int32Array(size).fill(-1));
        ids = enlarged(ids, new Int32Array(size));
      }
      while (at < limit) {
        const score = best[at] ?? 0;
        const next = at + (((units[at] ?? 0) & 0xfc00) === 0xd800 ? 2 : 1);
        let known = false;
        let node = 0;
        for (let end = at; end < length;) {
          node = trie.child(node, units[end++] ?? 0);
          if (node < 0) break;
          const id = trie.pieces[node] ?? -1;
          if (id < 0) continue;
          offer(end, id, score + (scores[id] ?? 0));
          if (end === next) known = true;
        }
        if (!known) offer(next, unknown, score + unknownScore);
        at = next;
      }
    };
    return {
      advance: word => forward(word, word.length - longest),
      finish(word, emit) {
        forward(word, word.length);
        // Backwards along the best path, then forwards along its ends, which take the place of the scores.
        let count = 0;
        for (let end = word.length; end > 0; end = starts[end] ?? 0) best[count++] = end;
        for (let from = 0; count > 0;) {
          let end = best[--count] ?? 0;
          const id = ids[end] ?? unknown;
          if (id === unknown) while (count > 0 && ids[best[count - 1] ?? 0] === unknown) end = best[--count] ?? 0;
          emit(id, from, end);
          from = end;
        }
        starts.fill(-1, 0, word.length + 1);
        best[0] = 0;
        at = 0;
      },
    };
  };
}

function enlarged<Numbers extends Float64Array | Int32Array>(numbers: Numbers, larger: Numbers): Numbers {
  larger.set(numbers);
  return larger;
}

function wordPieceTables(json: WordPieceJson): { pieces: string[]; tables: WordPieceTables } {
  const pieces: string[] = [];
  const trie = new TrieBuilder(2);
  const prefix = json.continuing_subword_prefix;
  for (const [piece, id] of Object.entries(json.vocab)) {
    pieces[id] = piece;
    trie.add(0, piece, id);
    if (piece.startsWith(prefix)) trie.add(1, piece.slice(prefix.length), id);
  }
  const unknown = json.vocab[json.unk_token];
  if (unknown === undefined) throw new Error(`The tokenizer has no piece ${json.unk_token}.`);
  const maxCharacters = json.max_input_chars_per_word;
  return { pieces, tables: { type: 'WordPiece', trie: trie.tables(), unknown, maxCharacters } };
}

/** The longest known piece from the left, again and again; a word in which that fails, or too long a word, is unknown. */
function wordPiece({ trie: tables, unknown, maxCharacters }: WordPieceTables): () => Model {
  const trie = new Trie(tables);
  const found: number[] = [];

  const cutter: Model = {
    advance() {},
    finish(word, emit) {
      const { units, length } = word;
      found.length = 0;
      let at = 0;
      if (!longer(word, maxCharacters)) {
        while (at < length) {
          let node = at === 0 ? 0 : 1;
          let longest = -1;
          let longestEnd = at;
          for (let end = at; end < length;) {
            node = trie.child(node, units[end++] ?? 0);
            if (node < 0) break;
            const id = trie.pieces[node] ?? -1;
            if (id >= 0) {
              longest = id;
              longestEnd = end;
            }
          }
          if (longest < 0) break;
          found.push(longest, longestEnd);
          at = longestEnd;
        }
      }
      if (at < length) return emit(unknown, 0, length);
      let from = 0;
      for (let i = 0; i < found.length; i += 2) {
        const end = found[i + 1] ?? 0;
        emit(found[i] ?? 0, from, end);
        from = end;
      }
    },
  };
  return () => cutter;
}

function longer(word: Aligned, maxCharacters: number): boolean {
  if (word.length <= maxCharacters) return false;
  let characters = 0;
  for (let i = 0; i < word.length && characters <= maxCharacters; i++) {
    if (((word.units[i] ?? 0) & 0xfc00) !== 0xdc00) characters++;
  }
  return characters > maxCharacters;
}
