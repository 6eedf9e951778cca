// The HTTP server around the routes: request ids, headers, errors, the log, time-outs and a close that finishes its work.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:zlib';
import type { Socket } from 'node:net';
import compress from '@fastify/compress';
import cors from '@fastify/cors';
import type { Route } from '@vectorium/contract';
import { errorBody, errorKinds } from '@vectorium/contract';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Database } from '../database/index.ts';
import type { Caller, Keys } from '../keys/index.ts';
import type { Limiter } from '../plans/index.ts';
import { type BodyBounds, type BodyReader, createBodyReader, defaultBodyBounds } from './body.ts';
import { ApiError, sendError } from './errors.ts';
import { createJsonThread } from './json-thread.ts';
import type { Logger } from './log.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose key it was, for the log. */
    accountId: string | null;
    errorCode: string | null;
  }
  interface FastifyContextConfig {
    route?: Route;
  }
}

/** Sessions of people in the console, as far as requests need them. */
export interface Sessions {
  /** Whom a cookie's session stands for in an account (the person's first when none is named); null when there is no such session. */
  authenticate(token: string, accountId: string | undefined): Promise<PersonCaller | null>;
}

export type SessionCaller = Caller & { person: NonNullable<Caller['person']> };

/** A person who is in an account, or in none: there he can do what is about himself alone. */
export type PersonCaller =
  | SessionCaller
  | { account: null; key: null; person: Omit<SessionCaller['person'], 'role'> & { role: null } };

export interface AppOptions {
  log: Logger;
  keys: Pick<Keys, 'authenticate'>;
  /** Absent: there is no console, and nobody signs in. */
  sessions?: Sessions;
  /** Where browsers find the server, when that is not where its requests say they came to. */
  publicUrl?: string | undefined;
  limiter: Limiter;
  /** Where answers to requests with an Idempotency-Key are kept. */
  database: Pick<Database, 'query'>;
  /** Origins that browsers may call from (`*` for all); absent: none. */
  corsOrigins?: string[];
  /** Proxies whose X-Forwarded headers count: true for any, or a list of addresses; absent: none. */
  trustProxy?: boolean | string;
  bodyBounds?: Partial<BodyBounds>;
}

export interface App {
  fastify: FastifyInstance;
  keys: Pick<Keys, 'authenticate'>;
  sessions: Sessions;
  publicUrl: string | undefined;
  limiter: Limiter;
  database: Pick<Database, 'query'>;
  bodies: BodyReader;
  mounted: Route[];
  /** True from the moment that close() was called. */
  closing: boolean;
  /** Starts to listen; the address with the port that it got. */
  listen(o: { host: string; port: number }): Promise<string>;
  /** Takes no new connections, finishes what is in flight (for at most `graceMs`), then stops. */
  close(graceMs?: number): Promise<void>;
}

const headersTimeoutMs = 20_000;
const keepAliveTimeoutMs = 72_000;
/** A connection on which nothing moves in either direction, e.g. a client that stopped reading its answer. */
const silentTimeoutMs = 900_000;
/** How long a client may go on sending a body that was refused. */
const lingerMs = 5000;
const clientClosed = errorKinds.CLIENT_CLOSED_REQUEST.status;

