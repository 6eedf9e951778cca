// Puts a route of the contract on the server: key, scope, limits, body and checks come before the handler, once for all.
import type { AnswerOf, BodyOf, ParamsOf, QueryOf, Route } from '@vectorium/contract';
import { check, routeById } from '@vectorium/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Caller } from '../keys/index.ts';
import { admit, secretOf, stillAdmitted } from './admit.ts';
import type { App, PersonCaller, SessionCaller } from './app.ts';
import { accept } from './body.ts';
import { ApiError } from './errors.ts';
import { once } from './idempotency.ts';

export interface Context<R extends Route> {
  /** Null only on routes that need no key; with a person on those of sessions. */
  caller: R['auth'] extends 'none'
    ? null
    : R['auth'] extends 'session'
      ? R extends { accountless: true }
        ? PersonCaller
        : SessionCaller
      : Caller;
  body: BodyOf<R>;
  query: QueryOf<R>;
  params: ParamsOf<R>;
  headers: IncomingHttpHeaders;
  /** For a streamed route, whose body is still on the wire. */
  request: IncomingMessage;
  /** Aborted when the client leaves before the answer is out. */
  signal: AbortSignal;
  /** Whether the caller would be admitted now too; for an answer that goes on for long. */
  admitted(): Promise<boolean>;
  requestId: string;
  /** For headers and the status of the answer; the answer itself is what the handler returns. */
  reply: FastifyReply;
  /**
   * For a streamed route that takes an Idempotency-Key: runs `work` for the first request with this key, and gives its answer again to
   * later ones with the same `content`, which the handler knows once the body is through. Without a key it just runs.
   */
  once<Answer>(content: unknown, work: () => Promise<Answer>): Promise<Answer>;
}

/** An answer that is not to be turned into JSON: CSV, HTML, or JSON that is written already. */
export class Raw {
  readonly body: string | Buffer | Readable;
  readonly contentType: string;

  constructor(body: string | Buffer | Readable, contentType = 'application/json; charset=utf-8') {
    this.body = body;
    this.contentType = contentType;
  }
}

export type Handler<R extends Route> = (context: Context<R>) => Promise<AnswerOf<R> | Raw> | AnswerOf<R> | Raw;

/** Serves `route`, which must be of the contract, and its aliases with `handler`. */
export function mount<const R extends Route>(app: App, route: R, handler: Handler<R>): void {
  if (routeById(route.id) !== route) throw new Error(`${route.id} is not a route of the contract`);
  app.mounted.push(route);
  for (const path of [route.path, ...(route.aliases ?? [])]) {
    app.fastify.route({
      method: route.method,
      url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: { route },
      handler: (request, reply) => serve(app, { route, handler, request, reply }),
    });
  }
}

interface Exchange<R extends Route> {
  route: R;
  handler: Handler<R>;
  request: FastifyRequest;
  reply: FastifyReply;
}

async function serve<R extends Route>(
  app: App,
  { route, handler, request, reply }: Exchange<R>,
): Promise<FastifyReply> {
  const signal = leaving(reply);
  const secret = secretOf(request);
  const caller = route.auth === 'none' ? null : await admit(app, { route, request, reply });
  const query = route.query ? accept(check(route.query, request.query, 'the query')) : undefined;
  const params = route.params ? accept(check(route.params, request.params, 'the address')) : undefined;
  const body = route.body && !route.streamed ? await app.bodies.read(request.raw, route) : undefined;
  const key = request.headers['idempotency-key'];
  const repeatable = <Answer>(content: unknown, work: () => Promise<Answer>): Promise<Answer> =>
    route.idempotent && caller?.key && key !== undefined
      ? once(app.database, { route, caller, secret, key: String(key), content, reply }, work)
      : work();
  const context = {
    caller,
    body,
    query,
    params,
    headers: request.headers,
    request: request.raw,
    signal,
    admitted: () => stillAdmitted(app, { route, request }),
    requestId: request.id,
    reply,
    once: repeatable,
  } as Context<R>;
  const run = async () => {
    try {
      return await handler(context);
    } catch (error) {
      // What was cancelled because its client left is nobody's fault.
      if (signal.aborted && error instanceof Error && 'code' in error && error.code === 'CANCELLED')
        throw signal.reason;
      throw error;
    }
  };
  const answer = route.streamed ? await run() : await repeatable({ params, body }, run);
  if (answer instanceof Raw) return reply.type(answer.contentType).send(answer.body);
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer));
}

function leaving(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished)
      controller.abort(new ApiError('CLIENT_CLOSED_REQUEST', { message: 'The client left' }));
  });
  return controller.signal;
}
