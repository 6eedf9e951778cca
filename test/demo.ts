// `npm run demo`: the newcomer's whole path on real input, checked step by step; ends 0 only if every check held.
// `npm run demo -- --language` also teaches a language model, which takes some minutes more.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { walkBirdstrikes } from './birdstrikes.ts';
import { meanings } from './meanings.ts';
import { walkLanguageModel, walkSmallLanguageModel } from './language-model.ts';
import { walkModels } from './trained-models.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const model = 'e5_small';
const adminKey = `sk-demo${crypto.randomUUID().replaceAll('-', '')}`;

const folder = mkdtempSync(join(tmpdir(), 'vectorium-demo-'));
let server: ChildProcess | undefined;
let failed = 0;
try {
  await walk();
} catch (error) {
  failed++;
  console.error(`\n✗ ${error instanceof Error ? error.message : error}`);
} finally {
  server?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
console.log(failed === 0 ? '\nEvery step was checked and held.' : `\n${failed} check(s) failed.`);
process.exitCode = failed === 0 ? 0 : 1;

async function walk() {
  title('Start the server (embedded database, temporary folder, free port)');
  const { url, child } = await start();
  server = child;
  console.log(`  ${url}`);

  title(`Wait for the model ${model} (fetched once, hash-verified, then kept in data/models)`);
  await modelReady(url);

  title('An account on the Free plan, made by the administrator');
  const account = await call<{ account_id: string; api_key: string }>(url, adminKey, 'POST', '/admin/accounts', {
    email: 'newcomer@example.com',
    plan: 'free',
    credit_usd: 1,
  });
  const key = account.api_key;
  check(key.startsWith('sk-'), `an API key was made for ${account.account_id}`);
  const catalog = await call<{ models: Record<string, object>; default_model: string }>(url, key, 'GET', '/models');
  check(catalog.default_model === model, `the account's default model is ${catalog.default_model}`);

  title('One text → one vector');
  const single = await call<Vectorized>(url, key, 'POST', '/vectorize', { text: meanings.cat[0] });
  check(
    single.vector.length === 384 && Math.abs(norm(single.vector) - 1) < 1e-3,
    `384 numbers of length 1: [${single.vector.slice(0, 4).join(', ')}, …]`,
  );
  console.log(`  ${single.usage.total_tokens} tokens by the model's own tokenizer`);

  title('Sentences in several languages → similarities');
  await similarities(url);

  title('A long document → chunks, each with its vector');
  const text = readFileSync(join(root, 'LICENSE'), 'utf8');
  const chunked = await call<Chunked>(url, key, 'POST', '/vectorize/chunked', {
    text,
    chunk_size: 256,
    chunk_overlap: 0.1,
  });
  check(
    chunked.chunks.every(chunk => text.includes(chunk)),
    `${text.length} characters → ${chunked.chunks_count} chunks, each an exact part of the text`,
  );
  check(chunked.vectors.length === chunked.chunks_count, 'one vector a chunk');

  title("The same through OpenAI's shape");
  const openai = await call<{ data: { embedding: number[] }[] }>(url, key, 'POST', '/v1/embeddings', {
    input: meanings.cat[0],
    model,
  });
  check(dot(openai.data[0]?.embedding ?? [], single.vector) > 0.99999, 'POST /v1/embeddings gives the same vector');

  title('Money and limits');
  const { summary } = await call<{ summary: { total_tokens: number; total_cost: number; current_balance: number } }>(
    url,
    key,
    'GET',
    '/usage',
  );
  const tokens = 2 * single.usage.total_tokens + chunked.usage.total_tokens;
  check(summary.total_tokens === tokens, `${tokens} tokens billed, $${summary.total_cost.toFixed(9)} of $1 spent`);
  check(Math.abs(summary.total_cost - tokens * 0.002e-6) < 1e-12, 'exactly $0.002 for a million tokens');
  check(Math.abs(summary.current_balance - (1 - summary.total_cost)) < 1e-12, 'the balance is what is left');
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => request(url, key, 'POST', '/vectorize', { text: `text ${i}` })),
  );
  const admitted = answers.filter(answer => answer.status === 200).length;
  const refused = answers.find(answer => answer.status === 429);
  check(
    admitted === 7 && refused !== undefined,
    `10 requests a minute: 3 made, ${admitted} of 12 more admitted, the rest told to retry after ${refused?.headers.get('retry-after')} s`,
  );

  const analyst = await call<{ api_key: string }>(url, adminKey, 'POST', '/admin/accounts', {
    email: 'analyst@example.com',
    plan: 'free',
    credit_usd: 1,
  });
  await walkBirdstrikes({ url, key: analyst.api_key, title, check, request, call });

  const modeller = await call<{ api_key: string }>(url, adminKey, 'POST', '/admin/accounts', {
    email: 'modeller@example.com',
    plan: 'free',
    credit_usd: 1,
  });
  await walkModels({ url, key: modeller.api_key, title, check, request, call });

  const speaker = { url, key: adminKey, title, check, request, call };
  await walkSmallLanguageModel(speaker);
  if (process.argv.includes('--language')) await walkLanguageModel(speaker);

  title('Stop the server');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  check(code === 0, 'it finished what was in flight and exited 0');
}

