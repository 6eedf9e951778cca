// Vectors for jobs: many texts, in parts that others come in between, each paid once however often the job is done again.
//
// 1. Vectors are metered like those of /vectorize: tokens are counted, money is reserved, the charge is durable before the vectors
//    are used.
// 2. A call is charged in parts, whose ids follow from what they are for: a job that was killed and is done again makes the same
//    parts, and each is charged once.
// 3. A job has one part at a time in the engine's queue, small enough that the requests of others come in between.
// 4. A full queue or a lost worker delays a job (a request is refused); a balance that is too small ends it.
import { setTimeout as sleep } from 'node:timers/promises';
import { derivedId } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import type { Asked, VectorOptions, VectorService } from './service.ts';

/** About 8,000 tokens: a second or two of one core. */
const onePart = { texts: 256, characters: 32_000 };

const worthRepeating = new Set(['QUEUE_FULL', 'WORKER_LOST']);
/** Waits of 1, 2, 4 … 30 seconds: a quarter of an hour in all. */
const tries = 35;
const longestWaitMs = 30_000;

export interface BulkAsked extends Omit<Asked, 'usageId'> {
  /** What the ids of charges are made of. */
  chargedAs: (string | number)[];
  /** For a request, whose caller may come again: refused at once where a job waits. */
  impatient?: boolean;
}

export interface BulkVectors {
  /** One a text; null for a text that is null or blank. */
  vectors: (Float32Array | null)[];
  tokens: number;
}

export async function bulkVectors(
  service: VectorService,
  texts: readonly (string | null)[],
  options: VectorOptions,
  { chargedAs, impatient, ...asked }: BulkAsked,
): Promise<BulkVectors> {
  const result: BulkVectors = { vectors: texts.map(() => null), tokens: 0 };
  for (const [index, rows] of textParts(texts).entries()) {
    const usageId = derivedId(...chargedAs, index);
    const given = rows.map(({ text }) => text);
    const once = () => service.vectors(given, options, { ...asked, usageId });
    const { vectors, tokenCounts } = await (impatient ? once() : insisting(asked.signal, once));
    for (const [at, { row }] of rows.entries()) result.vectors[row] = vectors[at] ?? null;
    result.tokens += tokenCounts.reduce((sum, count) => sum + count, 0);
  }
  return result;
}

/** As often as it makes sense while the engine has no room. */
export async function insisting<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const again = error instanceof ApiError && worthRepeating.has(error.code) && attempt < tries;
      if (!again) throw error;
      await sleep(Math.min(1000 * 2 ** attempt, longestWaitMs), undefined, { signal });
    }
  }
}

const blank = /^\s*$/;

/** Texts that are there, with the rows that they belong to, in parts of bounded size. */
export function textParts(
  texts: readonly (string | null)[],
  most: { texts: number; characters: number } = onePart,
): { text: string; row: number }[][] {
  const parts: { text: string; row: number }[][] = [];
  let part: { text: string; row: number }[] = [];
  let characters = 0;
  for (const [row, text] of texts.entries()) {
    if (text === null || blank.test(text)) continue;
    if (part.length > 0 && (part.length >= most.texts || characters + text.length > most.characters)) {
      parts.push(part);
      part = [];
      characters = 0;
    }
    part.push({ text, row });
    characters += text.length;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
