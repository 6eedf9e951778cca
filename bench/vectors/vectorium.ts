// Vectorium's own server, started as an operator starts it, with an account whose requests are limited and paid for.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Door, openaiDoor } from './load.ts';
import { memoryOf, type Program, startProgram } from './processes.ts';

export const MODEL = 'minilm_l6';
const COMMAND = new URL('../../server/vectorium.js', import.meta.url).pathname;
const MODELS = resolve(process.env.VECTORIUM_MODELS ?? new URL('../../data/models', import.meta.url).pathname);

export interface Vectorium {
  program: Program;
  /** Where it listens. */
  origin: string;
  /** Of an account that is limited and pays. */
  key: string;
  /** `/v1/embeddings` with base64 and `/vectorize` with JSON numbers, under limits and money. */
  doors: { openai: Door; native: Door };
  /** The same routes with the administrator's key: neither limits nor money. */
  unlimited: Door;
  stop(): Promise<void>;
}

/** The model's folder, pulled by the server's own command when it is not there. */
export async function modelFolder(): Promise<string> {
  const find = async () => {
    const revisions = await readdir(join(MODELS, MODEL)).catch(() => []);
    return revisions.map(name => join(MODELS, MODEL, name)).find(folder => existsSync(join(folder, 'vectorium.json')));
  };
  const there = await find();
  if (there) return there;
  console.error(`pulling ${MODEL} …`);
  const env = { ...process.env, VECTORIUM_MODELS: MODELS };
  await promisify(execFile)(process.execPath, [COMMAND, 'models', 'pull', MODEL], { env });
  const pulled = await find();
  if (!pulled) throw new Error(`vectorium models pull left no ${MODEL} in ${MODELS}`);
  return pulled;
}

export async function startVectorium(): Promise<Vectorium> {
  const data = await mkdtemp(join(tmpdir(), 'bench-vectors-'));
  const adminKey = `sk-${randomBytes(24).toString('hex')}`;
  // The first start makes the database, which for a moment takes more memory than any load: that is no memory under load.
  await (await serve(data, adminKey)).stop();
  const program = await serve(data, adminKey);
  const origin = addressOf(program);
  const admin = async (method: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
    const answer = await fetch(origin + path, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Record<string, string>;
  };
  const account = { email: 'bench@example.com', plan: 'enterprise', credit_usd: 10_000 };
  const { account_id, api_key: key = '' } = await admin('POST', '/admin/accounts', account);
  // Limits that are never reached, but counted.
  const limits = { vectors: { minute: 100_000_000, hour: 100_000_000 } };
  await admin('PATCH', `/admin/accounts/${account_id}`, { limits });
  const native: Door = {
    url: `${origin}/vectorize`,
    headers: { authorization: `Bearer ${key}` },
    body: text => JSON.stringify({ text, model: MODEL }),
    vector: answer => Float32Array.from((JSON.parse(answer) as { vector: number[] }).vector),
  };
  return {
    program,
    origin,
    key,
    doors: { openai: openaiDoor(origin, { model: MODEL, key }), native },
    unlimited: openaiDoor(origin, { model: MODEL, key: adminKey }),
    async stop() {
      await program.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

export interface Start {
  /** From the command to the first answer of /livez, with a data folder that exists. */
  seconds: number;
  /** Three seconds later, before any model is loaded; null where there is no /proc. */
  idleBytes: number | null;
}

export async function measureStart(times: number): Promise<Start[]> {
  const data = await mkdtemp(join(tmpdir(), 'bench-vectors-'));
  const adminKey = `sk-${randomBytes(24).toString('hex')}`;
  await (await serve(data, adminKey)).stop();
  const starts: Start[] = [];
  for (let time = 0; time < times; time++) {
    const started = performance.now();
    const program = await serve(data, adminKey);
    await (await fetch(`${addressOf(program)}/livez`)).arrayBuffer();
    const seconds = (performance.now() - started) / 1000;
    await new Promise(done => setTimeout(done, 3000));
    starts.push({ seconds, idleBytes: (await memoryOf(program.pid))?.residentBytes ?? null });
    await program.stop();
  }
  await rm(data, { recursive: true, force: true });
  return starts;
}

function serve(data: string, adminKey: string): Promise<Program> {
  return startProgram([process.execPath, COMMAND, 'serve'], {
    ready: line => line.startsWith('{') && line.includes('"url":'),
    environment: {
      PORT: '0',
      VECTORIUM_DATA: data,
      VECTORIUM_MODELS: MODELS,
      VECTORIUM_ADMIN_KEY: adminKey,
      VECTORIUM_PRELOAD: 'none',
    },
  });
}

const addressOf = (program: Program): string => (JSON.parse(program.readyLine) as { url: string }).url;
