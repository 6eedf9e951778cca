// A worker thread with one bare ONNX session on one thread: what the engine is measured against.
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

export interface BareData {
  path: string;
}

/** Runs the batches over and over for `forMs`, from the first. */
export interface BareRun {
  batches: Int32Array[][];
  forMs: number;
}

export interface BareResult {
  tokens: number;
  elapsedMs: number;
  /** Of each run. */
  latenciesMs: number[];
}

const port = parentPort;
if (!port) throw new Error('bare.ts runs in a worker thread');
const data: BareData = workerData;
const session = await InferenceSession.create(data.path, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  enableMemPattern: false,
});

port.on('message', async ({ batches, forMs }: BareRun) => {
  const feeds = batches.map(texts => ({
    inputs: inputsOf(texts),
    tokens: texts.reduce((sum, ids) => sum + ids.length, 0),
  }));
  const latenciesMs: number[] = [];
  const started = performance.now();
  let tokens = 0;
  for (let run = 0; performance.now() - started < forMs; run++) {
    const feed = feeds[run % feeds.length];
    if (!feed) break;
    const before = performance.now();
    await session.run(feed.inputs, ['vectors']);
    latenciesMs.push(performance.now() - before);
    tokens += feed.tokens;
  }
  const result: BareResult = { tokens, elapsedMs: performance.now() - started, latenciesMs };
  port.postMessage(result);
});
port.postMessage('ready');

function inputsOf(texts: Int32Array[]): Record<string, Tensor> {
  const longest = Math.max(...texts.map(ids => ids.length));
  const padded = new BigInt64Array(texts.length * longest);
  const mask = new Int32Array(texts.length * longest);
  for (const [row, ids] of texts.entries()) {
    for (const [i, id] of ids.entries()) padded[row * longest + i] = BigInt(id);
    mask.fill(1, row * longest, row * longest + ids.length);
  }
  const shape = [texts.length, longest];
  return { input_ids: new Tensor('int64', padded, shape), attention_mask: new Tensor('int32', mask, shape) };
}
