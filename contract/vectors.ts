// The routes that turn text into vectors, as HashHub's document names them.
import { z } from 'zod';
import { flag, listOf, optional, passOn, text, texts, withDefault } from './fields.ts';
import { defineRoute } from './route.ts';

const mebibyte = 1024 * 1024;
/** 1,000,000 characters even where each is written as a pair of \uXXXX escapes, and room for the rest. */
const oneTextBytes = 13 * mebibyte;
/** 10,000,000 characters as UTF-8, or as \uXXXX escapes where they don't need two each. */
const manyTextsBytes = 64 * mebibyte;

export const chunkingMethods = ['sentence_aware', 'fixed', 'late'] as const;
export const defaultChunkSize = 512;
export const defaultChunkOverlap = 0.1;

const modelName = z
  .string()
  .max(200)
  .meta({ description: "Alias of a model; the account's default when absent.", examples: ['gte_base'] });
const inputType = z
  .enum(['query', 'document'])
  .meta({ description: "What the text is for; decides which of the model's prefixes it gets." });
const dimensions = z
  .int()
  .min(1)
  .max(65536)
  .meta({ description: 'Shorter vectors, from models that were trained for it: cut, then normalised.' });
const encodingFormat = z
  .enum(['float', 'base64'])
  .meta({ description: 'Numbers, or the base64 of little-endian float32.' });

const shaping = {
  model: optional(modelName),
  input_type: optional(inputType),
  normalize: withDefault(z.boolean().meta({ description: 'Scale the vector to length 1.' }), true),
  dimensions: optional(dimensions),
  encoding_format: withDefault(encodingFormat, 'float'),
};
const chunking = {
  /** Absent: the default or what the model takes, whichever is less. */
  chunk_size: optional(
    // The range is checked where the model is known, so that the error can name its maximum.
    z.int().meta({
      default: defaultChunkSize,
      minimum: 1,
      description: "Tokens a chunk at most; 1 to the model's `max_tokens`.",
    }),
  ),
  chunk_overlap: withDefault(
    z.number().min(0).max(0.8).meta({ description: 'Share of a chunk that its neighbour repeats.' }),
    defaultChunkOverlap,
  ),
  chunking_method: withDefault(z.enum(chunkingMethods), 'sentence_aware'),
};

const usage = z.object({
  prompt_tokens: z.int().meta({ description: "Tokens of the whole input under the model's own tokenizer." }),
  total_tokens: z.int(),
});
const vector = z
  .union([z.array(z.number()), z.string()])
  .meta({ description: 'Numbers; base64 when `encoding_format` asks for it.' });
const answered = {
  dimension: z.int(),
  chunking_method: z.string(),
  model: z.string(),
  model_used: z.string(),
  processing_time_ms: z.number(),
  usage,
};

const oneText = z.object({ text, ...shaping, ...chunking });
const manyTexts = z.object({ texts, ...shaping, ...chunking });
const exampleUsage = { prompt_tokens: 7, total_tokens: 7 };
const exampleRest = {
  dimension: 384,
  chunking_method: 'sentence_aware',
  model: 'e5_small',
  model_used: 'e5_small',
  processing_time_ms: 12.4,
};

const common = {
  tag: 'Vectors',
  auth: 'key',
  family: 'vectors',
  scope: 'vectors',
  dialect: 'native',
} as const;
const modelErrors = ['MODEL_NOT_FOUND', 'MODEL_NOT_ALLOWED', 'MODEL_UNAVAILABLE'] as const;
const computeErrors = [
  'INVALID_PARAMETER',
  'EMPTY_TEXT',
  'TEXT_TOO_LONG',
  'INSUFFICIENT_BALANCE',
  'KEY_BUDGET_EXCEEDED',
  'BUDGET_EXCEEDED',
  'QUEUE_FULL',
  'WORKER_LOST',
  ...modelErrors,
] as const;

const vectorize = defineRoute({
  ...common,
  id: 'vectorize',
  method: 'POST',
  path: '/vectorize',
  summary: 'One vector of one text',
  description:
    'The text is cut into chunks at sentence ends where possible; the vector is the token-weighted mean of the chunk vectors, scaled to length 1.',
  maxBodyBytes: oneTextBytes,
  body: oneText,
  answer: z.object({ vector, chunks_processed: z.int(), ...answered }),
  errors: computeErrors,
  example: {
    body: { text: 'Artificial intelligence is transforming how we work.', model: 'e5_small', chunk_size: 256 },
    answer: { vector: [0.0519, -0.0342, 0.0117], chunks_processed: 1, ...exampleRest, usage: exampleUsage },
  },
});

