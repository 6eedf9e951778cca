// Every operation of docs/operations.md with the parameters that its form asks for.

export type Family = 'clean' | 'transform' | 'enrich';

export type FieldKind =
  /** Several columns; where they are optional, none means all that the operation is for. */
  | { kind: 'columns'; of?: ColumnKind }
  | { kind: 'column'; of?: ColumnKind }
  /** Columns to sort by, `-name` descending. */
  | { kind: 'order' }
  | { kind: 'text'; hint?: string }
  /** SQL that is computed for each row. */
  | { kind: 'expression'; hint?: string }
  | { kind: 'number'; hint?: string }
  | { kind: 'choice'; choices: readonly string[] }
  | { kind: 'flag' }
  /** Texts, or numbers where they look like it and `numbers` is set. */
  | { kind: 'list'; numbers?: boolean; hint?: string }
  /** An object: names, or columns, and what belongs to each. */
  | { kind: 'mapping'; keys: 'column' | 'text'; values: 'text' | 'number' | 'scalar' | 'type' | 'expression' }
  /** A list of {name, expression}. */
  | { kind: 'rules' }
  | { kind: 'dataset' }
  | { kind: 'encoder' }
  | { kind: 'model' };

export type ColumnKind = 'text' | 'number' | 'date' | 'vector';

export type Field = FieldKind & {
  name: string;
  required?: true;
  /** What the server takes when nothing is said; shown in the form and not sent. */
  otherwise?: string | number | boolean;
};

export interface OperationKind {
  /** `automatic` stands for `clean` without `op`. */
  op: string;
  family: Family;
  /** What people use most: shown first. */
  common?: true;
  fields: readonly Field[];
}

/** Types that a column can be cast to, as people say them; DuckDB has more. */
export const castTypes = [
  'integer',
  'bigint',
  'double',
  'decimal(18,2)',
  'varchar',
  'boolean',
  'date',
  'timestamp',
] as const;

const where: Field = { name: 'where', kind: 'expression' };
const column: Field = { name: 'column', kind: 'column', required: true };
const textColumn: Field = { name: 'column', kind: 'column', of: 'text', required: true };
const anyColumns: Field = { name: 'columns', kind: 'columns' };
const textColumns: Field = { name: 'columns', kind: 'columns', of: 'text' };
const numberColumns: Field = { name: 'columns', kind: 'columns', of: 'number' };
const theseColumns: Field = { name: 'columns', kind: 'columns', required: true };
const into = (otherwise?: string): Field => ({
  name: 'into',
  kind: 'text',
  ...(otherwise !== undefined && { otherwise }),
});
const intoSome: Field = { name: 'into', kind: 'list', required: true };
const dataset: Field = { name: 'dataset_id', kind: 'dataset', required: true };
const keep = (otherwise: boolean): Field => ({ name: 'keep', kind: 'flag', otherwise });
const onError = (choices: readonly string[]): Field => ({
  name: 'on_error',
  kind: 'choice',
  choices,
  otherwise: choices[0] ?? '',
});
const chunks: readonly Field[] = [
  { name: 'chunk_size', kind: 'number', otherwise: 512 },
  { name: 'chunk_overlap', kind: 'number', otherwise: 0.1 },
];

