// What the predictions of two models for the same rows are worth, computed on a thread of its own: areas under curves sort all rows
// once for each class.
import { Worker } from 'node:worker_threads';
import type { Comparison, Measured } from './measure-thread.ts';

/** Takes the memory of its arrays away from the caller. The thread ends with the signal. */
export async function measure(comparison: Comparison, signal: AbortSignal): Promise<Measured> {
  signal.throwIfAborted();
  const buffers = [comparison.actual, ...comparison.predicted].map(({ buffer }) => buffer);
  const thread = new Worker(new URL('measure-thread.ts', import.meta.url), {
    workerData: comparison,
    transferList: buffers,
    name: 'measure',
  });
  try {
    return await new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', code => reject(new Error(`the thread that measures ended with code ${code}`)));
    });
  } finally {
    await thread.terminate();
  }
}
