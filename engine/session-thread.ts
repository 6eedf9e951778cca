// The thread that holds one ONNX session: loads it, runs batches, gives back vectors. Started by Session.
import { parentPort, workerData } from 'node:worker_threads';
import { compileEncoder } from '@vectorium/nets';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { normalize, sumSpans } from './late.ts';
import type { FromSession, SessionThreadData, ToSession } from './protocol.ts';

const port = parentPort;
if (!port) throw new Error('session-thread.ts runs in a worker thread');
const data: SessionThreadData = workerData;
let session: InferenceSession | null = null;

port.on('message', (message: ToSession) => {
  answer(message).catch((error: unknown) => {
    send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});

async function answer(message: ToSession): Promise<void> {
  switch (message.type) {
    case 'compile':
      return send({ type: 'compiled', graph: await compileEncoder(data.folder, { pooling: data.pooling }) });
    case 'create':
      session = await InferenceSession.create(message.path, {
        intraOpNumThreads: data.threads,
        interOpNumThreads: 1,
        // Threads that spin while they wait are quicker alone, but take the cores from the other session and the database. So they
        // spin just long enough to be there for the next operator: one text of 16 tokens takes a millisecond less than when they
        // sleep at once (measured with 30 to 120 µs in turn), and many callers at once lose nothing.
        extra: { session: { 'intra_op.spin_duration_us': '50' } },
        graphOptimizationLevel: 'all',
        // A pattern is kept for every shape seen, and texts come in all shapes: slower, and memory would grow.
        enableMemPattern: false,
        // Errors are thrown; printed as well, they would put token ids of callers' texts into the log.
        logSeverityLevel: 4,
      });
      return send({ type: 'created' });
    case 'run':
      return run(message);
    case 'close':
      await session?.release();
      port?.close();
  }
}

async function run({ ids, lengths, spans }: ToSession & { type: 'run' }): Promise<void> {
  if (!session) throw new Error('no session was created');
  const started = performance.now();
  const count = lengths.length;
  const longest = Math.max(...lengths);
  const padded = new BigInt64Array(count * longest);
  const mask = new Int32Array(count * longest);
  let at = 0;
  for (const [row, length] of lengths.entries()) {
    for (let i = 0; i < length; i++) padded[row * longest + i] = BigInt(ids[at++] ?? 0);
    mask.fill(1, row * longest, row * longest + length);
  }
  const feeds = {
    input_ids: new Tensor('int64', padded, [count, longest]),
    attention_mask: new Tensor('int32', mask, [count, longest]),
  };
  const output = spans ? 'hidden' : 'vectors';
  const tensor = (await session.run(feeds, [output]))[output];
  if (!tensor || !(tensor.data instanceof Float32Array)) throw new Error(`the graph gives no f32 output ${output}`);
  const dimension = tensor.dims.at(-1) ?? 0;
  const vectors = spans ? sumSpans(tensor.data, dimension, spans) : new Float32Array(tensor.data);
  // The sums of spans become vectors only when all windows of their document are there.
  if (data.normalize && !spans)
    for (let row = 0; row < count; row++) normalize(vectors.subarray(row * dimension, (row + 1) * dimension));
  send({ type: 'vectors', vectors, milliseconds: performance.now() - started }, [vectors.buffer]);
}

function send(message: FromSession, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}
