// Sign-in by a real OpenID provider, redirect by redirect: who gets in, as whom, and what doesn't count.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestPeople, openPeople, password } from '../../server/people/testing.ts';
import { type TestProvider, openProvider, signInThere, startSignIn } from './provider.ts';
import { type Visitor, newVisitor } from './visitor.ts';

let provider: TestProvider;
let it: TestPeople;
/** With an issuer that is not what the provider calls itself. */
let misled: TestPeople;
let claims: TestProvider['claims'];

beforeAll(async () => {
  provider = await openProvider();
  const { issuer, clientId, clientSecret } = provider;
  ({ claims } = provider);
  const client = { clientId, clientSecret, name: 'Example' };
  it = await openPeople(() => {}, { oidc: { ...client, issuer }, app: { trustProxy: true } });
  misled = await openPeople(() => {}, { oidc: { ...client, issuer: issuer.replace('127.0.0.1', 'localhost') } });
  provider.serve([it.server.url, misled.server.url]);
});
afterAll(async () => {
  await it.close();
  await misled.close();
  provider.close();
});

async function signIn(
  login: string,
  { server }: Pick<TestPeople, 'server'> = it,
): Promise<{ visitor: Visitor; url: URL; session: Session }> {
  const visitor = newVisitor();
  const answer = await signInThere(visitor, await startSignIn(visitor, server.url), login);
  const url = new URL((await visitor.fetch(answer)).headers.get('location') ?? '', answer);
  return { visitor, url, session: await sessionOf(visitor, server.url) };
}

/** Nobody gets in by this address: the error that the sign-in page is told. */
async function refused(visitor: Visitor, url: URL): Promise<string | null> {
  const { url: end } = await visitor.follow(url, each => each.pathname === '/console/sign-in' || each.pathname === '/');
  expect((await sessionOf(visitor)).person).toBeNull();
  return end.searchParams.get('error');
}

interface Session {
  person: { id: string; email: string; email_verified: boolean; has_password: boolean; name: string } | null;
  accounts: object[];
}

async function sessionOf(visitor: Visitor, url = it.server.url): Promise<Session> {
  return (await (await visitor.fetch(`${url}/console/api/session`)).json()) as Session;
}

test('a person signs in by redirects, with PKCE and a state, and is the same person the next time', async () => {
  claims['ada'] = { email: 'ada@example.com', email_verified: true, name: 'Ada' };
  const first = await startSignIn(newVisitor(), it.server.url);
  expect(first.origin).toBe(provider.issuer);
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
  const answer = await signInThere(asked, await startSignIn(asked, it.server.url), 'eve');
  // Another browser that is led to it.
  expect(await refused(newVisitor(), answer)).toBe('state_mismatch');
  const changed = (name: string, value: string): URL => {
    const url = new URL(answer);
    url.searchParams.set(name, value);
    return url;
  };
  expect(await refused(newVisitor(), changed('state', 'made-up'))).toMatch(/state/);

  const issuers = newVisitor();
  const elsewhere = await signInThere(issuers, await startSignIn(issuers, it.server.url), 'eve');
  expect(elsewhere.searchParams.get('iss')).toBe(provider.issuer);
  elsewhere.searchParams.set('iss', 'https://evil.example');
  expect(await refused(issuers, elsewhere)).toMatch(/issuer/);

  const codes = newVisitor();
  const code = await signInThere(codes, await startSignIn(codes, it.server.url), 'eve');
  code.searchParams.set('code', 'stolen-from-elsewhere');
  expect(await refused(codes, code)).toMatch(/code/);
});

test('what is kept in the browser meanwhile is no page’s to read, and goes over TLS alone behind TLS', async () => {
  const response = await fetch(`${it.server.url}/console/auth/sign-in/oauth2`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-forwarded-proto': 'https',
      origin: it.server.url.replace('http:', 'https:'),
    },
    body: '{}',
  });
  expect(response.status).toBe(200);
  const cookies = response.headers.getSetCookie();
  expect(cookies.length).toBeGreaterThan(0);
  for (const cookie of cookies) expect(cookie).toMatch(/HttpOnly; SameSite=Lax; Secure$/);
});

test('who cancels at the provider is back at the sign-in, which says so', async () => {
  const visitor = newVisitor();
  const { url } = await visitor.follow(await startSignIn(visitor, it.server.url));
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

test('somebody who is invited gets what he was invited to, but is not taken into a stranger’s account', async () => {
  claims['dan'] = { email: 'dan@example.com', email_verified: true, name: 'Dan' };
  claims['dora'] = { email: 'dora@example.com', email_verified: false, name: 'Dora' };
  const stranger = await it.signedUp('stranger');
  const { members } = it.people;
  for (const email of ['dan@example.com', 'dora@example.com']) {
    await members.invite({ accountId: null, email, role: null, plan: 'starter', invitedBy: null });
    await members.invite({ accountId: stranger.accountId, email, role: 'member', invitedBy: stranger.personId });
  }
  expect((await signIn('dan')).session.accounts).toMatchObject([{ name: 'Dan', plan: 'starter' }]);
  expect((await members.invitations(null)).map(({ email }) => email)).toEqual(['dora@example.com']);
  // Whose address nobody vouches for.
  expect((await signIn('dora')).session.accounts).toMatchObject([{ name: 'Dora', plan: 'free' }]);
});

test('a provider that calls itself by another name than the operator does is not asked', async () => {
  await expect(startSignIn(newVisitor(), misled.server.url)).rejects.toThrow(/503 .*calls itself/);
});

test('a provider that doesn’t answer is named, and asked again at the next try', async () => {
  const down = await openPeople(() => {}, {
    oidc: { issuer: 'http://127.0.0.1:9', clientId: 'x', clientSecret: 'x', name: 'Down' },
  });
  try {
    await expect(startSignIn(newVisitor(), down.server.url)).rejects.toThrow(/503 .*Down/);
    expect(down.log.map(({ event }) => event)).toContain('people.oidc_unavailable');
  } finally {
    await down.close();
  }
});
