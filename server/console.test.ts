// The whole server with people on it: from the first start's link to an account that leaves nothing behind.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { routes } from '@vectorium/contract';
import { fromBuffer } from 'yauzl';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from './database/index.ts';
import { testFolder } from './database/testing.ts';
import { type RunningServer, startServer } from './main.ts';
import { readSettings } from './settings.ts';

let data: { path: string; remove(): Promise<void> };
let models: string;
let server: RunningServer;
beforeAll(async () => {
  data = await testFolder();
  models = await mkdtemp(join(tmpdir(), 'vectorium-models-'));
  const settings = readSettings({
    PORT: '0',
    VECTORIUM_DATA: data.path,
    VECTORIUM_MODELS: models,
    VECTORIUM_PRELOAD: 'none',
    VECTORIUM_LOG_LEVEL: 'silent',
    HF_ENDPOINT: 'http://127.0.0.1:9',
    VECTORIUM_PYTHON: 'no-such-python',
  });
  server = await startServer(settings);
});
afterAll(async () => {
  await data.remove();
  await rm(models, { recursive: true });
});

const password = 'correct horse battery';

class Browser {
  cookie = '';

  async ask(method: string, path: string, body?: object): Promise<Response> {
    const json = body !== undefined && !(body instanceof FormData);
    const response = await fetch(server.url + path, {
      method,
      headers: {
        cookie: this.cookie,
        ...(method !== 'GET' && { origin: server.url }),
        ...(json && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: json ? JSON.stringify(body) : (body as FormData) }),
    });
    const cookie = response.headers.getSetCookie().find(each => each.startsWith('vectorium.session_token='));
    if (cookie) this.cookie = cookie.split(';', 1)[0] ?? '';
    return response;
  }

  async json(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await this.ask(method, path, body);
    const answer = (await response.json()) as Record<string, unknown>;
    expect(response.status, `${path} ${JSON.stringify(answer)}`).toBe(200);
    return answer;
  }
}

async function signUp(name: string, invitation?: string): Promise<Browser> {
  const browser = new Browser();
  const fields = { name, email: `${name}@example.com`, password, ...(invitation && { invitation }) };
  await browser.json('POST', '/console/auth/sign-up/email', fields);
  return browser;
}

const people = 'name,age\nAda,36\nGrace,45\n';

