// What the console costs a browser: the first page with nothing cached, a table of a million rows that is scrolled, and a loss curve of
// 100,000 points that is zoomed.
//
// node bench/console/run.ts [--rounds 5] [--points 100000] [--rows 1000000] [--folder DIR [--prepare]]. Starts the real server on a folder of its own and Debian's
// Chromium (VECTORIUM_CHROMIUM), a new profile for each round of the first page. A task is what the page's main thread did without a break,
// as Chromium's own trace has it; a frame is late, and fingers feel it, when a task takes more than 50 ms. The browser, the server and
// this program share the cores.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';
import { median } from '../vectors/load.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '1000000' },
    points: { type: 'string', default: '100000' },
    folder: { type: 'string' },
    prepare: { type: 'boolean', default: false },
  },
});
const executablePath = process.env.VECTORIUM_CHROMIUM ?? '/usr/bin/chromium';
const root = fileURLToPath(new URL('../../', import.meta.url));
const longTaskMs = 50;

const begun = 'bench begun';
let hasHead = false;

/** Runs in the page before everything else: notes when the first heading is there, and when the main thread is free after it. */
const watchFirst = `new MutationObserver((_, observer) => {
  if (!document.querySelector('h1')) return;
  observer.disconnect();
  const heading = performance.now();
  requestAnimationFrame(() => setTimeout(() => (globalThis.first = { heading, ready: performance.now() })));
}).observe(document, { childList: true, subtree: true });`;

/** Runs in the page: its table from the first row to the last and back, in 180 frames. */
const dragTable = `(async () => {
  const area = document.querySelector('[role=table]');
  const most = area.scrollHeight - area.clientHeight;
  for (let frame = 0; frame <= 180; frame++) {
    area.scrollTop = most * (1 - Math.abs(1 - frame / 90));
    await new Promise(requestAnimationFrame);
  }
})()`;

