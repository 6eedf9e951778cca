// What models are called, what of a request becomes their configuration, and what kind of value a column takes. Pure.
import type { BodyOf, routes } from '@vectorium/contract';
import type { Card, LanguageConfig, TrainConfig } from '@vectorium/training';

export type AskedConfig = BodyOf<typeof routes.trainModel>['config'];

/** The request's configuration without what it leaves open. */
export function trainConfig(asked: AskedConfig): TrainConfig {
  return {
    ...(asked.target !== undefined && { target: asked.target }),
    ...(asked.features !== undefined && { features: asked.features }),
    ...(asked.algorithm !== undefined && { algorithm: asked.algorithm }),
    ...(asked.epochs !== undefined && { epochs: asked.epochs }),
    ...(asked.batch_size !== undefined && { batchSize: asked.batch_size }),
    ...(asked.learning_rate !== undefined && { learningRate: asked.learning_rate }),
    ...(asked.validation_split !== undefined && { validationSplit: asked.validation_split }),
    ...(asked.early_stopping !== undefined && { earlyStopping: asked.early_stopping }),
    ...(asked.seed !== undefined && { seed: asked.seed }),
    ...(asked.max_seconds !== undefined && { maxSeconds: asked.max_seconds }),
  };
}

/** The same of a language model. */
export function languageConfig(asked: AskedConfig): LanguageConfig {
  const { algorithm: _, target: __, features: ___, ...common } = trainConfig(asked);
  const { lora } = asked;
  return {
    ...common,
    ...(asked.messages !== undefined && { messages: asked.messages }),
    ...(asked.prompt !== undefined && { prompt: asked.prompt }),
    ...(asked.completion !== undefined && { completion: asked.completion }),
    ...(asked.text !== undefined && { text: asked.text }),
    ...(asked.max_length !== undefined && { maxLength: asked.max_length }),
    ...(lora !== undefined && {
      lora: {
        ...(lora.rank !== undefined && { rank: lora.rank }),
        ...(lora.alpha !== undefined && { alpha: lora.alpha }),
        ...(lora.layers !== undefined && { layers: lora.layers }),
      },
    }),
  };
}

const ofTables = ['target', 'features', 'algorithm'] as const;
const ofLanguage = ['base_model', 'lora', 'max_length', 'messages', 'prompt', 'completion', 'text'] as const;

/** A setting that such a model doesn't have, if there is one. */
export function strangeSetting(type: 'classification' | 'regression' | 'llm', asked: AskedConfig): string | undefined {
  return (type === 'llm' ? ofTables : ofLanguage).find(name => asked[name] !== undefined);
}

/** The names of a configuration as the API spells them. */
export function shownConfig(config: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [snakeCase(name), value]));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

export type Feature = Card['features'][number];

/** What values of a column of this type are in JSON. */
export type ValueKind = 'number' | 'boolean' | 'date' | 'text';

export function valueKindOf({ kind }: Pick<Feature, 'kind'>): ValueKind {
  return kind === 'category' ? 'text' : kind;
}

const notFinite = new Set(['Infinity', '-Infinity', 'NaN']);

/**
 * The number that a string stands for in a column of numbers, null when it stands for none: rows of datasets have decimals, integers
 * beyond 2^53 and what is not finite (which counts as missing, as in training) as strings. Any other would be a guess.
 */
export function numberOfText(text: string, sqlType: string): number | null {
  if (/^(FLOAT|DOUBLE)/.test(sqlType)) return notFinite.has(text) ? NaN : null;
  if (!/^-?\d+(\.\d+)?$/.test(text)) return null;
  const number = Number(text);
  return sqlType.startsWith('DECIMAL') || !Number.isSafeInteger(number) ? number : null;
}

/** A date, or a date and a time, in ISO 8601. */
export const isoDate =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d(:\d\d)?)?)?$/;

/** Of all that a card measures, the numbers that one compares; not curves, tables and counts. */
export function scalarMetrics(metrics: Card['metrics']): Record<string, number> | null {
  if (!metrics) return null;
  const numbers = Object.entries(metrics).flatMap(([name, value]) =>
    typeof value === 'number' && name !== 'rows' ? [[name, value] as const] : [],
  );
  return Object.fromEntries(numbers);
}
