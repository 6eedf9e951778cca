// Reads an operation's parameters one by one; every error names its place, and what nobody asked for is refused.
import { TableError } from '../errors.ts';
import { nearest } from './sql.ts';

export type Scalar = string | number | boolean | null;

export class Params {
  readonly #values: Record<string, unknown>;
  readonly #asked = new Set<string>();
  /** e.g. `operations[2].params` */
  readonly place: string;

  constructor(values: unknown, place: string) {
    if (!isObject(values)) throw new TableError('INVALID_PARAMS', `${place} must be an object`, place);
    this.#values = values;
    this.place = place;
  }

  /** The value as it is; undefined when absent or null. */
  raw(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  optionalText(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw this.wrong(name, 'must be a text');
    if (value.length > 100_000) throw this.wrong(name, 'is longer than 100,000 characters');
    return this.sound(value, name);
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.missing(name);
  }

  /** A name that is not empty. */
  name(name: string, otherwise?: string): string {
    const value = this.optionalText(name) ?? otherwise ?? this.missing(name);
    return this.checkName(value, name);
  }

  checkName(value: string, name: string): string {
    if (value === '' || value.length > 1000) throw this.wrong(name, 'must be a name of 1 to 1,000 characters');
    // The compiler's own columns begin so.
    if (value.startsWith('\u0001')) throw this.wrong(name, 'may not begin with a control character');
    return value;
  }

  choice<const C extends string>(name: string, choices: readonly C[], otherwise?: NoInfer<C>): C {
    const value = this.raw(name) ?? otherwise ?? this.missing(name);
    const found = choices.find(choice => choice === value);
    if (found === undefined) throw this.wrong(name, `must be one of ${choices.join(', ')}`);
    return found;
  }

  optionalNumber(name: string, { least = -Infinity, most = Infinity, whole = false } = {}): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
      throw this.wrong(name, whole ? 'must be a whole number' : 'must be a number');
    }
    if (value < least || value > most) throw this.wrong(name, `must be between ${least} and ${most}`);
    return value;
  }

  number(name: string, range: { least?: number; most?: number; whole?: boolean } = {}): number {
    return this.optionalNumber(name, range) ?? this.missing(name);
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.raw(name) ?? otherwise;
    if (typeof value !== 'boolean') throw this.wrong(name, 'must be true or false');
    return value;
  }

  optionalScalar(name: string): Scalar | undefined {
    const value = this.raw(name);
    return value === undefined ? undefined : this.scalar(value, name);
  }

  scalar(value: unknown, name: string): Scalar {
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (typeof value === 'string') return this.sound(value, name);
    throw this.wrong(name, 'must be a text, a number, true, false or null');
  }

  /** A list of texts, or one text alone. */
  optionalTexts(name: string): string[] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (items.length > 10_000) throw this.wrong(name, 'has more than 10,000 items');
    return items.map((item, index) => {
      if (typeof item !== 'string') throw this.wrong(`${name}[${index}]`, 'must be a text');
      return this.sound(item, `${name}[${index}]`);
    });
  }

  texts(name: string): string[] {
    const value = this.optionalTexts(name) ?? this.missing(name);
    if (value.length === 0) throw this.wrong(name, 'must not be empty');
    return value;
  }

  optionalScalars(name: string): Scalar[] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length > 10_000)
      throw this.wrong(name, 'must be a list of at most 10,000 values');
    return value.map((item, index) => this.scalar(item, `${name}[${index}]`));
  }

  optionalMapping(name: string): [string, unknown][] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.wrong(name, 'must be an object');
    const entries = Object.entries(value);
    if (entries.length > 10_000) throw this.wrong(name, 'has more than 10,000 keys');
    for (const [key] of entries) this.sound(key, name);
    return entries;
  }

  mapping(name: string): [string, unknown][] {
    const value = this.optionalMapping(name) ?? this.missing(name);
    if (value.length === 0) throw this.wrong(name, 'must not be empty');
    return value;
  }

  textMapping(name: string): [string, string][] {
    return this.mapping(name).map(([key, value]) => {
      if (typeof value !== 'string') throw this.wrong(`${name}.${key}`, 'must be a text');
      return [key, this.sound(value, `${name}.${key}`)];
    });
  }

  at(name: string): string {
    return `${this.place}.${name}`;
  }

  wrong(name: string, what: string): TableError {
    return new TableError('INVALID_PARAMS', `${this.at(name)} ${what}`, this.at(name));
  }

  missing(name: string): never {
    throw new TableError('INVALID_PARAMS', `${this.at(name)} is missing`, this.at(name));
  }

  /** After all was read: refuses what no one asked for, which is most often a slip of the pen. */
  finish(): void {
    for (const name of Object.keys(this.#values)) {
      if (this.#asked.has(name)) continue;
      const meant = nearest(name, [...this.#asked]);
      const hint = meant === null ? '' : `; did you mean ${meant}?`;
      throw new TableError(
        'INVALID_PARAMS',
        `${this.at(name)} is not a parameter of this operation${hint}`,
        this.at(name),
      );
    }
  }

  private sound(value: string, name: string): string {
    if (value.includes('\0')) throw this.wrong(name, 'may not contain the character NUL');
    return value.toWellFormed();
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
