// The OpenAPI 3.1 document, made from the same records that validate and mount the routes.
import { z } from 'zod';
import { type Dialect, type ErrorCode, errorBody, errorKinds, errorSchemas, statusOf } from './errors.ts';
import type { Route } from './route.ts';
import { sessionCookie } from './route.ts';

type Json = Record<string, unknown>;

/** The document of `routes`; `version` is the product's. */
export function openApiDocument(routes: readonly Route[], { version }: { version: string }): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const places = [route.path, ...(route.aliases ?? [])];
    for (const [index, path] of places.entries()) {
      (paths[path] ??= {})[route.method.toLowerCase()] = index === 0 ? operation(route) : alias(route, index);
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Vectorium',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: introduction(),
    },
    tags: [...new Set(routes.map(route => route.tag))].map(name => ({ name })),
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'A key that begins with `sk-`.' },
        session: { type: 'apiKey', in: 'cookie', name: sessionCookie, description: 'Of a person in the console.' },
      },
      schemas: Object.fromEntries(
        Object.entries(errorSchemas).map(([name, schema]) => [name, jsonSchema(schema, 'output')]),
      ),
      headers: limitHeaders,
      examples: { ...errorExamples('native'), ...errorExamples('openai') },
    },
  };
}

/** The codes that a route may answer with: its own and those that come with its authentication, limits and body. */
export function errorCodesOf(route: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>(route.errors);
  if (route.auth === 'key' || route.auth === 'admin') codes.add('MISSING_API_KEY').add('INVALID_API_KEY');
  if (route.auth === 'session') codes.add('SIGN_IN_REQUIRED').add('NOT_FOUND');
  if (route.role) codes.add('ROLE_NOT_ALLOWED').add('EMAIL_NOT_CONFIRMED');
  if (route.auth === 'session' && route.method !== 'GET') codes.add('ORIGIN_NOT_ALLOWED');
  if (route.auth === 'admin') codes.add('ADMIN_REQUIRED');
  if (route.scope) codes.add('SCOPE_NOT_ALLOWED');
  if (route.family !== 'none') codes.add('RATE_LIMIT_EXCEEDED');
  if (route.body || route.bodies) {
    if (route.body) codes.add('INVALID_JSON');
    codes.add('INVALID_PARAMETER').add('REQUEST_TIMEOUT');
    codes.add('PAYLOAD_TOO_LARGE').add('UNSUPPORTED_MEDIA_TYPE');
  }
  if (route.body || route.bodies || route.query) codes.add('VALIDATION_ERROR');
  if (route.streamed) codes.add('STORAGE_FULL');
  if (route.idempotent) codes.add('IDEMPOTENCY_KEY_REUSED').add('IDEMPOTENCY_UNFINISHED');
  if (route.auth !== 'none') codes.add('INTERNAL_ERROR').add('SERVICE_UNAVAILABLE');
  return (Object.keys(errorKinds) as ErrorCode[]).filter(code => codes.has(code));
}

function alias(route: Route, index: number): Json {
  return { ...operation(route), operationId: `${route.id}Alias${index}`, summary: `Same as ${route.path}` };
}

function operation(route: Route): Json {
  const parameters = [
    ...parametersOf(route.params, 'path'),
    ...parametersOf(route.query, 'query'),
    ...headersOf(route),
  ];
  return {
    operationId: route.id,
    summary: route.summary,
    ...(route.description && { description: route.description }),
    tags: [route.tag],
    security: securityOf(route),
    ...(parameters.length > 0 && { parameters }),
    ...((route.body || route.bodies) && { requestBody: { required: true, content: bodiesOf(route) } }),
    responses: { 200: success(route), ...failures(route) },
  };
}

function securityOf(route: Route): Json[] {
  if (route.auth === 'none') return [];
  return [route.auth === 'session' ? { session: [] } : { key: [] }];
}

function bodiesOf(route: Route): Json {
  return {
    ...(route.body && {
      'application/json': {
        schema: jsonSchema(route.body, 'input'),
        ...(route.example?.body !== undefined && { example: route.example.body }),
      },
    }),
    ...Object.fromEntries(
      Object.entries(route.bodies ?? {}).map(([type, schema]) => [type, { schema: jsonSchema(schema, 'input') }]),
    ),
  };
}

function success(route: Route): Json {
  const others = Object.entries(route.alternatives ?? {}).map(([type, description]) => [
    type,
    { schema: { type: 'string', description } },
  ]);
  return {
    description: 'Done',
    ...(route.family !== 'none' && {
      headers: Object.fromEntries(
        Object.keys(limitHeaders).map(name => [name, { $ref: `#/components/headers/${name}` }]),
      ),
    }),
    content: {
      [route.contentType ?? 'application/json']: {
        schema: jsonSchema(route.answer, 'output'),
        ...(route.example?.answer !== undefined && { example: route.example.answer }),
      },
      ...Object.fromEntries(others),
    },
  };
}

