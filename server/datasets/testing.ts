// For tests of datasets: the real parts below the routes, in folders of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type OpenTables, openTables } from '@vectorium/tables';
import { type Account, type Accounts, createAccounts } from '../accounts/index.ts';
import type { Overrides } from '../plans/index.ts';
import { type Database, openDatabase } from '../database/index.ts';
import { testFolder } from '../database/testing.ts';
import { type RunningServer, startServer } from '../main.ts';
import { loadPlans } from '../plans/index.ts';
import { readSettings } from '../settings.ts';
import { type Storage, openStorage } from '../storage/index.ts';
import { writeStandIn } from '../vectors/stand-in.ts';
import { type Quota, createQuota } from '../quota/index.ts';
import { type Store, createStore } from './store.ts';
import type { Uploaded } from './uploaded.ts';

export interface TestParts {
  folder: string;
  database: Database;
  storage: Storage;
  tables: OpenTables;
  store: Store;
  quota: Quota;
  accounts: Accounts;
  account(limits?: Overrides): Promise<Account>;
  /** A file as a door leaves it. */
  uploaded(content: string | Buffer, fields?: Partial<Uploaded>): Promise<Uploaded>;
  /** All keys of the storage. */
  files(): Promise<string[]>;
  close(): Promise<void>;
}

