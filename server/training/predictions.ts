// Rows to predictions, with everything around it: which model, whose rows, the vectors of their texts, and what it costs.
//
// model → check the rows → price → reserve → vectors of texts → engine → settle → answer. As with vectors, the answer exists only
// after its usage is durable, and whatever fails gives the reservation back.
import { type CellTable, cellTable } from '@vectorium/contract';
import type { Engine, FeatureColumn, PredictorHandle } from '@vectorium/engine';
import type { Row } from '@vectorium/tables';
import type { DatasetPredictions } from '../datasets/index.ts';
import { derivedId, newId } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import type { Jobs } from '../jobs/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Models } from '../models/index.ts';
import { ObjectNotFound, type Storage } from '../storage/index.ts';
import type { Ledger } from '../usage/index.ts';
import { type VectorService, bulkVectors, insisting, reserve } from '../vectors/index.ts';
import { encode } from './encode.ts';
import { engineRefused, noModel, notReady } from './errors.ts';
import { valueKindOf } from './rules.ts';
import type { ReadyModel, Store } from './store.ts';
import { checkEncoder, textOptions } from './texts.ts';

export interface PredictionParts {
  store: Pick<Store, 'get'>;
  storage: Pick<Storage, 'local'>;
  engine: Pick<Engine, 'predict'>;
  vectors: VectorService;
  models: Pick<Models, 'get' | 'folder' | 'modelHandle'>;
  ledger: Ledger;
  jobs: Pick<Jobs, 'get'>;
}

export interface PredictAsked {
  caller: Caller;
  route: string;
  requestId: string;
  signal: AbortSignal;
  /** Of a job, which may be done again: what the ids of its charges are made of. Without it a full queue refuses at once. */
  chargedAs?: (string | number)[];
  /** Where the rows stand, for errors. */
  place?: string;
}

export interface Predicted {
  /** Numbers, or indexes of the model's labels. */
  values: Float64Array;
  /** `[rows, labels]` */
  probabilities: Float32Array | null;
  /** Of text columns. */
  tokens: number;
}

export interface Predictions extends DatasetPredictions {
  /** By id or alias. Throws MODEL_NOT_FOUND or MODEL_NOT_READY. */
  ready(accountId: string, name: string, param?: string): Promise<ReadyModel>;
  predict(model: ReadyModel, table: CellTable, asked: PredictAsked): Promise<Predicted>;
  /** What is known of models may have changed. */
  changed(): void;
}

/** How long another server process may go on with what it knows of a model or an alias. */
const knownMs = 2000;
const mostKnown = 10_000;

