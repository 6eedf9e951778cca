// Writing names and values into SQL.

/** A text as SQL writes it. */
export function literal(text: string): string {
  // DuckDB's parser ends a statement at a NUL byte.
  if (text.includes('\0'))
    return text
      .split('\0')
      .map(part => literal(part))
      .join(' || chr(0) || ');
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as SQL writes it. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function list(texts: string[]): string {
  return `[${texts.map(literal).join(', ')}]`;
}
