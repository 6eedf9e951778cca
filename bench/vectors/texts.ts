// The texts of the bench: consecutive sentences of Node's documentation (as @types/node carries it), cut to exact lengths in
// tokens, the same on every machine.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Tokenizer } from '@vectorium/nets';

export interface BenchText {
  text: string;
  /** What the model reads, with the special tokens. */
  ids: Int32Array;
}
export type TextKind = 'short' | 'mixed' | 'long';

/** Lengths count the special tokens, since that is what is computed. */
export const TEXT_KINDS: Readonly<Record<TextKind, string>> = {
  short: '16 tokens',
  mixed: '16 to 512 tokens, log-uniform',
  long: '512 tokens',
};

export async function makeTexts(tokenizer: Tokenizer): Promise<Record<TextKind, BenchText[]>> {
  const source = new Sentences(await readSentences(), tokenizer);
  const fraction = randomFractions();
  const make = (count: number, tokens: () => number) => Array.from({ length: count }, () => source.take(tokens()));
  return {
    short: make(512, () => 16),
    mixed: make(384, () => Math.floor(16 * (512 / 16) ** fraction())),
    long: make(96, () => 512),
  };
}

/** Gives texts one after the other and begins again at its end. */
class Sentences {
  private readonly sentences: readonly string[];
  private readonly tokenizer: Tokenizer;
  private next = 0;
  private readonly given = new Set<string>();

  constructor(sentences: readonly string[], tokenizer: Tokenizer) {
    this.sentences = sentences;
    this.tokenizer = tokenizer;
  }

  /** A text of exactly `tokens` tokens with the special ones; none is given twice, for a server may join equal ones. */
  take(tokens: number): BenchText {
    const { before, after } = this.tokenizer;
    const wanted = tokens - before.length - after.length;
    for (;;) {
      let text = '';
      let encoding = this.tokenizer.encode(text);
      while (encoding.ids.length < wanted) {
        text += `${text && ' '}${this.sentences[this.next++ % this.sentences.length] ?? ''}`;
        encoding = this.tokenizer.encode(text);
      }
      const cut = text.slice(0, encoding.ends[wanted - 1]);
      const { ids } = this.tokenizer.encode(cut);
      // A cut inside a word may be read as other tokens: then the next sentences are tried.
      if (ids.length !== wanted || this.given.has(cut)) continue;
      this.given.add(cut);
      return { text: cut, ids: Int32Array.of(...before, ...ids, ...after) };
    }
  }
}

async function readSentences(): Promise<string[]> {
  const folder = dirname(createRequire(import.meta.url).resolve('@types/node/package.json'));
  const index = await readFile(join(folder, 'index.d.ts'), 'utf8');
  const files = [...index.matchAll(/<reference path="(.*?)"/g)].map(match => match[1] ?? '');
  const sources = await Promise.all(files.map(file => readFile(join(folder, file), 'utf8')));
  const sentences = sources.flatMap(source =>
    [...source.matchAll(/\/\*\*([\s\S]*?)\*\//g)].flatMap(comment => prose(comment[1] ?? '')),
  );
  return [...new Set(sentences)];
}

/** The sentences of a documentation comment, without code, tags and links. */
function prose(comment: string): string[] {
  const text = comment
    .replace(/^\s*\* ?/gm, '')
    .replace(/```[\s\S]*?```/g, ' ')
    .replace(/^\s*@.*$/gm, ' ')
    .replace(/\{@link ([^}]*)\}/g, '$1')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*_#<>]/g, '')
    .replace(/\s+/g, ' ');
  return text.match(/[A-Z][^.!?]{20,}[.!?](?=\s|$)/g) ?? [];
}

/** Numbers in [0, 1) that look random and are the same in every run (Numerical Recipes' linear congruence). */
function randomFractions(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
