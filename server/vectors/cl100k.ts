// Token ids of OpenAI's cl100k encoding back to text: LangChain sends those, whatever the model's own tokenizer is.
//
// Only the table of `gpt-tokenizer` is used, when the first such request comes. Its code would load for 0.3 s on the event
// loop and keep 45 MB, since it can encode too; decoding is looking up bytes: 2 MB.
import { readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { maxTextCharacters } from '@vectorium/contract';
import { ApiError } from '../http/index.ts';

/** The text of each input. Throws INVALID_PARAMETER for ids that the encoding does not have, and for what is no text. */
export async function cl100kTexts(inputs: readonly (readonly number[])[]): Promise<string[]> {
  table ??= loadTable();
  const tokens = await table;
  const texts: string[] = [];
  for (const [index, ids] of inputs.entries()) {
    checkBytes(index, ids, tokens);
    const text = await decode(ids, tokens);
    if (text === null || /^\s*$/.test(text)) {
      const param = `input[${index}]`;
      const why = text === null ? 'holds a number that is no token' : 'holds nothing but white space';
      throw new ApiError('INVALID_PARAMETER', {
        message: `${param} ${why}; token ids are read as OpenAI's cl100k encoding`,
        param,
      });
    }
    texts.push(text);
  }
  return texts;
}

/** Refuses by the length in bytes what can't pass as a text, before a string of many megabytes is made and looked through. */
function checkBytes(index: number, ids: readonly number[], { starts }: Table): void {
  let bytes = 0;
  for (const id of ids) bytes += (starts[id + 1] ?? 0) - (starts[id] ?? 0);
  if (bytes <= 4 * maxTextCharacters) return;
  const param = `input[${index}]`;
  throw new ApiError('TEXT_TOO_LONG', { message: `${param} has more than ${maxTextCharacters} characters`, param });
}

interface Table {
  /** Bytes of all tokens, one after the other. */
  bytes: Buffer;
  /** Where token `id` starts: `starts[id]` to `starts[id + 1]`. */
  starts: Uint32Array;
}

let table: Promise<Table> | undefined;

/** Ids above the ordinary ones, which the table file does not have. */
const specialTokens = new Map([
  [100257, '<|endoftext|>'],
  [100258, '<|fim_prefix|>'],
  [100259, '<|fim_middle|>'],
  [100260, '<|fim_suffix|>'],
  [100276, '<|endofprompt|>'],
]);

/** Work between two turns of the event loop: a few milliseconds. */
const TOKENS_AT_ONCE = 10_000;

/** Lines of `base64 id`, in the order of the ids. */
async function loadTable(): Promise<Table> {
  const file = await readFile(new URL(import.meta.resolve('gpt-tokenizer/data/cl100k_base.tiktoken')), 'latin1');
  const lines = file.trimEnd().split('\n');
  const bytes = Buffer.alloc(file.length);
  const starts = new Uint32Array(lines.length + 1);
  let used = 0;
  for (const [id, line] of lines.entries()) {
    if (id % TOKENS_AT_ONCE === 0) await turn();
    const blank = line.indexOf(' ');
    if (Number(line.slice(blank + 1)) !== id) throw new Error('the cl100k table is not in order');
    used += bytes.write(line.slice(0, blank), used, 'base64');
    starts[id + 1] = used;
  }
  return { bytes: Buffer.from(bytes.subarray(0, used)), starts };
}

/** Tokens may end within a character, so the bytes are put together first. Null: there is no such token. */
async function decode(ids: readonly number[], { bytes, starts }: Table): Promise<string | null> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  for (let from = 0; from < ids.length; from += TOKENS_AT_ONCE) {
    if (from > 0) await turn();
    const parts: Buffer[] = [];
    for (const id of ids.slice(from, from + TOKENS_AT_ONCE)) {
      const special = specialTokens.get(id);
      if (special !== undefined) parts.push(Buffer.from(special));
      else if (id + 1 < starts.length) parts.push(bytes.subarray(starts[id], starts[id + 1]));
      else return null;
    }
    text += decoder.decode(Buffer.concat(parts), { stream: true });
  }
  return text + decoder.decode();
}
