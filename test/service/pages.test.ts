// Every answer of the server that a browser may show stands under a strict policy: no script of the page's own text, nothing from elsewhere.
import { routes } from '@vectorium/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, startTestServer } from '../server.ts';
import { prepareModel } from './setup.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    prepare: prepareModel,
    environment: {
      VECTORIUM_TRUST_PROXY: 'true',
      OIDC_ISSUER: 'http://127.0.0.1:9',
      OIDC_CLIENT_ID: 'x',
      OIDC_CLIENT_SECRET: 'y',
    },
  });
});
afterAll(() => server.end());

/** Every address that answers GET, with something in the place of its parameters; and some that nobody has. */
const addresses = [
  '/',
  '/console',
  '/console/sign-in?error=%3Cscript%3Ealert(1)%3C/script%3E',
  '/console/no/such/page',
  '/console/auth/callback/oidc?code=%3Cscript%3E&state=%3Cscript%3E',
  '/console/auth/nothing',
  '/no/such/address/%3Cscript%3E',
  '/%ff',
  ...Object.values(routes).flatMap(route =>
    route.method === 'GET' ? [route.path.replaceAll(/\{\w+\}/g, '%3Cscript%3E')] : [],
  ),
];

test(
  'whatever is asked for as a page has a policy without inline script and without other hosts',
  { timeout: 180_000 },
  async () => {
    const pages: string[] = [];
    for (const address of addresses) {
      const response = await fetch(server.url + address, {
        redirect: 'manual',
        headers: { accept: 'text/html', 'x-forwarded-proto': 'https' },
        signal: AbortSignal.timeout(60_000),
      });
      const { headers } = response;
      const policy = new Map(
        (headers.get('content-security-policy') ?? '').split('; ').map(each => {
          const [name = '', ...sources] = each.split(' ');
          return [name, sources] as const;
        }),
      );
      const at = `${address}: ${[...policy].join('; ')}`;
      expect([at, policy.get('default-src')]).toEqual([at, ["'none'"]]);
      expect([at, policy.get('frame-ancestors')]).toEqual([at, ["'none'"]]);
      for (const [name, sources] of policy) {
        const allowed =
          name === 'style-src-attr' && address === '/docs'
            ? /^'unsafe-inline'$/
            : /^('none'|'self'|'nonce-\S+'|data:|blob:)$/;
        expect([at, sources.filter(source => !allowed.test(source))]).toEqual([at, []]);
      }
      expect([at, policy.get('script-src')?.join(' ') ?? "'none'"]).toEqual([
        at,
        expect.stringMatching(/^'(self|none)'$/),
      ]);
      expect([at, headers.get('x-content-type-options'), headers.get('referrer-policy')]).toEqual([
        at,
        'nosniff',
        'no-referrer',
      ]);
      for (const cookie of headers.getSetCookie()) expect(cookie).toMatch(/HttpOnly; SameSite=Lax; Secure$/);
      const text = await response.text();
      if (!headers.get('content-type')?.startsWith('text/html')) continue;
      pages.push(address);
      // The text of a page has no script or handler of its own either, and asks for nothing elsewhere.
      expect([at, text.match(/<script(?![^>]*\ssrc=)[^>]*>|\son\w+=|javascript:/gi)]).toEqual([at, null]);
      expect([at, text.match(/\s(src|href)="(https?:)?\/\//gi)]).toEqual([at, null]);
      expect([at, text.includes('<script>alert')]).toEqual([at, false]);
    }
    expect(pages).toEqual(expect.arrayContaining(['/', '/console', '/console/no/such/page', '/docs']));
  },
);

test(
  'what a page of another origin sends with a person’s cookie is refused on every route that changes something',
  { timeout: 180_000 },
  async () => {
    const signUp = await fetch(`${server.url}/console/auth/sign-up/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: server.url },
      body: JSON.stringify({ name: 'Ada', email: 'ada@example.com', password: 'correct horse battery' }),
    });
    const cookie = signUp.headers
      .getSetCookie()
      .map(each => each.split(';', 1)[0])
      .join('; ');
    const signedBy = new Set(['takePayment']);
    /** They only read, and answer nothing that a page elsewhere could read. */
    const reads = new Set(['readInvitation']);
    let tried = 0;
    for (const route of Object.values(routes)) {
      if (['GET', 'HEAD', 'OPTIONS'].includes(route.method) || signedBy.has(route.id) || reads.has(route.id)) continue;
      const response = await fetch(server.url + route.path.replaceAll(/\{\w+\}/g, 'x'), {
        method: route.method,
        headers: { cookie, origin: 'https://evil.example', 'content-type': 'application/json' },
        body: '{}',
      });
      const text = await response.text();
      // Of routes that anybody may use, which take no cookie, the body may be looked at first; of those with one, nothing.
      const refused =
        route.auth === 'none' ? [400, 403, 422].includes(response.status) : text.includes('ORIGIN_NOT_ALLOWED');
      expect([route.id, response.status, refused]).toEqual([route.id, response.status, true]);
      tried++;
    }
    expect(tried).toBeGreaterThan(60);
  },
);
