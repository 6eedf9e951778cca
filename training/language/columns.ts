// Which columns of a table are conversations, and its rows as lists of messages or texts.
import type { Message } from '@vectorium/nets';
import type { Reader } from '@vectorium/tables';
import { identifier } from '@vectorium/tables';
import { TrainingError } from '../errors.ts';
import type { LanguageConfig } from './types.ts';

export type Columns =
  | { kind: 'messages'; messages: string }
  | { kind: 'pairs'; prompt: string; completion: string }
  | { kind: 'texts'; text: string };

/** A row: null where there is nothing in it. */
export type Row = { messages: Message[] } | { text: string } | null;

/** The columns that are named, else those that are called so (any case). Throws where there are none. */
export function chooseColumns(reader: Pick<Reader, 'columns'>, config: LanguageConfig): Columns {
  const column = (setting: 'messages' | 'prompt' | 'completion' | 'text'): string | undefined => {
    const named = config[setting];
    const found = reader.columns.find(({ name }) =>
      named === undefined ? name.toLowerCase() === setting : name === named,
    );
    if (named !== undefined && !found)
      throw new TrainingError('UNKNOWN_COLUMN', `There is no column ${JSON.stringify(named)}`, `config.${setting}`);
    return found?.name;
  };
  const [messages, prompt, completion, text] = [
    column('messages'),
    column('prompt'),
    column('completion'),
    column('text'),
  ];
  if ((config.prompt !== undefined || config.completion !== undefined) && !(prompt && completion))
    throw new TrainingError(
      'NOT_TRAINABLE',
      `A prompt needs a completion and the other way round: name both columns`,
      prompt ? 'config.completion' : 'config.prompt',
    );
  const asked = config.messages ? 'messages' : config.prompt ? 'pairs' : config.text ? 'texts' : null;
  if (messages && (asked === null || asked === 'messages')) return { kind: 'messages', messages };
  if (prompt && completion && (asked === null || asked === 'pairs')) return { kind: 'pairs', prompt, completion };
  if (text) return { kind: 'texts', text };
  const names = reader.columns
    .slice(0, 20)
    .map(({ name }) => JSON.stringify(name))
    .join(', ');
  throw new TrainingError(
    'NOT_TRAINABLE',
    `A language model learns from a column messages, from prompt and completion, or from text; the columns are ${names}: name them in config, such as {"prompt": "question", "completion": "answer"}`,
    'config',
  );
}

/** The columns of the table, as the card names them. */
export function columnNames(columns: Columns): Record<string, string> {
  const { kind: _, ...names } = columns;
  return names;
}

/** All rows in order. Throws for one whose messages are none. */
export async function* rowsOf(reader: Reader, columns: Columns): AsyncGenerator<Row> {
  const names = Object.values(columnNames(columns));
  const text = names.map(name => {
    const type = reader.columns.find(column => column.name === name)?.type ?? '';
    const column = identifier(name);
    const whole = type === 'VARCHAR' || columns.kind !== 'messages' ? column : `to_json(${column})`;
    return `coalesce(CAST(${whole} AS VARCHAR), '')`;
  });
  let row = 0;
  for await (const batch of reader.stream(`SELECT ${text.join(', ')} FROM ${reader.table}`))
    for (let i = 0; i < batch.rows; i++) {
      row++;
      const [first = '', second = ''] = batch.columns.map(values => String(values[i] ?? ''));
      if (first.trim() === '' || (columns.kind === 'pairs' && second.trim() === '')) yield null;
      else if (columns.kind === 'texts') yield { text: first };
      else if (columns.kind === 'messages') yield { messages: messagesOf(first, { row, column: columns.messages }) };
      else
        yield {
          messages: [
            { role: 'user', content: first },
            { role: 'assistant', content: second },
          ],
        };
    }
}

function messagesOf(json: string, { row, column }: { row: number; column: string }): Message[] {
  const refuse = (what: string): never => {
    throw new TrainingError(
      'NOT_TRAINABLE',
      `Row ${row}: ${JSON.stringify(column)} ${what}: it must be a JSON list of {"role", "content"}`,
      'config.messages',
    );
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return refuse('is no JSON');
  }
  if (!Array.isArray(parsed)) return refuse('is no list');
  return parsed.map((message: unknown, i) => {
    if (typeof message !== 'object' || message === null || !('role' in message) || !('content' in message))
      return refuse(`has no role and content in message ${i + 1}`);
    const { role, content } = message;
    if (typeof role !== 'string' || typeof content !== 'string')
      return refuse(`has in message ${i + 1} a role or content that is no text`);
    return { role, content };
  });
}
