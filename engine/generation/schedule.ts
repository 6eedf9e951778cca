// Continuous batching: which texts go on in the next run, and which prompt gets on by a piece.
//
// 1. Places. At most `places` texts are under way; others wait in the order in which they came. One that is let in has memory for
//    the longest that it may become.
// 2. Every text that has begun to answer gets a token in every run.
// 3. Pieces. A prompt goes on by pieces, short ones while others answer, so that these wait a moment and not for all of a long
//    prompt. Of several prompts the one that came first and the one that is nearest to its end take turns.
// 4. What begins alike. A text waits while another computes a beginning that it shares, and then copies it.
// 5. A text whose caller has left is out before the next run.
// 6. A text in a form has it from when it comes, so that nobody else takes its place among the forms, and is let in when it is ready.
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesOfPiece, type Language } from '@vectorium/nets';
import type { GenerateOptions, GeneratedPiece, GeneratedToken } from '../types.ts';
import { AnswerText } from './answer-text.ts';
import type { Allowed, FormedText, Forms } from '../forms/forms.ts';
import type { CachePool, TextCache } from './caches.ts';
import type { Row, Runner } from './runner.ts';
import { chancesOf, Sampler } from './sampler.ts';

/** How long a piece of a prompt may take, beside texts that answer and alone. */
const pieceBesideMs = 80;
const pieceAloneMs = 500;
const leastPiece = 16;
const largestPiece = 256;
/** Tokens of the prompt that the text of the answer follows: enough to hold a character. */
const promptSeen = 4;
/** Beginnings that are longer are waited for. */
const worthWaiting = 32;
/** How often it is looked whether a form is ready, while nobody answers. */
const formsPollMs = 10;

export interface Asked {
  job: number;
  ids: readonly number[];
  adapter: string | null;
  options: GenerateOptions;
}

interface Waiting extends Asked {
  /** What its form allows. */
  form: FormedText | null;
}

interface Text extends Waiting {
  cache: TextCache;
  sampler: Sampler;
  answer: AnswerText;
  /** Tokens that are not in the cache yet: what is left of the prompt, then the one that was drawn last. */
  ahead: number[];
  tokens: number;
}

export interface ScheduleParts {
  runner: Runner;
  pool: CachePool;
  /** Null where answers can have none. */
  forms: Forms | null;
  language: Language;
  /** The bytes of each token as GPT-2 writes them, where they are known. */
  pieces: readonly string[] | null;
  places: number;
  piece: (job: number, piece: GeneratedPiece) => void;
  failed: (job: number, reason: string) => void;
}

