// What the engine costs beside bare ONNX sessions on the same tokens: `node bench/engine/run.ts [model folder] [seconds]`.
//
// Bare: as many worker threads as the engine has workers, each one session on one thread, running the same texts either one
// by one or sorted by length in the batches that so many callers allow; the faster of the two counts. Engine: callers that each send one text after the
// other, tokenising included. Both take turns, several rounds, because machines drift; medians are printed. The ratio by
// processor time (tokens per second of computing) says the same on a machine that others use too, where the clock says little.
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { availableCores, createEngine, type Engine, type ModelHandle } from '@vectorium/engine';
import { compileEncoder } from '@vectorium/nets';
import type { BareData, BareResult, BareRun } from './bare.ts';

interface Bare {
  tokensPerSecond: number;
  tokensPerCpuSecond: number;
  /** Of one run. */
  p50: number;
}

interface Served extends Bare {
  p99: number;
  padding: number;
}

interface Row extends Served {
  ceiling: number;
  ratio: number;
  cpuRatio: number;
  bareP50: number;
}

const rounds = 3;
const maxBatchTokens = 512;
const special = { before: [101], after: [102] };
const kinds = {
  '16 tokens': () => 16,
  'mixed 16 to 512': () => 16 + Math.floor(random() * 497),
  '512 tokens': () => 512,
};
const titles = [
  'texts',
  'callers',
  'bare tok/s',
  'engine tok/s',
  'ratio',
  'ratio by processor time',
  'bare run p50 ms',
  'engine p50 ms',
  'engine p99 ms',
  'padding',
];

let seed = 11;
const folder = process.argv[2] ?? installed('minilm_l6');
const roundMs = Number(process.argv[3] ?? 4) * 1000;
const workers = availableCores();
const graph = await compileEncoder(folder, { pooling: 'mean' });
const model: ModelHandle = {
  id: 'bench',
  folder,
  pooling: 'mean',
  maxTokens: graph.maxTokens,
  dimension: graph.dimension,
  normalize: true,
  prefixes: {},
};
const weights = `${graph.precision} weights of ${(graph.weightBytes / 1e6).toFixed(0)} MB`;
console.log(`${cpus()[0]?.model} × ${cpus().length}, Node ${process.version}, ${workers} workers, ${weights}`);
console.log(`${rounds} rounds of ${roundMs / 1000} s each\n`);
console.log(`| ${titles.join(' | ')} |\n|${titles.map(() => '---|').join('')}`);

