// Values of DuckDB as JSON has them: see Value in types.ts.
import {
  DuckDBBlobValue,
  DuckDBArrayValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
} from '@duckdb/node-api';
import type { DuckDBResultReader, DuckDBValue } from '@duckdb/node-api';
import type { Row, Value } from './types.ts';

export function toRows(reader: DuckDBResultReader): Row[] {
  const names = reader.columnNames();
  return reader
    .getRows()
    .map(row => Object.fromEntries(names.map((name, index) => [name, toValue(row[index] ?? null)])));
}

export function toValue(value: DuckDBValue): Value {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  // JSON has no infinities and no NaN.
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(toValue);
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, toValue(entry)]));
  if (value instanceof DuckDBMapValue)
    return value.entries.map(({ key, value: entry }) => ({ key: toValue(key), value: toValue(entry) }));
  if (value instanceof DuckDBUnionValue) return toValue(value.value);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  if (
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimestampSecondsValue ||
    value instanceof DuckDBTimestampMillisecondsValue ||
    value instanceof DuckDBTimestampNanosecondsValue
  )
    return String(value).replace(' ', 'T');
  // The session's zone is UTC.
  if (value instanceof DuckDBTimestampTZValue)
    return String(new DuckDBTimestampValue(value.micros)).replace(' ', 'T') + 'Z';
  return String(value);
}