function failures(route: Route): Json {
  const byStatus = Map.groupBy(errorCodesOf(route), code => statusOf(code, route.dialect));
  const schema = { $ref: `#/components/schemas/${route.dialect === 'openai' ? 'OpenAIError' : 'Error'}` };
  const answers = [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map(code => `\`${code}\`: ${errorKinds[code].about}`).join('\n\n'),
      content: {
        'application/json': {
          schema,
          examples: Object.fromEntries(
            codes.map(code => [code, { $ref: `#/components/examples/${exampleName(code, route.dialect)}` }]),
          ),
        },
      },
    },
  ]);
  return Object.fromEntries(answers);
}

function exampleName(code: ErrorCode, dialect: Dialect): string {
  return dialect === 'openai' ? `openai_${code}` : code;
}

function errorExamples(dialect: Dialect): Json {
  const codes = Object.keys(errorKinds) as ErrorCode[];
  return Object.fromEntries(
    codes.map(code => [
      exampleName(code, dialect),
      { value: errorBody({ code, message: errorKinds[code].about, requestId: 'req_7f3c' }, dialect) },
    ]),
  );
}

function parametersOf(whole: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (!whole) return [];
  const { properties = {}, required = [] } = jsonSchema(whole, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: withoutNull(schema),
  }));
}

/** A parameter of an address can be left out but can't be null. */
function withoutNull({ anyOf, ...rest }: Json): Json {
  if (!Array.isArray(anyOf)) return rest;
  const kinds = (anyOf as Json[]).filter(kind => kind['type'] !== 'null');
  return kinds.length === 1 ? { ...kinds[0], ...rest } : { ...rest, anyOf: kinds };
}

function headersOf(route: Route): Json[] {
  if (!route.idempotent) return [];
  const description =
    'Any string of up to 255 characters. The same key and body again within 24 hours give the first answer again instead of making another.';
  return [
    { name: 'Idempotency-Key', in: 'header', required: false, description, schema: { type: 'string', maxLength: 255 } },
  ];
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: withoutSafeBounds,
  }) as Json;
  return rest;
}

/** The bounds of exact integers are JavaScript's matter, not the caller's. */
function withoutSafeBounds({ jsonSchema: schema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

const limitHeaders: Record<string, Json> = {
  RateLimit: {
    description: 'What is left of each window and the seconds until it ends: `"minute";r=9;t=42`.',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': {
    description: 'The windows of the plan: `"minute";q=10;w=60, "hour";q=100;w=3600`.',
    schema: { type: 'string' },
  },
  'x-ratelimit-limit-requests': { description: 'Limit of the tightest window.', schema: { type: 'integer' } },
  'x-ratelimit-remaining-requests': { description: 'Requests left in it.', schema: { type: 'integer' } },
  'x-ratelimit-reset-requests': { description: 'Time until it ends, such as `42s`.', schema: { type: 'string' } },
};

function introduction(): string {
  const rows = Object.entries(errorKinds).map(([code, kind]) => `- \`${code}\` (${kind.status}): ${kind.about}`);
  return [
    'Text to vectors and files to datasets, on your own machine.',
    'Every request has `Authorization: Bearer sk-…`, except where a route says otherwise. Every answer has `x-request-id`; one that you send is kept.',
    'A page of the console sends the cookie of a session instead, and `x-vectorium-account` for another account than the person’s first. Every route may then also answer `SIGN_IN_REQUIRED`, `ROLE_NOT_ALLOWED` and `ORIGIN_NOT_ALLOWED`.',
    '`null` for an optional field means absent. Unknown fields are ignored on the vector and data routes and refused on the administration routes. Where a name appears twice in a body, the last one counts.',
    '## Bodies',
    'JSON in UTF-8, not compressed, at most 64 levels deep, with at most 20,000 values (400,000 on `/v1/embeddings`). A text has at most 1,000,000 characters (code points) and no half of a surrogate pair; the texts of a request have at most 10,000,000 together and the body at most 64 MiB. Answers are packed by gzip or br when `Accept-Encoding` asks for it.',
    '## Limits',
    'Requests are counted for each key in fixed windows that start with the first request. Every answer tells what is left in `RateLimit`, `RateLimit-Policy` and the `x-ratelimit-*` headers; a 429 has `Retry-After` in whole seconds. A request that is refused by one window is counted in none; one with a bad body is counted.',
    '## Trying again',
    'Routes that make something take an `Idempotency-Key`: the same key and body again within 24 hours give the first answer again (with `idempotency-replayed: true`) instead of making another. While the first still runs, or if it broke off with the server, the answer is 409; after an error the same key may be used again.',
    '## Errors',
    rows.join('\n'),
  ].join('\n\n');
}