test('a small service is run with it, and an account that is deleted leaves nothing but its ledger', async () => {
  expect(server.madeAdminKey).toMatch(/^sk-/);
  const operator = await signUp('operator', server.firstLink?.split('#token=')[1]);

  const owner = await signUp('owner');
  const form = new FormData();
  form.set('file', new Blob([people]), 'people.csv');
  form.set('format', 'csv');
  const uploaded = await owner.ask('POST', '/api/v2/data/upload', form);
  const { dataset_id: dataset } = (await uploaded.json()) as { dataset_id: string };
  expect(uploaded.status).toBe(200);
  const { api_key: apiKey } = routes.createOwnKey.answer.parse(
    await owner.json('POST', '/console/api/keys', { name: 'k' }),
  );

  // What is another account's is not there, and who may only read doesn't write.
  const stranger = await signUp('stranger');
  expect((await stranger.ask('GET', `/api/v2/data/${dataset}`)).status).toBe(404);
  const invited = await owner.json('POST', '/console/api/invitations', { email: 'viewer@example.com', role: 'viewer' });
  const viewer = await signUp('viewer', String(invited['link']).split('#token=')[1]);
  expect((await viewer.ask('GET', `/api/v2/data/${dataset}`)).status).toBe(200);
  expect((await viewer.ask('DELETE', `/api/v2/data/${dataset}`)).status).toBe(403);

  const session = routes.getSession.answer.parse(await owner.json('GET', '/console/api/session'));
  const id = session.account_id ?? '';
  expect(
    routes.getOwnAccount.answer.parse(await owner.json('GET', '/console/api/account')).storage.used_bytes,
  ).toBeGreaterThan(0);

  // The operator's side.
  const found = routes.searchAccounts.answer.parse(
    await operator.json('GET', '/console/api/operator/accounts?search=VIEWER'),
  );
  expect(found.data).toMatchObject([{ id, members: 2, keys: 1 }]);
  await operator.json('PATCH', `/admin/accounts/${id}`, { plan: 'pro' });
  await operator.json('POST', `/admin/accounts/${id}/credit`, { amount_usd: 5, note: 'for Ada' });
  const inspected = routes.inspectAccount.answer.parse(
    await operator.json('GET', `/console/api/operator/accounts/${id}`),
  );
  expect(inspected).toMatchObject({
    plan: 'pro',
    people: [{ role: 'owner' }, { role: 'viewer' }],
    ledger: [{ kind: 'credit', note: 'for Ada' }, {}, {}],
  });
  for (const [route, path] of [
    [routes.listPlansInUse, '/console/api/operator/plans'],
    [routes.listCatalog, '/console/api/operator/models'],
    [routes.getServerSeries, '/console/api/operator/series'],
    [routes.listServerAudit, '/console/api/operator/audit'],
    [routes.listSignUpInvitations, '/console/api/operator/invitations'],
  ] as const) {
    route.answer.parse(await operator.json('GET', path));
    expect((await owner.ask('GET', path)).status).toBe(403);
  }

  const zip = await owner.ask('GET', '/console/api/account/export');
  const files = await unzipped(Buffer.from(await zip.arrayBuffer()));
  expect([...files.keys()]).toEqual(
    expect.arrayContaining(['account.json', 'keys.json', 'requests.csv', `datasets/${dataset}/1.parquet`]),
  );
  expect(files.get(`datasets/${dataset}/1.parquet`)?.subarray(0, 4).toString()).toBe('PAR1');
  expect(JSON.parse(String(files.get('people.json')))).toHaveLength(2);
  const all = [...files.values()].join('\n');
  for (const secret of [apiKey, password, owner.cookie.split('=')[1] ?? '-']) expect(all).not.toContain(secret);

  expect((await viewer.ask('POST', '/console/api/account/delete', { confirm: id })).status).toBe(403);
  expect((await owner.ask('POST', '/console/api/account/delete', { confirm: 'yes' })).status).toBe(409);
  await owner.json('POST', '/console/api/account/delete', { confirm: id });
  expect((await owner.ask('GET', '/console/api/account')).status).toBe(401);
  expect((await fetch(`${server.url}/api/v2/data`, { headers: { authorization: `Bearer ${apiKey}` } })).status).toBe(
    401,
  );
  await server.close();

  const left = await traces(id, ['owner@example.com', 'viewer@example.com', 'for Ada', dataset]);
  // The ledger, and the entry that says that the account was deleted.
  expect(left).toEqual(['audit', 'ledger', 'ledger', 'ledger']);
  const names = await readdir(join(data.path, 'storage'), { recursive: true });
  expect(names.filter(name => name.includes(id))).toEqual([]);
});

/** The tables with rows that have any of these texts, once for each row. */
async function traces(...texts: [string, string[]]): Promise<string[]> {
  const database = await openDatabase({ folder: data.path });
  try {
    const tables = await database.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await database.query(
        `SELECT 1 FROM "${name}" t WHERE EXISTS (
           SELECT 1 FROM json_array_elements_text($1::json) AS part WHERE strpos(t::text, part) > 0)`,
        [JSON.stringify(texts.flat())],
      );
      found.push(...rows.map(() => name));
    }
    return found;
  } finally {
    await database.close();
  }
}

function unzipped(bytes: Buffer): Promise<Map<string, Buffer>> {
  return new Promise((resolve, reject) => {
    const files = new Map<string, Buffer>();
    fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
      if (error) return reject(error);
      zip.on('end', () => resolve(files)).on('error', reject);
      zip.on('entry', entry => {
        zip.openReadStream(entry, (failed, stream) => {
          if (failed) return reject(failed);
          const pieces: Buffer[] = [];
          stream.on('data', (piece: Buffer) => pieces.push(piece));
          stream.on('end', () => {
            files.set(entry.fileName, Buffer.concat(pieces));
            zip.readEntry();
          });
        });
      });
      zip.readEntry();
    });
  });
}
