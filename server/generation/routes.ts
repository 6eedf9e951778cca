// The routes of language models in OpenAI's shapes.
import { type BodyOf, type Route, routes } from '@vectorium/contract';
import { type App, type Context, errorAnswer, mount } from '../http/index.ts';
import type { LanguageModels } from './models.ts';
import { type Asked, chatAnswer, chatChunks, eventStream, textAnswer, textChunks } from './openai.ts';
import { beginGeneration, firstSaid, type GenerationParts, optionsOf } from './service.ts';

export function mountGenerationRoutes(app: App, parts: GenerationParts & { languageModels: LanguageModels }): void {
  mount(app, routes.createChatCompletion, async context => {
    const { body } = context;
    const model = await parts.languageModels.find(body.model, context.caller);
    const fields = { ...body, max_tokens: body.max_completion_tokens ?? body.max_tokens };
    const options = optionsOf(fields, {
      logprobs: body.logprobs ? (body.top_logprobs ?? 0) : null,
      form: formOf(body.response_format),
    });
    const prompts = [{ prompt: { messages: body.messages }, place: 'messages' }];
    const request = { prompts, choices: body.n, options };
    const generation = await beginGeneration(parts, model, request, askedBy(context, routes.createChatCompletion));
    const asked = askedOf(body, { choices: body.n, logprobs: body.logprobs });
    if (!body.stream) return chatAnswer(generation, asked);
    const chunks = chatChunks(await firstSaid(generation), asked);
    return eventStream(chunks, error => errorAnswer(error, context.reply));
  });

  mount(app, routes.createCompletion, async context => {
    const { body } = context;
    const model = await parts.languageModels.find(body.model, context.caller);
    const options = optionsOf(body, { logprobs: body.logprobs ?? null });
    const prompts = body.prompt.map((each, i) => ({
      prompt: typeof each === 'string' ? { text: each } : { ids: each },
      place: body.prompt.length === 1 ? 'prompt' : `prompt[${i}]`,
    }));
    const request = { prompts, choices: body.n, options };
    const generation = await beginGeneration(parts, model, request, askedBy(context, routes.createCompletion));
    const asked = askedOf(body, { choices: body.n * prompts.length, logprobs: body.logprobs !== undefined });
    if (!body.stream) return textAnswer(generation, asked);
    const chunks = textChunks(await firstSaid(generation), asked);
    return eventStream(chunks, error => errorAnswer(error, context.reply));
  });
}

/** The JSON schema that an answer is to keep to. */
function formOf(format: BodyOf<typeof routes.createChatCompletion>['response_format']): string | null {
  if (!format || format.type === 'text') return null;
  return JSON.stringify(format.type === 'json_object' ? { type: 'object' } : format.json_schema.schema);
}

function askedBy(
  { caller, requestId, signal }: Context<typeof routes.createCompletion | typeof routes.createChatCompletion>,
  { path }: Route,
) {
  return { caller, route: path, requestId, signal };
}

function askedOf(
  { model, stream_options: streaming }: { model: string; stream_options?: { include_usage: boolean } | undefined },
  answers: Pick<Asked, 'choices' | 'logprobs'>,
): Asked {
  return { model, ...answers, includeUsage: streaming?.include_usage ?? false };
}