export async function createApp(options: AppOptions): Promise<App> {
  const fastify: FastifyInstance = Fastify({
    loggerInstance: options.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: request => saneId(request.headers['x-request-id']) ?? newId(),
    trustProxy: options.trustProxy ?? false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionTimeout: silentTimeoutMs,
    // Bodies have bounds of their own in body.ts, which know the pace and not only the whole.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    requestTimeout: 0,
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 5000, maxHeaderSize: 32 * 1024 },
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) =>
      void sendError(error, request, reply.headers(commonHeaders(request.id))),
    clientErrorHandler: refuseBrokenHttp,
  });
  const thread = createJsonThread();
  const closeIdle = idleConnections(fastify);
  const app: App = {
    fastify,
    keys: options.keys,
    sessions: options.sessions ?? { authenticate: async () => null },
    publicUrl: options.publicUrl,
    limiter: options.limiter,
    database: options.database,
    bodies: createBodyReader(thread, { ...defaultBodyBounds, ...options.bodyBounds }),
    mounted: [],
    closing: false,
    listen: address => fastify.listen(address),
    async close(graceMs = 30_000) {
      app.closing = true;
      // Connections that were busy when the close began become idle later; nobody else would close those.
      const sweep = setInterval(closeIdle, 50);
      const deadline = setTimeout(() => fastify.server.closeAllConnections(), graceMs);
      await fastify.close();
      clearInterval(sweep);
      clearTimeout(deadline);
      await thread.close();
    },
  };

  // An expectation that we don't know is no reason to refuse.
  fastify.server.on('checkExpectation', (request, response) => fastify.server.emit('request', request, response));
  fastify.decorateRequest('accountId', null);
  fastify.decorateRequest('errorCode', null);
  // The body is left on the wire: it is read after the key and the limits have been looked at.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, _payload, done) => done(null));

  fastify.addHook('onRequest', async (request, reply) => begin(request, reply));
  fastify.addHook('onSend', async (_request, reply) => {
    if (app.closing) reply.header('connection', 'close');
  });
  fastify.setErrorHandler(sendError);
  fastify.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(app.mounted, request.url);
    if (methods.length === 0)
      return sendError(new ApiError('NOT_FOUND', { message: 'Nothing is at this address' }), request, reply);
    reply.header('allow', methods.join(', '));
    const message = `This address takes ${methods.join(', ')}, not ${request.method}`;
    return sendError(new ApiError('METHOD_NOT_ALLOWED', { message }), request, reply);
  });

  if (options.corsOrigins) await fastify.register(cors, corsSettings(options.corsOrigins));
  await fastify.register(compress, {
    globalDecompression: false,
    encodings: ['br', 'gzip'],
    threshold: 1024,
    // The defaults are meant for files that are packed once; at these an answer costs little more than sending it.
    brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } },
    zlibOptions: { level: 2 },
  });
  return app;
}

/** Closes the connections on which nothing is under way, also those that clients opened in advance: Node takes these for busy. */
function idleConnections({ server }: FastifyInstance): () => void {
  const connections = new Set<Socket>();
  server.on('connection', socket => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return () => {
    server.closeIdleConnections();
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };
}

function saneId(given: string | string[] | undefined): string | null {
  return typeof given === 'string' && /^[\w.:/+=-]{1,128}$/.test(given) ? given : null;
}

function newId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`;
}

function commonHeaders(requestId: string): Record<string, string> {
  return {
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  };
}

/** What every request gets, also one that no route will see: headers, a line in the log, an end to a body nobody reads. */
function begin(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(commonHeaders(request.id));
  reply.raw.once('close', () => {
    logRequest(request, reply.raw.writableFinished ? reply.statusCode : clientClosed, reply.elapsedTime);
    if (request.raw.complete) return;
    setTimeout(() => {
      if (!request.raw.complete) request.raw.destroy();
    }, lingerMs).unref();
  });
}

function logRequest(request: FastifyRequest, status: number, durationMs: number): void {
  const line = {
    method: request.method,
    route: request.routeOptions.url ?? null,
    status,
    duration_ms: Math.round(durationMs * 10) / 10,
    account_id: request.accountId,
  };
  request.log.info(request.errorCode ? { ...line, code: request.errorCode } : line, 'request');
}

function methodsOf(routes: readonly Route[], url: string): string[] {
  const path = url.split('?')[0] ?? '';
  const fits = (pattern: string) =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`).test(path);
  const here = routes.filter(route => [route.path, ...(route.aliases ?? [])].some(fits));
  return [...new Set(here.map(route => route.method))];
}

function corsSettings(origins: string[]) {
  return {
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: [
      'x-request-id',
      'retry-after',
      'ratelimit',
      'ratelimit-policy',
      'x-ratelimit-limit-requests',
      'x-ratelimit-remaining-requests',
      'x-ratelimit-reset-requests',
      'idempotency-replayed',
      // What a tus client in a browser reads.
      'location',
      'tus-resumable',
      'upload-expires',
      'upload-length',
      'upload-metadata',
      'upload-offset',
    ],
    maxAge: 600,
  };
}

/** Bytes that are no HTTP never become a request, so they are answered on the bare socket. */
function refuseBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [line, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? (['431 Request Header Fields Too Large', 'HEADERS_TOO_LARGE', 'The headers are too large'] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? (['408 Request Timeout', 'REQUEST_TIMEOUT', 'The request did not arrive in time'] as const)
        : (['400 Bad Request', 'BAD_REQUEST', 'The request is not proper HTTP'] as const);
  const requestId = newId();
  const body = JSON.stringify(errorBody({ code, message, requestId }, 'native'));
  const headers = {
    ...commonHeaders(requestId),
    'content-type': 'application/json; charset=utf-8',
    connection: 'close',
  };
  const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(body) }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.end(`HTTP/1.1 ${line}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}
