// Signing up, in and out: our routes check and count, better-auth does the work, and its answers become ours, without the token that is
// in the cookie.
import { type AnswerOf, type ErrorCode, errorKinds, routes } from '@vectorium/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, type App, checkOrigin, mount, originOf } from '../http/index.ts';
import { type AttemptRule, byAddress, countAttempts } from './attempts.ts';
import { movedMail } from './mails.ts';
import { type People, handedOver } from './people.ts';
import { addressHeader, authPath } from './tokens.ts';

const minute = 60;
const hour = 3600;
const done = { done: true } as const;

export function mountAuthRoutes(app: App, people: People): void {
  const { auth, attempts } = people;

  const count = (...rules: AttemptRule[]): Promise<void> => countAttempts(attempts, rules);

  async function call(reply: FastifyReply, path: string, body: object): Promise<unknown> {
    const response = await callAuth(auth, reply, { path, body });
    return response.json().catch(() => null);
  }

  mount(app, routes.signUp, async ({ body, reply }) => {
    checkOrigin(app, reply.request);
    await count(byAddress(reply.request, { name: 'sign-up', most: 20, windowSeconds: hour }));
    const { invitation, ...fields } = body;
    await call(reply, '/sign-up/email', { ...fields, ...(invitation !== undefined && { invitation }) });
    return done;
  });

  mount(app, routes.signIn, async ({ body: { email, password, rememberMe }, reply }) => {
    checkOrigin(app, reply.request);
    const byEmail = { name: 'sign-in', subject: email, most: 10, windowSeconds: 15 * minute };
    await count(byAddress(reply.request, { name: 'sign-in', most: 50, windowSeconds: 10 * minute }), byEmail);
    await call(reply, '/sign-in/email', { email, password, rememberMe });
    await attempts.forget(byEmail);
    return done;
  });

  mount(app, routes.signOut, async ({ reply }) => {
    checkOrigin(app, reply.request);
    await call(reply, '/sign-out', {});
    return done;
  });

  mount(app, routes.requestReset, async ({ body: { email }, reply }) => {
    checkOrigin(app, reply.request);
    await count(byAddress(reply.request, { name: 'reset', most: 20, windowSeconds: hour }), {
      name: 'reset',
      subject: email,
      most: 5,
      windowSeconds: hour,
    });
    await call(reply, '/request-password-reset', { email });
    return done;
  });

  mount(app, routes.resetPassword, async ({ body: { token, newPassword }, reply }) => {
    checkOrigin(app, reply.request);
    await count(byAddress(reply.request, { name: 'new-password', most: 20, windowSeconds: hour }));
    // Who has a link that went by mail has the address.
    const mailed = people.mailer.sends && !token.startsWith(handedOver);
    const { internalAdapter } = await (await auth()).$context;
    const link = mailed ? await internalAdapter.findVerificationValue(`reset-password:${token}`) : null;
    await call(reply, '/reset-password', { token, newPassword });
    if (link) await people.confirmations.vouch(link.value);
    return done;
  });

  mount(app, routes.changePassword, async ({ body, reply, caller }) => {
    const rule = { name: 'change-password', subject: caller.person.id, most: 10, windowSeconds: 15 * minute };
    await count(rule);
    await call(reply, '/change-password', { ...body, revokeOtherSessions: true });
    await people.dropResetLinks(caller.person.id);
    await attempts.forget(rule);
    return done;
  });

  mountEmailRoutes(app, people, count);

  mount(app, routes.startOidc, async ({ reply }): Promise<AnswerOf<typeof routes.startOidc>> => {
    checkOrigin(app, reply.request);
    if (!people.oidc) throw new ApiError('NOT_FOUND', { message: 'OpenID Connect is not set up on this server' });
    await count(byAddress(reply.request, { name: 'oidc', most: 60, windowSeconds: 10 * minute }));
    await people.oidc.check();
    const answer = await call(reply, '/sign-in/social', {
      provider: 'oidc',
      callbackURL: '/',
      errorCallbackURL: '/console/sign-in',
      disableRedirect: true,
    });
    return { url: (answer as { url: string }).url };
  });

  // Where the provider sends the browser back to: a page, and so no route of the contract.
  if (people.oidc) {
    const path = '/callback/oidc';
    app.fastify.get(`${authPath}${path}`, async (request, reply) => {
      const { handler } = await auth();
      const [, query = ''] = request.url.split('?', 2);
      const response = await handler(requestFor(request, { path: `${path}?${query}` }));
      passCookies(response, reply);
      return reply.redirect(response.headers.get('location') ?? '/console/sign-in');
    });
  }
}

