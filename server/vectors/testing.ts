// For tests: a whole server of real parts in a temporary folder, with stand-in weights under the aliases that are asked for.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Engine, createEngine } from '@vectorium/engine';
import { type Accounts, createAccounts } from '../accounts/index.ts';
import { createGroupCommit, openDatabase } from '../database/index.ts';
import { type App, createApp, createLogger } from '../http/index.ts';
import { type Keys, createKeys, makeAdminKey } from '../keys/index.ts';
import { type Models, openModels, shippedCatalog } from '../models/index.ts';
import { createLimiter, loadPlans, usdToPicodollars } from '../plans/index.ts';
import { createTelemetry, mountTelemetryRoutes } from '../telemetry/index.ts';
import { createLedger } from '../usage/index.ts';
import {
  type VectorService,
  createVectorService,
  mountCatalogRoutes,
  mountUsageRoutes,
  mountVectorRoutes,
} from './index.ts';
import { writeStandIn } from './stand-in.ts';

/** Nobody reads it. */
const log = () => {};

export interface TestServer {
  url: string;
  app: App;
  engine: Engine;
  models: Models;
  vectors: VectorService;
  accounts: Accounts;
  keys: Keys;
  adminKey: string;
  /** A new account's key. */
  account(o: {
    plan: string;
    creditUsd?: number;
    models?: string[];
    budgetUsd?: number;
  }): Promise<{ id: string; key: string }>;
  get(path: string, key: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, key: string, body: unknown, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

/** `standIns` are aliases of the shipped catalog. */
export async function startTestServer({
  data,
  standIns = [],
  later = [],
}: {
  /** A folder with an empty database in it, as database/testing.ts makes them; removed at the end. */
  data: { path: string; remove(): Promise<void> };
  standIns?: string[];
  /** Models whose source answers, but that are not fetched yet. */
  later?: string[];
}): Promise<TestServer> {
  const folder = data.path;
  const models = await openModels({
    folder: join(folder, 'models'),
    catalogFiles: [shippedCatalog, await standInCatalog(folder, [...standIns, ...later])],
    // Nothing is fetched in these tests.
    hubEndpoint: 'http://127.0.0.1:9',
    pip: 'no-such-python',
    log,
  });
  for (const alias of standIns) await models.ensure(alias);

  const database = await openDatabase({ folder, log });
  const commit = createGroupCommit(database, { log });
  const plans = await loadPlans(folder);
  const accounts = await createAccounts({ database, plans, defaultModelFor: plan => models.defaultFor(plan) });
  const keys = createKeys({ database, commit, accounts, plans });
  const limiter = await createLimiter({ database, commit });
  const ledger = await createLedger({ database, commit, accounts, log });
  const adminKey = await makeAdminKey({ accounts, keys, plans }, 'tests');
  const telemetry = createTelemetry();
  const engine = createEngine({ workers: 1, log: event => telemetry.engineEvent(event) });
  telemetry.watchEngine(engine);
  const app = await createApp({ log: createLogger({ level: 'fatal' }), keys, limiter, database });
  telemetry.watchRequests(app);
  const vectors = createVectorService({ engine, models, ledger, observe: telemetry.vectorsSettled });
  mountVectorRoutes(app, vectors);
  mountCatalogRoutes(app, models);
  mountUsageRoutes(app, ledger, models);
  mountTelemetryRoutes(app, { telemetry, engine, ledger, dataFolder: folder });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });

  let people = 0;
  return {
    url,
    app,
    engine,
    models,
    vectors,
    accounts,
    keys,
    adminKey,
    async account({ plan, creditUsd = 1, models: allowed, budgetUsd }) {
      const email = `person${++people}@example.com`;
      const { id } = await accounts.create({ email, plan, creditPicodollars: usdToPicodollars(creditUsd) });
      const made = await keys.make(id, {
        name: 'test',
        models: allowed ?? null,
        budgetPicodollars: budgetUsd === undefined ? null : usdToPicodollars(budgetUsd),
      });
      if (!made) throw new Error('no key');
      return { id, key: made.secret };
    },
    get: (path, key, headers = {}) => fetch(url + path, { headers: { authorization: `Bearer ${key}`, ...headers } }),
    post: (path, key, body, init = {}) =>
      fetch(url + path, {
        method: 'POST',
        body: JSON.stringify(body),
        ...init,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...init.headers },
      }),
    async close() {
      await app.close(2000);
      await engine.close();
      await ledger.close();
      await commit.close();
      await database.close();
      telemetry.close();
      await data.remove();
    },
  };
}

/** An operator's catalog that has stand-ins as the only source of these models. */
async function standInCatalog(folder: string, aliases: string[]): Promise<string> {
  const files = ['config.json', 'tokenizer.json', 'model.safetensors'].map(path => ({ path }));
  const entries: Record<string, object> = {};
  for (const alias of aliases) {
    const path = join(folder, 'stand-ins', alias);
    const small = ['e5_small', 'minilm_base', 'minilm_l6'].includes(alias);
    await mkdir(path, { recursive: true });
    await writeStandIn(path, { dimension: small ? 384 : 768, maxTokens: alias === 'gte_base' ? 8192 : 512 });
    entries[alias] = { files, sources: [{ kind: 'folder', path }] };
  }
  const file = join(folder, 'models.json');
  await writeFile(file, JSON.stringify({ models: entries }));
  return file;
}
