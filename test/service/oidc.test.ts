// Sign-in by a real OpenID provider, redirect by redirect: who gets in, as whom, and what doesn't count.
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestPeople, openPeople, password } from '../../server/people/testing.ts';
import { type Visitor, newVisitor } from './visitor.ts';

/** What the provider says of people, by what they type there. */
const claims: Record<string, { email: string; email_verified: boolean; name: string }> = {};
let listener: Server;
let issuer: string;
let it: TestPeople;
/** With an issuer that is not what the provider calls itself. */
let misled: TestPeople;

beforeAll(async () => {
  listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  issuer = `http://127.0.0.1:${address.port}`;
  const client = { clientId: 'vectorium', clientSecret: 'a secret of the client', name: 'Example' };
  it = await openPeople(() => {}, { oidc: { ...client, issuer } });
  misled = await openPeople(() => {}, { oidc: { ...client, issuer: `http://localhost:${address.port}` } });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [it, misled].map(({ server }) => `${server.url}/console/auth/callback/oidc`),
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...claims[id] }) }),
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
    cookies: { keys: ['a key of the provider'] },
  });
  listener.on('request', provider.callback());
});
afterAll(async () => {
  await it.close();
  await misled.close();
  listener.close();
  listener.closeAllConnections();
});

async function start(visitor: Visitor, { server }: Pick<TestPeople, 'server'> = it): Promise<URL> {
  const response = await visitor.fetch(`${server.url}/console/auth/sign-in/oauth2`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const body = (await response.json()) as { url?: string };
  if (body.url === undefined) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  return new URL(body.url);
}

/** Through the provider's pages, until it leads back: the address that it leads to. */
async function signInThere(visitor: Visitor, from: URL, login: string): Promise<URL> {
  const back = (url: URL): boolean => url.pathname === '/console/auth/callback/oidc';
  let { url } = await visitor.follow(from, back);
  for (const prompt of ['login', 'consent']) {
    if (back(url)) break;
    const response = await visitor.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ prompt, login, password: 'x' }),
    });
    ({ url } = await visitor.follow(new URL(response.headers.get('location') ?? '', url), back));
  }
  return url;
}

async function signIn(
  login: string,
  { server }: Pick<TestPeople, 'server'> = it,
): Promise<{ visitor: Visitor; url: URL; session: Session }> {
  const visitor = newVisitor();
  const back = await signInThere(visitor, await start(visitor, { server }), login);
  const url = new URL((await visitor.fetch(back)).headers.get('location') ?? '', back);
  return { visitor, url, session: await sessionOf(visitor, server.url) };
}

interface Session {
  person: { id: string; email: string; email_verified: boolean; has_password: boolean; name: string } | null;
}

async function sessionOf(visitor: Visitor, url = it.server.url): Promise<Session> {
  return (await (await visitor.fetch(`${url}/console/api/session`)).json()) as Session;
}

test('a person signs in by redirects, with PKCE and a state, and is the same person the next time', async () => {
  claims['ada'] = { email: 'ada@example.com', email_verified: true, name: 'Ada' };
  const first = await start(newVisitor());
  expect(first.origin).toBe(issuer);
  expect(Object.fromEntries(first.searchParams)).toMatchObject({
    response_type: 'code',
    code_challenge_method: 'S256',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    state: expect.stringMatching(/^.{20,}$/),
    redirect_uri: `${it.server.url}/console/auth/callback/oidc`,
  });
  const { url, session, visitor } = await signIn('ada');
  expect(url.href).toBe(`${it.server.url}/`);
  expect(session.person).toMatchObject({
    email: 'ada@example.com',
    email_verified: true,
    has_password: false,
    name: 'Ada',
  });
  expect(visitor.cookies.get(it.server.url)?.has('vectorium.session_token')).toBe(true);
  // The provider's word about the address is of no more account than what the provider calls the person.
  claims['ada'] = { email: 'ada.moved@example.com', email_verified: true, name: 'Ada' };
  const again = await signIn('ada');
  expect(again.session.person).toMatchObject({ id: session.person?.id, email: 'ada@example.com' });
});

