// Two models on the same rows that neither was trained on: those of a dataset, or those that both held out in training.
import { type AnswerOf, type BodyOf, type CellTable, cellTable, type routes } from '@vectorium/contract';
import type { Row, Tables, Value } from '@vectorium/tables';
import { type Datasets, versionOf } from '../datasets/index.ts';
import { ApiError } from '../http/index.ts';
import type { Comparison } from './measure-thread.ts';
import { measure } from './measure.ts';
import type { PredictAsked, Predictions } from './predictions.ts';
import { scalarMetrics } from './rules.ts';
import type { ReadyModel } from './store.ts';

export interface CompareParts {
  predictions: Pick<Predictions, 'ready' | 'predict'>;
  datasets: Pick<Datasets, 'get' | 'file'>;
  tables: Pick<Tables, 'rows'>;
}

type Asked = Pick<PredictAsked, 'caller' | 'route' | 'requestId' | 'signal'>;
type Answer = AnswerOf<typeof routes.compareModels>;

/** More tell nothing else: the deviation of an accuracy over so many is under 0.2 percent. */
const mostRows = 100_000;
/** Of a model's probabilities, which are held in memory: 32 MiB. */
const mostValues = 2 ** 23;
const rowsAtOnce = 2000;

export async function compare(
  parts: CompareParts,
  { models: names, dataset_id: datasetId }: BodyOf<typeof routes.compareModels>,
  asked: Asked,
): Promise<Answer> {
  const accountId = asked.caller.account.id;
  const [first, second] = await Promise.all(
    names.map((name, index) => parts.predictions.ready(accountId, name, `models[${index}]`)),
  );
  if (!first || !second) throw new Error('a comparison of fewer than two');
  if (first.type !== second.type || targetOf(first) !== targetOf(second)) {
    const message = `Only models of one type and target can be compared: ${told(first)}, ${told(second)}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: 'models' });
  }
  const both = [first, second] as const;
  return datasetId === undefined ? onHeldOut(both) : onDataset(parts, both, { datasetId, asked });
}

type Both = readonly [ReadyModel, ReadyModel];

const targetOf = ({ ready }: ReadyModel): string => ready.card.target.name;
const labelsOf = ({ ready }: ReadyModel): Value[] => ready.card.target.labels ?? [];
const told = (model: ReadyModel): string => `${model.id} is for ${model.type} of ${JSON.stringify(targetOf(model))}`;

/** Which rows are held out follows from the data, the target, the share and the seed. */
function onHeldOut(both: Both): Answer {
  const [first, second] = both.map(({ ready: { card } }) => {
    const { seed, validationSplit } = card.config;
    return JSON.stringify([card.dataset['parquet_sha256'], seed, validationSplit, card.metrics_on, card.rows]);
  });
  const [{ id, type, dataset, ready }] = both;
  const { metrics_on: on, rows } = ready.card;
  if (first !== second || on === null) {
    const message =
      'The two models have no held-out rows in common (they were trained on other data, or with another seed or validation_split): name a dataset_id whose rows neither has seen';
    throw new ApiError('INVALID_PARAMETER', { message, param: 'dataset_id', details: { model_id: id } });
  }
  const measured = both.map(model => scalarMetrics(model.ready.card.metrics) ?? {});
  return answer(both, measured, { type, dataset, rows: rows[on], agreement: null });
}

async function onDataset(
  { predictions, datasets, tables }: CompareParts,
  both: Both,
  { datasetId, asked }: { datasetId: string; asked: Asked },
): Promise<Answer> {
  const [{ type }] = both;
  if (type === 'llm') {
    const message =
      'Language models are compared on the samples that were held out in their training: leave dataset_id out';
    throw new ApiError('INVALID_PARAMETER', { message, param: 'dataset_id' });
  }
  const dataset = await datasets.get(asked.caller.account.id, datasetId, 'dataset_id');
  const target = targetOf(both[0]);
  const features = both.flatMap(({ ready }) => ready.card.features.map(({ name }) => name));
  const columns = [...new Set([...features, target])];
  const missing = columns.find(name => !dataset.version.columns.some(column => column.name === name));
  if (missing !== undefined) {
    const message = `The dataset has no column ${JSON.stringify(missing)}, which the models need`;
    throw new ApiError('INVALID_PARAMETER', { message, param: 'dataset_id' });
  }
  const labels = [...new Set(both.flatMap(labelsOf))];
  const end = Math.min(mostRows, Math.floor(mostValues / (labels.length + 1)), dataset.version.rows);
  const gathering = type === 'classification' ? new Classes(both, labels, end) : new Numbers(both, end);
  const { path, release } = await datasets.file(dataset, asked.signal);
  try {
    for (let offset = 0; offset < end; offset += rowsAtOnce) {
      const limit = Math.min(rowsAtOnce, end - offset);
      const read = await tables.rows(path, { offset, limit, columns }, { signal: asked.signal });
      const rows = read.filter(row => row[target] !== null);
      if (rows.length === 0) continue;
      const table = tableOf(rows);
      const predicted = await Promise.all(
        both.map(model => predictions.predict(model, table, { ...asked, place: 'rows' })),
      );
      gathering.add(
        rows.map(row => row[target] ?? null),
        predicted,
      );
    }
  } finally {
    release();
  }
  if (gathering.rows === 0) {
    const message = `No row of the dataset has a value of ${JSON.stringify(target)}`;
    throw new ApiError('INVALID_PARAMETER', { message, param: 'dataset_id' });
  }
  const { measured, agreement } = await measure(gathering.result(), asked.signal);
  return answer(both, measured, { type, dataset: versionOf(dataset), rows: gathering.rows, agreement });
}

function tableOf(rows: readonly Row[]): CellTable {
  const read = cellTable(rows);
  if (!read.ok) throw new Error(read.fault.message);
  return read.table;
}

/** What is gathered piece by piece, for the thread that measures it. */
interface Gathering {
  rows: number;
  add(actual: Value[], predicted: { values: Float64Array; probabilities: Float32Array | null }[]): void;
  result(): Comparison;
}

class Classes implements Gathering {
  rows = 0;
  /** One more than labels: the last is for what neither knows. */
  readonly #classes: number;
  readonly #places: number[][];
  readonly #placeOf: Map<Value, number>;
  readonly #actual: Float64Array<ArrayBuffer>;
  readonly #probabilities: Float32Array<ArrayBuffer>[];

  constructor(both: Both, labels: Value[], mostOfThese: number) {
    this.#classes = labels.length + 1;
    this.#placeOf = new Map(labels.map((label, place) => [label, place]));
    this.#places = both.map(model => labelsOf(model).map(label => this.#placeOf.get(label) ?? 0));
    this.#actual = new Float64Array(mostOfThese);
    this.#probabilities = both.map(() => new Float32Array(mostOfThese * this.#classes));
  }

  add(actual: Value[], predicted: { probabilities: Float32Array | null }[]): void {
    for (const [index, { probabilities }] of predicted.entries()) {
      const places = this.#places[index] ?? [];
      const all = this.#probabilities[index];
      if (!all || !probabilities) throw new Error('classes without probabilities');
      for (let row = 0; row < actual.length; row++) {
        const start = (this.rows + row) * this.#classes;
        for (const [label, place] of places.entries())
          all[start + place] = probabilities[row * places.length + label] ?? 0;
      }
    }
    for (const value of actual) this.#actual[this.rows++] = this.#placeOf.get(value) ?? this.#classes - 1;
  }

  result(): Comparison {
    return {
      classes: this.#classes,
      actual: this.#actual.subarray(0, this.rows),
      predicted: this.#probabilities.map(all => all.subarray(0, this.rows * this.#classes)),
    };
  }
}

class Numbers implements Gathering {
  rows = 0;
  readonly #actual: Float64Array<ArrayBuffer>;
  readonly #predicted: Float64Array<ArrayBuffer>[];

  constructor(both: Both, mostOfThese: number) {
    this.#actual = new Float64Array(mostOfThese);
    this.#predicted = both.map(() => new Float64Array(mostOfThese));
  }

  add(actual: Value[], predicted: { values: Float64Array }[]): void {
    this.#actual.set(actual.map(Number), this.rows);
    for (const [index, { values }] of predicted.entries()) this.#predicted[index]?.set(values, this.rows);
    this.rows += actual.length;
  }

  result(): Comparison {
    return {
      classes: null,
      actual: this.#actual.subarray(0, this.rows),
      predicted: this.#predicted.map(values => values.subarray(0, this.rows)),
    };
  }
}

const lessIsBetter = new Set(['rmse', 'mae', 'log_loss', 'expected_calibration_error']);

function answer(
  both: Both,
  measured: Record<string, number>[],
  {
    type,
    dataset,
    ...rest
  }: { type: ReadyModel['type']; dataset: string; rows: number; agreement: Answer['agreement'] },
): Answer {
  const [first = {}, second = {}] = measured;
  const [one, other] = both;
  return {
    model_type: type,
    target: targetOf(one),
    dataset_id: dataset,
    ...rest,
    models: [
      { model_id: one.id, metrics: first, better: ahead(first, second) },
      { model_id: other.id, metrics: second, better: ahead(second, first) },
    ],
  };
}

/** The metrics in which the first is better. */
function ahead(own: Record<string, number>, other: Record<string, number>): string[] {
  return Object.keys(own).filter(name => {
    const difference = (own[name] ?? 0) - (other[name] ?? 0);
    return lessIsBetter.has(name) ? difference < 0 : difference > 0;
  });
}
