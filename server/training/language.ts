// Trained language models as ones that answer: an adapter over its base, or a small model of its own.
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messages } from '@vectorium/contract';
import type { Prompt } from '@vectorium/engine';
import {
  beginGeneration,
  collected,
  type GenerationParts,
  type LanguageModel,
  openBase,
  optionsOf,
  type SamplingFields,
} from '../generation/index.ts';
import type { Database } from '../database/index.ts';
import { ApiError } from '../http/index.ts';
import type { Caller } from '../keys/index.ts';
import type { Models } from '../models/index.ts';
import type { Storage } from '../storage/index.ts';
import type { PredictAsked } from './predictions.ts';
import type { ReadyModel } from './store.ts';

export interface TrainedLanguageParts {
  models: Models;
  storage: Pick<Storage, 'local'>;
  /** On the local disk, for models of their own: their graphs lie beside them. */
  folder: string;
}

/** Throws MODEL_UNAVAILABLE when the base is not here as it was in training. */
export async function openTrained(
  parts: TrainedLanguageParts,
  { id, ready }: ReadyModel,
  caller: Caller,
): Promise<LanguageModel> {
  const { base } = ready.card.language ?? {};
  if (!base)
    return { name: id, handle: await ownHandle(parts, id, ready.folder), adapter: null, promptPicodollars: 0n };
  const entry = parts.models.get(base.name);
  const unavailable = (why: string) =>
    new ApiError('MODEL_UNAVAILABLE', {
      message: `${id} was trained over ${base.name} ${base.revision}, ${why}`,
      param: 'model',
    });
  if (entry?.kind !== 'decoder') throw unavailable('which is not in the catalog any more');
  const opened = await openBase(parts.models, entry, caller);
  if (opened.handle.id !== `${base.name}@${base.revision}`)
    throw unavailable(`and this server has ${opened.handle.id}`);
  const adapter = {
    id,
    async open() {
      const [weights, config] = await Promise.all(
        ['adapter_model.safetensors', 'adapter_config.json'].map(name => parts.storage.local(`${ready.folder}${name}`)),
      );
      if (!weights || !config) throw new Error('two files were asked for');
      const release = () => {
        weights.release();
        config.release();
      };
      return { weights: weights.path, config: config.path, release };
    },
  };
  return { ...opened, name: id, adapter };
}

/** Files of a model that was trained from nothing, together in a folder that appears whole. */
async function ownHandle(
  { storage, folder }: TrainedLanguageParts,
  id: string,
  stored: string,
): Promise<LanguageModel['handle']> {
  const path = join(folder, id);
  if (!(await stat(path).catch(() => null))) {
    const temporary = `${path}.${randomUUID()}.part`;
    try {
      await mkdir(temporary, { recursive: true });
      for (const name of ['model.safetensors', 'config.json', 'tokenizer.json', 'tokenizer_config.json']) {
        const file = await storage.local(`${stored}${name}`);
        await copyFile(file.path, join(temporary, name)).finally(() => file.release());
      }
      // Another request may have been quicker.
      await rename(temporary, path).catch(() => {});
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as { max_position_embeddings: number };
  return { id, path, precision: 'f32', maxTokens: config.max_position_embeddings };
}

/** Lets the files of a model go that was trained from nothing. */
export function forgetTrained(folder: string, id: string): Promise<void> {
  return rm(join(folder, id), { recursive: true, force: true });
}

/** Lets files go of models that there aren't any more: a process that was killed, or another one, deleted them. */
export async function forgetDeleted(folder: string, database: Pick<Database, 'query'>): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const rows = await database.query<{ id: string }>('SELECT id FROM trained_models');
  const known = new Set(rows.map(({ id }) => id));
  for (const name of names) if (!known.has(name.split('.', 1)[0] ?? '')) await forgetTrained(folder, name);
}

/** Answers to prompts. All are looked at before the first is begun; when one fails, no other goes on. */
export async function answerPrompts(
  parts: GenerationParts,
  model: LanguageModel,
  { prompts, fields, asked }: { prompts: Prompt[]; fields: SamplingFields; asked: PredictAsked },
) {
  const placed = prompts.map((prompt, index) => ({ prompt, place: `input.data[${index}]` }));
  const request = { prompts: placed, choices: 1, options: optionsOf(fields, { logprobs: null }) };
  const generation = await beginGeneration(parts, model, request, asked);
  const answers = await collected(generation, prompts.length);
  const generated = answers.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    predictions: answers.map(({ text, ended }) => ({ text, finish_reason: ended })),
    usage: {
      rows: prompts.length,
      prompt_tokens: generation.promptTokens,
      completion_tokens: generated,
      total_tokens: generation.promptTokens + generated,
    },
  };
}

/** A text is what a user says, unless the model was trained on plain texts, which it continues. */
export function promptsOf({ ready }: ReadyModel, given: readonly unknown[]): Prompt[] {
  const continues = 'text' in (ready.card.language?.columns ?? {});
  return given.map((each, index) => {
    if (typeof each === 'string') return continues ? { text: each } : { messages: [{ role: 'user', content: each }] };
    const read = messages.safeParse(each);
    if (read.success) return { messages: read.data };
    const [issue] = read.error.issues;
    const param = ['input.data', index, ...(issue?.path ?? [])].join('.');
    throw new ApiError('INVALID_PARAMETER', { message: `${param} ${issue?.message ?? 'is no conversation'}`, param });
  });
}

/** Prompts of a request at most: each waits for its answer. */
export const maxPrompts = 64;
