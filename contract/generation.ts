// The routes by which language models answer, in OpenAI's shapes. What a language model predicts natively is in model-predict.ts.
import { z } from 'zod';
import { line, optional, withDefault } from './fields.ts';
import { type Route, defineRoute } from './route.ts';

const mebibyte = 1024 * 1024;

/** By which an answer of a model may be refused; also of `predict`. */
export const answerErrors = [
  'INVALID_PARAMETER',
  'MODEL_NOT_FOUND',
  'MODEL_NOT_READY',
  'MODEL_NOT_ALLOWED',
  'MODEL_UNAVAILABLE',
  'INSUFFICIENT_BALANCE',
  'KEY_BUDGET_EXCEEDED',
  'QUEUE_FULL',
  'WORKER_LOST',
] as const;

const generation = {
  method: 'POST',
  tag: 'OpenAI',
  auth: 'key',
  family: 'data',
  scope: 'models',
  dialect: 'openai',
  maxBodyBytes: 16 * mebibyte,
  alternatives: { 'text/event-stream': 'With `stream`: chunks as they come, then `data: [DONE]`.' },
  errors: answerErrors,
} as const;

const stopText = z.string().min(1).max(200);
/** At most so many texts before which an answer ends. */
export const stops = z
  .union([stopText, z.array(stopText).max(16)])
  .transform(given => (typeof given === 'string' ? [given] : given));

/** How tokens are drawn; also of `predict`. */
export const sampling = {
  max_tokens: optional(
    z.int().min(1).max(1_000_000).meta({ description: 'Default 1,024, or what the context leaves.', default: 1024 }),
  ),
  top_p: withDefault(z.number().min(0).max(1), 1),
  top_k: optional(z.int().min(1).max(1_000_000).meta({ description: "Not one of OpenAI's." })),
  repetition_penalty: withDefault(
    z.number().gt(0).max(10).meta({ description: "Of tokens of the prompt and the answer; not one of OpenAI's." }),
    1,
  ),
  presence_penalty: withDefault(z.number().min(-2).max(2), 0),
  frequency_penalty: withDefault(z.number().min(-2).max(2), 0),
  stop: withDefault(stops, []),
  seed: optional(z.int().meta({ description: 'The same seed, prompt and options draw alike.' })),
};
export const temperature = z.number().min(0).max(2).meta({ description: '0 takes the likeliest token always.' });

/** Refused when it is there and asks for something. */
const unsupported = () =>
  z
    .unknown()
    .refine(value => isNothing(value), 'is not supported')
    .meta({ description: 'Not supported: refused unless it is empty.' })
    .optional();

function isNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return [undefined, null, false, '', 'none', 'auto'].some(nothing => nothing === value);
}

const common = {
  model: z.string().min(1).max(200).meta({ description: 'A base model or a trained one, by its name, id or alias.' }),
  ...sampling,
  temperature: withDefault(temperature, 1),
  n: withDefault(z.int().min(1).max(8), 1),
  stream: withDefault(z.boolean(), false),
  stream_options: optional(z.object({ include_usage: withDefault(z.boolean(), false) })),
  user: z.unknown().optional(),
  logit_bias: unsupported(),
};

const responseFormat = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object') }),
    z.object({
      type: z.literal('json_schema'),
      json_schema: z.looseObject({
        name: optional(line(200)),
        schema: z
          .record(z.string(), z.unknown())
          .meta({ description: 'A JSON schema; what can not be held is refused by its place.' }),
      }),
    }),
  ])
  .meta({
    description:
      'The form of the answer: `json_object` is any JSON object, `json_schema` one that keeps to a schema. An answer that `max_tokens` cuts is cut.',
  });

const part = z.object({ type: z.literal('text', 'only texts are supported'), text: z.string() });
const content = z
  .union([z.string(), z.array(part)])
  .nullish()
  .transform(given => (typeof given === 'string' ? given : (given ?? []).map(each => each.text).join('')));
/** As a caller gives a conversation. */
export const messages = z
  .array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content }))
  .min(1, 'needs at least one message')
  .max(10_000)
  .transform(all => all.map(({ role, ...message }) => ({ role: role === 'developer' ? 'system' : role, ...message })));

const tokenIds = z
  .array(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .min(1);
const mostPrompts = 64;
const completionPrompts = z
  .union(
    [z.string(), z.array(z.string()).min(1).max(mostPrompts), tokenIds, z.array(tokenIds).min(1).max(mostPrompts)],
    `must be a text, a list of token ids, or up to ${mostPrompts} of either`,
  )
  .transform((given): (string | number[])[] => {
    if (typeof given === 'string') return [given];
    return given.every(each => typeof each === 'number') ? [given] : given;
  });

const usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() });
const finishReason = z.enum(['stop', 'length']);
const chance = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullable() });
const chatLogprobs = z.object({
  content: z.array(chance.extend({ top_logprobs: z.array(chance) })),
  refusal: z.null(),
});
const textLogprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number()),
  top_logprobs: z.array(z.record(z.string(), z.number())),
  text_offset: z.array(z.int()),
});
const answer = {
  id: z.string(),
  created: z.int().meta({ description: 'Seconds since 1970.' }),
  model: z.string(),
  usage,
};

const chatCompletions = defineRoute({
  ...generation,
  id: 'createChatCompletion',
  path: '/v1/chat/completions',
  summary: "A language model's answer to a conversation",
  description:
    'The conversation is written by the template that the model was trained with. `tools` and `logit_bias` are refused.',
  body: z.object({
    ...common,
    messages,
    max_completion_tokens: sampling.max_tokens,
    logprobs: withDefault(z.boolean(), false),
    top_logprobs: optional(z.int().min(0).max(20)),
    response_format: optional(responseFormat),
    tools: unsupported(),
    tool_choice: unsupported(),
    functions: unsupported(),
    function_call: unsupported(),
  }),
  answer: z.object({
    ...answer,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: chatLogprobs.nullable(),
        finish_reason: finishReason,
      }),
    ),
  }),
  example: {
    body: {
      model: 'smollm2_135m',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      temperature: 0,
    },
    answer: {
      id: 'chatcmpl-019a2b3c4d5e7f80919293a4b5c6d7e8',
      object: 'chat.completion',
      created: 1_769_860_800,
      model: 'smollm2_135m',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'The capital of France is Paris.', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 37, completion_tokens: 7, total_tokens: 44 },
    },
  },
});

const completions = defineRoute({
  ...generation,
  id: 'createCompletion',
  path: '/v1/completions',
  summary: 'A text, continued by a language model',
  description:
    'Prompts as they are: no template is put around them. Of several, the choices of the first come first. A prompt of token ids has what the tokenizer puts before a text only if it is among them.',
  body: z.object({
    ...common,
    prompt: completionPrompts,
    logprobs: optional(z.int().min(0).max(20)),
    echo: unsupported(),
    suffix: unsupported(),
    best_of: optional(z.int().min(1).max(1, 'must be 1')),
  }),
  answer: z.object({
    ...answer,
    object: z.literal('text_completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        text: z.string(),
        logprobs: textLogprobs.nullable(),
        finish_reason: finishReason,
      }),
    ),
  }),
});

export const generationRoutes = {
  createChatCompletion: chatCompletions,
  createCompletion: completions,
} satisfies Record<string, Route>;
