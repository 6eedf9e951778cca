// What tables borrow of the server while they process: vectors, chunks and predictions, metered as on their own routes. Vectors and
// predictions are charged once for each part of a job, however often it is done again (server/vectors/bulk.ts says how).
import { chunkingMethods, defaultChunkOverlap } from '@vectorium/contract';
import type { Operation, Row, Services } from '@vectorium/tables';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import { type VectorOptions, type VectorService, bulkVectors, textParts } from '../vectors/index.ts';

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
