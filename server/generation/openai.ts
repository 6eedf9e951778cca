// Answers in OpenAI's shapes: whole, and as a stream of chunks.
import { Readable } from 'node:stream';
import type { AnswerOf, routes } from '@vectorium/contract';
import type { GeneratedPiece, GeneratedToken } from '@vectorium/engine';
import { newId } from '../database/index.ts';
import { Raw } from '../http/index.ts';
import type { Generation } from './service.ts';

export interface Asked {
  model: string;
  /** Of all prompts. */
  choices: number;
  /** Whether the caller wants probabilities. */
  logprobs: boolean;
  /** Whether a last chunk tells the usage. */
  includeUsage: boolean;
}

export interface Choice {
  text: string;
  tokens: number;
  logprobs: GeneratedToken[];
  ended: 'stop' | 'length';
}

/** What each choice became, when all have ended. */
export async function collected({ pieces }: Generation, count: number): Promise<Choice[]> {
  const choices = Array.from({ length: count }, (): Choice => ({ text: '', tokens: 0, logprobs: [], ended: 'length' }));
  for await (const { choice, piece } of pieces) {
    const into = choices[choice];
    if (!into) throw new Error(`no choice ${choice} was asked for`);
    into.text += piece.text;
    into.tokens = piece.tokens;
    into.logprobs.push(...piece.logprobs);
    if (piece.ended) into.ended = piece.ended;
  }
  return choices;
}

export async function chatAnswer(
  generation: Generation,
  asked: Asked,
): Promise<AnswerOf<typeof routes.createChatCompletion>> {
  const choices = await collected(generation, asked.choices);
  return {
    ...headOf(asked, 'chatcmpl'),
    object: 'chat.completion',
    choices: choices.map(({ text, logprobs, ended }, index) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: asked.logprobs ? chatLogprobs(logprobs) : null,
      finish_reason: ended,
    })),
    usage: usageOf(generation, choices),
  };
}

export async function textAnswer(
  generation: Generation,
  asked: Asked,
): Promise<AnswerOf<typeof routes.createCompletion>> {
  const choices = await collected(generation, asked.choices);
  return {
    ...headOf(asked, 'cmpl'),
    object: 'text_completion',
    choices: choices.map(({ text, logprobs, ended }, index) => ({
      index,
      text,
      logprobs: asked.logprobs ? textLogprobs(logprobs, 0) : null,
      finish_reason: ended,
    })),
    usage: usageOf(generation, choices),
  };
}

/** A conversation's answer as chunks: the role first, then texts, then why it ended. */
export async function* chatChunks(generation: Generation, asked: Asked): AsyncGenerator<object> {
  const head = { ...headOf(asked, 'chatcmpl'), object: 'chat.completion.chunk' };
  const chunk = (index: number, delta: object, { logprobs = null, ended = null }: End = {}) => ({
    ...head,
    choices: [{ index, delta, logprobs, finish_reason: ended }],
    ...(asked.includeUsage && { usage: null }),
  });
  for (let index = 0; index < asked.choices; index++) yield chunk(index, { role: 'assistant', content: '' });
  const tokens = countsOf(asked);
  for await (const { choice, piece } of generation.pieces) {
    tokens[choice] = piece;
    const logprobs = piece.logprobs.length > 0 ? chatLogprobs(piece.logprobs) : null;
    if (piece.text !== '' || logprobs) yield chunk(choice, { content: piece.text }, { logprobs });
    if (piece.ended) yield chunk(choice, {}, { ended: piece.ended });
  }
  if (asked.includeUsage) yield { ...head, choices: [], usage: usageOf(generation, tokens) };
}

/** A continued text as chunks. */
export async function* textChunks(generation: Generation, asked: Asked): AsyncGenerator<object> {
  const head = { ...headOf(asked, 'cmpl'), object: 'text_completion' };
  const tokens = countsOf(asked);
  const characters = tokens.map(() => 0);
  for await (const { choice, piece } of generation.pieces) {
    tokens[choice] = piece;
    const from = characters[choice] ?? 0;
    // Of the tokens: the text comes later where it may still become a stop.
    characters[choice] = piece.logprobs.reduce((at, { text }) => at + text.length, from);
    if (piece.text === '' && piece.ended === null && piece.logprobs.length === 0) continue;
    const logprobs = piece.logprobs.length > 0 ? textLogprobs(piece.logprobs, from) : null;
    const choices = [{ index: choice, text: piece.text, logprobs, finish_reason: piece.ended }];
    yield { ...head, choices, ...(asked.includeUsage && { usage: null }) };
  }
  if (asked.includeUsage) yield { ...head, choices: [], usage: usageOf(generation, tokens) };
}

interface End {
  logprobs?: object | null;
  ended?: GeneratedPiece['ended'];
}

/** Server-sent events. The status is out when one fails: `failure` makes the error's body for the stream, and logs it. */
export function eventStream(chunks: AsyncGenerator<object>, failure: (error: unknown) => object): Raw {
  async function* events(): AsyncGenerator<string> {
    try {
      for await (const chunk of chunks) yield `data: ${JSON.stringify(chunk)}\n\n`;
      yield 'data: [DONE]\n\n';
    } catch (error) {
      yield `data: ${JSON.stringify(failure(error))}\n\n`;
    }
  }
  return new Raw(Readable.from(events(), { objectMode: false }), 'text/event-stream; charset=utf-8');
}

function headOf({ model }: Asked, kind: 'chatcmpl' | 'cmpl') {
  return { id: `${kind}-${newId().replaceAll('-', '')}`, created: Math.floor(Date.now() / 1000), model };
}

const countsOf = ({ choices }: Asked): { tokens: number }[] => Array.from({ length: choices }, () => ({ tokens: 0 }));

function usageOf({ promptTokens }: Generation, choices: readonly { tokens: number }[]) {
  const generated = choices.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: generated,
    total_tokens: promptTokens + generated,
  };
}

function chatLogprobs(tokens: readonly GeneratedToken[]) {
  const content = tokens.map(each => ({ ...chance(each), top_logprobs: each.likeliest.map(chance) }));
  return { content, refusal: null };
}

const chance = ({ text, logprob, bytes }: Omit<GeneratedToken, 'likeliest'>) => ({ token: text, logprob, bytes });

function textLogprobs(tokens: readonly GeneratedToken[], from: number) {
  let offset = from;
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    // The token itself is among them, also where it is none of the likeliest.
    top_logprobs: tokens.map(({ likeliest, ...own }) =>
      Object.fromEntries([...likeliest, own].map(each => [each.text, each.logprob])),
    ),
    text_offset: tokens.map(({ text }) => (offset += text.length) - text.length),
  };
}
