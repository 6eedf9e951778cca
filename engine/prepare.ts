// Texts to tokens and chunks, in steps: what the text thread does with long texts, and the caller's thread with short ones.
import { type Chunk, chunkSteps, type Tokenizer } from '@vectorium/nets';
import type { Frame } from './late.ts';
import type { Chunking, PackedTexts } from './protocol.ts';

/** All tokens of a text, and its chunks in tokens and characters. */
export interface TokenizedText {
  ids: Int32Array;
  chunks: Chunk[];
}

export function* prepareSteps(
  tokenizer: Tokenizer,
  texts: readonly string[],
  chunking: Chunking,
): Generator<void, TokenizedText[]> {
  const options = { maxTokens: roomForText(tokenizer, chunking), overlap: chunking.overlap, method: chunking.method };
  const prepared: TokenizedText[] = [];
  for (const text of texts) {
    const encoding = yield* tokenizer.encodeSteps(text);
    prepared.push({ ids: encoding.ids, chunks: yield* chunkSteps(text, encoding, options) });
    yield;
  }
  return prepared;
}

export function packed(texts: readonly TokenizedText[]): PackedTexts {
  const ids = new Int32Array(texts.reduce((sum, text) => sum + text.ids.length, 0));
  let at = 0;
  for (const text of texts) {
    ids.set(text.ids, at);
    at += text.ids.length;
  }
  return {
    ids,
    tokens: Int32Array.from(texts, text => text.ids.length),
    chunks: Int32Array.from(texts, text => text.chunks.length),
    spans: Int32Array.from(
      texts.flatMap(({ chunks }) => chunks.flatMap(({ start, end, from, to }) => [start, end, from, to])),
    ),
  };
}

export function unpacked({ ids, tokens, chunks, spans }: PackedTexts): TokenizedText[] {
  let idAt = 0;
  let spanAt = 0;
  return Array.from(tokens, (count, index) => {
    const list: Chunk[] = [];
    for (let chunk = 0; chunk < (chunks[index] ?? 0); chunk++) {
      const [start = 0, end = 0, from = 0, to = 0] = spans.subarray(spanAt, (spanAt += 4));
      list.push({ start, end, from, to });
    }
    return { ids: ids.subarray(idAt, (idAt += count)), chunks: list };
  });
}

/** The special tokens and the prefix that stand around each text. */
export function frameOf(tokenizer: Tokenizer, prefix: string): Frame {
  return {
    before: Int32Array.from([...tokenizer.before, ...prefixIds(tokenizer, prefix)]),
    after: tokenizer.after.slice(),
  };
}

/** A chunk with special tokens and prefix never exceeds what the model takes. */
function roomForText(tokenizer: Tokenizer, { chunkSize, maxTokens, prefix }: Chunking): number {
  const frame = tokenizer.before.length + tokenizer.after.length + prefixIds(tokenizer, prefix).length;
  return Math.max(1, Math.min(chunkSize, maxTokens - frame));
}

/**
 * Tokens of a prefix that stands before a text. Its last space belongs to the text's first word in every tokenizer that
 * marks spaces, and to none in the others; encoded alone it would become a token of its own.
 */
function prefixIds(tokenizer: Tokenizer, prefix: string): Int32Array {
  return prefix === '' ? new Int32Array() : tokenizer.encode(prefix.trimEnd()).ids;
}