const vectorizeChunked = defineRoute({
  ...common,
  id: 'vectorizeChunked',
  method: 'POST',
  path: '/vectorize/chunked',
  summary: 'A vector for each chunk of one text',
  maxBodyBytes: oneTextBytes,
  body: oneText,
  answer: z.object({
    vectors: z.array(vector),
    chunks: z.array(z.string()).meta({ description: 'Exact substrings that cover the text.' }),
    chunks_count: z.int(),
    ...answered,
  }),
  errors: computeErrors,
  example: {
    body: { text: 'First sentence. Second sentence.', model: 'e5_small', chunk_size: 4, chunk_overlap: 0 },
    answer: {
      vectors: [
        [0.0519, -0.0342, 0.0117],
        [0.0403, -0.0561, 0.0209],
      ],
      chunks: ['First sentence. ', 'Second sentence.'],
      chunks_count: 2,
      ...exampleRest,
      usage: exampleUsage,
    },
  },
});

const vectorizeBatch = defineRoute({
  ...common,
  id: 'vectorizeBatch',
  method: 'POST',
  path: '/vectorize/batch',
  aliases: ['/vectorize-batch'],
  summary: 'One vector for each of several texts',
  description: "At most as many texts as the account's plan allows, together at most 10,000,000 characters.",
  maxBodyBytes: manyTextsBytes,
  body: manyTexts,
  answer: z.object({
    vectors: z.array(vector),
    total_chunks_processed: z.int(),
    token_counts: z.array(z.int()),
    chunk_counts: z.array(z.int()),
    count: z.int(),
    ...answered,
  }),
  errors: [...computeErrors, 'BATCH_TOO_LARGE'],
  example: {
    body: { texts: ['Good morning', 'Guten Morgen'], model: 'e5_small' },
    answer: {
      vectors: [
        [0.0519, -0.0342, 0.0117],
        [0.0524, -0.0338, 0.0121],
      ],
      total_chunks_processed: 2,
      token_counts: [3, 4],
      chunk_counts: [1, 1],
      count: 2,
      ...exampleRest,
      usage: exampleUsage,
    },
  },
});

const similarity = defineRoute({
  ...common,
  id: 'similarity',
  method: 'POST',
  path: '/similarity',
  summary: 'Cosine similarity of two texts',
  maxBodyBytes: 2 * oneTextBytes,
  body: z.object({ text1: text, text2: text, model: optional(modelName), input_type: optional(inputType) }),
  answer: z.object({
    similarity: z.number().meta({ description: 'From -1 to 1.' }),
    model: z.string(),
    model_used: z.string(),
    dimension: z.int(),
    processing_time_ms: z.number(),
    usage,
  }),
  errors: computeErrors,
  example: { body: { text1: 'Good morning', text2: 'Guten Morgen', model: 'e5_small' } },
});

const tokenize = defineRoute({
  ...common,
  id: 'tokenize',
  method: 'POST',
  path: '/tokenize',
  summary: 'Tokens and price of a text, free of charge',
  maxBodyBytes: oneTextBytes,
  body: z.object({
    text,
    model: optional(modelName),
    return_tokens: withDefault(z.boolean().meta({ description: 'Also give the tokens themselves.' }), false),
  }),
  answer: z.object({
    model: z.string(),
    model_used: z.string(),
    tokens: z.int().meta({ description: 'What `usage.prompt_tokens` of the vector routes would say.' }),
    characters: z.int(),
    price_usd: z.number(),
    price_per_1M_tokens: z.number(),
    ids: z.array(z.int()).optional(),
    offsets: z
      .array(z.tuple([z.int(), z.int()]))
      .optional()
      .meta({ description: 'Start and end of each token in UTF-16 units of the text.' }),
  }),
  errors: ['EMPTY_TEXT', 'TEXT_TOO_LONG', 'QUEUE_FULL', 'WORKER_LOST', ...modelErrors],
  example: { body: { text: 'Good morning', model: 'e5_small' } },
});

const tokens = listOf(z.int().min(0).max(0x7fffffff), 'needs at least one token');
const tokenLists = listOf(tokens, 'needs at least one input');
/** The four forms of OpenAI's `input`. The first item tells which is meant: trying all would report every item four times over. */
const input = z
  .union([z.string(), z.array(z.unknown())], {
    error: issue =>
      issue.input === undefined
        ? 'is required'
        : 'must be a string, a list of strings, a list of tokens or a list of lists of tokens',
  })
  .transform((value, context): string | string[] | number[] | number[][] => {
    const [first] = Array.isArray(value) ? value : [];
    const form =
      typeof value === 'string' ? text : typeof first === 'number' ? tokens : Array.isArray(first) ? tokenLists : texts;
    const result = form.safeParse(value, { reportInput: true });
    if (result.success) return result.data;
    passOn(result.error.issues, context, []);
    return z.NEVER;
  })
  .meta(z.toJSONSchema(z.union([text, texts, tokens, tokenLists]), { io: 'input' }));
const embeddingsBody = z.object({
  input,
  ...shaping,
  user: optional(z.string()),
});
const embeddingsAnswer = z.object({
  object: z.literal('list'),
  data: z.array(z.object({ object: z.literal('embedding'), index: z.int(), embedding: vector })),
  model: z.string(),
  usage,
});

