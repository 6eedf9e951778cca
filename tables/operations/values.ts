// Rows as JSON has them: dates as ISO 8601, integers beyond 2^53 and decimals as text.
import type { DuckDBResultReader, Json } from '@duckdb/node-api';
import { DuckDBTypeId } from '@duckdb/node-api';
import type { Row, Value } from '../types.ts';

const integers = new Set([DuckDBTypeId.BIGINT, DuckDBTypeId.UBIGINT, DuckDBTypeId.HUGEINT, DuckDBTypeId.UHUGEINT]);

export function rowsOf(result: DuckDBResultReader): Row[] {
  const types = result.columnTypes();
  const names = result.columnNames();
  return result.getRowsJson().map(cells =>
    Object.fromEntries(
      cells.map((cell, index) => {
        const type = types[index]?.typeId;
        return [names[index] ?? '', type === undefined ? valueOf(cell) : cellOf(cell, type)];
      }),
    ),
  );
}

function cellOf(cell: Json, type: DuckDBTypeId): Value {
  if (typeof cell !== 'string') return valueOf(cell);
  if (integers.has(type)) return Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
  if (type === DuckDBTypeId.TIMESTAMP) return cell.replace(' ', 'T');
  return cell;
}

function valueOf(cell: Json): Value {
  if (Array.isArray(cell)) return cell.map(valueOf);
  if (typeof cell === 'object' && cell !== null) {
    return Object.fromEntries(
      Object.entries(cell).map(([name, value]) => [name, value === undefined ? null : valueOf(value)]),
    );
  }
  return cell;
}
