// Rows as samples: tokens, and which of them are to be learnt. Of a conversation these are the assistant's own words.
import type { Message } from '@vectorium/nets';
import { TrainingError } from '../errors.ts';
import type { Row } from './columns.ts';
import { SampleList } from './sample-list.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface Samples {
  /** Rows that were read. */
  read: number;
  samples: SampleList;
  longer: number;
  withoutAnswer: number;
  empty: number;
}

/**
 * Of `enough` rows, or as many more as it takes to find what can be trained with. A plain text that is longer than `maxLength` becomes
 * several samples, a conversation is cut at its end.
 */
export async function samplesOf(
  rows: AsyncIterable<Row>,
  { tokenizer, write, end, before }: Vocabulary,
  { maxLength, enough = Infinity }: { maxLength: number; enough?: number },
): Promise<Samples> {
  const found: Samples = { read: 0, samples: new SampleList(), longer: 0, withoutAnswer: 0, empty: 0 };
  for await (const row of rows) {
    if (found.read >= enough && found.samples.length >= leastSamples) break;
    found.read++;
    if (row === null) found.empty++;
    else if ('text' in row) addText(row.text);
    else addConversation(row.messages);
  }
  return found;

  function addText(text: string): void {
    const own = tokenizer.encode(text).ids;
    const ids = new Int32Array(before.length + own.length + 1);
    ids.set(before);
    ids.set(own, before.length);
    ids[ids.length - 1] = end;
    if (ids.length > maxLength) found.longer++;
    for (let from = 0; from < ids.length - 1; from += maxLength) {
      const piece = ids.subarray(from, from + maxLength);
      found.samples.push({ ids: piece, learnt: new Uint8Array(piece.length).fill(1) }, found.read);
    }
  }

  function addConversation(messages: readonly Message[]): void {
    if (!write)
      throw new TrainingError(
        'NOT_TRAINABLE',
        'The base model has no template for conversations: train it on a column of plain text',
        'config.base_model',
      );
    const written = (count: number, prompt: boolean): string => {
      try {
        return write(messages.slice(0, count), prompt);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const message = `Row ${found.read}: the base model's template refuses the conversation: ${why}`;
        throw new TrainingError('NOT_TRAINABLE', message, 'dataset_id');
      }
    };
    const full = written(messages.length, false);
    const { ids, starts } = tokenizer.encode(full);
    const learnt = new Uint8Array(ids.length);
    for (const [i, { role }] of messages.entries()) {
      if (role !== 'assistant') continue;
      const [from, to] = [written(i, true), written(i + 1, false).trimEnd()];
      if (!full.startsWith(from) || !full.startsWith(to)) continue;
      for (let at = 0; at < ids.length; at++) {
        const start = starts[at] ?? 0;
        if (start >= from.length && start < to.length) learnt[at] = 1;
      }
    }
    if (ids.length > maxLength) found.longer++;
    const cut = { ids: ids.subarray(0, maxLength), learnt: learnt.subarray(0, maxLength) };
    if (cut.learnt.some(Boolean)) found.samples.push(cut, found.read);
    else found.withoutAnswer++;
  }
}

export interface Question {
  prompt: string;
  /** The answer that the data has. */
  expected: string;
}

/** What is asked of each chosen sample: the beginning of a text, or a conversation up to its last answer. Reads the rows once more. */
export async function questionsOf(
  rows: AsyncIterable<Row>,
  { tokenizer, write }: Vocabulary,
  { samples, chosen }: { samples: SampleList; chosen: readonly number[] },
): Promise<Question[]> {
  const found = new Map<number, Question>();
  const rowOf = samples.rows;
  let read = 0;
  for await (const row of rows) {
    read++;
    for (const index of chosen)
      if (row && rowOf[index] === read) found.set(index, 'text' in row ? ofText(index) : ofMessages(row.messages));
    if (chosen.every(index => found.has(index))) break;
  }
  return chosen.flatMap(index => found.get(index) ?? []);

  function ofText(index: number): Question {
    const { ids } = samples.at(index);
    const head = Math.ceil(ids.length / 3);
    return { prompt: tokenizer.decode(ids.subarray(0, head)), expected: tokenizer.decode(ids.subarray(head)) };
  }

  function ofMessages(messages: readonly Message[]): Question {
    const last = messages.findLastIndex(({ role }) => role === 'assistant');
    return { prompt: write?.(messages.slice(0, last), true) ?? '', expected: messages[last]?.content ?? '' };
  }
}

/** Throws where nothing can be learnt from the rows. */
export function checkSamples({ samples, withoutAnswer, empty, longer }: Samples, maxLength: number): void {
  if (samples.length >= leastSamples) return;
  const why = [
    empty > 0 ? `${empty} rows are empty` : '',
    withoutAnswer > 0
      ? `in ${withoutAnswer} rows nothing of an answer is within max_length (${maxLength} tokens) or there is no message of the role assistant`
      : '',
    longer > 0 ? `${longer} rows have more than ${maxLength} tokens` : '',
  ].filter(Boolean);
  throw new TrainingError(
    'NOT_TRAINABLE',
    `There are ${samples.length} samples with something to learn, and at least ${leastSamples} are needed${why.length > 0 ? `: ${why.join('; ')}` : ''}`,
    'dataset_id',
  );
}

const leastSamples = 4;
