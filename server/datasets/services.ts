// What tables borrow of the server while they process: vectors, chunks and predictions.
//
// 1. Vectors are metered like those of /vectorize: tokens are counted, money is reserved, the charge is durable before the vectors
//    are used.
// 2. A call is charged in parts, whose ids follow from the job, the operation and the part: a job that was killed and is done again
//    makes the same parts, and each is charged once.
// 3. A job has one part at a time in the engine's queue, small enough that the requests of others come in between.
// 4. What all vectors of an operation cost is known to be there before the first is computed; a job that goes on is not asked again.
// 5. A full queue or a lost worker delays a job; a balance that is too small ends it.
import { setTimeout as sleep } from 'node:timers/promises';
import { chunkingMethods, defaultChunkOverlap } from '@vectorium/contract';
import type { Operation, Services } from '@vectorium/tables';
import { derivedId } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { VectorOptions, VectorService } from '../vectors/index.ts';

/** About 8,000 tokens: a second or two of one core. */
const partCharacters = 32_000;
const partTexts = 256;
/** Counting is some ten times as fast. */
const countedTogether = { texts: 1024, characters: 256_000 };

const worthRepeating = new Set(['QUEUE_FULL', 'WORKER_LOST']);
/** Waits of 1, 2, 4 … 30 seconds: a quarter of an hour in all. */
const tries = 35;
const longestWaitMs = 30_000;

export interface Borrower {
  caller: Caller;
  /** What charges are made under; a preview has one of its own. */
  jobId: string;
  requestId: string;
  route: string;
  signal: AbortSignal;
  /** The job goes on after something of it was paid for. */
  goesOn?: boolean;
  /** After each call that was paid for. */
  onCharged?: () => Promise<void>;
}

/** Services that remember why they failed: the error that comes back through tables has lost its code. */
export interface Lent extends Services {
  readonly failure: unknown;
}

export function lendServices(vectors: VectorService, borrower: Borrower): Lent {
  const { caller, jobId, requestId, route, signal, onCharged = async () => {} } = borrower;
  let failure: unknown;
  const remembering = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      failure ??= error;
      throw error;
    }
  };

  async function embedPart(texts: string[], options: VectorOptions, usageId: string): Promise<Float32Array[]> {
    for (let attempt = 0; ; attempt++) {
      try {
        return (await vectors.vectors(texts, options, { caller, route, requestId, signal, usageId })).vectors;
      } catch (error) {
        const again = error instanceof ApiError && worthRepeating.has(error.code) && attempt < tries;
        if (!again) throw error;
        await sleep(Math.min(1000 * 2 ** attempt, longestWaitMs), undefined, { signal });
      }
    }
  }

  return {
    get failure() {
      return failure;
    },

    embed: (texts, params, { operation, part }) =>
      remembering(async () => {
        const result: (Float32Array | null)[] = texts.map(() => null);
        const options = vectorOptions(params);
        for (const [index, rows] of partsOf(texts).entries()) {
          const usageId = derivedId(jobId, operation, part, index);
          const embedded = await embedPart(
            rows.map(({ text }) => text),
            options,
            usageId,
          );
          for (const [at, { row }] of rows.entries()) result[row] = embedded[at] ?? null;
        }
        await onCharged();
        return result;
      }),

    count: (texts, params) =>
      remembering(async () => {
        let tokens = 0;
        for (const rows of partsOf(texts, countedTogether)) {
          const given = rows.map(({ text }) => text);
          tokens += await vectors.count(given, vectorOptions(params), { caller, route, requestId, signal });
        }
        return tokens;
      }),

    async affords(tokens, params, orFail) {
      if (borrower.goesOn === true) return true;
      const check = () => vectors.checkBalance(tokens, vectorOptions(params), caller);
      if (orFail) await remembering(check);
      return (
        orFail ||
        (await check().then(
          () => true,
          (error: unknown) => (error instanceof ApiError ? false : Promise.reject(error)),
        ))
      );
    },

    chunk: (texts, params) =>
      remembering(async () => {
        const result: string[][] = texts.map(() => []);
        const options = vectorOptions(params);
        for (const rows of partsOf(texts)) {
          const asked = { caller, route, requestId, signal };
          const chunked = await vectors.chunks(
            rows.map(({ text }) => text),
            options,
            asked,
          );
          for (const [at, { row }] of rows.entries()) result[row] = chunked[at] ?? [];
        }
        return result;
      }),

    predict: (_rows, params) => remembering(async () => noModel(params['model_id'])),
  };
}

/** Refuses, before a job is made, operations that ask for a model which the caller can't have. */
export async function checkModels(
  operations: readonly Operation[],
  vectors: VectorService,
  caller: Caller,
): Promise<void> {
  for (const [index, { type, params }] of operations.entries()) {
    const param = (name: string) => `operations[${index}].params.${name}`;
    if (type !== 'enrich') continue;
    if (spends({ type, params })) checkScope(caller, param('op'));
    if (params['op'] === 'predict') noModel(params['model_id'], param('model_id'));
    if (!usesEncoder({ type, params })) continue;
    try {
      await vectors.check(vectorOptions(params), caller);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new ApiError(error.code, { ...error.fields, param: param(error.fields.param ?? 'model') });
    }
  }
}

/** Money is spent as on the vector routes: a key that may not use those can't do it through datasets. */
function checkScope({ key }: Caller, param: string): void {
  if (!key.scopes || key.scopes.includes('vectors')) return;
  const message = `${param}: this operation is paid for, and the key does not have the scope "vectors"`;
  throw new ApiError('SCOPE_NOT_ALLOWED', { message, param });
}

/** Whether an operation computes vectors, which are paid for. */
function spends(operation: Operation): boolean {
  return usesEncoder(operation) && operation.params['op'] !== 'chunk_text';
}

/** Whether an operation computes with one of the catalog's models, named in `model` or the account's own. */
export function usesEncoder({ type, params }: Operation): boolean {
  const { op } = params;
  return (
    type === 'enrich' &&
    (op === 'embed_text' || op === 'chunk_text' || (op === 'similarity' && params['query'] != null))
  );
}

function noModel(id: unknown, param?: string): never {
  throw new ApiError('MODEL_NOT_FOUND', { message: `There is no trained model ${JSON.stringify(id ?? null)}`, param });
}

/** As on /vectorize, with what the operation says. Its types were checked by tables. */
function vectorOptions(params: Record<string, unknown>): VectorOptions {
  const { model, chunk_size: size, chunk_overlap: overlap, chunking_method: method, input_type: inputType } = params;
  return {
    model: typeof model === 'string' ? model : undefined,
    inputType: inputType === 'query' || inputType === 'document' ? inputType : undefined,
    normalize: true,
    chunkSize: typeof size === 'number' ? size : undefined,
    chunkOverlap: typeof overlap === 'number' ? overlap : defaultChunkOverlap,
    chunkingMethod: chunkingMethods.find(each => each === method) ?? 'sentence_aware',
    each: 'text',
  };
}

const blank = /^\s*$/;

/** Texts that are there, with the rows that they belong to, in parts of bounded size. */
function partsOf(
  texts: readonly (string | null)[],
  most = { texts: partTexts, characters: partCharacters },
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
