// What a training form says before anybody has touched it: guessed from the dataset's columns and their statistics, the way the server
// decides when nothing is said.

export interface ColumnFacts {
  name: string;
  /** As DuckDB writes it. */
  type: string;
  /** Values that are not null, and how many different ones; null until the statistics are there. */
  count: number | null;
  distinct: number | null;
}

export type ModelType = 'classification' | 'regression' | 'llm';
export type ColumnRole = 'number' | 'category' | 'date' | 'boolean';

/** Why a column is no target or feature, or is hardly a good one. */
export type Objection = 'type' | 'constant' | 'identifier' | 'tooManyClasses' | 'notNumber';

export interface Defaults {
  target: string | null;
  modelType: ModelType;
}

const usualNames = ['target', 'label', 'class', 'y'];
/** More different numbers than these are an amount, not a class. */
const mostNumberClasses = 20;
const mostClasses = 1000;
const mostCategories = 50;

export function roleOf(type: string): ColumnRole | null {
  if (/^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type)) return 'number';
  if (type === 'BOOLEAN') return 'boolean';
  if (/^(DATE|TIMESTAMP.*)$/.test(type)) return 'date';
  return /^(VARCHAR|ENUM\(.*\))$/.test(type) ? 'category' : null;
}

/** The target and kind of model to begin with; a language model where the columns are those that one is tuned on. */
export function trainDefaults(columns: readonly ColumnFacts[]): Defaults {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()));
  if ((names.has('prompt') && names.has('completion')) || names.has('messages'))
    return { target: null, modelType: 'llm' };
  const learnable = columns.filter(column => targetObjection(column, kindFor(column)) === null);
  const named = usualNames.flatMap(usual => learnable.find(({ name }) => name.toLowerCase() === usual) ?? []);
  const target = named[0] ?? learnable.at(-1) ?? columns.at(-1);
  return { target: target?.name ?? null, modelType: target ? kindFor(target) : 'classification' };
}

/** Whether a column is learnt as one of some classes or as an amount. */
export function kindFor({ type, distinct }: ColumnFacts): 'classification' | 'regression' {
  if (roleOf(type) !== 'number') return 'classification';
  return distinct !== null && distinct <= mostNumberClasses ? 'classification' : 'regression';
}

/** Why this column can't be learnt so; null when it can, as far as the statistics tell. */
export function targetObjection({ type, count, distinct }: ColumnFacts, kind: ModelType): Objection | null {
  const role = roleOf(type);
  if (role === null) return 'type';
  if (kind === 'regression' && role !== 'number') return 'notNumber';
  if (distinct === null || count === null) return null;
  if (distinct < 2) return 'constant';
  return kind === 'classification' && (distinct > mostClasses || distinct > count / 2) ? 'tooManyClasses' : null;
}

/** Why the server would leave this column out of the features; null when it would learn from it. */
export function featureObjection({ type, count, distinct }: ColumnFacts): Objection | null {
  const role = roleOf(type);
  if (role === null) return 'type';
  if (distinct === null || count === null) return null;
  if (distinct < 2) return 'constant';
  // A text of sentences has a value of its own in each row as well, and is learnt from: only the server sees which it is.
  return role === 'category' && distinct > mostCategories && distinct > 0.7 * count ? 'identifier' : null;
}
