// Values of parameters as they are read out of a recipe, whatever it has.

export function scalar(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  // "001" is a code, not the number 1.
  return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text) ? Number(text) : text;
}

export function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function strings(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter(each => typeof each === 'string')
    : typeof value === 'string'
      ? [value]
      : [];
}

export function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
