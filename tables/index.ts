// The door of tables: files become Parquet datasets, and operations on them become DuckDB's SQL.
export type * from './types.ts';
