// The door of tables: files become Parquet datasets, and operations on them become DuckDB's SQL.
export type * from './types.ts';
export { TableError } from './errors.ts';
export type { TableErrorCode } from './errors.ts';
export { openTables } from './open.ts';
export type { OpenTables, TablesOptions } from './open.ts';
export { lowerPriority } from './priority.ts';
export { openReader } from './reader.ts';
export type { ColumnBatch, Reader, ReaderOptions } from './reader.ts';
export { identifier, literal } from './sql.ts';