const clean: readonly Omit<OperationKind, 'family'>[] = [
  { op: 'automatic', common: true, fields: [] },
  {
    op: 'drop_nulls',
    common: true,
    fields: [anyColumns, { name: 'how', kind: 'choice', choices: ['any', 'all'], otherwise: 'any' }, where],
  },
  {
    op: 'fill_nulls',
    common: true,
    fields: [
      anyColumns,
      {
        name: 'strategy',
        kind: 'choice',
        choices: ['median', 'mean', 'mode', 'constant', 'forward', 'backward'],
        required: true,
      },
      { name: 'value', kind: 'text' },
      { name: 'order_by', kind: 'order' },
      where,
    ],
  },
  {
    op: 'deduplicate',
    common: true,
    fields: [
      anyColumns,
      { name: 'keep', kind: 'choice', choices: ['first', 'last'], otherwise: 'first' },
      { name: 'order_by', kind: 'order' },
      where,
    ],
  },
  { op: 'trim', common: true, fields: [textColumns, { name: 'collapse', kind: 'flag', otherwise: false }, where] },
  {
    op: 'change_case',
    common: true,
    fields: [
      textColumns,
      { name: 'case', kind: 'choice', choices: ['lower', 'upper', 'title', 'sentence'], required: true },
      where,
    ],
  },
  { op: 'null_tokens', common: true, fields: [textColumns, { name: 'tokens', kind: 'list', hint: 'N/A' }, where] },
  {
    op: 'replace_values',
    common: true,
    fields: [
      column,
      { name: 'mapping', kind: 'mapping', keys: 'text', values: 'scalar', required: true },
      { name: 'default', kind: 'text' },
      where,
    ],
  },
  {
    op: 'regex_replace',
    common: true,
    fields: [
      textColumns,
      { name: 'pattern', kind: 'text', required: true, hint: '[^0-9]' },
      { name: 'replacement', kind: 'text', required: true, hint: String.raw`\1` },
      where,
    ],
  },
  {
    op: 'cast',
    common: true,
    fields: [
      { name: 'types', kind: 'mapping', keys: 'column', values: 'type', required: true },
      onError(['fail', 'null', 'drop']),
    ],
  },
  {
    op: 'parse_dates',
    common: true,
    fields: [
      { ...textColumns, required: true },
      { name: 'formats', kind: 'list', hint: '%d/%m/%Y' },
      onError(['null', 'fail', 'drop']),
    ],
  },
  {
    op: 'outliers',
    fields: [
      numberColumns,
      { name: 'method', kind: 'choice', choices: ['iqr', 'zscore', 'quantile'], otherwise: 'iqr' },
      { name: 'threshold', kind: 'number', hint: '1.5' },
      { name: 'action', kind: 'choice', choices: ['null', 'drop', 'clip'], otherwise: 'null' },
      where,
    ],
  },
  { op: 'clip', fields: [numberColumns, { name: 'min', kind: 'number' }, { name: 'max', kind: 'number' }, where] },
  { op: 'normalize_unicode', fields: [textColumns, { name: 'strip_accents', kind: 'flag', otherwise: false }, where] },
  { op: 'cluster_values', fields: [textColumn, where] },
  {
    op: 'mask_pii',
    fields: [
      textColumns,
      { name: 'kinds', kind: 'list', hint: 'email, phone, card, ip, iban' },
      { name: 'method', kind: 'choice', choices: ['redact', 'hash'], otherwise: 'redact' },
      where,
    ],
  },
  {
    op: 'validate',
    fields: [
      { name: 'rules', kind: 'rules', required: true },
      { name: 'on_fail', kind: 'choice', choices: ['fail', 'drop', 'flag'], otherwise: 'fail' },
      into('valid'),
      where,
    ],
  },
];

