// The server as an operator meets it: started, stopped, killed, backed up and restored from the command line.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { copyTestDatabase } from '../server/database/testing.ts';
import { adminKey, ask, modelsFolder } from './server.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../server/vectorium.js', import.meta.url));
let folder: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectorium-command-'));
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function environment(data: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PORT: '0',
    VECTORIUM_DATA: join(folder, data),
    VECTORIUM_MODELS: modelsFolder,
    VECTORIUM_ADMIN_KEY: adminKey,
  };
}

async function serve(data: string): Promise<{ url: string; child: ChildProcess; exit: Promise<unknown[]> }> {
  const child = spawn(process.execPath, [program, 'serve'], {
    env: environment(data),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  running.add(child);
  const exit = once(child, 'exit').finally(() => running.delete(child));
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /"url":"(http[^"]+)"/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return { url, child, exit };
  }
  throw new Error('the server ended before it listened');
}

const command = (data: string, ...args: string[]) =>
  run(process.execPath, [program, ...args], { env: environment(data) });

interface Made {
  account_id: string;
  api_key: string;
}

interface Summary {
  summary: { total_requests: number; total_tokens: number; current_balance: number };
}

/** Waits until the model is there (the first request for it fetches it). */
async function warm(url: string): Promise<void> {
  for (;;) {
    const { status, body } = await ask<{ detail?: string }>(`${url}/vectorize`, {
      key: adminKey,
      body: { text: 'warm', model: 'e5_small' },
    });
    if (status === 200) return;
    if (status !== 503) throw new Error(body.detail);
    await new Promise(resolve => setTimeout(resolve, 300));
  }
}

async function newAccount(url: string, email: string, plan: string): Promise<Made> {
  const { status, body } = await ask<Made>(`${url}/admin/accounts`, {
    key: adminKey,
    body: { email, plan, credit_usd: 1 },
  });
  expect(status).toBeLessThan(300);
  return body;
}

test('one folder has one server, commands work beside it, and a backup restores to the same', async () => {
  const { url, child, exit } = await serve('first');
  await warm(url);
  const { api_key: key } = await newAccount(url, 'one@example.com', 'pro');
  for (const text of ['one', 'two', 'three'])
    expect((await ask(`${url}/vectorize`, { key, body: { text, model: 'e5_small' } })).status).toBe(200);
  const before = await ask<Summary>(`${url}/usage`, { key, method: 'GET' });
  expect(before.body.summary.total_requests).toBe(3);

  await expect(command('first', 'serve')).rejects.toMatchObject({ code: 3, stderr: expect.stringContaining('first') });

  const { stdout: madeKey } = await command('first', 'keys', 'create', '--admin');
  expect((await ask(`${url}/health`, { key: madeKey.trim(), method: 'GET' })).status).toBe(200);

  const upload = { file: Buffer.from('name,age\nAda,36\nBob,\n').toString('base64'), format: 'csv' };
  const { body: dataset } = await ask<{ dataset_id: string }>(`${url}/api/v2/data/upload`, { key, body: upload });
  const rows = `/api/v2/data/${dataset.dataset_id}/rows`;
  const { body: page } = await ask<{ data: unknown[] }>(`${url}${rows}`, { key, method: 'GET' });
  expect(page.data).toHaveLength(2);

  const file = join(folder, 'backup');
  const { stdout: told } = await command('first', 'backup', file);
  expect(told).toContain('and 1 files');
  await expect(command('first', 'restore', file)).rejects.toMatchObject({ code: 1 });
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);

  await command('second', 'restore', file);
  const restored = await serve('second');
  const after = await ask<Summary>(`${restored.url}/usage`, { key, method: 'GET' });
  expect(after.body.summary).toMatchObject(before.body.summary);
  expect(await ask(`${restored.url}${rows}`, { key, method: 'GET' })).toMatchObject({ status: 200, body: page });
  restored.child.kill('SIGTERM');
  expect(await restored.exit).toEqual([0, null]);
}, 180_000);

test('SIGTERM finishes what is in flight; fifty callers at once are admitted to the letter of the plan', async () => {
  await copyTestDatabase(join(folder, 'third'));
  const { url, child, exit } = await serve('third');
  await warm(url);
  const { api_key: key } = await newAccount(url, 'free@example.com', 'free');
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => ask(`${url}/vectorize`, { key, body: { text: `text number ${i}` } })),
  );
  const count = (status: number) => answers.filter(answer => answer.status === status).length;
  expect([count(200), count(429)]).toEqual([10, 40]);

  const long = ask<{ vectors: unknown[] }>(`${url}/vectorize/chunked`, {
    key: adminKey,
    body: { text: 'All good things come to those who wait for them. '.repeat(8000), model: 'e5_small' },
  });
  await new Promise(resolve => setTimeout(resolve, 300));
  expect(await Promise.race([long.then(() => 'answered'), Promise.resolve('in flight')])).toBe('in flight');
  child.kill('SIGTERM');
  const { status, body } = await long;
  expect([status, body.vectors.length > 20]).toEqual([200, true]);
  expect(await exit).toEqual([0, null]);
}, 180_000);

test('kill -9 among busy callers loses no charge and doubles none', async () => {
  await copyTestDatabase(join(folder, 'fourth'));
  let server = await serve('fourth');
  await warm(server.url);
  const { api_key: key } = await newAccount(server.url, 'busy@example.com', 'enterprise');
  let asked = 0;
  let answered = 0;
  for (let round = 0; round < 3; round++) {
    const { url, child, exit } = server;
    const callers = Array.from({ length: 16 }, async () => {
      for (;;) {
        const text = `request number ${asked++}`;
        const answer = await ask(`${url}/vectorize`, { key, body: { text, model: 'e5_small' } }).catch(() => null);
        if (answer === null) return;
        expect(answer.status).toBe(200);
        answered++;
      }
    });
    const before = answered;
    await vi.waitUntil(() => answered >= before + 20, { timeout: 60_000 });
    child.kill('SIGKILL');
    await exit;
    await Promise.all(callers);
    server = await serve('fourth');
  }
  const { body } = await ask<Summary>(`${server.url}/usage`, { key, method: 'GET' });
  const { total_requests: charged, total_tokens: tokens, current_balance: balance } = body.summary;
  expect(answered).toBeGreaterThanOrEqual(60);
  expect(charged).toBeGreaterThanOrEqual(answered);
  expect(charged).toBeLessThanOrEqual(asked);
  expect(balance).toBeCloseTo(1 - tokens * 0.002e-6, 12);
  server.child.kill('SIGKILL');
  await server.exit;
}, 180_000);

test('a Node that is too old is refused with what to do', async () => {
  const old = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' });`;
  const argument = `--import=data:text/javascript,${encodeURIComponent(old)}`;
  await expect(run(process.execPath, [argument, program, 'serve'])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('needs Node 24.12 or newer'),
  });
});