export async function openTestParts(): Promise<TestParts> {
  const data = await testFolder();
  const folder = data.path;
  const database = await openDatabase({ folder });
  const storage = await openStorage({ folder: join(folder, 'storage') });
  const tables = openTables({ scratchFolder: join(folder, 'tables') });
  const plans = await loadPlans(folder);
  const accounts = await createAccounts({ database, plans, defaultModelFor: async () => 'e5_small' });
  const quota = await createQuota({ database });
  let count = 0;
  return {
    folder,
    database,
    storage,
    tables,
    accounts,
    store: createStore(database),
    quota,
    account: limits => accounts.create({ email: `person${++count}@example.com`, plan: 'pro', limits: limits ?? null }),
    async uploaded(content, fields = {}) {
      const path = join(folder, `upload-${++count}`);
      await writeFile(path, content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      const bytes = Buffer.byteLength(content);
      return { path, bytes, sha256, format: 'csv', options: {}, name: null, description: null, ...fields };
    },
    async files() {
      const keys: string[] = [];
      for await (const { key } of storage.list('')) keys.push(key);
      return keys;
    },
    async close() {
      await tables.close();
      await quota.close();
      await storage.close();
      await database.close();
      await data.remove();
    },
  };
}

export interface TestServer extends RunningServer {
  dataFolder: string;
  adminKey: string;
  /** A new account's key. */
  account(o?: {
    plan?: string;
    creditUsd?: number;
    limits?: Overrides;
    scopes?: string[];
  }): Promise<{ id: string; key: string }>;
  fetch(path: string, key: string, init?: RequestInit): Promise<Response>;
  /** The body of the answer as JSON, whatever its status. */
  ask<Answer = Record<string, unknown>>(
    method: string,
    path: string,
    key: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Answer; headers: Headers }>;
  upload<Answer = Record<string, unknown>>(
    key: string,
    file: string | Buffer,
    fields?: object,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Answer; headers: Headers }>;
  end(): Promise<void>;
}

const adminKey = 'sk-administrator-of-these-tests';

export interface TestData {
  path: string;
  environment: Record<string, string>;
  remove(): Promise<void>;
}

/** A data folder with an empty database and stand-in weights for e5_small, and the environment of a server on it. */
export async function testData(): Promise<TestData> {
  const { path, remove } = await testFolder();
  const source = join(path, 'stand-ins', 'e5_small');
  await writeStandIn(source, { dimension: 384, maxTokens: 512 });
  const files = ['config.json', 'tokenizer.json', 'model.safetensors'].map(name => ({ path: name }));
  const models = { e5_small: { files, sources: [{ kind: 'folder', path: source }] } };
  await writeFile(join(path, 'models.json'), JSON.stringify({ models }));
  const environment = {
    PORT: '0',
    VECTORIUM_DATA: path,
    // Never the folder of real models that this process may have been given: stand-ins would take their place in it.
    VECTORIUM_MODELS: join(path, 'models'),
    VECTORIUM_ADMIN_KEY: adminKey,
    VECTORIUM_LOG_LEVEL: 'fatal',
    VECTORIUM_PRELOAD: 'e5_small',
    VECTORIUM_WORKERS: '1',
    HF_ENDPOINT: 'http://127.0.0.1:9',
    VECTORIUM_PYTHON: 'no-such-python',
  };
  return { path, environment, remove };
}

/** The whole server of real parts. */
export async function startDatasetServer(
  environment: Record<string, string> = {},
  parts: Parameters<typeof startServer>[1] = {},
): Promise<TestServer> {
  const data = await testData();
  const server = await startServer(readSettings({ ...data.environment, ...environment }), parts);
  let ready = await fetch(`${server.url}/readyz`);
  while (!ready.ok) {
    await new Promise(resolve => setTimeout(resolve, 50));
    ready = await fetch(`${server.url}/readyz`);
  }
  return {
    ...client(server.url),
    ...server,
    dataFolder: data.path,
    async end() {
      await server.close();
      await data.remove();
    },
  };
}

const program = fileURLToPath(new URL('../vectorium.js', import.meta.url));

/** A server in a process of its own, to be killed; `running` has it while it runs. */
export async function spawnServer(data: TestData, running: Set<ChildProcess>) {
  const child = spawn(process.execPath, [program, 'serve'], {
    env: { ...process.env, ...data.environment, VECTORIUM_LOG_LEVEL: 'info', VECTORIUM_PRELOAD: 'none' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  running.add(child);
  const exit = once(child, 'exit').finally(() => running.delete(child));
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /"url":"(http[^"]+)"/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
      child.kill(signal);
      await exit;
    };
    return { ...client(url), url, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
  }
  throw new Error('the server ended before it listened');
}

/** Puts a job that has succeeded back to where its process would have left it, had it been killed before the last thing that it did. */
export async function killBeforeTheEnd(data: TestData, job: { accountId: string; id: string }): Promise<void> {
  const database = await openDatabase({ folder: data.path });
  const rows = await database.query(
    `UPDATE jobs SET status = 'running', finished_at = NULL, result = NULL
     WHERE id = $1 AND status = 'succeeded' RETURNING id`,
    [job.id],
  );
  await database.close();
  if (rows.length !== 1) throw new Error(`no job ${job.id} that has succeeded`);
  await mkdir(join(data.path, 'jobs', `${job.accountId}.${job.id}`));
}

/** What tests ask a running server. */
export function client(url: string): Pick<TestServer, 'adminKey' | 'account' | 'fetch' | 'ask' | 'upload'> {
  let people = 0;
  const fetchAs: TestServer['fetch'] = (path, key, init = {}) =>
    fetch(url + path, {
      ...init,
      headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) },
    });
  const ask: TestServer['ask'] = async <Answer>(
    method: string,
    path: string,
    key: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetchAs(path, key, { method, ...json, headers: { ...type, ...headers } });
    return { status: response.status, body: (await response.json()) as Answer, headers: response.headers };
  };
  return {
    adminKey,
    fetch: fetchAs,
    ask,
    async account({ plan = 'pro', creditUsd = 1, limits, scopes } = {}) {
      const email = `person${++people}.${Date.now()}@example.com`;
      const made = await ask<{ account_id: string; api_key: string }>('POST', '/admin/accounts', adminKey, {
        email,
        plan,
        credit_usd: creditUsd,
      });
      const id = made.body.account_id;
      if (limits) await ask('PATCH', `/admin/accounts/${id}`, adminKey, { limits });
      if (!scopes) return { id, key: made.body.api_key };
      const { body } = await ask<{ api_key: string }>('POST', `/admin/accounts/${id}/keys`, adminKey, {
        name: 'test',
        scopes,
      });
      return { id, key: body.api_key };
    },
    upload: (key, file, fields = {}, headers = {}) =>
      ask(
        'POST',
        '/api/v2/data/upload',
        key,
        { file: Buffer.from(file).toString('base64'), format: 'csv', ...fields },
        headers,
      ),
  };
}
