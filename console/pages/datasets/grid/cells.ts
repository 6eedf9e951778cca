// How a value is written in a cell.

const mostCharacters = 200;

export function isNumeric(type: string): boolean {
  return /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type);
}

/** One line; what is long is cut, since a cell shows little of it anyway. */
export function cellText(value: unknown): string {
  if (typeof value === 'string') return value.length > mostCharacters ? `${value.slice(0, mostCharacters)}…` : value;
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(10)));
  if (Array.isArray(value) && value.length > 12)
    return `[${value.slice(0, 6).map(cellText).join(', ')}, … ${value.length}]`;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value).slice(0, mostCharacters);
  return String(value as number | boolean);
}