interface Vectorized {
  vector: number[];
  usage: { total_tokens: number };
}
interface Chunked {
  chunks: string[];
  vectors: number[][];
  chunks_count: number;
  usage: { total_tokens: number };
}

async function similarities(url: string) {
  const groups = Object.entries(meanings).flatMap(([group, texts]) => texts.map(text => ({ group, text })));
  const { vectors } = await call<{ vectors: number[][] }>(url, adminKey, 'POST', '/vectorize/batch', {
    texts: groups.map(each => each.text),
    model,
  });
  console.log(`  ${' '.repeat(42)}${groups.map(each => each.group.slice(0, 5).padStart(6)).join('')}`);
  const within: number[] = [];
  const across: number[] = [];
  let nearestIsTranslation = 0;
  groups.forEach((row, i) => {
    const cells = groups.map((_, j) => dot(vectors[i] ?? [], vectors[j] ?? []));
    cells.forEach((similarity, j) => {
      if (j !== i) (groups[j]?.group === row.group ? within : across).push(similarity);
    });
    const nearest = cells.reduce(
      (best, similarity, j) => (j !== i && similarity > (cells[best] ?? -1) ? j : best),
      i === 0 ? 1 : 0,
    );
    if (groups[nearest]?.group === row.group) nearestIsTranslation++;
    console.log(`  ${fit(row.text, 42)}${cells.map(similarity => similarity.toFixed(2).padStart(6)).join('')}`);
  });
  check(
    nearestIsTranslation === groups.length,
    `the nearest of every sentence is a translation of it (${nearestIsTranslation} of ${groups.length})`,
  );
  check(
    mean(within) > mean(across) + 0.05,
    `translations lie at ${mean(within).toFixed(2)} on average, unrelated sentences at ${mean(across).toFixed(2)}`,
  );
}

async function start(): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [join(root, 'server/vectorium.js'), 'serve'], {
    env: {
      ...process.env,
      HOST: '127.0.0.1',
      PORT: '0',
      VECTORIUM_DATA: folder,
      VECTORIUM_MODELS: process.env.VECTORIUM_MODELS ?? join(root, 'data/models'),
      VECTORIUM_ADMIN_KEY: adminKey,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const url = /"url":"(http[^"]+)"/.exec(line)?.[1];
    if (url) {
      lines.removeAllListeners();
      child.stdout.resume();
      return { url, child };
    }
  }
  throw new Error('the server ended before it listened');
}

async function modelReady(url: string) {
  for (;;) {
    const response = await fetch(`${url}/readyz`);
    const body = (await response.json()) as {
      models?: Record<string, { state: string; done_bytes?: number; total_bytes?: number }>;
    };
    const state = body.models?.[model];
    if (response.ok && state?.state === 'ready') return console.log(`  ✓ ${model} is ready`);
    if (state?.state === 'unavailable')
      throw new Error(`${model} could not be fetched: "npx vectorium models pull ${model}" says why`);
    const done = state?.total_bytes ? ` ${((100 * (state.done_bytes ?? 0)) / state.total_bytes).toFixed(0)} %` : '';
    if (process.stdout.isTTY) process.stdout.write(`\r  ${state?.state ?? 'starting'}${done}   `);
    await new Promise(resolve => setTimeout(resolve, 300));
  }
}

function request(url: string, key: string, method: string, path: string, body?: object) {
  const headers = { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) };
  return fetch(url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
}

async function call<Answer>(url: string, key: string, method: string, path: string, body?: object): Promise<Answer> {
  const response = await request(url, key, method, path, body);
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

function title(text: string) {
  console.log(`\n── ${text}`);
}

function check(held: boolean, what: string) {
  if (!held) failed++;
  console.log(`  ${held ? '✓' : '✗'} ${what}`);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
}

function norm(a: readonly number[]): number {
  return Math.sqrt(dot(a, a));
}

/** Pads or cuts to `width` columns; East Asian wide characters take two. */
function fit(text: string, width: number) {
  let used = 0;
  let out = '';
  for (const character of text) {
    const columns = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/u.test(character) ? 2 : 1;
    if (used + columns > width - 1) break;
    used += columns;
    out += character;
  }
  return out + ' '.repeat(width - used);
}
