// Reading a request's options: each is checked, and an unknown one is named.
import { TableError } from '../errors.ts';

export class Options {
  readonly #values: Record<string, unknown>;
  readonly #path: string;
  readonly #read = new Set<string>();

  constructor(values: Record<string, unknown>, path = 'options') {
    this.#values = values;
    this.#path = path;
  }

  refuse(name: string, wanted: string): TableError {
    return new TableError('INVALID_OPTIONS', `${this.#path}.${name} must be ${wanted}`, {
      param: `${this.#path}.${name}`,
    });
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#values[name] ?? undefined;
  }

  text(name: string): string | undefined;
  text(name: string, fallback: string): string;
  text(name: string, fallback?: string): string | undefined {
    const value = this.#take(name) ?? fallback;
    if (value !== undefined && typeof value !== 'string') throw this.refuse(name, 'a text');
    return value;
  }

  flag(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value !== undefined && typeof value !== 'boolean') throw this.refuse(name, 'true or false');
    return value;
  }

  count(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.refuse(name, 'a count');
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.#take(name) ?? fallback;
    const choice = choices.find(each => each === value);
    if (choice === undefined) throw this.refuse(name, `one of ${choices.join(', ')}`);
    return choice;
  }

  texts(name: string): string[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every(each => typeof each === 'string'))
      throw this.refuse(name, 'a list of texts');
    return value;
  }

  record(name: string): Record<string, unknown> | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!isRecord(value)) throw this.refuse(name, 'an object');
    return value;
  }

  records(name: string): Options[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every(isRecord)) throw this.refuse(name, 'a list of objects');
    return value.map((each, index) => new Options(each, `${this.#path}.${name}[${index}]`));
  }

  /** Refuses options that nobody read: a misspelt one would be without effect. */
  end(): void {
    const unknown = Object.keys(this.#values).find(name => !this.#read.has(name));
    if (unknown !== undefined)
      throw new TableError(
        'INVALID_OPTIONS',
        `${this.#path}.${unknown} is not an option here; there are ${[...this.#read].join(', ')}`,
        {
          param: `${this.#path}.${unknown}`,
        },
      );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Types that a request may declare for a column of text. */
const declarable =
  /^(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|FLOAT|REAL|DOUBLE|DECIMAL(\(\d{1,2}, ?\d{1,2}\))?|VARCHAR|TEXT|DATE|TIME|TIMESTAMP|TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE|UUID|INTERVAL)$/i;

export function columnType(type: unknown, param: string): string {
  if (typeof type !== 'string' || !declarable.test(type))
    throw new TableError(
      'INVALID_OPTIONS',
      `${param} must be a type such as VARCHAR, BIGINT, DOUBLE, DECIMAL(10,2), DATE or TIMESTAMP`,
      { param },
    );
  // Parquet has no HUGEINT; DuckDB would write a DOUBLE.
  return type.toUpperCase() === 'HUGEINT' ? 'DECIMAL(38,0)' : type.toUpperCase().replace(/^TEXT$/, 'VARCHAR');
}