export class Schedule {
  readonly #parts: ScheduleParts;
  readonly #waiting: Waiting[] = [];
  readonly #texts: Text[] = [];
  /** Milliseconds that a token of a prompt takes, measured. */
  #tokenMs = 2;
  #oldestIsNext = true;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#texts.length === 0;
  }

  add(asked: Asked): void {
    const form = this.#formOf(asked);
    if (form !== undefined) this.#waiting.push({ ...asked, form });
  }

  cancel(job: number): void {
    const waiting = this.#waiting.findIndex(each => each.job === job);
    if (waiting >= 0) this.#waiting.splice(waiting, 1)[0]?.form?.close();
    const text = this.#texts.find(each => each.job === job);
    if (text) this.#leave(text);
  }

  /** All jobs, which end here. */
  clear(): number[] {
    const jobs = [...this.#waiting, ...this.#texts].map(({ job }) => job);
    for (const { form } of this.#waiting.splice(0)) form?.close();
    for (const text of this.#texts.slice()) this.#leave(text);
    return jobs;
  }

  /** One run, for whoever is under way. */
  async step(): Promise<void> {
    this.#admit();
    const going = this.#texts.filter(({ tokens }) => tokens > 0);
    const prompt = this.#nextPrompt();
    if (going.length === 0 && !prompt) {
      if (this.#waiting.every(isReady)) throw new Error('what waits does not fit the memory for texts');
      return void (await sleep(formsPollMs));
    }
    const rows = going.map(({ cache, ahead }): Row => ({ cache, ids: ahead.slice() }));
    const piece = prompt && { cache: prompt.cache, ids: this.#pieceOf(prompt, going.length > 0) };
    const started = performance.now();
    const logits = await this.#parts.runner.run(rows, piece);
    if (piece && piece.ids.length >= leastPiece)
      this.#tokenMs = 0.7 * this.#tokenMs + (0.3 * (performance.now() - started)) / piece.ids.length;
    for (const [i, text] of going.entries()) await this.#goOn(text, logits[i]);
    if (prompt && piece) {
      prompt.ahead.splice(0, piece.ids.length);
      if (prompt.ahead.length === 0) await this.#goOn(prompt, logits[going.length]);
    }
  }

  #admit(): void {
    const { pool, places, language } = this.#parts;
    for (const asked of this.#waiting.slice()) {
      if (this.#texts.length >= places) return;
      const { ids, adapter, options } = asked;
      if (!isReady(asked) || this.#isBeingComputed(asked)) continue;
      const cache = pool.open(ids, { capacity: ids.length + options.maxTokens, adapter });
      // Whoever comes later waits as well, or one that needs much would wait for ever.
      if (!cache) return;
      this.#waiting.splice(this.#waiting.indexOf(asked), 1);
      this.#texts.push({
        ...asked,
        cache,
        sampler: new Sampler(options, ids),
        answer: new AnswerText(each => language.tokenizer.decode(each), options.stop, ids.slice(-promptSeen)),
        ahead: ids.slice(cache.length),
        tokens: 0,
      });
    }
  }

  /** Whether another text is about to have more of the beginning than there is now. */
  #isBeingComputed({ ids, adapter }: Asked): boolean {
    const there = this.#parts.pool.longestShared(ids, adapter)?.length ?? 0;
    return this.#texts.some(text => {
      if (text.tokens > 0 || text.adapter !== adapter) return false;
      const most = Math.min(text.ids.length, ids.length - 1);
      let shared = 0;
      while (shared < most && text.ids[shared] === ids[shared]) shared++;
      return shared >= there + worthWaiting;
    });
  }

  #nextPrompt(): Text | null {
    const prompts = this.#texts.filter(({ tokens }) => tokens === 0);
    this.#oldestIsNext = !this.#oldestIsNext;
    if (this.#oldestIsNext) return prompts[0] ?? null;
    return prompts.reduce<Text | null>((a, b) => (a && a.ahead.length <= b.ahead.length ? a : b), null);
  }

  #pieceOf({ ahead }: Text, besideOthers: boolean): number[] {
    const tokens = Math.round((besideOthers ? pieceBesideMs : pieceAloneMs) / this.#tokenMs);
    return ahead.slice(0, Math.min(largestPiece, Math.max(leastPiece, tokens)));
  }

  /** Draws the next token of a text and tells its caller. */
  async #goOn(text: Text, logits: Float32Array | undefined): Promise<void> {
    if (!logits) throw new Error('a text has no logits');
    const allowed = text.form && (await this.#allowed(text, text.form));
    // Its caller left while it was computed.
    if (!this.#texts.includes(text)) return;
    const { job, sampler, answer, options, ids } = text;
    const { language, piece } = this.#parts;
    const raw = options.logprobs === null ? null : logits.slice();
    const id = sampler.next(logits, allowed);
    if (language.ends.has(id) && !options.ignoreEnds) {
      piece(job, { text: answer.end(), tokens: text.tokens, logprobs: [], ended: 'stop' });
      return this.#leave(text);
    }
    text.tokens++;
    text.ahead = [id];
    text.form?.accept(id);
    const added = answer.push(id);
    const full = text.tokens >= options.maxTokens || ids.length + text.tokens >= text.cache.capacity;
    const rest = full && !answer.stopped ? answer.end() : '';
    const ended = answer.stopped ? 'stop' : full ? 'length' : null;
    const logprobs = raw ? [this.#chances(raw, id, options.logprobs ?? 0)] : [];
    piece(job, { text: added + rest, tokens: text.tokens, logprobs, ended });
    if (ended) this.#leave(text);
  }

  /** Undefined for one that can't be had, whose caller is told. */
  #formOf({ job, options: { form } }: Asked): FormedText | null | undefined {
    const { forms, failed } = this.#parts;
    if (form === null) return null;
    try {
      return forms?.open(form);
    } catch (error) {
      failed(job, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** A text whose form is lost ends, or which can't go on in it, and others go on. */
  async #allowed(text: Text, form: FormedText): Promise<Allowed | null> {
    try {
      const allowed = await form.allowed();
      if (allowed.every(bits => bits === 0)) throw new Error('no token of the model goes on with the form');
      return allowed;
    } catch (error) {
      this.#parts.failed(text.job, error instanceof Error ? error.message : String(error));
      this.#leave(text);
      return null;
    }
  }

  #chances(logits: Float32Array, id: number, most: number): GeneratedToken {
    const { own, likeliest } = chancesOf(logits, id, most);
    return {
      ...this.#textOf(id),
      logprob: own,
      likeliest: likeliest.map(each => ({ ...this.#textOf(each.id), logprob: each.logprob })),
    };
  }

  #textOf(id: number): Pick<GeneratedToken, 'text' | 'bytes'> {
    const { language, pieces } = this.#parts;
    const bytes = pieces ? Buffer.from(bytesOfPiece(pieces[id] ?? '')) : Buffer.from(language.tokenizer.decode([id]));
    return { text: bytes.toString(), bytes: [...bytes] };
  }

  #leave(text: Text): void {
    const at = this.#texts.indexOf(text);
    if (at < 0) return;
    this.#texts.splice(at, 1);
    this.#parts.pool.close(text.cache);
    text.form?.close();
  }
}

const isReady = ({ form }: Waiting): boolean => form?.isReady ?? true;
