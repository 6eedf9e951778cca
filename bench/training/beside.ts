// What a training costs those who ask for vectors meanwhile: latencies at half load, with the machine otherwise idle and beside a training.
//
// node bench/training/beside.ts [--rounds 3] [--seconds 20] [--rows 50000]. Starts the real server and finds how many texts of 16 tokens a
// second eight callers get. Then texts come at half of that rate, evenly spread and whether or not the ones before are answered, in turns
// without and with a training of a table of 20 columns. A latency counts from when its text was due. The client runs on the same cores.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { loadTokenizer } from '@vectorium/nets';
import { callAll, median, percentile } from '../vectors/load.ts';
import { SocketCaller } from '../vectors/socket-caller.ts';
import { makeTexts } from '../vectors/texts.ts';
import { MODEL, modelFolder, startVectorium } from '../vectors/vectorium.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' },
    rows: { type: 'string', default: '50000' },
  },
});
const seconds = Number(options.seconds);
const columns = 20;

const texts = (await makeTexts(await loadTokenizer(await modelFolder()))).short.map(({ text }) => text);
const vectorium = await startVectorium();
const door = vectorium.unlimited;
const headers = { ...door.headers, 'content-type': 'application/json' };
try {
  await compare();
} finally {
  await vectorium.stop();
}

async function compare(): Promise<void> {
  await callAll(door, texts, 8);
  const { seconds: took } = await callAll(door, texts, 8);
  const rate = texts.length / took / 2;
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; ${MODEL}`);
  console.log(`${rate.toFixed(0)} texts of 16 tokens a second, half of what eight callers get\n`);
  const { dataset_id: dataset } = await call('PUT', '/v2/data/upload?format=csv', table(Number(options.rows)));
  const idle: number[][] = [];
  const beside: number[][] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    idle.push(await load(rate));
    const id = await train(String(dataset));
    beside.push(await load(rate));
    const { status } = await call('GET', `/v2/models/${id}`);
    if (status !== 'running') throw new Error(`the training had ended before the load: ${String(status)}`);
    await call('POST', `/v2/models/${id}/cancel`);
  }
  console.log('| | p50, ms | p99, ms |\n| --- | --: | --: |');
  console.log(line('alone', idle));
  console.log(line('beside a training', beside));
  const ratio = median(idle.map((times, round) => percentile(beside[round] ?? [], 0.99) / percentile(times, 0.99)));
  console.log(`\nThe p99 beside a training is ${ratio.toFixed(2)} of the one alone (median of the rounds' ratios).`);
}

function line(name: string, rounds: number[][]): string {
  const [middle, late] = [0.5, 0.99].map(share => median(rounds.map(times => percentile(times, share))).toFixed(1));
  return `| ${name} | ${middle} | ${late} |`;
}

/** Starts a training that lasts longer than the load, and waits until its steps run. */
async function train(dataset: string): Promise<string> {
  const config = { epochs: 10_000, early_stopping: false, max_seconds: 600 };
  const body = JSON.stringify({ dataset_id: dataset, model_type: 'classification', config });
  const { model_id: id } = await call('POST', '/v2/models/train', body);
  for (;;) {
    const { curves, status, error } = await call('GET', `/v2/models/${String(id)}`);
    if (Array.isArray(curves) && curves.length > 0) return String(id);
    if (status !== 'queued' && status !== 'running') throw new Error(JSON.stringify(error));
    await new Promise(done => setTimeout(done, 200));
  }
}

/** Latencies in ms of texts that come at `rate` a second. */
async function load(rate: number): Promise<number[]> {
  const free: SocketCaller[] = [];
  const latencies: number[] = [];
  const open: Promise<void>[] = [];
  const began = performance.now();
  for (let index = 0; index < rate * seconds; index++) {
    const due = began + (1000 * index) / rate;
    const early = due - performance.now();
    if (early > 0) await new Promise(done => setTimeout(done, early));
    const ask = async () => {
      const caller = free.pop() ?? (await SocketCaller.open(door));
      await caller.call(door.body(texts[index % texts.length] ?? ''));
      latencies.push(performance.now() - due);
      free.push(caller);
    };
    open.push(ask());
  }
  await Promise.all(open);
  for (const caller of free) caller.close();
  return latencies;
}

async function call(method: string, path: string, body?: string): Promise<Record<string, unknown>> {
  const answer = await fetch(vectorium.origin + path, { method, headers, ...(body !== undefined && { body }) });
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Record<string, unknown>;
}

function table(rows: number): string {
  const names = Array.from({ length: columns }, (_, column) => `c${column}`);
  const lines = Array.from({ length: rows }, (_, row) => {
    const cells = Array.from(names.keys(), column => ((row * 7919 + column * 104_729) % 10_007) / 100);
    return [...cells, (cells[0] ?? 0) > 50 === row % 7 > 0 ? 'yes' : 'no'].join();
  });
  return [[...names, 'label'].join(), ...lines].join('\n');
}
