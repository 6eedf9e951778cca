// A real OpenID provider on a free port, whose pages let anybody in as whoever they type.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import type { Visitor } from './visitor.ts';

export interface TestProvider {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** What it says of people, by what they type. */
  claims: Record<string, { email: string; email_verified: boolean; name: string }>;
  /** Begins to answer, for servers that people are led back to. */
  serve(serverUrls: readonly string[]): void;
  close(): void;
}

export async function openProvider(): Promise<TestProvider> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const issuer = `http://127.0.0.1:${address.port}`;
  const claims: TestProvider['claims'] = {};
  const client = { clientId: 'vectorium', clientSecret: 'a-secret-of-the-client' };
  return {
    issuer,
    ...client,
    claims,
    serve(serverUrls) {
      const provider = new Provider(issuer, {
        clients: [
          {
            client_id: client.clientId,
            client_secret: client.clientSecret,
            redirect_uris: serverUrls.map(url => `${url}/console/auth/callback/oidc`),
          },
        ],
        pkce: { required: () => true },
        claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
        findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...claims[id] }) }),
        ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
        cookies: { keys: ['a key of the provider'] },
      });
      listener.on('request', provider.callback());
    },
    close() {
      listener.close();
      listener.closeAllConnections();
    },
  };
}

/** Asks the server for the provider's address. */
export async function startSignIn(visitor: Visitor, serverUrl: string): Promise<URL> {
  const response = await visitor.fetch(`${serverUrl}/console/auth/sign-in/oauth2`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const body = (await response.json()) as { url?: string };
  if (body.url === undefined) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  return new URL(body.url);
}

/** Where the provider leads back to. */
const back = (url: URL): boolean => url.pathname === '/console/auth/callback/oidc';

/** Through the provider's pages, until it leads back: the address that it leads to. */
export async function signInThere(visitor: Visitor, from: URL, login: string): Promise<URL> {
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