export function createPredictions(parts: PredictionParts): Predictions {
  const { store, engine, vectors, models, ledger, jobs } = parts;
  const known = new Map<string, { model: ReadyModel; until: number }>();

  async function ready(accountId: string, name: string, param = 'model_id'): Promise<ReadyModel> {
    const key = `${accountId} ${name}`;
    const found = known.get(key);
    if (found && found.until > Date.now()) return found.model;
    const model = await store.get(accountId, name);
    if (!model) throw noModel(name, param);
    if (!isReady(model)) throw notReady(name, (await jobs.get(accountId, model.jobId))?.status ?? 'failed', param);
    if (known.size >= mostKnown) known.clear();
    known.set(key, { model, until: Date.now() + knownMs });
    return model;
  }

  async function vectorsOf(
    model: ReadyModel,
    texts: { name: string; values: (string | null)[] }[],
    { chargedAs, caller, route, requestId, signal }: PredictAsked,
  ): Promise<{ columns: FeatureColumn[]; tokens: number }> {
    const { encoder } = model.ready.card;
    const columns: FeatureColumn[] = [];
    let tokens = 0;
    if (texts.length === 0) return { columns, tokens };
    if (!encoder) throw new Error('a model with text columns and no encoder');
    const options = textOptions(encoder.name);
    await vectors.check(options, caller);
    checkEncoder(models, model.ready.card);
    const id = chargedAs ?? [newId()];
    for (const [index, { name, values }] of texts.entries()) {
      const asked = { caller, route, requestId, signal, chargedAs: [...id, 'text', index], impatient: !chargedAs };
      const embedded = await bulkVectors(vectors, values, options, asked);
      const { dimension } = encoder;
      const column = new Float32Array(values.length * dimension);
      for (const [row, vector] of embedded.vectors.entries()) if (vector) column.set(vector, row * dimension);
      columns.push({ name, kind: 'vector', values: column, dimension });
      tokens += embedded.tokens;
    }
    return { columns, tokens };
  }

  async function compute(model: ReadyModel, table: CellTable, asked: PredictAsked): Promise<Predicted> {
    if (model.type === 'llm') {
      const message = `${model.id} is a language model: it answers prompts, not rows`;
      throw new ApiError('INVALID_PARAMETER', { message, param: 'model_id' });
    }
    const startedAt = performance.now();
    const { columns, texts } = await encode(table, model.ready.card, asked.place);
    const { caller, route, requestId, signal, chargedAs } = asked;
    const id = chargedAs && derivedId(...chargedAs, 'rows');
    const isCharged = id !== undefined && (await ledger.isCharged(id));
    const price = caller.account.plan.predictedRowPicodollars;
    const costPicodollars = isCharged ? 0n : BigInt(table.rows) * price;
    const reservation = await reserve(ledger, caller, costPicodollars);
    try {
      const { columns: ofTexts, tokens } = await vectorsOf(model, texts, asked);
      const input = { rows: table.rows, columns: [...columns, ...ofTexts] };
      const { values, probabilities } = await engine
        .predict(handleOf(parts, model), input, signal)
        .catch((error: unknown) => Promise.reject(engineRefused(error)));
      const durationMs = performance.now() - startedAt;
      // Tokens of texts have rows of usage of their own.
      await reservation.settle({ id, route, model: model.id, tokens: 0, costPicodollars, durationMs, requestId });
      return { values, probabilities, tokens };
    } catch (error) {
      reservation.release();
      throw error;
    }
  }

  const predict: Predictions['predict'] = (model, table, asked) =>
    asked.chargedAs ? insisting(asked.signal, () => compute(model, table, asked)) : compute(model, table, asked);

  return {
    ready,
    predict,

    async find(accountId, name, param) {
      const { id, ready: part } = await ready(accountId, name, param);
      return { id, columns: part.card.features.map(each => ({ name: each.name, kind: valueKindOf(each) })) };
    },

    async rows(rows, modelId, asked) {
      const model = await ready(asked.caller.account.id, modelId);
      const read = cellTable(rows, new Set(model.ready.card.features.map(({ name }) => name)));
      if (!read.ok) throw new ApiError('INVALID_PARAMETER', { message: `row ${read.fault.row} ${read.fault.message}` });
      return rowsOf(model, await predict(model, read.table, { ...asked, place: 'rows' }));
    },

    changed: () => known.clear(),
  };
}

function isReady(model: Awaited<ReturnType<Store['get']>>): model is ReadyModel {
  return model?.ready != null;
}

function handleOf({ storage }: Pick<PredictionParts, 'storage'>, { id, ready }: ReadyModel): PredictorHandle {
  const { folder, card } = ready;
  return {
    id,
    bytes: card.files.find(({ name }) => name === 'model.onnx')?.bytes ?? 0,
    open: () =>
      storage.local(`${folder}model.onnx`).catch((error: unknown) => {
        // Deleted a moment ago.
        throw error instanceof ObjectNotFound ? noModel(id) : error;
      }),
  };
}

/** Predictions as rows, for datasets. */
function rowsOf({ ready }: ReadyModel, { values, probabilities }: Predicted): Row[] {
  const { labels } = ready.card.target;
  return Array.from(values, (value, row): Row => {
    if (!labels) return { prediction: Number.isFinite(value) ? value : null };
    const from = row * labels.length;
    const each = labels.map((label, index) => [String(label), probabilities?.[from + index] ?? 0] as const);
    return { prediction: labels[value] ?? null, probabilities: Object.fromEntries(each) };
  });
}
