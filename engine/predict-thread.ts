// The thread that holds sessions of many trained models: loads them, computes their predictions. Started by PredictThread.
import { parentPort } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { FromPredict, PieceColumn, ToPredict } from './protocol.ts';

const port = parentPort;
if (!port) throw new Error('predict-thread.ts runs in a worker thread');
const sessions = new Map<string, InferenceSession>();
/** One after the other: a model that is dropped has finished what came before. */
let last: Promise<void> = Promise.resolve();

port.on('message', (message: ToPredict) => {
  last = last.then(() =>
    answer(message).catch((error: unknown) => {
      send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    }),
  );
});

async function answer(message: ToPredict): Promise<void> {
  switch (message.type) {
    case 'load': {
      const session = await InferenceSession.create(message.path, {
        // The threads of this kind share the cores among themselves; a row is less work than waking another.
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        // A pattern would be kept for every number of rows.
        enableMemPattern: false,
        // Errors are thrown; printed as well, they would put callers' values into the log.
        logSeverityLevel: 4,
      });
      sessions.set(message.model, session);
      return send({ type: 'loaded' });
    }
    case 'predict':
      return predict(message);
    case 'drop':
      await sessions.get(message.model)?.release();
      sessions.delete(message.model);
      return;
    case 'close':
      for (const session of sessions.values()) await session.release();
      port?.close();
  }
}

async function predict({ model, rows, columns }: ToPredict & { type: 'predict' }): Promise<void> {
  const session = sessions.get(model);
  if (!session) throw new Error('no session was created');
  const started = performance.now();
  // A column that can't tell rows apart (it was constant in training) is no input.
  const inputs = columns.filter(({ name }) => session.inputNames.includes(name));
  const feeds = Object.fromEntries(inputs.map(column => [column.name, tensorOf(column, rows)]));
  const outputs = await session.run(feeds);
  const values = outputs['prediction']?.data;
  if (!(values instanceof Float64Array)) throw new Error('the graph gives no f64 output prediction');
  const found = outputs['probabilities']?.data;
  if (found !== undefined && !(found instanceof Float32Array)) throw new Error('probabilities are not f32');
  // Copies: the memory of an output belongs to the runtime.
  const predictions = new Float64Array(values);
  const probabilities = found ? new Float32Array(found) : null;
  send({ type: 'predicted', predictions, probabilities, milliseconds: performance.now() - started }, [
    predictions.buffer,
    ...(probabilities ? [probabilities.buffer] : []),
  ]);
}

function tensorOf(column: PieceColumn, rows: number): Tensor {
  switch (column.kind) {
    case 'number':
      return new Tensor('float64', column.values, [rows, 1]);
    case 'text':
      return new Tensor('string', column.values, [rows, 1]);
    case 'vector':
      return new Tensor('float32', column.values, [rows, column.values.length / rows]);
  }
}

function send(message: FromPredict, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}
