// The routes that turn text into vectors, in HashHub's shapes and in OpenAI's.
import {
  type BodyOf,
  type Route,
  countCharacters,
  defaultChunkOverlap,
  maxBatchCharacters,
  maxTextCharacters,
  routes,
} from '@vectorium/contract';
import { ApiError, type App, type Context, Raw, mount } from '../http/index.ts';
import { cl100kTexts } from './cl100k.ts';
import { batchExtras, clientOf, vectorizeExtras } from './courtesies.ts';
import { type Answer, type AnswerFields, Base64Vector, jsonBody } from './json-answer.ts';
import { picodollarsToUsd } from '../plans/index.ts';
import { cosineSimilarity } from './rules.ts';
import { type Asked, type VectorOptions, type VectorService, type Vectors, pricePerMillionTokens } from './service.ts';

export function mountVectorRoutes(app: App, service: VectorService): void {
  mount(app, routes.vectorize, async context => {
    const { body } = context;
    const result = await service.vectors([body.text], optionsOf(body, 'text'), askedBy(context, routes.vectorize));
    return json({
      vector: encoded(result.vectors, body)[0],
      dimension: result.dimension,
      chunks_processed: chunkCount(result),
      ...about(result, body),
      ...vectorizeExtras(clientOf(context.headers['user-agent']), result),
    });
  });

  mount(app, routes.vectorizeChunked, async context => {
    const { body } = context;
    const asked = askedBy(context, routes.vectorizeChunked);
    const result = await service.vectors([body.text], optionsOf(body, 'chunk'), asked);
    return json({
      vectors: encoded(result.vectors, body),
      chunks: result.chunks.flat().map(({ start, end }) => body.text.slice(start, end)),
      dimension: result.dimension,
      chunks_count: chunkCount(result),
      ...about(result, body),
    });
  });

  mount(app, routes.vectorizeBatch, async context => {
    const { body } = context;
    service.checkBatch(body.texts.length, context.caller, 'texts');
    const result = await service.vectors(body.texts, optionsOf(body, 'text'), askedBy(context, routes.vectorizeBatch));
    return json({
      vectors: encoded(result.vectors, body),
      dimension: result.dimension,
      total_chunks_processed: chunkCount(result),
      count: result.vectors.length,
      token_counts: result.tokenCounts,
      chunk_counts: result.chunks.map(chunks => chunks.length),
      ...about(result, body),
      ...batchExtras(clientOf(context.headers['user-agent']), result),
    });
  });

  mount(app, routes.similarity, async context => {
    const { text1, text2, model, input_type: inputType } = context.body;
    const options = { ...plainOptions, model, inputType };
    const result = await service.vectors([text1, text2], options, askedBy(context, routes.similarity));
    const [one, other] = result.vectors;
    if (!one || !other) throw new Error('two texts gave less than two vectors');
    return {
      similarity: cosineSimilarity(one, other),
      dimension: result.dimension,
      model: result.model.alias,
      model_used: result.model.alias,
      processing_time_ms: milliseconds(result.durationMs),
      usage: usageOf(result),
    };
  });

  mount(app, routes.tokenize, async context => {
    const { text, model: name, return_tokens: list } = context.body;
    const { model, count, ids, offsets } = await service.tokens(
      text,
      { model: name, list },
      askedBy(context, routes.tokenize),
    );
    return {
      model: model.alias,
      model_used: model.alias,
      tokens: count,
      characters: countCharacters(text),
      price_usd: picodollarsToUsd(BigInt(count) * model.pricePicodollarsPerToken),
      price_per_1M_tokens: pricePerMillionTokens(model),
      ...(ids && { ids }),
      ...(offsets && { offsets }),
    };
  });

  mount(app, routes.embeddings, context => embeddings(context, routes.embeddings));
  mount(app, routes.embeddingsNative, context => embeddings(context, routes.embeddingsNative));

  async function embeddings(context: EmbeddingsContext, route: Route): Promise<Raw> {
    const { body } = context;
    const listed = listOf(body.input);
    service.checkBatch(listed.length, context.caller, 'input');
    const texts = isTexts(listed) ? listed : await textsOfTokens(listed);
    const result = await service.vectors(texts, optionsOf(body, 'text'), askedBy(context, route));
    return json({
      object: 'list',
      data: encoded(result.vectors, body).map((embedding, index) => ({ object: 'embedding', index, embedding })),
      model: result.model.alias,
      usage: usageOf(result),
    });
  }
}

