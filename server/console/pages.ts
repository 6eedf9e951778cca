// The console's pages as its build made them: /, and everything below /console that is no route. A page may run and load nothing but what
// comes from this server. Files with a hash in their name never change; all are packed once, as well as it goes.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../http/index.ts';

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

type Packing = 'br' | 'gzip' | 'identity';

interface StaticFile {
  path: string;
  type: string;
  /** Made when somebody asks first. */
  packed: Map<Packing, Promise<Buffer>>;
}

/** Below these nothing is a page. */
const routesBelow = ['/console/api', '/console/auth', '/console/assets', '/console/payments'];
const smallestPackedBytes = 1024;

/** Without a build, the first page is the reference. */
export async function mountConsole(app: App, folder: string): Promise<void> {
  const files = await filesOf(folder);
  const page = files.get('/index.html');
  if (!page) {
    app.fastify.get('/', (_request, reply) => reply.redirect('/docs'));
    return;
  }
  app.fastify.get('/', (request, reply) => send(page, request, reply));
  app.fastify.get('/console', (request, reply) => send(page, request, reply));
  app.fastify.get('/console/*', (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const file = files.get(path);
    if (file) return send(file, request, reply);
    if (routesBelow.some(each => path === each || path.startsWith(`${each}/`))) return reply.callNotFound();
    return send(page, request, reply);
  });
}

async function filesOf(folder: string): Promise<Map<string, StaticFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.flatMap(entry => {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) return [];
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(folder, path).split(sep).join('/')}`;
    return [[name, { path, type, packed: new Map<Packing, Promise<Buffer>>() }] as const];
  });
  return new Map(files);
}

async function send(file: StaticFile, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const whole = await packed(file, 'identity');
  const packing = whole.length < smallestPackedBytes ? 'identity' : packingFor(request);
  const hashed = request.url.startsWith('/console/assets/');
  reply
    .header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    .header('vary', 'accept-encoding');
  if (file.type.startsWith('text/html')) reply.header('content-security-policy', policy);
  if (packing !== 'identity') reply.header('content-encoding', packing);
  return reply.type(file.type).send(await packed(file, packing));
}

function packingFor(request: FastifyRequest): Packing {
  const accepted = String(request.headers['accept-encoding'] ?? '');
  // A client that refuses one by `q=0` is rare, and gets the file as it is.
  if (/;\s*q=0(\.0*)?(\s*,|\s*$)/.test(accepted)) return 'identity';
  return /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : 'identity';
}

function packed(file: StaticFile, packing: Packing): Promise<Buffer> {
  const known = file.packed.get(packing);
  if (known) return known;
  const made = pack(file, packing);
  made.catch(() => file.packed.delete(packing));
  file.packed.set(packing, made);
  return made;
}

async function pack(file: StaticFile, packing: Packing): Promise<Buffer> {
  if (packing === 'identity') return readFile(file.path);
  const whole = await packed(file, 'identity');
  if (packing === 'gzip') return promisify(gzip)(whole, { level: 9 });
  return promisify(brotliCompress)(whole, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: whole.length },
  });
}