const transform: readonly Omit<OperationKind, 'family'>[] = [
  { op: 'filter', common: true, fields: [{ name: 'where', kind: 'expression', required: true }] },
  {
    op: 'derive',
    common: true,
    fields: [
      { name: 'name', kind: 'text', required: true },
      { name: 'expression', kind: 'expression', required: true, hint: 'price * n' },
      where,
    ],
  },
  { op: 'select', common: true, fields: [theseColumns] },
  { op: 'drop', common: true, fields: [theseColumns] },
  {
    op: 'rename',
    common: true,
    fields: [{ name: 'mapping', kind: 'mapping', keys: 'column', values: 'text', required: true }],
  },
  { op: 'sort', common: true, fields: [{ name: 'by', kind: 'order', required: true }] },
  {
    op: 'aggregate',
    common: true,
    fields: [
      { name: 'group_by', kind: 'columns' },
      { name: 'metrics', kind: 'mapping', keys: 'text', values: 'expression', required: true },
    ],
  },
  {
    op: 'split_column',
    common: true,
    fields: [
      textColumn,
      { name: 'delimiter', kind: 'text' },
      { name: 'pattern', kind: 'text' },
      intoSome,
      keep(true),
      where,
    ],
  },
  {
    op: 'merge_columns',
    common: true,
    fields: [
      theseColumns,
      { name: 'delimiter', kind: 'text', otherwise: ' ' },
      { ...into(), required: true },
      keep(true),
      where,
    ],
  },
  {
    op: 'extract',
    common: true,
    fields: [textColumn, { name: 'pattern', kind: 'text', required: true, hint: '([A-Z]+)-([0-9]+)' }, intoSome, where],
  },
  {
    op: 'pivot',
    common: true,
    fields: [
      { name: 'on', kind: 'column', required: true },
      { name: 'group_by', kind: 'columns' },
      { name: 'using', kind: 'expression', otherwise: 'count', hint: 'sum(price)' },
      { name: 'values', kind: 'list', numbers: true },
      { name: 'max_columns', kind: 'number', otherwise: 500 },
    ],
  },
  {
    op: 'unpivot',
    common: true,
    fields: [
      theseColumns,
      { name: 'name_into', kind: 'text', otherwise: 'name' },
      { name: 'value_into', kind: 'text', otherwise: 'value' },
      { name: 'nulls', kind: 'flag', otherwise: false },
    ],
  },
  {
    op: 'join',
    common: true,
    fields: [
      dataset,
      { name: 'on', kind: 'mapping', keys: 'column', values: 'text', required: true },
      {
        name: 'how',
        kind: 'choice',
        choices: ['inner', 'left', 'right', 'full', 'semi', 'anti'],
        otherwise: 'inner',
      },
      { name: 'suffix', kind: 'text', otherwise: '_right' },
    ],
  },
  {
    op: 'union',
    common: true,
    fields: [dataset, { name: 'how', kind: 'choice', choices: ['all', 'distinct'], otherwise: 'all' }],
  },
  {
    op: 'sample',
    fields: [
      { name: 'n', kind: 'number' },
      { name: 'fraction', kind: 'number', hint: '0.1' },
      { name: 'seed', kind: 'number' },
    ],
  },
  {
    op: 'date_parts',
    fields: [
      { name: 'column', kind: 'column', of: 'date', required: true },
      { name: 'parts', kind: 'list', hint: 'year, month, weekday' },
      where,
    ],
  },
  {
    op: 'bin',
    fields: [
      { name: 'column', kind: 'column', of: 'number', required: true },
      { name: 'method', kind: 'choice', choices: ['width', 'quantile', 'edges'], otherwise: 'width' },
      { name: 'n', kind: 'number', otherwise: 10 },
      { name: 'edges', kind: 'list', numbers: true, hint: '18, 65' },
      { name: 'labels', kind: 'list' },
      into(),
      where,
    ],
  },
  {
    op: 'scale',
    fields: [
      numberColumns,
      { name: 'method', kind: 'choice', choices: ['standard', 'minmax', 'robust'], otherwise: 'standard' },
      where,
    ],
  },
  {
    op: 'one_hot',
    fields: [theseColumns, { name: 'max_categories', kind: 'number', otherwise: 50 }, keep(false), where],
  },
  { op: 'ordinal_encode', fields: [column, { name: 'order', kind: 'list', numbers: true }, into(), where] },
  {
    op: 'flatten_json',
    fields: [column, { name: 'paths', kind: 'mapping', keys: 'text', values: 'text' }, keep(true), where],
  },
  {
    op: 'window',
    fields: [
      {
        name: 'fn',
        kind: 'choice',
        choices: [
          'row_number',
          'rank',
          'dense_rank',
          'percent_rank',
          'cume_dist',
          'lag',
          'lead',
          'first',
          'last',
          'sum',
          'mean',
          'min',
          'max',
          'count',
          'cumsum',
          'cummin',
          'cummax',
        ],
        required: true,
      },
      { name: 'column', kind: 'column' },
      { name: 'partition_by', kind: 'columns' },
      { name: 'order_by', kind: 'order' },
      { name: 'rows', kind: 'number' },
      { name: 'offset', kind: 'number', otherwise: 1 },
      into(),
    ],
  },
  {
    op: 'split_dataset',
    fields: [
      { name: 'fractions', kind: 'mapping', keys: 'text', values: 'number', required: true },
      { name: 'seed', kind: 'number' },
      { name: 'key', kind: 'column' },
    ],
  },
];

const enrich: readonly Omit<OperationKind, 'family'>[] = [
  { op: 'embed_text', fields: [textColumn, { name: 'model', kind: 'encoder' }, into(), ...chunks, where] },
  {
    op: 'predict',
    fields: [
      { name: 'model_id', kind: 'model', required: true },
      { name: 'inputs', kind: 'columns' },
      into('prediction'),
      { name: 'probabilities', kind: 'flag', otherwise: false },
    ],
  },
  {
    op: 'similarity',
    fields: [
      { name: 'column', kind: 'column', of: 'vector', required: true },
      { name: 'query', kind: 'text' },
      { name: 'other', kind: 'column', of: 'vector' },
      { name: 'model', kind: 'encoder' },
      into('similarity'),
      where,
    ],
  },
  {
    op: 'lookup',
    fields: [
      dataset,
      { name: 'on', kind: 'mapping', keys: 'column', values: 'text', required: true },
      { name: 'columns', kind: 'list', required: true },
      where,
    ],
  },
  { op: 'text_stats', fields: [textColumn, into(), where] },
  { op: 'detect_language', fields: [textColumn, into(), where] },
  {
    op: 'chunk_text',
    fields: [
      textColumn,
      into(),
      { name: 'as', kind: 'choice', choices: ['rows', 'list'], otherwise: 'rows' },
      { name: 'model', kind: 'encoder' },
      ...chunks,
      {
        name: 'chunking_method',
        kind: 'choice',
        choices: ['sentence_aware', 'fixed'],
        otherwise: 'sentence_aware',
      },
      where,
    ],
  },
];

const of =
  (family: Family) =>
  (operation: Omit<OperationKind, 'family'>): OperationKind => ({ ...operation, family });

export const operationKinds: readonly OperationKind[] = [
  ...clean.map(of('clean')),
  ...transform.map(of('transform')),
  ...enrich.map(of('enrich')),
];

export function operationKind(family: string, op: string): OperationKind | undefined {
  return operationKinds.find(each => each.family === family && each.op === op);
}
