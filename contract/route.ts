// What a route is: a record from which the server mounts it, the validator checks it and the document describes it.
import type { z } from 'zod';
import type { Dialect, ErrorCode } from './errors.ts';

/** What a key may be restricted to. A key without scopes may do all. */
export const scopes = ['vectors', 'data', 'models', 'usage', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** What a person may do in an account: read; also work and spend; also money, people and the keys of others. */
export const roles = ['viewer', 'member', 'owner'] as const;
export type Role = (typeof roles)[number];

/** Holds a person's session; HttpOnly. */
export const sessionCookie = 'vectorium.session_token';

export interface Route {
  /** Unique; the operationId of the document. */
  id: string;
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  /** As in OpenAPI: `/v1/models/{id}`. */
  path: string;
  /** Other paths that are the same route. */
  aliases?: readonly string[];
  summary: string;
  description?: string;
  tag: string;
  /** `key` and `admin` take the session of a person as well; `session` takes nothing else. */
  auth: 'key' | 'admin' | 'session' | 'none';
  /** The least that a person's role must be on a route of sessions; without it any may. */
  role?: Role;
  /** A route of sessions that a person has also who is in no account. */
  accountless?: true;
  /** The counters of the plan that a request counts against. */
  family: 'vectors' | 'data' | 'read' | 'console' | 'none';
  /** The scope that a restricted key needs; without it any key may. */
  scope?: Scope;
  dialect: Dialect;
  body?: z.ZodType;
  /** The handler reads the body itself as it comes: nothing of it is held or checked before. A `body` then only describes its JSON. */
  streamed?: boolean;
  /** Other forms of body that are taken: media type → shape (`z.file()` for bytes). */
  bodies?: Readonly<Record<string, z.ZodType>>;
  query?: z.ZodType;
  params?: z.ZodType;
  /** The JSON answer; a route whose answer is no JSON names its `contentType` and has a string here. */
  answer: z.ZodType;
  contentType?: string;
  /** Other forms that the caller may ask for: media type → what it is. */
  alternatives?: Readonly<Record<string, string>>;
  /** Codes beyond those that authentication, limits and validation bring. */
  errors: readonly ErrorCode[];
  /** Bytes of body taken at most; the default is 1 MiB. */
  maxBodyBytes?: number;
  /** JSON values in the body at most (numbers, strings, lists …), so that checking them stays quick. The default is 20,000. */
  maxBodyValues?: number;
  /** Takes an Idempotency-Key: the same key and body again give the stored answer. */
  idempotent?: boolean;
  example?: { body?: unknown; answer?: unknown };
}

/** A route whose schemas keep their types. */
export function defineRoute<const R extends Route>(route: R): R {
  return route;
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;
/** The body as a handler gets it: checked, defaults filled in; undefined where the handler reads it itself. */
export type BodyOf<R extends Route> = R['streamed'] extends true ? undefined : Output<R['body']>;
export type QueryOf<R extends Route> = Output<R['query']>;
export type ParamsOf<R extends Route> = Output<R['params']>;
/** The answer as a handler gives it. */
export type AnswerOf<R extends Route> = z.input<R['answer']>;

type Input<Schema> = Schema extends z.ZodType ? z.input<Schema> : undefined;
/** The parts of a request as a client writes them, defaults left out. */
export type SentBody<R extends Route> = Input<R['body']>;
export type SentQuery<R extends Route> = Input<R['query']>;
export type SentParams<R extends Route> = Input<R['params']>;
/** The answer as a client gets it. */
export type Received<R extends Route> = z.output<R['answer']>;
