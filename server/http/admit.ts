// Who calls, and whether the route lets him in: by the key of a bearer, or by the session of a person in the console. Both become the
// same Caller, with an account that pays and a key that is counted and charged.
//
// A cookie goes along with every request that a browser makes, whichever page asked for it. So a session counts for an unsafe method only
// when `Origin`, which no page can choose, is this server's; a page elsewhere can't read the answers of safe ones.
import { type Role, type Route, roles, sessionCookie } from '@vectorium/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../keys/index.ts';
import type { App, PersonCaller } from './app.ts';
import { ApiError } from './errors.ts';
import { limitExceeded, limitHeaders } from './limits.ts';

interface Exchange {
  route: Route;
  request: FastifyRequest;
  reply: FastifyReply;
}

/** The caller, once key or session are known to be good for the route and the limits let it in. */
export async function admit(app: App, { route, request, reply }: Exchange): Promise<Caller | PersonCaller> {
  const caller = await allowed(app, route, request);
  // Only on routes that are about the person: no plan has limits for them.
  if (caller.account === null) return caller;
  request.accountId = caller.account.id;
  // A page reads much more than a program does, and must not use up what the plan has for programs.
  const family = caller.person && route.family === 'read' ? 'console' : route.family;
  if (family !== 'none') {
    const { admitted, counters, refusedBy } = await app.limiter.admit(caller, family);
    const now = new Date();
    reply.headers(limitHeaders(counters, now));
    if (!admitted) throw refusedBy ? limitExceeded(refusedBy, now) : new Error('refused by no counter');
  }
  return caller;
}

/** Whether a caller who was admitted would be so now, but for the limits: for answers that go on for long. */
export async function stillAdmitted(
  app: App,
  { route, request }: Pick<Exchange, 'route' | 'request'>,
): Promise<boolean> {
  try {
    await allowed(app, route, request);
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}

/** The caller, if key or session are good for the route. */
async function allowed(app: App, route: Route, request: FastifyRequest): Promise<Caller | PersonCaller> {
  const bearer = bearerOf(request);
  const caller =
    route.auth === 'session' || (bearer === '' && sessionTokenOf(request) !== '')
      ? await admitPerson(app, route, request)
      : await admitKey(app, bearer);
  if (caller.account === null) return caller;
  const { key } = caller;
  if (route.auth === 'admin' && !key.admin)
    throw new ApiError('ADMIN_REQUIRED', { message: 'This route needs the key of an administrator' });
  if (route.scope && key.scopes && !key.scopes.includes(route.scope))
    throw new ApiError('SCOPE_NOT_ALLOWED', { message: `The key does not have the scope "${route.scope}"` });
  return caller;
}

/** What only the caller knows, by which his answers are sealed. */
export function secretOf(request: FastifyRequest): string {
  return bearerOf(request) || sessionTokenOf(request);
}

/** The token in the session's cookie, or an empty string. Its signature isn't needed: nobody guesses a token. */
export function sessionTokenOf(request: Pick<FastifyRequest, 'headers'>): string {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, value = ''] = pair.split('=', 2);
    if (name?.trim() === sessionCookie) return value.trim().split('.', 1)[0] ?? '';
  }
  return '';
}

/** Throws ORIGIN_NOT_ALLOWED unless the page that asks is of this server. */
export function checkOrigin(app: Pick<App, 'publicUrl'>, request: FastifyRequest): void {
  const { origin } = request.headers;
  const own = originOf(request);
  if (origin !== undefined && (origin === own || origin === app.publicUrl)) return;
  throw new ApiError('ORIGIN_NOT_ALLOWED', {
    message: `The Origin must be ${app.publicUrl ?? own}, not ${origin ?? 'absent'}; behind a proxy, VECTORIUM_PUBLIC_URL says what it is`,
  });
}

/** The origin that the request came to. Its host is the client's own text: one that is more than a host would choose another address. Throws BAD_REQUEST. */
export function originOf(request: Pick<FastifyRequest, 'protocol' | 'host'>): string {
  const text = `${request.protocol}://${request.host}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain = url !== null && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href;
  const port = request.protocol === 'https' ? ':443' : ':80';
  const host = request.host.toLowerCase();
  if (!plain || (url.host !== host && url.host + port !== host))
    throw new ApiError('BAD_REQUEST', { message: 'The Host, or what a proxy says that it was, is no name of a host' });
  return url.origin;
}

async function admitKey(app: App, secret: string): Promise<Caller> {
  if (secret === '')
    throw new ApiError('MISSING_API_KEY', { message: 'An API key is needed: Authorization: Bearer sk-…' });
  const caller = await app.keys.authenticate(secret);
  if (!caller) throw new ApiError('INVALID_API_KEY', { message: 'The API key is unknown, revoked or expired' });
  return caller;
}

async function admitPerson(app: App, route: Route, request: FastifyRequest): Promise<PersonCaller> {
  const token = sessionTokenOf(request);
  const accountId = request.headers['x-vectorium-account'];
  const caller = token === '' ? null : await app.sessions.authenticate(token, accountId?.toString());
  if (!caller) throw new ApiError('SIGN_IN_REQUIRED', { message: 'Nobody is signed in, or the session has ended' });
  const safe = route.method === 'GET' || route.method === 'HEAD' || route.method === 'OPTIONS';
  if (!safe) checkOrigin(app, request);
  if (caller.account === null) {
    if (route.accountless) return caller;
    const named = accountId === undefined ? 'You are in no account' : `You are in no account ${String(accountId)}`;
    throw new ApiError('NOT_FOUND', { message: named });
  }
  // Routes that take keys don't know roles: there, who may only read doesn't change or spend anything.
  const least: Role = route.role ?? (safe || route.auth === 'session' ? 'viewer' : 'member');
  const { role, mustConfirm } = caller.person;
  if (mustConfirm && least !== 'viewer')
    throw new ApiError('EMAIL_NOT_CONFIRMED', {
      message: `Confirm your e-mail address first, by the link in the mail to ${caller.person.email}`,
    });
  if (roles.indexOf(role) < roles.indexOf(least))
    throw new ApiError('ROLE_NOT_ALLOWED', {
      message: `This needs the role ${least}; you are a ${role} of the account`,
    });
  return caller;
}

function bearerOf(request: FastifyRequest): string {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
}