const engine = createEngine();
const bare = await Promise.all(Array.from({ length: workers }, startBare));
for (const [name, length] of Object.entries(kinds)) {
  const texts = Array.from({ length: 256 }, () => textOf(length() - special.before.length - special.after.length));
  const prepared = await engine.prepare(model, texts, { chunkSize: 512, overlap: 0, method: 'fixed' });
  const ids = prepared.map(({ chunks }) =>
    Int32Array.of(...special.before, ...(chunks[0]?.ids ?? []), ...special.after),
  );
  for (const callers of [1, 8, 64]) {
    const used = bare.slice(0, Math.min(callers, workers));
    const rows: Row[] = [];
    for (let round = 0; round < rounds; round++) {
      const singles = ids.map(text => [text]);
      const single = await runBare(used, singles);
      const batched = callers > 1 ? await runBare(used, batchesOf(ids, callers / workers)) : single;
      const served = await runEngine(engine, texts, callers);
      const best = batched.tokensPerCpuSecond > single.tokensPerCpuSecond ? batched : single;
      rows.push({
        ...served,
        ceiling: best.tokensPerSecond,
        ratio: served.tokensPerSecond / best.tokensPerSecond,
        cpuRatio: served.tokensPerCpuSecond / best.tokensPerCpuSecond,
        bareP50: single.p50,
      });
    }
    const cells = [
      name,
      callers,
      ...(['ceiling', 'tokensPerSecond'] as const).map(key => median(rows, key).toFixed(0)),
      ...(['ratio', 'cpuRatio'] as const).map(key => median(rows, key).toFixed(3)),
      ...(['bareP50', 'p50', 'p99'] as const).map(key => median(rows, key).toFixed(2)),
      `${(median(rows, 'padding') * 100).toFixed(1)} %`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
const residentMb = (process.memoryUsage.rss() / 1e6).toFixed(0);
console.log(`\n${residentMb} MB resident with ${workers} bare sessions and the engine's`);
await engine.close();
for (const worker of bare) await worker.terminate();

/** Closed loop: each caller sends its next text when it has the last one's vector. Counted is what ends inside the time. */
async function runEngine(subject: Engine, texts: string[], callers: number): Promise<Served> {
  const latencies: number[] = [];
  let next = 0;
  const stop = new AbortController();
  const caller = async () => {
    while (!stop.signal.aborted) {
      const from = performance.now();
      const text = texts[next++ % texts.length] ?? '';
      const prepared = await subject.prepare(model, [text], { chunkSize: 512, overlap: 0, method: 'sentence_aware' });
      await subject.embed(model, prepared, {});
      latencies.push(performance.now() - from);
    }
  };
  const counted = () => {
    const { tokens = 0, paddingTokens = 0 } = subject.status().models[0] ?? {};
    return { tokens, paddingTokens };
  };
  const all = Array.from({ length: callers }, caller);
  // The first round trips fill the queue.
  await sleep(roundMs / 4);
  latencies.length = 0;
  const before = counted();
  const measured = clock();
  await sleep(roundMs);
  const after = counted();
  const spent = measured();
  stop.abort();
  await Promise.all(all);
  const tokens = after.tokens - before.tokens;
  return {
    tokensPerSecond: tokens / spent.seconds,
    tokensPerCpuSecond: tokens / spent.cpuSeconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    padding: (after.paddingTokens - before.paddingTokens) / Math.max(1, tokens),
  };
}

async function runBare(sessions: Worker[], batches: Int32Array[][]): Promise<Bare> {
  const measured = clock();
  const results = await Promise.all(
    sessions.map(async (worker, index) => {
      const run: BareRun = { batches: batches.filter((_, i) => i % sessions.length === index), forMs: roundMs };
      const result = new Promise<BareResult>(resolve => worker.once('message', resolve));
      worker.postMessage(run, []);
      return result;
    }),
  );
  const latencies = results.flatMap(result => result.latenciesMs);
  return {
    tokensPerSecond: results.reduce((sum, { tokens, elapsedMs }) => sum + (tokens / elapsedMs) * 1000, 0),
    tokensPerCpuSecond: results.reduce((sum, { tokens }) => sum + tokens, 0) / measured().cpuSeconds,
    p50: quantile(latencies, 0.5),
  };
}

/** Wall and processor seconds of this process since the call. */
function clock(): () => { seconds: number; cpuSeconds: number } {
  const started = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { seconds: (performance.now() - started) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}

/** Texts of nearly one length together, no more than so many callers can have waiting. */
function batchesOf(ids: Int32Array[], maxCount: number): Int32Array[][] {
  const batches: Int32Array[][] = [];
  let batch: Int32Array[] = [];
  for (const text of ids.toSorted((a, b) => a.length - b.length)) {
    const count = batch.length + 1;
    if (count > 1 && (count > maxCount || text.length * count > maxBatchTokens)) {
      batches.push(batch);
      batch = [];
    }
    batch.push(text);
  }
  return shuffled([...batches, batch]);
}

async function startBare(): Promise<Worker> {
  const workerData: BareData = { path: graph.path };
  const worker = new Worker(new URL('./bare.ts', import.meta.url), { workerData });
  await new Promise(resolve => worker.once('message', resolve));
  return worker;
}

/** Common English words that are one token each. */
function textOf(tokens: number): string {
  const words =
    'time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city'.split(
      ' ',
    );
  return Array.from({ length: tokens }, () => words[Math.floor(random() * words.length)]).join(' ');
}

function shuffled<T>(list: T[]): T[] {
  const keyed = list.map(item => ({ item, key: random() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
}

function median(rows: Row[], key: keyof Row): number {
  const values = rows.map(row => row[key]);
  return quantile(values, 0.5);
}

function quantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

function random(): number {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
}

/** A revision of a model that `vectorium models pull` has put there. */
function installed(alias: string): string {
  const root = join(process.env.VECTORIUM_MODELS ?? 'data/models', alias);
  for (const revision of readdirSync(root)) {
    const place = join(root, revision);
    try {
      readFileSync(join(place, 'vectorium.json'));
      return place;
    } catch {
      // Not finished, or something else.
    }
  }
  throw new Error(`no model in ${root}: run vectorium models pull ${alias}, or name a folder`);
}