type EmbeddingsContext = Pick<Context<typeof routes.embeddings>, 'body' | 'caller' | 'requestId' | 'signal'>;

/** Where a route has no fields for chunking, a text is cut only when the model can't take it in one piece. */
const plainOptions: VectorOptions = {
  normalize: true,
  chunkSize: 'whole',
  chunkOverlap: defaultChunkOverlap,
  chunkingMethod: 'sentence_aware',
  each: 'text',
};

type Body = BodyOf<typeof routes.vectorize> | BodyOf<typeof routes.vectorizeBatch> | BodyOf<typeof routes.embeddings>;

function optionsOf(body: Body, each: 'text' | 'chunk'): VectorOptions {
  return {
    ...plainOptions,
    each,
    model: body.model,
    inputType: body.input_type,
    normalize: body.normalize,
    dimensions: body.dimensions,
    ...('chunk_overlap' in body && {
      chunkSize: body.chunk_size,
      chunkOverlap: body.chunk_overlap,
      chunkingMethod: body.chunking_method,
    }),
  };
}

function askedBy({ caller, requestId, signal }: Pick<Asked, 'caller' | 'requestId' | 'signal'>, route: Route): Asked {
  return { caller, requestId, signal, route: route.path };
}

function json(answer: AnswerFields): Raw {
  return new Raw(jsonBody(answer));
}

function encoded(vectors: Float32Array[], { encoding_format: format }: Body): Answer[] {
  return format === 'base64' ? vectors.map(vector => new Base64Vector(vector)) : vectors;
}

/** The fields that all native answers end with. */
function about(result: Vectors, body: { chunking_method: string }): AnswerFields {
  return {
    chunking_method: body.chunking_method,
    model: result.model.alias,
    model_used: result.model.alias,
    processing_time_ms: milliseconds(result.durationMs),
    usage: usageOf(result),
  };
}

function usageOf({ tokenCounts }: Vectors) {
  const tokens = tokenCounts.reduce((sum, count) => sum + count, 0);
  return { prompt_tokens: tokens, total_tokens: tokens };
}

function chunkCount({ chunks }: Vectors): number {
  return chunks.reduce((sum, ofText) => sum + ofText.length, 0);
}

function milliseconds(duration: number): number {
  return Math.round(duration * 10) / 10;
}

type Input = BodyOf<typeof routes.embeddings>['input'];

function listOf(input: Input): string[] | number[][] {
  if (typeof input === 'string') return [input];
  return isNumbers(input) ? [input] : input;
}

function isNumbers(input: Exclude<Input, string>): input is number[] {
  return typeof input[0] === 'number';
}

function isTexts(inputs: string[] | number[][]): inputs is string[] {
  return typeof inputs[0] === 'string';
}

/** As texts are checked before they come here, so are those that come as tokens. */
async function textsOfTokens(inputs: number[][]): Promise<string[]> {
  const texts = await cl100kTexts(inputs);
  let total = 0;
  for (const [index, text] of texts.entries()) {
    const characters = countCharacters(text);
    total += characters;
    const param = `input[${index}]`;
    if (characters > maxTextCharacters) {
      const message = `${param} has ${characters} characters; at most ${maxTextCharacters} are taken`;
      throw new ApiError('TEXT_TOO_LONG', { message, param });
    }
    if (total > maxBatchCharacters) {
      const message = `${param} is where the texts together pass ${maxBatchCharacters} characters`;
      throw new ApiError('PAYLOAD_TOO_LARGE', { message, param });
    }
  }
  return texts;
}
