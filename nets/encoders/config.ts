// Reads a model's config.json with errors that name the field.
export class Config {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(json: string) {
    this.#fields = JSON.parse(json) as Record<string, unknown>;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null;
  }

  /** The first of `names` that is given; models name the same thing differently. */
  integer(...names: readonly string[]): number {
    const value = this.#first(names);
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    throw new Error(`config.json: ${names.join(' or ')} must be a whole number`);
  }

  number(name: string, otherwise: number): number {
    const value = this.#fields[name] ?? otherwise;
    if (typeof value === 'number') return value;
    throw new Error(`config.json: ${name} must be a number`);
  }

  text(name: string, otherwise: string): string {
    const value = this.#fields[name] ?? otherwise;
    if (typeof value === 'string') return value;
    throw new Error(`config.json: ${name} must be a string`);
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.#fields[name] ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw new Error(`config.json: ${name} must be true or false`);
  }

  object(name: string): Readonly<Record<string, unknown>> {
    const value = this.#fields[name] ?? {};
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new Error(`config.json: ${name} must be an object`);
  }

  /** Refuses a setting that the architecture here does not compute. */
  expect(name: string, ...allowed: readonly unknown[]): void {
    const value = this.#fields[name];
    if (value !== undefined && value !== null && !allowed.includes(value))
      throw new Error(
        `config.json: ${name} ${JSON.stringify(value)} is not supported (${allowed.map(a => JSON.stringify(a)).join(', ')})`,
      );
  }

  #first(names: readonly string[]): unknown {
    return names.map(name => this.#fields[name]).find(value => value !== undefined && value !== null);
  }
}

/** How many positions the model has, and which one the first token gets: those that descend from RoBERTa leave out all
 *  up to the padding id. */
export function positionsOf(config: Config): { count: number; first: number } {
  const count = config.integer('max_position_embeddings', 'n_positions');
  const shifted = ['roberta', 'xlm-roberta', 'camembert', 'mpnet'].includes(config.text('model_type', ''));
  return { count, first: shifted ? config.integer('pad_token_id') + 1 : 0 };
}
