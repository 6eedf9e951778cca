// What goes in and out of tables: paths of local files, plain values, and errors that name the place.

/** A format that a file may claim to be. `custom` is told apart by its options. */
export type Format = 'csv' | 'tsv' | 'json' | 'ndjson' | 'parquet' | 'arrow' | 'xlsx' | 'custom';

/** A value of a cell as JSON has it: dates as ISO 8601, integers beyond 2^53 and decimals as text, blobs as base64. */
export type Value = null | boolean | number | string | Value[] | { [name: string]: Value };
export type Row = Record<string, Value>;

export interface Column {
  name: string;
  /** As DuckDB's SQL writes it, e.g. `BIGINT`, `VARCHAR`, `FLOAT[]`. */
  type: string;
  nulls: number;
}

/** Lines of the file that are no rows. */
export interface Rejected {
  count: number;
  /** The first few. `line` is counted from 1; `text` is what stands there, shortened. */
  samples: { line: number; column: string | null; reason: string; text: string }[];
}

export interface IngestJob {
  /** The uploaded file. */
  source: string;
  format: Format;
  /** As the request has them (`on_error`, dialect, `kind` …); checked by tables. */
  options: Record<string, unknown>;
  /** Where the Parquet file shall be: appears whole or not at all. */
  target: string;
}

export interface Ingested {
  rows: number;
  columns: Column[];
  rejected: Rejected;
  /** What was decided for the file: an encoding that was found, columns that were renamed. For people. */
  notes: string[];
}

/** What one column holds. Quantiles, minimum and maximum are of types that have an order. */
export interface ColumnProfile extends Column {
  count: number;
  distinct: number;
  min: Value;
  max: Value;
  mean: number | null;
  standardDeviation: number | null;
  /** At 0.05, 0.25, 0.5, 0.75 and 0.95; null where there is no order. */
  quantiles: Value[] | null;
  histogram: { from: Value; to: Value; count: number }[] | null;
  top: { value: Value; count: number }[];
}

export interface Operation {
  type: 'clean' | 'transform' | 'enrich';
  params: Record<string, unknown>;
}

export interface ProcessJob {
  /** The dataset's Parquet file. */
  source: string;
  operations: Operation[];
  /** Parquet files of the other datasets that operations name, by the name that they use (`ds_x`, `ds_x@2`). */
  datasets: Record<string, string>;
  /** A folder of the job's own: outputs, and what a job that was killed finds again. */
  folder: string;
  /** Give this many rows of the result and make no file. */
  preview?: number;
}

export interface OperationReport {
  type: Operation['type'];
  op: string;
  rowsIn: number;
  rowsOut: number;
  /** By column, where the operation changes cells of columns that are there. */
  cellsChanged: Record<string, number>;
  columnsAdded: string[];
  columnsRemoved: string[];
  /** What an operation has to say beyond that, e.g. the counts of `validate`. */
  details?: Record<string, Value>;
}

export interface Processed {
  /** One, without a name; of `split_dataset` one a part, named. Empty in a preview. */
  outputs: { name: string | null; path: string; rows: number; columns: Column[] }[];
  report: OperationReport[];
  preview: Row[] | null;
}

/** What tables can't do itself: the server lends it. Called in batches, in row order. */
export interface Services {
  /** One vector a text, all of one length; null for a text that is null or blank. `part` numbers the calls of one operation. */
  embed(
    texts: (string | null)[],
    params: Record<string, unknown>,
    call: { operation: number; part: number },
  ): Promise<(Float32Array | null)[]>;
  /** Tokens of the texts together, as `embed` counts them. */
  count(texts: (string | null)[], params: Record<string, unknown>): Promise<number>;
  /** Whether so many tokens can be paid for; throws instead of saying no when `orFail` is set. Nothing is charged. */
  affords(tokens: number, params: Record<string, unknown>, orFail: boolean): Promise<boolean>;
  chunk(texts: (string | null)[], params: Record<string, unknown>): Promise<string[][]>;
  predict(rows: Row[], params: Record<string, unknown>, call: { operation: number; part: number }): Promise<Row[]>;
}

export interface RunOptions {
  /** Whom the work is for: accounts share the places. */
  account?: string;
  signal?: AbortSignal;
  /** 0 to 1. */
  onProgress?: (fraction: number) => void;
}

export interface Tables {
  ingest(job: IngestJob, run?: RunOptions): Promise<Ingested>;
  profile(parquet: string, run?: RunOptions): Promise<ColumnProfile[]>;
  /** In the order of the file. */
  rows(parquet: string, page: { offset: number; limit: number; columns?: string[] }, run?: RunOptions): Promise<Row[]>;
  export(
    job: { source: string; format: 'csv' | 'json' | 'ndjson' | 'parquet'; target: string },
    run?: RunOptions,
  ): Promise<void>;
  /** Throws TableError for the first operation that can't be run on these files; computes nothing. */
  check(job: Omit<ProcessJob, 'folder' | 'preview'>, run?: RunOptions): Promise<void>;
  process(job: ProcessJob, services: Services, run?: RunOptions): Promise<Processed>;
  close(): Promise<void>;
}