const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'vectorium-bench-')));
const server = await startServer();
try {
  const version = execFileSync(executablePath, ['--version'], { encoding: 'utf8' }).trim();
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB; ${version}, Node ${process.version}`,
  );
  const cookie = await enter();
  const { dataset, model } = await prepared(cookie);
  if (!options.prepare) {
    await firstPages(cookie);
    const browser = await launch();
    try {
      const context = await signedIn(browser, cookie);
      await scrollTable(await context.newPage(), dataset);
      await zoomCurve(await context.newPage(), model);
    } finally {
      await browser.close();
    }
  }
} finally {
  await server.stop();
  if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
}

/** How long from asking for the address until there is a heading, and until the page also takes a click. */
async function firstPages(cookie: string): Promise<void> {
  if (Number(options.rounds) === 0) return;
  console.log(
    '\n| first page, nothing cached | heading, ms | takes input, ms | scripts, KB as sent |\n| --- | --: | --: | --: |',
  );
  for (const [name, path, cookies] of [
    ['sign-in', '/console/sign-in', null],
    ['overview', '/', cookie],
    ['API keys', '/console/keys', cookie],
  ] as const) {
    const rounds: { heading: number; ready: number; kilobytes: number }[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      const browser = await launch();
      const context = cookies ? await signedIn(browser, cookies) : await browser.newContext({ baseURL: server.url });
      const page = await context.newPage();
      let bytes = 0;
      const session = await context.newCDPSession(page);
      await session.send('Network.enable');
      const scripts = new Set<string>();
      session.on('Network.responseReceived', ({ requestId, type }) => type === 'Script' && scripts.add(requestId));
      session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        if (scripts.has(requestId)) bytes += encodedDataLength;
      });
      await page.addInitScript(watchFirst);
      await page.goto(path, { waitUntil: 'commit' });
      // The page's policy forbids what Playwright would wait with.
      let first: { heading: number; ready: number } | null = null;
      while (!first) {
        await page.waitForTimeout(50);
        first = await page.evaluate<typeof first>('globalThis.first ?? null');
      }
      const { heading, ready } = first;
      rounds.push({ heading, ready, kilobytes: bytes / 1000 });
      await browser.close();
    }
    const middle = (of: (round: (typeof rounds)[number]) => number) => median(rounds.map(of)).toFixed(0);
    console.log(
      `| ${name} | ${middle(each => each.heading)} | ${middle(each => each.ready)} | ${middle(each => each.kilobytes)} |`,
    );
  }
}

async function scrollTable(page: Page, dataset: string): Promise<void> {
  await page.goto(`/console/datasets/${dataset}`);
  const table = page.getByRole('table');
  await table.getByRole('cell').first().waitFor();
  await page.waitForTimeout(1500);
  const box = await table.boundingBox();
  if (!box) throw new Error('the table is not seen');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await report(page, `wheel through a table of ${Number(options.rows).toLocaleString('en')} rows`, async () => {
    for (let step = 0; step < 120; step++) {
      await page.mouse.wheel(0, step % 3 === 0 ? 900 : 300);
      await page.waitForTimeout(16);
    }
  });
  await report(page, 'drag from its first row to its last and back', async () => {
    await page.evaluate(dragTable);
  });
}

async function zoomCurve(page: Page, model: string): Promise<void> {
  // The server keeps at most 10,000 points of a curve; the page is given all of a longer one.
  await page.route(`**/api/v2/models/${model}`, async route => {
    const answer = (await (await route.fetch()).json()) as { curves: Epoch[] };
    await route.fulfill({ json: { ...answer, curves: lengthened(answer.curves, Number(options.points)) } });
  });
  await page.goto(`/console/models/${model}`);
  await page.getByRole('tab', { name: 'Training' }).waitFor();
  await page.waitForTimeout(1500);
  const points = Number(options.points).toLocaleString('en');
  await report(page, `open a loss curve of ${points} points`, async () => {
    await page.getByRole('tab', { name: 'Training' }).click();
    await page.getByRole('application').waitFor();
  });
  const plot = page.getByRole('application');
  const box = await plot.boundingBox();
  if (!box) throw new Error('the curve is not seen');
  await page.mouse.move(box.x + box.width / 3, box.y + box.height / 2);
  await report(page, 'zoom in and out with the wheel', async () => {
    await page.keyboard.down('Control');
    for (let step = 0; step < 80; step++) {
      await page.mouse.wheel(0, step < 40 ? -100 : 100);
      await page.waitForTimeout(16);
    }
    await page.keyboard.up('Control');
  });
  await report(page, 'zoom, move and show all with the keys', async () => {
    await plot.focus();
    for (const key of ['+', '+', '+', ...Array.from({ length: 30 }, () => 'ArrowRight'), '-', '-', '0']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(16);
    }
  });
  await report(page, 'point along it', async () => {
    for (let step = 0; step < 100; step++) {
      await page.mouse.move(box.x + 60 + (step / 100) * (box.width - 80), box.y + box.height / 2);
      await page.waitForTimeout(8);
    }
  });
}

interface Epoch {
  epoch: number;
  training_loss: number;
  validation_loss: number | null;
}

/** A curve of as many epochs, which goes as the given one with noise upon it. */
function lengthened(curve: readonly Epoch[], points: number): Epoch[] {
  return Array.from({ length: points }, (_, index) => {
    const like = curve[Math.floor((index / points) * curve.length)];
    if (!like) throw new Error('the model has no curve');
    const noise = 1 + 0.2 * Math.sin(index * 12.9898) * Math.cos(index * 4.1414);
    const validation = like.validation_loss === null ? null : like.validation_loss * noise;
    return { ...like, epoch: index + 1, training_loss: like.training_loss * noise, validation_loss: validation };
  });
}

/** What the main thread did meanwhile: its longest task, by the clock and by its own use of a core, and how many were over 50 ms. */
async function report(page: Page, name: string, act: () => Promise<void>): Promise<void> {
  if (!hasHead)
    console.log(
      '\n| in the page | longest task, ms | most of a core in a task, ms | tasks over 50 ms |\n| --- | --: | --: | --: |',
    );
  hasHead = true;
  const browser = page.context().browser();
  if (!browser) throw new Error('the page has no browser');
  await browser.startTracing(page, { categories: ['toplevel', '__metadata', 'blink.user_timing'] });
  // The trace itself costs something when it begins.
  await page.waitForTimeout(500);
  await page.evaluate(`performance.mark('${begun}')`);
  await act();
  const tasks = mainTasks(await browser.stopTracing());
  const most = (of: (task: Task) => number) => Math.max(0, ...tasks.map(of)).toFixed(0);
  const long = tasks.filter(({ ms }) => ms > longTaskMs).length;
  console.log(`| ${name} | ${most(({ ms }) => ms)} | ${most(({ coreMs }) => coreMs)} | ${long} |`);
}

interface Task {
  ms: number;
  /** Of a core; less than by the clock where others had it. */
  coreMs: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args: { name?: string };
}

/** Tasks of the page's main thread since it was begun. */
function mainTasks(trace: Buffer): Task[] {
  const { traceEvents: events } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const start = events.find(({ name }) => name === begun);
  if (!start) throw new Error('the trace has no beginning');
  return events.flatMap(({ name, ph, pid, tid, ts, dur = 0, tdur = 0 }) =>
    name === 'ThreadControllerImpl::RunTask' && ph === 'X' && pid === start.pid && tid === start.tid && ts > start.ts
      ? [{ ms: dur / 1000, coreMs: tdur / 1000 }]
      : [],
  );
}

function launch(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: isRoot ? ['--no-sandbox'] : [] });
}

async function signedIn(browser: Browser, cookie: string): Promise<BrowserContext> {
  const context = await browser.newContext({
    baseURL: server.url,
    viewport: { width: 1440, height: 900 },
    locale: 'en-US',
  });
  const [name = '', value = ''] = cookie.split(/=(.*)/s);
  await context.addCookies([{ name, value, url: server.url }]);
  return context;
}

async function startServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const child = spawn(process.execPath, [join(root, 'server/vectorium.js'), 'serve'], {
    cwd: root,
    env: {
      ...process.env,
      PORT: '0',
      VECTORIUM_DATA: folder,
      VECTORIUM_ADMIN_KEY: adminKey(),
      VECTORIUM_PRELOAD: 'none',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (!url) continue;
    child.stdout.resume();
    return {
      url,
      async stop() {
        child.kill();
        await once(child, 'exit');
      },
    };
  }
  throw new Error('the server ended before it listened');
}

function adminKey(): string {
  return 'sk-administrator-of-the-bench';
}

/** The cookie of the one who owns what is measured; who has prepared a folder signs in. */
async function enter(): Promise<string> {
  const person = { email: 'bench@example.com', password: 'a horse without a battery' };
  const headers = { 'content-type': 'application/json', origin: server.url };
  const post = (path: string, body: object) =>
    fetch(`${server.url}/console/auth/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const made = await post('sign-up/email', { ...person, name: 'Bench' });
  const response = made.ok ? made : await post('sign-in/email', person);
  if (!response.ok) throw new Error(await response.text());
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

/** The dataset and the model, made unless the folder has them. */
async function prepared(cookie: string): Promise<{ dataset: string; model: string }> {
  const list = async (path: string) =>
    (
      (await (await fetch(`${server.url}${path}`, { headers: { cookie } })).json()) as {
        data: Record<string, string>[];
      }
    ).data;
  const dataset = (await list('/api/v2/data')).find(({ name }) => name === 'rows')?.['dataset_id'];
  const model = (await list('/api/v2/models')).find(({ status }) => status === 'succeeded')?.['model_id'];
  return { dataset: dataset ?? (await upload(cookie)), model: model ?? (await train(cookie)) };
}

async function ask<Answer>(
  path: string,
  { cookie, method = 'POST', body, type }: { cookie: string; method?: string; body: string | Buffer; type: string },
): Promise<Answer> {
  const headers = { cookie, origin: server.url, 'content-type': type, prefer: 'wait=60' };
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

/** Numbers, texts and dates, as many rows as asked for. */
async function upload(cookie: string): Promise<string> {
  const path = join(folder, 'rows.parquet');
  const database = await (await DuckDBInstance.create()).connect();
  await database.run(`COPY (
    SELECT i AS id, i % 97 AS part, hash(i) % 1000000 / 100 AS price, 'customer ' || hash(i, 1) % 50000 AS customer,
      ['Adana', 'Ankara', 'Bursa', 'İstanbul', 'İzmir'][CAST(1 + hash(i, 2) % 5 AS BIGINT)] AS city,
      DATE '2020-01-01' + CAST(hash(i, 3) % 2000 AS INT) AS day, hash(i, 4) % 2 = 0 AS paid,
      CASE WHEN i % 11 = 0 THEN NULL ELSE 'a note of some length about row ' || i END AS note
    FROM range(${Number(options.rows)}) t(i)) TO '${path}' (FORMAT parquet)`);
  database.disconnectSync();
  const body = await readFile(path);
  const query = '/api/v2/data/upload?format=parquet&name=rows';
  const type = 'application/octet-stream';
  return (await ask<{ dataset_id: string }>(query, { cookie, method: 'PUT', body, type })).dataset_id;
}

/** A linear model on forty rows. */
async function train(cookie: string): Promise<string> {
  const rows = Array.from({ length: 40 }, (_, i) => `${i},${(i * 7) % 11},${i * 2 + ((i * 7) % 5)}`);
  const file = { method: 'PUT', body: ['a,b,y', ...rows].join('\n'), type: 'application/octet-stream' };
  const { dataset_id: dataset } = await ask<{ dataset_id: string }>('/api/v2/data/upload?format=csv', {
    cookie,
    ...file,
  });
  const config = { target: 'y', algorithm: 'linear', epochs: 200, early_stopping: false };
  const body = JSON.stringify({ dataset_id: dataset, model_type: 'regression', config });
  const { model_id: id } = await ask<{ model_id: string }>('/api/v2/models/train', {
    cookie,
    body,
    type: 'application/json',
  });
  for (;;) {
    const answer = await fetch(`${server.url}/api/v2/models/${id}`, { headers: { cookie } });
    const { status } = (await answer.json()) as { status: string };
    if (status === 'succeeded') return id;
    if (status !== 'queued' && status !== 'running') throw new Error(`the training ${status}`);
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}
