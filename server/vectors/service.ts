// Texts to vectors, with everything around it: which model, how it is cut, what it costs, and who pays when.
//
// model → tokenise and chunk → price → reserve → embed → mean, cut, normalise → settle → answer.
// Tokens are counted before anything is computed, so a balance that is too small costs no computing; whatever fails after
// the reservation gives it back. The answer exists only after the usage is durable.
import { setImmediate as turn } from 'node:timers/promises';
import { type ErrorCode, defaultChunkSize } from '@vectorium/contract';
import { type Engine, EngineError, type InputType, type ModelHandle, type Prepared } from '@vectorium/engine';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { CatalogEntry, EncoderEntry, Models } from '../models/index.ts';
import { type Plan, formatUsd, picodollarsToUsd } from '../plans/index.ts';
import { InsufficientBalance, type Ledger, type Reservation } from '../usage/index.ts';
import { InFlight, type Work } from './in-flight.ts';
import { shapeVector, weightedMean } from './rules.ts';

export type ChunkingMethod = 'sentence_aware' | 'fixed' | 'late';

/** What is to be made of the texts; what is absent is left to the model and the account. */
export interface VectorOptions {
  model?: string | undefined;
  inputType?: InputType | undefined;
  normalize: boolean;
  dimensions?: number | undefined;
  /** Tokens, or as many as the model takes; absent: `defaultChunkSize`, or what the model takes if that is less. */
  chunkSize?: number | 'whole' | undefined;
  chunkOverlap: number;
  chunkingMethod: ChunkingMethod;
  /** One vector a text, or one for each of its chunks. */
  each: 'text' | 'chunk';
}

/** Who asks, through which route, and until when the answer is wanted. */
export interface Asked {
  caller: Caller;
  route: string;
  requestId: string;
  signal: AbortSignal;
  /** For work that may be done again after its process was killed: what was charged under this id is not charged again. */
  usageId?: string | undefined;
}

export interface Vectors {
  model: EncoderEntry;
  dimension: number;
  /** Of each text, without special tokens, prefixes and repeated overlaps: what is paid for. */
  tokenCounts: number[];
  /** Characters (UTF-16 units) of each text's chunks, half-open. */
  chunks: { start: number; end: number }[][];
  /** One a text, or one a chunk in the order of texts and chunks. */
  vectors: Float32Array[];
  durationMs: number;
}

export interface Tokens {
  model: EncoderEntry;
  count: number;
  ids?: number[];
  offsets?: [number, number][];
}

export interface VectorService {
  /** Throws an ApiError for everything that the caller can do something about. */
  vectors(texts: string[], options: VectorOptions, asked: Asked): Promise<Vectors>;
  /** Free of charge. `list` also gives the tokens themselves. */
  tokens(text: string, options: { model?: string | undefined; list: boolean }, asked: Asked): Promise<Tokens>;
  /** Throws what `vectors` would refuse whatever the texts. */
  check(options: VectorOptions, caller: Caller): Promise<void>;
  /** Tokens of the texts together. Free of charge. */
  count(texts: string[], options: VectorOptions, asked: Asked): Promise<number>;
  /** Throws INSUFFICIENT_BALANCE or KEY_BUDGET_EXCEEDED when so many tokens can't be paid for now. Nothing is set aside. */
  checkBalance(tokens: number, options: VectorOptions, caller: Caller): Promise<void>;
  /** The chunks of each text, exact substrings that cover it. Free of charge. */
  chunks(texts: string[], options: VectorOptions, asked: Asked): Promise<string[][]>;
  /** The texts of a request at most. Throws BATCH_TOO_LARGE. */
  checkBatch(count: number, caller: Caller, param: string): void;
}

export interface VectorParts {
  engine: Engine;
  models: Models;
  ledger: Ledger;
  /** Told of every settled request, for the metrics. */
  observe: (settled: { route: string; model: string; tokens: number; durationMs: number }) => void;
}

/** Each chunk is a vector that is kept until the answer is out, so a request can't have any number of them. */
const MAX_CHUNKS = 32_768;
/** What a caller is told to wait for a model that is on its way. */
const FETCHING_RETRY_SECONDS = 5;

