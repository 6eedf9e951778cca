// What tables borrow of the server while they process: vectors, chunks and predictions, metered as on their own routes. Vectors and
// predictions are charged once for each part of a job, however often it is done again (server/vectors/bulk.ts says how).
// What all vectors of an operation cost is known to be there before the first is computed; a job that goes on is not asked again.
import { chunkingMethods, defaultChunkOverlap } from '@vectorium/contract';
import type { Operation, Row, Services } from '@vectorium/tables';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import { type VectorOptions, type VectorService, bulkVectors, textParts } from '../vectors/index.ts';

/** Counting is some ten times as fast as computing. */
const countedTogether = { texts: 1024, characters: 256_000 };

/** What trained models do for datasets. */
export interface DatasetPredictions {
  /** `prediction`, and of classes `probabilities`, for each row. */
  rows(
    rows: readonly Row[],
    modelId: string,
    asked: { caller: Caller; route: string; requestId: string; signal: AbortSignal; chargedAs: (string | number)[] },
  ): Promise<Row[]>;
  /** The model that a name stands for, with what it takes. Throws ApiError when the account has none that is ready. */
  find(
    accountId: string,
    name: string,
    param: string,
  ): Promise<{ id: string; columns: { name: string; kind: string }[] }>;
}

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

export function lendServices(
  { vectors, predictions }: { vectors: VectorService; predictions: DatasetPredictions },
  borrower: Borrower,
): Lent {
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

  return {
    get failure() {
      return failure;
    },

    embed: (texts, params, { operation, part }) =>
      remembering(async () => {
        const asked = { caller, route, requestId, signal, chargedAs: [jobId, operation, part] };
        const embedded = await bulkVectors(vectors, texts, vectorOptions(params), asked);
        await onCharged();
        return embedded.vectors;
      }),

    count: (texts, params) =>
      remembering(async () => {
        let tokens = 0;
        for (const rows of textParts(texts, countedTogether)) {
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
        for (const rows of textParts(texts)) {
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

    predict: (rows, params, { operation, part }) =>
      remembering(async () => {
        const asked = { caller, route, requestId, signal, chargedAs: [jobId, operation, part] };
        const predicted = await predictions.rows(rows, String(params['model_id']), asked);
        await onCharged();
        return predicted;
      }),
  };
}

/** Refuses, before a job is made, operations that ask for an encoder which the caller can't have. */
export async function checkModels(
  operations: readonly Operation[],
  vectors: VectorService,
  caller: Caller,
): Promise<void> {
  for (const [index, operation] of operations.entries()) {
    if (spends(operation)) checkScope(caller, `operations[${index}].params.op`);
    if (!usesEncoder(operation)) continue;
    try {
      await vectors.check(vectorOptions(operation.params), caller);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const param = `operations[${index}].params.${error.fields.param ?? 'model'}`;
      throw new ApiError(error.code, { ...error.fields, param });
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
