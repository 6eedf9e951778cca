// Prompts to answers, with everything around them: which model, whether it fits, what it costs, and who pays when.
//
// model → tokens of the prompt → price of the longest answer → reserve → generate → settle → the end of the answer. What was
// generated is paid also when the caller leaves, and no more is generated then. What fails here is not paid.
import { randomInt } from 'node:crypto';
import type { Engine, GeneratedPiece, GenerateOptions, Prompt } from '@vectorium/engine';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Ledger } from '../usage/index.ts';
import { reserve, translated } from '../vectors/index.ts';
import type { LanguageModel } from './models.ts';

/** Fields of the API that decide how tokens are drawn. */
export interface SamplingFields {
  max_tokens?: number | undefined;
  temperature: number;
  top_p: number;
  top_k?: number | undefined;
  repetition_penalty: number;
  presence_penalty: number;
  frequency_penalty: number;
  stop: string[];
  seed?: number | undefined;
}

export interface PromptsAsked {
  prompts: readonly {
    prompt: Prompt;
    /** Where it stands in the request, for errors. */
    place: string;
  }[];
  /** Answers of each prompt. */
  choices: number;
  options: GenerateOptions;
}

export interface GenerationAsked {
  caller: Caller;
  route: string;
  requestId: string;
  signal: AbortSignal;
}

export interface Generation {
  /** Of all prompts. */
  promptTokens: number;
  /** Pieces of all answers as they come, those of the first prompt being the first choices; the last of each has its end. Charged when the
   *  iteration is over, however it ends. */
  pieces: AsyncGenerator<{ choice: number; piece: GeneratedPiece }, void>;
}

export interface GenerationParts {
  engine: Pick<Engine, 'encodePrompt' | 'checkForm' | 'generate'>;
  ledger: Pick<Ledger, 'reserve'>;
}

const defaultMaxTokens = 1024;

/** With a `form`, a JSON schema, that the answer keeps to. */
export function optionsOf(
  fields: SamplingFields,
  { logprobs, form = null }: { logprobs: number | null; form?: string | null },
): GenerateOptions {
  return {
    maxTokens: fields.max_tokens ?? defaultMaxTokens,
    temperature: fields.temperature,
    topP: fields.top_p,
    topK: fields.top_k ?? null,
    repetitionPenalty: fields.repetition_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    stop: fields.stop,
    seed: fields.seed ?? randomInt(2 ** 32),
    logprobs,
    form,
  };
}