export function createVectorService(parts: VectorParts): VectorService {
  const { engine, models } = parts;
  const inFlight = new InFlight<Vectors>();
  return {
    async vectors(texts, options, asked) {
      const { entry, handle, chunkSize } = await checked(models, options, asked.caller);
      const { caller, route, usageId } = asked;
      const fingerprint = JSON.stringify([caller.key.id, route, handle.id, chunkSize, options, usageId]);
      return inFlight.run({ fingerprint, texts }, asked.signal, signal =>
        translated(() => compute(parts, { texts, options, entry, handle, chunkSize, asked: { ...asked, signal } })),
      );
    },

    async tokens(text, { model, list }, { caller, signal }) {
      const { entry, handle } = await usableModel(models, model, caller);
      return translated(async () => {
        if (list) {
          const { ids, offsets } = await engine.tokenize(handle, text, signal);
          return { model: entry, count: ids.length, ids, offsets };
        }
        const [count = 0] = await engine.count(handle, [text], signal);
        return { model: entry, count };
      });
    },

    async check(options, caller) {
      await checked(models, options, caller);
    },

    async count(texts, { model }, { caller, signal }) {
      const { handle } = await usableModel(models, model, caller);
      const counts = await translated(() => engine.count(handle, texts, signal));
      return counts.reduce((sum, count) => sum + count, 0);
    },

    async checkBalance(tokens, { model }, caller) {
      const { pricePicodollarsPerToken } = findModel(models, model, caller);
      (await reserve(parts.ledger, caller, BigInt(tokens) * pricePicodollarsPerToken)).release();
    },

    async chunks(texts, options, asked) {
      const { entry, handle, chunkSize } = await checked(models, options, asked.caller);
      const { chunkOverlap: overlap, chunkingMethod: method } = options;
      return translated(async () => {
        await checkChunkCount(engine, { texts, options, entry, handle, chunkSize, asked });
        const prepared = await engine.prepare(handle, texts, { chunkSize, overlap, method, signal: asked.signal });
        return prepared.map(({ chunks }, index) =>
          chunks.map(({ start, end }) => (texts[index] ?? '').slice(start, end)),
        );
      });
    },

    checkBatch(count, { account }, param) {
      const most = account.plan.vectors.batch;
      if (count <= most) return;
      const message = `The batch has ${count} texts; the plan ${account.plan.name} takes at most ${most} at a time`;
      throw new ApiError('BATCH_TOO_LARGE', { message, param });
    },
  };
}

/** The encoder of this name, or the account's own. */
export function findModel(models: Models, name: string | undefined, caller: Caller): EncoderEntry {
  const alias = name ?? caller.account.defaultModel;
  const entry = models.get(alias);
  if (!entry || entry.kind !== 'encoder') {
    const known = models.list().flatMap(each => (each.kind === 'encoder' ? [each.alias] : []));
    const message = `There is no model ${JSON.stringify(alias)}. Models: ${known.join(', ')}`;
    throw new ApiError('MODEL_NOT_FOUND', { message, param: 'model', details: { model: alias } });
  }
  return entry;
}

/** Whether plan and key include the model. */
export function mayUse(caller: Caller, entry: CatalogEntry): boolean {
  const { account, key } = caller;
  return planIncludes(account.plan, entry) && (key.models === null || key.models.includes(entry.alias));
}

function planIncludes({ tiers, models }: Plan, { tier, alias }: CatalogEntry): boolean {
  return tiers.includes(tier) && (models === null || models.includes(alias));
}

/** Throws MODEL_NOT_ALLOWED for a model that plan or key don't include. */
export function checkAllowed(caller: Caller, entry: CatalogEntry): void {
  if (mayUse(caller, entry)) return;
  const { plan } = caller.account;
  const message = planIncludes(plan, entry)
    ? `This key may not use the model ${entry.alias}`
    : plan.tiers.includes(entry.tier)
      ? `The plan ${plan.name} does not include the model ${entry.alias}`
      : `The model ${entry.alias} is of the tier ${entry.tier}, which the plan ${plan.name} does not include`;
  throw new ApiError('MODEL_NOT_ALLOWED', { message, param: 'model' });
}

/** The unit of the price list, in dollars. */
export function pricePerMillionTokens({ pricePicodollarsPerToken }: CatalogEntry): number {
  return picodollarsToUsd(1_000_000n * pricePicodollarsPerToken);
}

