// The forms of one model's answers: each schema that is in use, and a few that were. A form is a thread with a copy of the vocabulary.
import { EngineError } from '../errors.ts';
import { Form, type FormedText } from './form.ts';
import { FormRefused, grammarOf } from './grammar.ts';

export { type Allowed, type FormedText } from './form.ts';

const mostForms = 8;
const keptForms = 2;
const compileMs = 20_000;
const longestSchema = 64 * 1024;
/** Of a thread with a vocabulary of some ten thousand tokens, measured. */
const formBytes = 64 * 2 ** 20;

export interface Vocabulary {
  /** Bytes of each token as GPT-2 writes them, empty where a token stands for none. */
  pieces: readonly string[];
  /** Tokens that end an answer. */
  ends: readonly number[];
}

export class Forms {
  readonly #vocabulary: Vocabulary;
  /** Those that were asked for last come last. */
  readonly #forms = new Map<string, Form>();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  get bytes(): number {
    return this.#forms.size * formBytes;
  }

  /** Makes a form ready. Throws FormRefused for a schema that is not supported. */
  async prepare(schema: string): Promise<void> {
    const form = this.#form(schema);
    form.users++;
    try {
      await form.ready;
    } catch (error) {
      throw new FormRefused('', error instanceof Error ? error.message : String(error));
    } finally {
      form.users--;
    }
  }

  /** For one answer that keeps to the form. */
  open(schema: string): FormedText {
    return this.#form(schema).open();
  }

  close(): void {
    for (const form of this.#forms.values()) form.close();
    this.#forms.clear();
  }

  #form(schema: string): Form {
    const known = this.#forms.get(schema);
    if (known && !known.isLost) {
      this.#forms.delete(schema);
      this.#forms.set(schema, known);
      return known;
    }
    if (schema.length > longestSchema) throw new FormRefused('', `has more than ${longestSchema} characters`);
    const grammar = grammarOf(JSON.parse(schema));
    this.#leaveIdle();
    if (this.#forms.size >= mostForms) throw new EngineError('QUEUE_FULL', `${mostForms} other schemas are in use`, 5);
    const form = new Form({ grammar, ...this.#vocabulary }, compileMs);
    this.#forms.set(schema, form);
    return form;
  }

  /** Makes room for another one. */
  #leaveIdle(): void {
    const idle = [...this.#forms].filter(([, { users, isLost }]) => users === 0 || isLost);
    const many = Math.max(idle.length - keptForms, this.#forms.size - mostForms) + 1;
    for (const [schema, form] of idle.slice(0, Math.max(0, many))) {
      form.close();
      this.#forms.delete(schema);
    }
  }
}
