// A server of the framework with real accounts, keys and limits in a database of its own, and raw sockets for what no client sends.
import { connect } from 'node:net';
import { type Accounts, createAccounts } from '../accounts/index.ts';
import { type Database, createGroupCommit } from '../database/index.ts';
import { startDatabases } from '../database/testing.ts';
import { type Keys, createKeys } from '../keys/index.ts';
import { type Limiter, type Plans, createLimiter, loadPlans } from '../plans/index.ts';
import { type App, type AppOptions, createApp } from './app.ts';
import { createLogger } from './log.ts';

export interface TestParts {
  accounts: Accounts;
  keys: Keys;
  limiter: Limiter;
  plans: Plans;
  database: Database;
  /** The account of the keys below, on the plan Enterprise without limits. */
  accountId: string;
  /** Secrets of keys. */
  key: { ordinary: string; usageOnly: string; admin: string };
  close(): Promise<void>;
}

export interface TestServer {
  app: App;
  url: string;
  /** The lines of the log. */
  log: Record<string, unknown>[];
  fetch(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  /** Posts JSON with the ordinary key. */
  post(
    path: string,
    body: unknown,
    init?: { key?: string | null; headers?: Record<string, string> },
  ): Promise<Response>;
  close(): Promise<void>;
}

/** What stands behind the servers of a test file. */
export async function openParts(): Promise<TestParts> {
  const databases = await startDatabases('pglite');
  if (!databases) throw new Error('no embedded database');
  const database = await databases.open();
  const commit = createGroupCommit(database);
  const plans = await loadPlans('/nowhere');
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
  const keys = createKeys({ database, commit, accounts, plans });
  const { id: accountId } = await accounts.create({
    email: 'ordinary@example.com',
    plan: 'enterprise',
    limits: unlimited,
  });
  const secretOf = async (name: string, rights: { scopes?: string[]; admin?: boolean } = {}) =>
    (await keys.make(accountId, { name, ...rights }))?.secret ?? '';
  return {
    accounts,
    keys,
    limiter: await createLimiter({ database, commit }),
    plans,
    database,
    accountId,
    key: {
      ordinary: await secretOf('ordinary'),
      usageOnly: await secretOf('usage only', { scopes: ['usage'] }),
      admin: await secretOf('admin', { admin: true }),
    },
    async close() {
      await commit.close();
      await databases.stop();
    },
  };
}

/** Starts a server after `routes` has mounted what the test needs. */
export async function startServer(
  parts: TestParts,
  routes: (app: App) => void | Promise<void>,
  options: Partial<AppOptions> = {},
): Promise<TestServer> {
  const log: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) };
  const { keys, limiter, database, key } = parts;
  const app = await createApp({ log: createLogger({ stream }), keys, limiter, database, ...options });
  await routes(app);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const server: TestServer = {
    app,
    url,
    log,
    fetch(path, { key: secret = key.ordinary, headers, ...init } = {}) {
      const authorization = secret === null ? {} : { authorization: `Bearer ${secret}` };
      const all = { ...authorization, ...(headers as Record<string, string> | undefined) };
      return fetch(url + path, { ...init, headers: all });
    },
    post(path, body, { key: secret = key.ordinary, headers = {} } = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const all = { 'content-type': 'application/json', ...headers };
      return server.fetch(path, { method: 'POST', body: text, key: secret, headers: all });
    },
    close: () => app.close(2000),
  };
  return server;
}

const unlimited = {
  vectors: { minute: null, hour: null },
  data: { minute: null, day: null },
  max_keys: null,
};

/** Sends `pieces` over a bare socket and gives what comes back until the server closes, or until nothing came for `quietMs`. */
export function sendRaw(
  url: string,
  pieces: Iterable<string | Buffer>,
  { quietMs = 300, hangUp = false } = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname);
    let answer = '';
    const quiet = setTimeout(() => socket.destroy(), 1500);
    socket.on('data', data => {
      answer += data.toString('latin1');
      clearTimeout(quiet);
      setTimeout(() => socket.destroy(), quietMs);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(quiet);
      resolve(answer);
    });
    for (const piece of pieces) socket.write(piece);
    if (hangUp) setTimeout(() => socket.destroy(), 20);
  });
}
