// Calls routes of the contract by name: `call('cancelJob', { params: { id } })`. Types come from the contract, whose schemas stay out of the bundle.
import type { Received, SentBody, SentParams, SentQuery, routes } from '@vectorium/contract';
import table from 'virtual:routes';
import { preferences } from '../preferences.ts';
import { ApiProblem, problemOf } from './problem.ts';

type Routes = typeof routes;
export type RouteName = keyof Routes;

type Part<Name extends string, Value> = [Value] extends [undefined]
  ? unknown
  : Record<never, never> extends Value
    ? { [Key in Name]?: Value }
    : { [Key in Name]: Value };

/** In an address all is text, so numbers may stand where digits are wanted. */
type Written<Query> = { [Key in keyof Query]: string extends Query[Key] ? Query[Key] | number : Query[Key] };

/** What a call of the route takes. */
export type Input<Name extends RouteName> = Part<'params', SentParams<Routes[Name]>> &
  Part<'query', Written<SentQuery<Routes[Name]>>> &
  Part<'body', SentBody<Routes[Name]>>;

/** What comes back. */
export type Answer<Name extends RouteName> = Received<Routes[Name]>;

export interface CallOptions {
  signal?: AbortSignal | undefined;
  headers?: Readonly<Record<string, string>>;
  /** Bytes or a form instead of JSON. */
  raw?: BodyInit;
}

interface AnyInput {
  params?: Readonly<Record<string, unknown>> | undefined;
  query?: Readonly<Record<string, unknown>> | undefined;
  body?: unknown;
}

/** The answer of a route as JSON; throws an ApiProblem. */
export async function call<Name extends RouteName>(
  name: Name,
  input?: Input<Name>,
  options?: CallOptions,
): Promise<Answer<Name>> {
  const response = await send(name, input as AnyInput | undefined, options);
  return (await response.json().catch(() => null)) as Answer<Name>;
}

/** The answer of a route as it comes, e.g. a file or a stream; throws an ApiProblem unless it is a success. */
export async function send(name: RouteName, input: AnyInput = {}, options: CallOptions = {}): Promise<Response> {
  const body = options.raw ?? (input.body === undefined ? null : JSON.stringify(input.body));
  const json = options.raw === undefined && body !== null ? { 'content-type': 'application/json' } : {};
  return request(addressOf(name, input), {
    method: table[name][0],
    headers: { accept: 'application/json', ...json, ...accountHeader(), ...options.headers },
    body,
    signal: options.signal ?? null,
  });
}

/** The address of a route on this server. */
export function addressOf(name: RouteName, { params = {}, query = {} }: AnyInput = {}): string {
  const path = table[name][1].replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(String(params[key])));
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null) search.append(key, String(each));
    }
  }
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

/** Names the account that a request is for. */
export function accountHeader(): Record<string, string> {
  const { account } = preferences();
  return account === null ? {} : { 'x-vectorium-account': account };
}

/** fetch, with every failure as an ApiProblem. */
export async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...init });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiProblem('The server does not answer', { status: 0, code: 'NETWORK', cause });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}
