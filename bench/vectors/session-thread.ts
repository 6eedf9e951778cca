// A worker thread with one ONNX Runtime session: token ids in, vectors out, nothing else.
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

export interface SessionOptions {
  graphPath: string;
  threads: number;
}
export interface Batch {
  number: number;
  /** Token ids of each text, special tokens included. */
  ids: Int32Array[];
}
export interface Vectors {
  number: number;
  /** [texts, dimension], not normalised. */
  values: Float32Array;
  /** Spent in the session's run alone. */
  runMs: number;
}

if (!parentPort) throw new Error('this file runs in a worker thread');
const port = parentPort;
const { graphPath, threads } = workerData as SessionOptions;
const session = await InferenceSession.create(graphPath, { intraOpNumThreads: threads, interOpNumThreads: 1 });

port.on('message', async ({ number, ids }: Batch) => {
  const tokens = Math.max(...ids.map(row => row.length));
  const inputIds = new BigInt64Array(ids.length * tokens);
  // Ids are positive, so the low half of each is all of it.
  const low = new Int32Array(inputIds.buffer);
  const mask = new Int32Array(ids.length * tokens);
  for (const [row, rowIds] of ids.entries()) {
    for (const [column, id] of rowIds.entries()) low[2 * (row * tokens + column)] = id;
    mask.fill(1, row * tokens, row * tokens + rowIds.length);
  }
  const shape = [ids.length, tokens];
  const feeds = { input_ids: new Tensor('int64', inputIds, shape), attention_mask: new Tensor('int32', mask, shape) };
  const started = performance.now();
  const { vectors } = await session.run(feeds, ['vectors']);
  const runMs = performance.now() - started;
  port.postMessage({ number, values: vectors?.data as Float32Array, runMs } satisfies Vectors);
});
port.postMessage('ready');