const embeddings = defineRoute({
  ...common,
  id: 'createEmbedding',
  method: 'POST',
  path: '/v1/embeddings',
  summary: "Vectors in OpenAI's shape",
  description:
    "Texts, or tokens of OpenAI's cl100k encoding, which are turned back into text first. A text longer than a chunk is cut and averaged as on `/vectorize`.",
  tag: 'OpenAI',
  dialect: 'openai',
  maxBodyBytes: manyTextsBytes,
  maxBodyValues: 400_000,
  body: embeddingsBody,
  answer: embeddingsAnswer,
  errors: [...computeErrors, 'BATCH_TOO_LARGE'],
  example: {
    body: { input: ['Good morning', 'Guten Morgen'], model: 'e5_small', encoding_format: 'float' },
    answer: {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.0519, -0.0342, 0.0117] }],
      model: 'e5_small',
      usage: exampleUsage,
    },
  },
});

const embeddingsNative = defineRoute({
  ...embeddings,
  id: 'createEmbeddingNative',
  path: '/embeddings',
  summary: "As /v1/embeddings, with this API's own errors",
  tag: 'Vectors',
  dialect: 'native',
});

const modelCard = z.looseObject({
  name: z.string(),
  dimension: z.int(),
  max_tokens: z.int(),
  description: z.string(),
  tier: z.string(),
  price_per_1M_tokens: z.number(),
});

const listModels = defineRoute({
  ...common,
  id: 'listModels',
  method: 'GET',
  path: '/models',
  summary: "All models, and the caller's default",
  tag: 'Models',
  family: 'read',
  answer: z.object({ models: z.record(z.string(), modelCard), default_model: z.string() }),
  errors: [],
  example: {
    answer: {
      models: {
        e5_small: {
          name: 'intfloat/multilingual-e5-small',
          dimension: 384,
          max_tokens: 512,
          description: 'Compact multilingual model',
          tier: 'budget',
          price_per_1M_tokens: 0.002,
        },
      },
      default_model: 'e5_small',
    },
  },
});

const openaiModel = z.looseObject({
  id: z.string(),
  object: z.literal('model'),
  created: z.int().meta({ description: 'Seconds since 1970.' }),
  owned_by: z.string(),
  kind: z.enum(['encoder', 'decoder']).meta({ description: 'An encoder gives vectors, a decoder answers.' }),
});

const listOpenAIModels = defineRoute({
  ...common,
  id: 'listOpenAIModels',
  method: 'GET',
  path: '/v1/models',
  summary: "All models, in OpenAI's shape",
  tag: 'OpenAI',
  dialect: 'openai',
  family: 'read',
  answer: z.object({ object: z.literal('list'), data: z.array(openaiModel) }),
  errors: [],
});

const getOpenAIModel = defineRoute({
  ...common,
  id: 'getOpenAIModel',
  method: 'GET',
  path: '/v1/models/{id}',
  summary: "One model, in OpenAI's shape",
  tag: 'OpenAI',
  dialect: 'openai',
  family: 'read',
  params: z.object({ id: z.string().min(1).max(200) }),
  answer: openaiModel,
  errors: ['NOT_FOUND'],
});

export const usagePeriods = ['today', 'yesterday', 'last_7_days', 'last_30_days', 'this_month', 'last_month'] as const;
const day = z
  .string()
  .refine(
    value => /^\d{4}-\d{2}-\d{2}/.test(value) && !Number.isNaN(Date.parse(value)),
    'must be a date such as 2026-01-31',
  )
  .transform(value => new Date(value))
  .meta({ format: 'date' });

const getUsage = defineRoute({
  ...common,
  id: 'getUsage',
  method: 'GET',
  path: '/usage',
  summary: 'What the account used and paid, by day and by model',
  tag: 'Usage',
  family: 'read',
  scope: 'usage',
  query: z.object({
    period: optional(z.enum(usagePeriods).meta({ default: 'last_30_days' })),
    from: optional(day),
    to: optional(day),
    include_daily_breakdown: withDefault(z.union([z.boolean(), flag]), true),
    format: withDefault(z.enum(['json', 'csv']), 'json'),
  }),
  answer: z.object({
    summary: z.object({
      user_id: z.string(),
      user_email: z.string(),
      total_requests: z.int(),
      total_tokens: z.int(),
      total_cost: z.number().meta({ description: 'Dollars.' }),
      current_balance: z.number().nullable().meta({ description: 'Dollars; null on an account that is not billed.' }),
      period_start: z.string(),
      period_end: z.string(),
    }),
    daily_breakdown: z.array(
      z.object({
        date: z.string(),
        requests: z.int(),
        tokens: z.int(),
        cost: z.number(),
        models_used: z.array(z.string()),
      }),
    ),
    top_models: z.array(
      z.object({ model: z.string(), requests: z.int(), tokens: z.int(), cost: z.number(), percentage: z.number() }),
    ),
  }),
  alternatives: { 'text/csv': 'One line a request; also with `format=csv`.' },
  errors: ['INVALID_PARAMETER'],
});

export const vectorRoutes = {
  vectorize,
  vectorizeChunked,
  vectorizeBatch,
  similarity,
  tokenize,
  embeddings,
  embeddingsNative,
  listModels,
  listOpenAIModels,
  getOpenAIModel,
  getUsage,
};
