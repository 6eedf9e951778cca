// The reference: /openapi.json, and /docs, Scalar's page served from here alone under a policy that lets nothing else in.
import { randomBytes } from 'node:crypto';
import { openApiDocument, routes } from '@vectorium/contract';
import Fastify from 'fastify';
import type { App } from './app.ts';
import { Raw, mount } from './mount.ts';

/** Mounts the reference of all routes of the contract. `version` is the product's. */
export function mountReference(app: App, { version }: { version: string }): void {
  const document = JSON.stringify(openApiDocument(Object.values(routes), { version }));
  mount(app, routes.getOpenApi, ({ reply }) => {
    reply.header('cache-control', 'no-cache').header('access-control-allow-origin', '*');
    reply.header('cross-origin-resource-policy', 'cross-origin');
    return new Raw(document);
  });
  mount(app, routes.getDocs, ({ reply }) => {
    const nonce = randomBytes(16).toString('base64');
    reply.header('content-security-policy', policy(nonce));
    return new Raw(page(nonce), 'text/html; charset=utf-8');
  });

  let bundle: Promise<string> | null = null;
  app.fastify.get(`/docs/scalar-${version}.js`, async (_request, reply) => {
    bundle ??= scalarBundle();
    reply.header('cache-control', 'public, max-age=31536000, immutable');
    return reply.type('text/javascript; charset=utf-8').send(await bundle);
  });
  for (const [path, script] of Object.entries({ '/docs/styles.js': styles, '/docs/start.js': start })) {
    app.fastify.get(path, (_request, reply) =>
      reply.header('cache-control', 'no-cache').type('text/javascript; charset=utf-8').send(script),
    );
  }

  function page(nonce: string): string {
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta property="csp-nonce" content="${nonce}">
<title>Vectorium API reference</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="reference"></div>
<noscript>This page needs JavaScript; <a href="/openapi.json">openapi.json</a> holds the same.</noscript>
<script src="/docs/styles.js"></script>
<script src="/docs/scalar-${version}.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;
  }
}

/** No inline script, no foreign host, no font; style elements only with the nonce. */
function policy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src-elem 'self' 'nonce-${nonce}'`,
    // Scalar sizes a few icons and the editor by style attributes, which can't load anything under the rest.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Libraries inside the bundle add style elements without asking for the page's nonce. */
const styles = `const nonce = document.querySelector('meta[property=csp-nonce]').content;
const createElement = document.createElement;
document.createElement = function (name, options) {
  const element = createElement.call(this, name, options);
  if (/^style$/i.test(name)) element.nonce = nonce;
  return element;
};
`;

const start = `Scalar.createApiReference('#reference', {
  url: '/openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  persistAuth: false,
  hideModels: true,
  metaData: { title: 'Vectorium API reference' },
});
`;

/** The package gives its bundle only through its Fastify plugin, whose page breaks our policy: it is asked for the bundle alone. */
async function scalarBundle(): Promise<string> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const inner = Fastify();
  await inner.register(scalar, { routePrefix: '/', configuration: { url: '/openapi.json' } });
  const answer = await inner.inject('/js/scalar.js');
  await inner.close();
  if (answer.statusCode !== 200) throw new Error(`the reference's bundle answered ${answer.statusCode}`);
  return answer.body;
}
