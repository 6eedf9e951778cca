// An account that is deleted leaves nothing but its books, also when the process is killed on the way; an export leaves nothing at all.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../server/database/index.ts';
import { type TestServer, ask, startTestServer } from '../server.ts';
import { type Person, filesOf, password, prepareModel, rowsOf, signUp, until } from './setup.ts';

const program = fileURLToPath(new URL('delete-until-killed.ts', import.meta.url));
/** Of mark, rows of the data, files of datasets, files of models, last rows: the first, the middle and the last. */
const steps = [1, 3, 5];
vi.setConfig({ testTimeout: 180_000 });

let models: string;
/** A data folder with an account in it that has everything, and what belongs to it. */
let template: string;
let leaver: Person;
let stays: Person;
let traces: string[];
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'vectorium-models-'));
  template = await mkdtemp(join(tmpdir(), 'vectorium-template-'));
  const server = await start();
  ({ leaver, stays, traces } = await furnish(server));
  await server.close();
  await copied(server.dataFolder, template);
  await rm(server.dataFolder, { recursive: true });
}, 180_000);
afterAll(async () => {
  await rm(models, { recursive: true });
  await rm(template, { recursive: true });
});

/** A socket that a killed process has left can't be copied. */
function copied(from: string, to: string): Promise<void> {
  return cp(from, to, { recursive: true, filter: path => !path.endsWith('.socket') });
}

function start(prepare = prepareModel): Promise<TestServer> {
  return startTestServer({ environment: { VECTORIUM_MODELS: models, VECTORIUM_WEBHOOKS: 'loopback' }, prepare });
}

async function furnish({ url }: TestServer) {
  const person = await signUp(url, 'leaver');
  const other = await signUp(url, 'stays');
  const { link } = await person.call<{ link: string }>('POST', '/console/api/invitations', {
    email: other.email,
    role: 'member',
  });
  await other.call('POST', '/console/api/invitation/accept', { token: link.split('#token=')[1] });
  await person.call('POST', '/console/api/invitations', { email: 'invited@example.com', role: 'viewer' });
  await person.call('POST', '/console/auth/request-password-reset', { email: person.email });
  await person.call('PUT', '/console/api/billing/budget', { monthly_usd: 5, hard: true });
  await person.call('PUT', '/api/v2/webhook', { url: 'http://127.0.0.1:9/hook' });
  const { api_key: key, key: shown } = await person.call<{ api_key: string; key: { id: string } }>(
    'POST',
    '/console/api/keys',
    { name: 'k' },
  );
  const call = async <Answer>(path: string, body: object): Promise<Answer> => {
    const { status, body: answer } = await ask<Answer>(url + path, { key, body });
    if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  };
  await until('vectors', () =>
    call('/vectorize', { text: 'A text' }).then(
      () => true,
      () => false,
    ),
  );
  const rows = Array.from({ length: 400 }, (_, row) => `${row % 7},${row % 3 === 0 ? 'yes' : 'no'}`);
  const { dataset_id: dataset } = await call<{ dataset_id: string }>('/api/v2/data/upload', {
    file: Buffer.from(`a,b\n${rows.join('\n')}\n`).toString('base64'),
    format: 'csv',
  });
  const { model_id: model } = await call<{ model_id: string }>('/api/v2/models/train', {
    dataset_id: dataset,
    model_type: 'classification',
    target: 'b',
    config: { epochs: 2 },
  });
  const status = async () => (await person.call<{ status: string }>('GET', `/api/v2/models/${model}`)).status;
  await until('a model', async () => (await status()) === 'succeeded', 150);
  const found = [person.accountId, person.email, person.personId, shown.id, dataset, model, 'invited@example.com'];
  return { leaver: person, stays: other, traces: found };
}

/** What is left of the account in the database and in files. */
async function left(folder: string): Promise<string[]> {
  const database = await openDatabase({ folder, join: true });
  try {
    const rows = await rowsOf(database);
    const files = await filesOf(folder);
    return [...rows, ...files].filter(each => traces.some(trace => each.includes(trace)));
  } finally {
    await database.close();
  }
}

