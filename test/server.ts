// Starts the real server for a test: a temporary data folder with an empty database, a free port, and the models that are already on
// this machine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer, readSettings, type RunningServer } from '@vectorium/server';
import { copyTestDatabase, temporaryFolder } from '../server/database/testing.ts';

export const adminKey = 'sk-administrator-of-the-tests';

/** Where model files are kept between test runs, so that they are fetched once. */
export const modelsFolder = process.env.VECTORIUM_MODELS ?? fileURLToPath(new URL('../data/models', import.meta.url));

export interface TestServer extends RunningServer {
  dataFolder: string;
  /** Stops the server and removes its folder. */
  end(): Promise<void>;
}

/** `prepare` may put files into the data folder before the server reads them, also a database in the place of an empty one. */
export async function startTestServer({
  environment = {},
  prepare = async () => {},
  more = {},
}: {
  environment?: Record<string, string>;
  prepare?: (dataFolder: string) => Promise<void>;
  /** What no variable sets. */
  more?: Partial<ReturnType<typeof readSettings>>;
} = {}): Promise<TestServer> {
  const { path: dataFolder, remove } = temporaryFolder();
  await prepare(dataFolder);
  if (!existsSync(join(dataFolder, 'database'))) await copyTestDatabase(dataFolder);
  const settings = readSettings({
    PORT: '0',
    VECTORIUM_DATA: dataFolder,
    VECTORIUM_MODELS: modelsFolder,
    VECTORIUM_ADMIN_KEY: adminKey,
    VECTORIUM_LOG_LEVEL: 'error',
    VECTORIUM_PRELOAD: 'none',
    ...environment,
  });
  const server = await startServer({ ...settings, ...more });
  return {
    ...server,
    dataFolder,
    async end() {
      await server.close();
      await remove();
    },
  };
}

/** One request; the body of the answer as JSON. */
export async function ask<Answer>(
  url: string,
  { key, method = 'POST', body }: { key: string; method?: string; body?: unknown },
): Promise<{ status: number; headers: Headers; body: Answer }> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
}
