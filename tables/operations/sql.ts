// The only ways by which names and values of a request get into SQL text.
import { TableError } from '../errors.ts';

export interface TypedColumn {
  name: string;
  /** As DuckDB's SQL writes it. */
  type: string;
}

/** A column's name, quoted. Any Unicode but NUL, which would cut the statement short. */
export function identifier(name: string): string {
  return `"${sound(name).replaceAll('"', '""')}"`;
}

/** A value, quoted. Numbers that JSON can't write are refused. */
export function literal(value: string | number | boolean | bigint | null): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${sound(value).replaceAll("'", "''")}'`;
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TableError('INVALID_PARAMS', `${value} is not a number that can be used`);
  }
  // In parentheses, or `a -(-1)` would be written `a --1`, a comment.
  return typeof value === 'number' || typeof value === 'bigint' ? `(${value})` : String(value);
}

export function list(items: readonly string[]): string {
  return items.join(', ');
}

/** `name` of the columns, found without regard to case as DuckDB does. */
export function findColumn(columns: readonly TypedColumn[], name: string): TypedColumn | undefined {
  const folded = name.toLowerCase();
  return columns.find(column => column.name === name) ?? columns.find(column => column.name.toLowerCase() === folded);
}

const plainTypes: Record<string, string> = {
  boolean: 'BOOLEAN',
  bool: 'BOOLEAN',
  tinyint: 'TINYINT',
  smallint: 'SMALLINT',
  integer: 'INTEGER',
  int: 'INTEGER',
  int8: 'TINYINT',
  int16: 'SMALLINT',
  int32: 'INTEGER',
  int64: 'BIGINT',
  bigint: 'BIGINT',
  hugeint: 'HUGEINT',
  utinyint: 'UTINYINT',
  usmallint: 'USMALLINT',
  uinteger: 'UINTEGER',
  ubigint: 'UBIGINT',
  float: 'FLOAT',
  float32: 'FLOAT',
  real: 'FLOAT',
  double: 'DOUBLE',
  float64: 'DOUBLE',
  number: 'DOUBLE',
  decimal: 'DECIMAL(18,3)',
  varchar: 'VARCHAR',
  text: 'VARCHAR',
  string: 'VARCHAR',
  date: 'DATE',
  time: 'TIME',
  datetime: 'TIMESTAMP',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  'timestamp with time zone': 'TIMESTAMP WITH TIME ZONE',
  interval: 'INTERVAL',
  uuid: 'UUID',
};

/** The names that `typeName` knows, for errors and documents. */
export const knownTypes: readonly string[] = Object.keys(plainTypes);

/** DuckDB's name of a plain type that a user wrote, or null. `DECIMAL(p,s)` has its digits. */
export function typeName(written: string): string | null {
  const folded = written.trim().toLowerCase();
  const decimal = /^(?:decimal|numeric)\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)$/.exec(folded);
  if (decimal) {
    const [width, scale] = [Number(decimal[1]), Number(decimal[2])];
    return width >= 1 && width <= 38 && scale <= width ? `DECIMAL(${width},${scale})` : null;
  }
  return Object.hasOwn(plainTypes, folded) ? (plainTypes[folded] ?? null) : null;
}

const numeric = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$/;
export const isNumeric = (type: string): boolean => numeric.test(type);
export const isText = (type: string): boolean => type === 'VARCHAR';
export const isTime = (type: string): boolean => /^(DATE|TIMESTAMP|TIME)/.test(type) && !type.endsWith(']');
export const isVector = (type: string): boolean => /^(FLOAT|DOUBLE)\[\d*\]$/.test(type);

/** The names nearest to `name` by edits, when near enough to be what was meant. */
export function nearest(name: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const distance = edits(name.slice(0, 100).toLowerCase(), candidate.slice(0, 100).toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const replaced = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function sound(text: string): string {
  if (text.includes('\0')) throw new TableError('INVALID_PARAMS', 'Names and values may not contain the character NUL');
  return text.toWellFormed();
}
