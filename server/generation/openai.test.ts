// Shapes of answers that depend on how their tokens come.
import type { GeneratedPiece } from '@vectorium/engine';
import { expect, test } from 'vitest';
import { textAnswer, textChunks } from './openai.ts';

const likeliest = [{ text: 'x', bytes: [120], logprob: -0.5 }];
const token = (text: string) => ({ text, bytes: [...Buffer.from(text)], logprob: -1, likeliest });
/** "ab" may still become a stop while "a" is there alone. */
const pieces: GeneratedPiece[] = [
  { text: '', tokens: 1, logprobs: [token('a')], ended: null },
  { text: 'abc', tokens: 2, logprobs: [token('bc')], ended: null },
  { text: 'd', tokens: 3, logprobs: [token('d')], ended: 'length' },
];
const generation = () => ({
  promptTokens: 1,
  pieces: (async function* () {
    for (const piece of pieces) yield { choice: 0, piece };
  })(),
});
const asked = { model: 'tiny', choices: 1, logprobs: true, includeUsage: false };

interface Chunk {
  choices: { logprobs: { text_offset: number[]; top_logprobs: object[] } }[];
}

test('tokens lie where they are in the text, and have their own chance beside the likeliest, whole or streamed', async () => {
  const whole = (await textAnswer(generation(), asked)).choices[0];
  expect(whole).toMatchObject({ text: 'abcd', logprobs: { tokens: ['a', 'bc', 'd'], text_offset: [0, 1, 3] } });
  expect(whole?.logprobs?.top_logprobs[0]).toEqual({ x: -0.5, a: -1 });
  const chunks = (await Array.fromAsync(textChunks(generation(), asked))) as Chunk[];
  expect(chunks.flatMap(({ choices }) => choices[0]?.logprobs.text_offset)).toEqual([0, 1, 3]);
});