function expectBooksOnly(found: readonly string[]): void {
  const others = found.filter(each => !each.startsWith('public.ledger '));
  expect(others).toEqual([expect.stringMatching(/^public\.audit .*"action":"account\.deleted"/)]);
  const books = found.filter(each => each.startsWith('public.ledger '));
  expect(books.length).toBeGreaterThan(1);
  for (const entry of books) expect(entry).toMatch(/"note":("\d{4}-\d\d"|"")/);
}

test('there is something of everything to delete', async () => {
  const found = await left(template);
  for (const table of [
    'accounts',
    'keys',
    'usage',
    'usage_hours',
    'ledger',
    'audit',
    'people',
    'credentials',
    'sessions',
  ])
    expect([table, found.some(each => each.startsWith(`public.${table} `))]).toEqual([table, true]);
  for (const table of ['members', 'invitations', 'datasets', 'dataset_versions', 'trained_models', 'jobs', 'webhooks'])
    expect([table, found.some(each => each.startsWith(`public.${table} `))]).toEqual([table, true]);
  expect(found.some(each => /^storage\/objects\/datasets\/.*\.parquet$/.test(each))).toBe(true);
  expect(found.some(each => /^storage\/objects\/models\/./.test(each))).toBe(true);
});

test.each(steps)('killed before step %i, the next start ends the deletion, and only the books stay', async step => {
  const folder = await mkdtemp(join(tmpdir(), 'vectorium-killed-'));
  await copied(template, folder);
  const child = fork(program, [folder, leaver.accountId, String(step)], { stdio: 'inherit' });
  const [message] = (await once(child, 'message')) as [unknown];
  expect(message).toBe('reached');
  child.kill('SIGKILL');
  await once(child, 'exit');

  const server = await start(to => copied(folder, to));
  await rm(folder, { recursive: true });
  if (step === 1) {
    // Killed before it was marked: nothing has happened, and the owner asks again.
    await leaver.call('GET', '/console/api/account').catch(() => null);
    const again = await signInAgain(server);
    await again('POST', '/console/api/account/delete', { confirm: leaver.accountId });
  }
  await expect
    .poll(async () => (await left(server.dataFolder)).some(each => each.startsWith('public.accounts ')), {
      timeout: 30_000,
      interval: 100,
    })
    .toBe(false);
  expectBooksOnly(await left(server.dataFolder));
  const database: Database = await openDatabase({ folder: server.dataFolder, join: true });
  const rows = await rowsOf(database);
  await database.close();
  expect(rows.some(each => each.startsWith('public.people ') && each.includes(stays.email))).toBe(true);
  await server.end();
});

async function signInAgain({ url }: TestServer): Promise<Person['call']> {
  const { call } = await signUp(url, `visitor${Date.now()}`);
  await call('POST', '/console/auth/sign-in/email', { email: leaver.email, password });
  return call;
}

test('an export that is read, and one that is broken off, leave no file behind', async () => {
  const server = await start(folder => copied(template, folder));
  const call = await signInAgain(server);
  await call('GET', '/console/api/account');
  const before = await filesOf(server.dataFolder);
  const { fetch } = await signedIn(server);
  const whole = await fetch(`${server.url}/console/api/account/export`);
  const zip = Buffer.from(await whole.arrayBuffer());
  expect([whole.status, zip.subarray(0, 2).toString()]).toEqual([200, 'PK']);
  const broken = new AbortController();
  const part = await fetch(`${server.url}/console/api/account/export`, { signal: broken.signal });
  await part.body?.getReader().read();
  broken.abort();
  await sleep(300);
  expect(await filesOf(server.dataFolder)).toEqual(before);
  await server.end();
});

async function signedIn({ url }: TestServer): Promise<Person> {
  const person = await signUp(url, `reader${Date.now()}`);
  await person.call('POST', '/console/auth/sign-in/email', { email: leaver.email, password });
  return person;
}