/** Which address a person has, and whether it is known to be his. */
function mountEmailRoutes(app: App, people: People, count: (...rules: AttemptRule[]) => Promise<void>): void {
  const { auth, audit, confirmations, database, mailer } = people;

  async function send(id: string, email: string): Promise<void> {
    const [person] = await database.query<Named>('SELECT id, name, email, language FROM people WHERE id = $1', [id]);
    if (!person) throw new Error('the person of a session is gone');
    if (!(await people.sendConfirmation(person, email)))
      throw new ApiError('SERVICE_UNAVAILABLE', { message: 'The mail server did not take the mail; try again later' });
  }

  async function checkPassword(personId: string, given: string | undefined): Promise<void> {
    const [row] = await database.query<{ password: string | null }>(
      `SELECT password FROM credentials WHERE person_id = $1 AND password IS NOT NULL`,
      [personId],
    );
    if (!row?.password) return;
    const { password } = await (await auth()).$context;
    if (given === undefined || !(await password.verify({ hash: row.password, password: given })))
      throw new ApiError('SIGN_IN_FAILED', { message: 'The password is wrong' });
  }

  mount(app, routes.changeEmail, async ({ body, reply, caller: { person, account } }) => {
    const rule = { name: 'change-email', subject: person.id, most: 10, windowSeconds: 15 * minute };
    await count(rule);
    const email = body.email.toLowerCase();
    await checkPassword(person.id, body.currentPassword);
    if ((await database.query('SELECT 1 FROM people WHERE email = $1 AND id <> $2', [email, person.id])).length > 0)
      throw new ApiError('CONFLICT', { message: 'Somebody else has this e-mail address' });
    if (mailer.sends) {
      await send(person.id, email);
      return { changed: false };
    }
    await confirmations.replace(person.id, email);
    await audit.write({
      action: 'person.moved',
      target: person.id,
      accountId: account?.id ?? null,
      personId: person.id,
      address: reply.request.ip,
    });
    return { changed: true };
  });

  mount(app, routes.sendConfirmation, async ({ reply, caller: { person } }) => {
    if (!mailer.sends) throw new ApiError('CONFLICT', { message: 'This server sends no mail' });
    await count(byAddress(reply.request, { name: 'confirmation', most: 20, windowSeconds: hour }), {
      name: 'confirmation',
      subject: person.id,
      most: 5,
      windowSeconds: hour,
    });
    const [row] = await database.query('SELECT email_verified FROM people WHERE id = $1', [person.id]);
    const open = await confirmations.open(person.id);
    if (row?.['email_verified'] === true && (open === null || open === person.email))
      throw new ApiError('CONFLICT', { message: `${person.email} is confirmed already` });
    await send(person.id, open ?? person.email);
    return done;
  });

  mount(app, routes.confirmEmail, async ({ body: { token }, reply }) => {
    checkOrigin(app, reply.request);
    await count(byAddress(reply.request, { name: 'confirm', most: 60, windowSeconds: hour }));
    const { personId, email, before } = await confirmations.confirm(token);
    const moved = before.email !== email;
    await audit.write({
      action: moved ? 'person.moved' : 'person.confirmed',
      target: personId,
      accountId: null,
      personId,
      address: reply.request.ip,
    });
    const [person] = await database.query<Named>('SELECT id, name, email, language FROM people WHERE id = $1', [
      personId,
    ]);
    if (moved && before.verified && person) await people.tell(movedMail({ ...person, email: before.email }, email));
    return { email };
  });
}

interface Named {
  id: string;
  name: string;
  email: string;
  language: string;
}

/** better-auth's answer, with its cookies on `reply`. Throws ApiError for one that is none. */
export async function callAuth(
  auth: People['auth'],
  reply: FastifyReply,
  how: { path: string; body?: object },
): Promise<Response> {
  const { handler } = await auth();
  const response = await handler(requestFor(reply.request, how));
  if (response.status >= 400) throw await refusalOf(response);
  passCookies(response, reply);
  return response;
}

function requestFor(request: FastifyRequest, { path, body }: { path: string; body?: object }): Request {
  const headers = new Headers({ [addressHeader]: request.ip });
  for (const name of ['cookie', 'origin', 'user-agent'] as const) {
    const value = request.headers[name];
    if (value !== undefined) headers.set(name, value);
  }
  const url = `${originOf(request)}${authPath}${path}`;
  if (body === undefined) return new Request(url, { headers });
  headers.set('content-type', 'application/json');
  return new Request(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Behind TLS a cookie must never go over plain HTTP. */
function passCookies(response: Response, reply: FastifyReply): void {
  const secure = reply.request.protocol === 'https' ? '; Secure' : '';
  for (const cookie of response.headers.getSetCookie()) void reply.header('set-cookie', `${cookie}${secure}`);
}

const codes: Readonly<Record<string, ErrorCode>> = {
  INVALID_EMAIL_OR_PASSWORD: 'SIGN_IN_FAILED',
  INVALID_PASSWORD: 'SIGN_IN_FAILED',
  CREDENTIAL_ACCOUNT_NOT_FOUND: 'SIGN_IN_FAILED',
  USER_ALREADY_EXISTS: 'CONFLICT',
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: 'CONFLICT',
  INVALID_TOKEN: 'NOT_FOUND',
  USER_NOT_FOUND: 'NOT_FOUND',
};

async function refusalOf(response: Response): Promise<ApiError> {
  const answer = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
  const { code = '', message = 'The request was refused' } = answer;
  if (response.status >= 500) return new ApiError('INTERNAL_ERROR', { message: 'Something failed inside the server' });
  const known = codes[code] ?? (Object.hasOwn(errorKinds, code) ? (code as ErrorCode) : 'INVALID_PARAMETER');
  return new ApiError(known, { message });
}