test('an answer counts once, for the browser and the state that asked, and from the issuer alone', async () => {
  claims['eve'] = { email: 'eve@example.com', email_verified: true, name: 'Eve' };
  const asked = newVisitor();
  const back = await signInThere(asked, await start(asked), 'eve');
  const refused = async (visitor: Visitor, url: URL): Promise<string | null> => {
    const { url: end } = await visitor.follow(
      url,
      each => each.pathname === '/console/sign-in' || each.pathname === '/',
    );
    expect((await sessionOf(visitor)).person).toBeNull();
    return end.searchParams.get('error');
  };
  // Another browser that is led to it.
  expect(await refused(newVisitor(), back)).toBe('state_mismatch');
  const changed = (name: string, value: string): URL => {
    const url = new URL(back);
    url.searchParams.set(name, value);
    return url;
  };
  expect(await refused(newVisitor(), changed('state', 'made-up'))).toMatch(/state/);

  const issuers = newVisitor();
  const elsewhere = await signInThere(issuers, await start(issuers), 'eve');
  expect(elsewhere.searchParams.get('iss')).toBe(issuer);
  elsewhere.searchParams.set('iss', 'https://evil.example');
  expect(await refused(issuers, elsewhere)).toMatch(/issuer/);

  const codes = newVisitor();
  const code = await signInThere(codes, await start(codes), 'eve');
  code.searchParams.set('code', 'stolen-from-elsewhere');
  expect(await refused(codes, code)).toMatch(/code/);
});

test('who cancels at the provider is back at the sign-in, which says so', async () => {
  const visitor = newVisitor();
  const { url } = await visitor.follow(await start(visitor));
  const { url: end } = await visitor.follow(`${url.href}/abort`, each => each.pathname === '/console/sign-in');
  expect([end.pathname, end.searchParams.get('error')]).toEqual(['/console/sign-in', 'access_denied']);
  expect((await sessionOf(visitor)).person).toBeNull();
});

test('a person with a password is joined when both sides know the address, and not before', async () => {
  claims['bob'] = { email: 'bob@example.com', email_verified: true, name: 'Bob' };
  const local = await it.signedUp('bob');
  const before = await signIn('bob');
  expect([before.session.person, before.url.searchParams.get('error')]).toEqual([null, 'account_not_linked']);

  await it.people.confirmations.vouch(local.personId);
  claims['bob'] = { email: 'bob@example.com', email_verified: false, name: 'Bob' };
  const unsure = await signIn('bob');
  expect([unsure.session.person, unsure.url.searchParams.get('error')]).toEqual([null, 'account_not_linked']);

  claims['bob'] = { email: 'bob@example.com', email_verified: true, name: 'Bob' };
  expect((await signIn('bob')).session.person).toMatchObject({ id: local.personId, has_password: true });
  const byPassword = it.browser();
  await byPassword.call('POST', '/console/auth/sign-in/email', { email: 'bob@example.com', password });
  expect((await byPassword.call('GET', '/console/api/session')).body).toMatchObject({ person: { id: local.personId } });
});

test('an address that the provider doesn’t vouch for is not confirmed', async () => {
  claims['carol'] = { email: 'carol@example.com', email_verified: false, name: 'Carol' };
  expect((await signIn('carol')).session.person).toMatchObject({ email: 'carol@example.com', email_verified: false });
});

test('a provider that calls itself by another name than the operator does is not asked', async () => {
  await expect(start(newVisitor(), misled)).rejects.toThrow(/503 .*calls itself/);
});

test('a provider that doesn’t answer is named, and asked again at the next try', async () => {
  const down = await openPeople(() => {}, {
    oidc: { issuer: 'http://127.0.0.1:9', clientId: 'x', clientSecret: 'x', name: 'Down' },
  });
  try {
    await expect(start(newVisitor(), down)).rejects.toThrow(/503 .*Down/);
    expect(down.log.map(({ event }) => event)).toContain('people.oidc_unavailable');
  } finally {
    await down.close();
  }
});
