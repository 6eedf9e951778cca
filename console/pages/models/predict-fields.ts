// The form of a prediction, made from the model's features, and the row that it sends.

export interface Feature {
  name: string;
  kind: 'number' | 'category' | 'date' | 'boolean' | 'text';
  sql_type: string;
}

export interface PredictField {
  name: string;
  control: 'number' | 'whole' | 'choice' | 'date' | 'moment' | 'line' | 'area';
  /** Of a choice all values; of a line some that are common. */
  values: readonly string[];
}

/** Values that the dataset's statistics know of a column; `complete` when there are no others. */
export interface KnownValues {
  values: readonly string[];
  complete: boolean;
}

const mostChoices = 12;

export function predictField({ name, kind, sql_type: type }: Feature, known?: KnownValues): PredictField {
  const values = known?.values ?? [];
  switch (kind) {
    case 'number':
      return { name, control: /INT/.test(type) ? 'whole' : 'number', values: [] };
    case 'boolean':
      return { name, control: 'choice', values: ['true', 'false'] };
    case 'date':
      return { name, control: type === 'DATE' ? 'date' : 'moment', values: [] };
    case 'text':
      return { name, control: 'area', values: [] };
    case 'category':
      return known?.complete && values.length <= mostChoices
        ? { name, control: 'choice', values }
        : { name, control: 'line', values };
  }
}

/** What stands in the fields at first: the model's example row. */
export function startValues(
  features: readonly Feature[],
  example: Record<string, unknown> | null,
): Record<string, string> {
  return Object.fromEntries(
    features.map(({ name }) => {
      const value = example?.[name];
      return [
        name,
        value === null || value === undefined
          ? ''
          : typeof value === 'object'
            ? JSON.stringify(value)
            : String(value as string),
      ];
    }),
  );
}

/** The row as `predict` takes it: an empty field is a missing value, and only what is a number is sent as one. */
export function predictRow(
  features: readonly Feature[],
  values: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return Object.fromEntries(features.map(({ name, kind }) => [name, cell(values[name] ?? '', kind)]));
}

function cell(text: string, kind: Feature['kind']): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (kind === 'boolean') return trimmed === 'true';
  if (kind !== 'number') return kind === 'date' ? trimmed : text;
  const number = Number(trimmed);
  // Integers beyond 2^53 go as texts, as the API gives them; what is no number the API refuses at its place.
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : trimmed;
}
