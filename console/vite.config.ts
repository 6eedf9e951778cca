// Builds the console into dist/, and serves it while it is worked on, with everything else asked of a running server.
import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { routes } from '@vectorium/contract';
import { type Plugin, defineConfig } from 'vite';

/** The server that `npm run console` asks. */
const server = process.env.VECTORIUM_URL ?? 'http://127.0.0.1:8080';
const served = ['/api', '/v1', '/v2', '/admin', '/console/api', '/console/auth', '/docs', '/openapi.json'];
const rest = '^/(vectorize|similarity|tokenize|models|usage|health|metrics|livez|readyz)(/.*)?(\\?.*)?$';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwind(), contractRoutes()],
  build: {
    target: 'es2023',
    cssTarget: 'chrome123',
    assetsDir: 'console/assets',
    // A data: address would need a wider policy than 'self'.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries([...served, rest].map(path => [path, { target: server, headers: { origin: server } }])),
  },
});

/** `virtual:routes`: method and path of every route of the contract, without the schemas that would bring zod along. */
function contractRoutes(): Plugin {
  const id = 'virtual:routes';
  return {
    name: 'contract-routes',
    resolveId: source => (source === id ? `\0${id}` : null),
    load(loaded) {
      if (loaded !== `\0${id}`) return null;
      const table = Object.entries(routes).map(([name, route]) => [name, [route.method, route.path]]);
      return `export default ${JSON.stringify(Object.fromEntries(table))}`;
    },
  };
}