/** Throws ApiError for all that can be refused before anything is computed, with the money for the longest answers set aside. */
export async function beginGeneration(
  { engine, ledger }: GenerationParts,
  model: LanguageModel,
  { prompts: given, choices, options: wanted }: PromptsAsked,
  { caller, route, requestId, signal }: GenerationAsked,
): Promise<Generation> {
  const { handle, adapter } = model;
  const startedAt = performance.now();
  const prompts: { ids: Int32Array; maxTokens: number }[] = [];
  for (const { prompt, place } of given) {
    const refused = (message: string) => new ApiError('INVALID_PARAMETER', { message, param: place });
    const ids = await translated(() => engine.encodePrompt(handle, prompt, signal)).catch((error: unknown) => {
      throw error instanceof ApiError && error.code === 'INVALID_PARAMETER'
        ? refused(`${place}: ${error.message}`)
        : error;
    });
    const room = handle.maxTokens - ids.length;
    if (ids.length === 0) throw refused(`${place} is empty`);
    if (room < 1)
      throw refused(
        `${place} has ${ids.length} tokens; ${model.name} takes ${handle.maxTokens} together with its answer`,
      );
    prompts.push({ ids, maxTokens: Math.min(wanted.maxTokens, room) });
  }
  const { form } = wanted;
  if (form !== null) await translated(() => engine.checkForm(handle, form, signal));
  const promptTokens = prompts.reduce((sum, { ids }) => sum + ids.length, 0);
  const longest = prompts.reduce((sum, { maxTokens }) => sum + choices * maxTokens, 0);
  const costOf = (generated: number) =>
    BigInt(promptTokens) * model.promptPicodollars + BigInt(generated) * caller.account.plan.generatedTokenPicodollars;
  const reservation = await reserve(ledger, caller, costOf(longest));
  const wholes = prompts.flatMap(prompt => Array.from({ length: choices }, () => prompt));
  const tokens = wholes.map(() => 0);
  let begun = false;
  const all = pieces();
  // What is not read to its end has no end of its own. Whoever does read is told what fails in it.
  const left = () => {
    if (begun) all.return().catch(() => {});
    else reservation.release();
  };
  if (signal.aborted) left();
  signal.throwIfAborted();
  signal.addEventListener('abort', left, { once: true });

  async function* pieces(): Generation['pieces'] {
    begun = true;
    let failed = false;
    const leave = new AbortController();
    const until = AbortSignal.any([signal, leave.signal]);
    const answers = wholes.map(({ ids, maxTokens }, choice) =>
      engine.generate(
        handle,
        { prompt: ids, adapter, options: { ...wanted, maxTokens, seed: wanted.seed + choice } },
        until,
      ),
    );
    let going = answers.length;
    try {
      for await (const { choice, piece } of merged(answers)) {
        tokens[choice] = piece.tokens;
        if (piece.ended) going--;
        // The end is told when it is paid.
        if (going === 0) await settle();
        yield { choice, piece };
      }
    } catch (error) {
      failed = true;
      throw await translated(() => Promise.reject(error)).catch((told: unknown) => told);
    } finally {
      leave.abort();
      const saidNothing = tokens.every(each => each === 0);
      if (failed && (saidNothing || !hasLeft(signal))) reservation.release();
      else await settle();
    }
  }

  let settled = false;
  async function settle(): Promise<void> {
    if (settled) return;
    settled = true;
    const generated = tokens.reduce((sum, each) => sum + each, 0);
    await reservation.settle({
      route,
      model: model.name,
      tokens: promptTokens + generated,
      costPicodollars: costOf(generated),
      durationMs: performance.now() - startedAt,
      requestId,
    });
  }
  return { promptTokens, pieces: all };
}

/** The same, once there is a first piece. What fails until then is thrown: a status can still tell it. */
export async function firstSaid({ pieces, ...generation }: Generation): Promise<Generation> {
  const first = await pieces.next();
  async function* whole(): Generation['pieces'] {
    try {
      if (first.done) return;
      yield first.value;
      yield* pieces;
    } finally {
      await pieces.return();
    }
  }
  return { ...generation, pieces: whole() };
}

/** Whether it was the caller who broke off. */
function hasLeft({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof ApiError && reason.code === 'CLIENT_CLOSED_REQUEST';
}

/** A model's places; more at once would only take the queue from others. */
const answeredAtOnce = 8;

/** What several give, as it comes. */
async function* merged(
  answers: readonly AsyncGenerator<GeneratedPiece>[],
): AsyncGenerator<{ choice: number; piece: GeneratedPiece }> {
  const nextOf = async (choice: number) => ({ choice, result: await answers[choice]?.next() });
  let begun = Math.min(answeredAtOnce, answers.length);
  const pending = new Map(Array.from({ length: begun }, (_, choice) => [choice, nextOf(choice)]));
  try {
    while (pending.size > 0) {
      const { choice, result } = await Promise.race(pending.values());
      if (!result || result.done) {
        pending.delete(choice);
        if (begun < answers.length) pending.set(begun, nextOf(begun++));
      } else {
        pending.set(choice, nextOf(choice));
        yield { choice, piece: result.value };
      }
    }
  } finally {
    for (const each of pending.values()) each.catch(() => {});
    // One that waits for its next piece ends when it was told to leave.
    for (const answer of answers) answer.return(undefined).catch(() => {});
  }
}