async function usableModel(models: Models, name: string | undefined, caller: Caller) {
  const entry = findModel(models, name, caller);
  checkAllowed(caller, entry);
  if (models.folder(entry.alias) === null) await fetchModel(models, entry);
  return { entry, handle: models.modelHandle(entry.alias) };
}

/** Model and chunk size, when everything that is asked for can be had of the model. */
async function checked(models: Models, options: VectorOptions, caller: Caller) {
  const { entry, handle } = await usableModel(models, options.model, caller);
  const chunkSize = checkedChunkSize(options.chunkSize, entry);
  checkDimensions(options.dimensions, entry);
  if (options.chunkingMethod === 'late' && entry.pooling !== 'mean') {
    const message = `${entry.alias} takes the vector of the first token; late chunking needs a model that averages its tokens`;
    throw new ApiError('INVALID_PARAMETER', { message, param: 'chunking_method' });
  }
  return { entry, handle, chunkSize };
}

/** Starts the fetching of a model that is not here, and tells the caller when to come back, or how it can be had. */
export async function fetchModel(
  models: Pick<Models, 'state' | 'obtainable' | 'ensure'>,
  { alias }: CatalogEntry,
): Promise<never> {
  const { state, progress } = models.state(alias);
  if (state !== 'pulling') {
    if (state === 'unavailable' || !(await models.obtainable(alias))) {
      // Which source failed and why is in the log: the folders and buckets of an operator are not the callers' business.
      const message = `The model ${alias} is not on this server and can't be fetched now. An operator can fetch it with: vectorium models pull ${alias}`;
      throw new ApiError('MODEL_UNAVAILABLE', { message, param: 'model' });
    }
    // Its failure is kept and logged by the models feature; the next caller is told.
    models.ensure(alias).catch(() => {});
  }
  const percent = progress ? ` (${Math.floor((100 * progress.doneBytes) / progress.totalBytes)} %)` : '';
  throw new ApiError('MODEL_UNAVAILABLE', {
    message: `The model ${alias} is being fetched${percent}; try again shortly`,
    param: 'model',
    retryAfterSeconds: FETCHING_RETRY_SECONDS,
  });
}

function checkedChunkSize(asked: VectorOptions['chunkSize'], { alias, maxTokens }: EncoderEntry): number {
  if (asked === 'whole') return maxTokens;
  if (asked === undefined) return Math.min(defaultChunkSize, maxTokens);
  if (asked >= 1 && asked <= maxTokens) return asked;
  const message = `chunk_size must be from 1 to ${maxTokens} for ${alias}`;
  throw new ApiError('INVALID_PARAMETER', { message, param: 'chunk_size' });
}

function checkDimensions(asked: number | undefined, { alias, dimension, matryoshka }: EncoderEntry): void {
  if (asked === undefined || asked === dimension || matryoshka?.includes(asked)) return;
  const message = matryoshka
    ? `dimensions must be one of ${matryoshka.join(', ')} for ${alias}`
    : `${alias} was not trained for shorter vectors: dimensions must be ${dimension} or be left out`;
  throw new ApiError('INVALID_PARAMETER', { message, param: 'dimensions' });
}

interface Job {
  texts: string[];
  options: VectorOptions;
  entry: EncoderEntry;
  handle: ModelHandle;
  chunkSize: number;
  asked: Asked;
}

async function compute({ engine, ledger, observe }: VectorParts, job: Job): Promise<Work<Vectors>> {
  const { texts, options, entry, handle, asked } = job;
  const startedAt = performance.now();
  await checkChunkCount(engine, job);
  const about = { signal: asked.signal, ...(options.inputType && { inputType: options.inputType }) };
  const prepared = await engine.prepare(handle, texts, {
    ...about,
    chunkSize: job.chunkSize,
    overlap: options.chunkOverlap,
    method: options.chunkingMethod,
  });
  const tokenCounts = prepared.map(({ tokens }) => tokens);
  const tokens = tokenCounts.reduce((sum, count) => sum + count, 0);
  const isCharged = asked.usageId !== undefined && (await ledger.isCharged(asked.usageId));
  const costPicodollars = isCharged ? 0n : BigInt(tokens) * entry.pricePicodollarsPerToken;
  const reservation = await reserve(ledger, asked.caller, costPicodollars);
  try {
    const chunkVectors = await engine.embed(handle, prepared, about);
    const result: Vectors = {
      model: entry,
      dimension: options.dimensions ?? entry.dimension,
      tokenCounts,
      chunks: prepared.map(({ chunks }) => chunks.map(({ start, end }) => ({ start, end }))),
      vectors: await shaped(prepared, chunkVectors, options),
      durationMs: performance.now() - startedAt,
    };
    return {
      result,
      async settle() {
        const durationMs = performance.now() - startedAt;
        const { route, requestId, usageId: id } = asked;
        await reservation.settle({ id, route, model: entry.alias, tokens, costPicodollars, durationMs, requestId });
        observe({ route, model: entry.alias, tokens, durationMs });
      },
      release: () => reservation.release(),
    };
  } catch (error) {
    reservation.release();
    throw error;
  }
}

