// What a model in training answers, word by word the likeliest. It goes through whole texts again for every token, which is slow but
// needs nothing besides the training's own graphs; a few short answers are enough to see what was learnt.
import type { Network, Part } from './network.ts';
import type { Vocabulary } from './vocabulary.ts';

const mostTokens = 32;
const longestPrompt = 256;
/** Tokens of the longest prompt with its answer. */
export const longestAnswered = longestPrompt + mostTokens;

export async function answersTo(
  network: Network,
  { tokenizer, end }: Vocabulary,
  { prompts, signal }: { prompts: readonly string[]; signal: AbortSignal },
): Promise<string[]> {
  const texts = prompts.map(prompt => ({
    ids: Array.from(tokenizer.encode(prompt).ids.slice(-longestPrompt)),
    answer: [] as number[],
    over: false,
  }));
  for (let step = 0; step < mostTokens && texts.some(({ over }) => !over); step++) {
    signal.throwIfAborted();
    const open = texts.filter(({ over }) => !over);
    const found = await network.logits(rowsOf(open.map(({ ids, answer }) => [...ids, ...answer])));
    for (const [i, text] of open.entries()) {
      const id = greatest(found[i] ?? new Float32Array());
      if (id === end) text.over = true;
      else text.answer.push(id);
    }
  }
  return texts.map(({ answer }) => tokenizer.decode(answer));
}

/** A row each, and its last token the place that is asked for. */
function rowsOf(rows: readonly number[][]): Part {
  const tokens = Math.ceil(rows.reduce((most, { length }) => Math.max(most, length), 0) / 16) * 16;
  const whole = (valueOf: (row: number[], at: number) => number) =>
    BigInt64Array.from(rows.flatMap(row => Array.from({ length: tokens }, (_, at) => BigInt(valueOf(row, at)))));
  return {
    batch: rows.length,
    tokens,
    ids: whole((row, at) => row[at] ?? 0),
    positions: whole((row, at) => (at < row.length ? at : 0)),
    texts: whole((row, at) => (at < row.length ? 0 : -1)),
    places: BigInt64Array.from(rows, (row, i) => BigInt(i * tokens + row.length - 1)),
    targets: new BigInt64Array(rows.length),
    weights: new Float32Array(rows.length),
  };
}

const greatest = (values: Float32Array): number =>
  values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