/** Refuses a request of too many chunks before they are made. Only one whose length leaves it in doubt is counted for that. */
async function checkChunkCount(engine: Engine, { texts, options, handle, chunkSize, asked }: Job): Promise<void> {
  const tokensAChunk = Math.max(1, chunkSize * (1 - options.chunkOverlap));
  const chunksOf = (sizes: number[]) => sizes.reduce((sum, size) => sum + Math.ceil(size / tokensAChunk), 0);
  if (chunksOf(texts.map(text => text.length)) <= MAX_CHUNKS) return;
  const chunks = chunksOf(await engine.count(handle, texts, asked.signal));
  if (chunks <= MAX_CHUNKS) return;
  const message = `chunk_size ${chunkSize} would cut the input into about ${chunks} chunks; a request may have ${MAX_CHUNKS}`;
  throw new ApiError('INVALID_PARAMETER', { message, param: 'chunk_size' });
}

const refusals = {
  account: 'INSUFFICIENT_BALANCE',
  key: 'KEY_BUDGET_EXCEEDED',
  budget: 'BUDGET_EXCEEDED',
} as const;

/** Sets money aside. Throws INSUFFICIENT_BALANCE, KEY_BUDGET_EXCEEDED or BUDGET_EXCEEDED, with what there is and what it takes. */
export async function reserve(
  ledger: Pick<Ledger, 'reserve'>,
  caller: Caller,
  costPicodollars: bigint,
): Promise<Reservation> {
  try {
    return await ledger.reserve(caller, costPicodollars);
  } catch (error) {
    if (!(error instanceof InsufficientBalance)) throw error;
    const [balance, required] = [error.balancePicodollars, error.requiredPicodollars];
    const code = refusals[error.of];
    throw new ApiError(code, {
      message: `${error.message}: $${formatUsd(balance)} is left and $${formatUsd(required)} is needed`,
      details: { balance: picodollarsToUsd(balance), required: picodollarsToUsd(required) },
    });
  }
}

/** Texts between two turns of the event loop: about a millisecond's work. */
const TEXTS_AT_ONCE = 200;

async function shaped(
  prepared: Prepared[],
  chunkVectors: Float32Array[][],
  options: VectorOptions,
): Promise<Float32Array[]> {
  const shapedVectors: Float32Array[] = [];
  for (const [index, { chunks }] of prepared.entries()) {
    if (index % TEXTS_AT_ONCE === TEXTS_AT_ONCE - 1) await turn();
    const vectors = chunkVectors[index] ?? [];
    const weights = chunks.map(({ tokens }) => tokens);
    const wanted = options.each === 'chunk' ? vectors : [weightedMean(vectors, weights)];
    for (const vector of wanted) shapedVectors.push(shapeVector(vector, options));
  }
  return shapedVectors;
}

const codeOfEngineError: Record<EngineError['code'], ErrorCode> = {
  PROMPT_REFUSED: 'INVALID_PARAMETER',
  FORM_REFUSED: 'INVALID_PARAMETER',
  QUEUE_FULL: 'QUEUE_FULL',
  WORKER_LOST: 'WORKER_LOST',
  MODEL_FAILED: 'INTERNAL_ERROR',
  MODEL_TOO_LARGE: 'MODEL_UNAVAILABLE',
  CANCELLED: 'CLIENT_CLOSED_REQUEST',
};

/** The engine's failures in the API's words. Those that say something of the inside keep it for the log, as the cause. */
export async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === 'MODEL_FAILED') throw error;
    const { retryAfterSeconds } = error;
    throw new ApiError(codeOfEngineError[error.code], {
      message: error.message,
      ...(error.code === 'FORM_REFUSED' && { param: 'response_format' }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
  }
}
